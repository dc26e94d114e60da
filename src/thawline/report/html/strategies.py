"""The strategies of a comparison: their scores, their decisions and their differences."""

from __future__ import annotations

from collections.abc import Sequence

from thawline.report.differences import differences_figure
from thawline.report.html.blocks import (
    Block,
    Cell,
    Column,
    Details,
    Section,
    Table,
    Text,
    Tone,
)
from thawline.report.html.plots import Plots
from thawline.report.html.words import (
    SPACE,
    about,
    interval,
    listed,
    name_of,
    number_cell,
    percent,
    points,
    score_cell,
    seconds_cell,
    value,
)
from thawline.report.ladder import draws_line, seeds_of
from thawline.report.rungs import RungBar, rungs_figure
from thawline.report.tables import MISSING
from thawline.runs.records import (
    Difference,
    LadderRecord,
    RungPair,
    RungRecord,
)

WIDTH, NARROW = 8.0, 4.9
"""The widths of plots on large and on small screens, in inches."""

TONES: dict[str, Tone] = {"within": "good", "undecided": "caution", "worse": "bad"}
"""The tones of the decisions."""


def strategy_blocks(record: LadderRecord, plots: Plots) -> list[Block]:
    """Return the table and the plot of all strategies, and all their scores and settings."""
    rungs = record.rungs
    backbones = list(dict.fromkeys(rung.backbone for rung in rungs if rung.backbone is not None))
    columns = [
        Column("Strategy", numeric=False),
        Column("Accuracy"),
        Column("Decision", numeric=False),
        Column("To the best other", unit="points"),
        Column("Time of a run"),
        Column("Trained", unit="parameters"),
    ]
    rows = [
        [
            Cell(rung.rung, note=_note(rung, record, several=len(backbones) > 1)),
            _accuracy_cell(rung),
            _decision_cell(rung),
            _difference_cell(rung),
            seconds_cell(rung.cost.seconds),
            number_cell(rung.parameters.trainable),
        ]
        for rung in rungs
    ]
    level = percent(rungs[0].test.confidence_level, 0)
    seeds = seeds_of(rungs)
    over = "" if seeds == "1 seed" else f"Means over {seeds}. "
    caption = (
        f"{over}Scores on {rungs[0].test.rows:,} test texts, with {level} intervals over texts. "
        "A click on a heading sorts the table."
    )
    bars = [
        RungBar(rung.rung, rung.test.accuracy, rung.cost.seconds, rung.parameters.trainable)
        for rung in rungs
    ]
    figure = rungs_figure(bars, title="", subtitle="")
    label = "Bar chart of test accuracy: " + listed(
        [f"{rung.rung} {value(rung.test.accuracy)}" for rung in rungs]
    )
    words = (
        f"Test accuracy with its {level} interval, the seconds of a run and the number of trained "
        "parameters of each strategy."
    )
    return [
        Table(caption, columns, rows, sortable=True),
        plots.plot(figure, f"{label}.", words),
        Details("All scores and settings", [_scores_table(rungs), _settings_table(rungs)]),
    ]


def _scores_table(rungs: Sequence[RungRecord]) -> Table:
    columns = [
        Column("Strategy", numeric=False),
        Column("Validation accuracy"),
        Column("Macro F1"),
        Column("Weighted F1"),
        Column("Loss", unit="nats"),
        Column("Calibration error"),
    ]
    rows = [
        [
            Cell(rung.rung),
            score_cell(rung.validation.accuracy),
            score_cell(rung.test.f1_macro),
            score_cell(rung.test.f1_weighted),
            score_cell(rung.test.loss, share=False),
            score_cell(rung.test.calibration_error),
        ]
        for rung in rungs
    ]
    caption = "Validation accuracy, and the other scores on test, averaged over runs"
    return Table(caption, columns, rows, sortable=True)


def _settings_table(rungs: Sequence[RungRecord]) -> Table:
    columns = [
        Column("Strategy", numeric=False),
        Column("Backbone", numeric=False),
        Column("Thaw line"),
        Column("Head", numeric=False),
        Column("Epochs"),
        Column("Learning rate"),
        Column("Latency", unit="of one text"),
        Column("Memory", unit="MB"),
        Column("Runs"),
    ]
    rows = [
        [
            Cell(rung.rung, note="" if rung.strategy == rung.rung else rung.strategy),
            Cell(MISSING if rung.backbone is None else name_of(rung.backbone)),
            number_cell(rung.line),
            Cell(rung.head if rung.pooling is None else f"{rung.head}, {rung.pooling}"),
            number_cell(rung.epochs),
            Cell(MISSING if rung.lr is None else f"{rung.lr:g}", rung.lr),
            seconds_cell(rung.cost.latency),
            number_cell(rung.peak_memory_bytes / 1e6),
            number_cell(len({run.run for run in rung.runs})),  # an exact fit serves all seeds
        ]
        for rung in rungs
    ]
    return Table("Settings, latency and peak memory", columns, rows, sortable=True)


def _note(rung: RungRecord, record: LadderRecord, *, several: bool) -> str:
    """Return the backbone of a rung if there are several, and whether it is chosen."""
    notes = []
    if several and rung.backbone is not None:
        notes.append(name_of(rung.backbone))
    if rung.rung == record.verdict.rung:
        notes.append("verdict")
    if rung.rung == record.chosen.rung:
        notes.append("to use")
    return ", ".join(notes)


def _accuracy_cell(rung: RungRecord) -> Cell:
    score = rung.test.accuracy  # without random numbers, all seeds are the same
    over = "draws" if any(run.draw for run in rung.runs) else "seeds"
    spread = "" if not score.deviation else f"\n±{SPACE}{100 * score.deviation:.1f} over {over}"
    return Cell(value(score), score.value, f"{interval(score)}{spread}")


def _decision_cell(rung: RungRecord) -> Cell:
    standing, need = rung.standing, []
    if standing.texts_to_decide is not None:
        need.append(f"about {about(standing.texts_to_decide)} texts")
    if standing.seeds_to_decide is not None:
        need.append(f"about {about(standing.seeds_to_decide)} seeds")
    if standing.draws_to_decide is not None:
        need.append(f"about {about(standing.draws_to_decide)} draws")
    note = f"{' or '.join(need)}\nwould decide" if need else ""
    order = list(TONES).index(standing.decision)
    return Cell(standing.decision, order, note, TONES[standing.decision])


def _difference_cell(rung: RungRecord) -> Cell:
    standing = rung.standing
    if standing.below_best is None or standing.lower_bound is None:
        return Cell(MISSING)
    assert standing.upper_bound is not None, "a rung with a lower bound has an upper bound"
    difference = -standing.below_best.value
    return Cell(
        _signed(difference),
        difference,
        f"{_signed(standing.lower_bound)} to {_signed(standing.upper_bound)}",
    )


def _signed(share: float) -> str:
    return f"{100 * share:+z.1f}".replace("-", "−")


def difference_sections(record: LadderRecord, plots: Plots) -> list[Section]:
    """Return the picture of the verdict, and the differences of all pairs."""
    rungs, verdict = record.rungs, record.verdict
    drawn = [rung for rung in rungs if rung.standing.lower_bound is not None]
    if not drawn:
        return []
    margin, level = points(verdict.margin), percent(verdict.confidence, 0)
    figure, narrow = (
        differences_figure(rungs, verdict, title="", subtitle="", width=width)
        for width in (WIDTH, NARROW)
    )
    label = f"Differences in accuracy to the best other strategy, with a margin of {margin}: "
    label += listed(
        [f"{rung.rung} {_difference_words(rung)}, {rung.standing.decision}" for rung in drawn]
    )
    caption = (
        f"Test accuracy of each strategy minus that of the best other one. The bars are {level} "
        f"bounds that hold together for all strategies. The band is the margin of {margin}. A "
        "strategy is within the margin if its whole bar lies to the right of the margin, and worse "
        "if its whole bar lies to the left of zero. Otherwise the comparison is undecided."
    )
    blocks: list[Block] = [
        plots.plot(figure, f"{label}.", caption, narrow=narrow),
        Text(_validity(record)),
    ]
    if record.pairs:
        blocks.append(
            Details(f"All {len(record.pairs):,} pairs", [_pairs_table(record.pairs, level)])
        )
    return [Section("differences", "Differences", blocks)]


def _validity(record: LadderRecord) -> str:
    """Return what the bounds hold for."""
    if record.drawn is not None:
        return (
            "The bounds hold for the strategies: for new texts, new seeds and new training rows of "
            f"this number. The comparison has {draws_line(record.drawn).removeprefix('draws: ')}, "
            "all with the same test texts."
        )
    if record.verdict.about == "models":
        return (
            "The bounds hold for these fitted models on new texts. One seed says nothing about "
            "other seeds."
        )
    return (
        "The bounds hold for the strategies: for new texts and new seeds, given these training "
        "texts."
    )


def _difference_words(rung: RungRecord) -> str:
    cell = _difference_cell(rung)
    return f"{cell.text} points ({cell.note})"


def _pairs_table(pairs: Sequence[RungPair], level: str) -> Table:
    columns = [
        Column("First", numeric=False),
        Column("Second", numeric=False),
        Column("Accuracy", unit="points"),
        Column("Macro F1", unit="points"),
        Column("Loss", unit="nats"),
        Column("Only first right", unit="texts"),
        Column("Only second right", unit="texts"),
        Column("p", unit="Holm"),
    ]
    rows = []
    for pair in pairs:
        test = pair.test
        counts = (None, None) if test is None else (test.only_first_right, test.only_second_right)
        p = None if test is None else test.p_corrected
        rows.append(
            [
                Cell(pair.first),
                Cell(pair.second),
                _pair_cell(pair.accuracy),
                _pair_cell(pair.f1_macro),
                _pair_cell(pair.loss, share=False),
                *(number_cell(count) for count in counts),
                Cell(MISSING if p is None else "< 0.001" if p < 0.001 else f"{p:.2g}", p),
            ]
        )
    caption = (
        f"The first strategy minus the second one on test, with {level} intervals of each pair. "
        "The p-value is that of McNemar's test with Holm's correction, a second opinion."
    )
    return Table(caption, columns, rows, sortable=True)


def _pair_cell(difference: Difference, *, share: bool = True) -> Cell:
    def text(number: float) -> str:
        return _signed(number) if share else f"{number:+z.3f}".replace("-", "−")

    ends = f"{text(difference.low)} to {text(difference.high)}"
    return Cell(text(difference.value), difference.value, ends)
