"""The report on a comparison of strategies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from thawline.report.curves import curves_figure
from thawline.report.differences import differences_figure
from thawline.report.html.blocks import (
    Block,
    Cell,
    Code,
    Column,
    Details,
    Fact,
    Facts,
    Lines,
    Page,
    Section,
    Statement,
    Table,
    Text,
    Tone,
)
from thawline.report.html.classifier import (
    accuracy_words,
    before_after_blocks,
    calibration_blocks,
    class_blocks,
    error_blocks,
    sample_blocks,
    training_blocks,
)
from thawline.report.html.plots import Plots
from thawline.report.html.sections import (
    data_section,
    machine_section,
    maker_line,
    protocol_section,
    quoted,
    repeat_section,
)
from thawline.report.html.words import (
    SPACE,
    count_of,
    interval,
    listed,
    name_of,
    number_cell,
    percent,
    points,
    score_cell,
    seconds,
    seconds_cell,
    shown_text,
    value,
)
from thawline.report.rungs import RungBar, rungs_figure
from thawline.report.tables import MISSING
from thawline.report.tradeoff import candidates, pareto_front, tradeoff_figure
from thawline.runs.logits import RunLogits
from thawline.runs.records import (
    Difference,
    FitRecord,
    LadderRecord,
    RungPair,
    RungRecord,
)

TONES: dict[str, Tone] = {"within": "good", "undecided": "caution", "worse": "bad"}
"""The tones of the decisions."""


class ChosenRun(NamedTuple):
    """The run to use.

    Attributes:
        record: Its record.
        logits: Its logits. None if the file is missing.
    """

    record: FitRecord
    logits: RunLogits | None


def comparison_page(record: LadderRecord, folder: Path, chosen: ChosenRun | None) -> Page:
    """Return the report on a comparison.

    Args:
        record: The record of the comparison.
        folder: The folder of the comparison, as the user wrote it.
        chosen: The run to use. None if it was deleted.
    """
    plots, rungs = Plots(), record.rungs
    sections = [
        Section("strategies", "Strategies", _strategies(record, plots)),
        *_differences(record, plots),
        Section("cost", "Accuracy and cost", _costs(record, plots)),
        *_curves(rungs, plots),
        *_missing(record),
        *_run_to_use(record, chosen, plots),
        *([] if chosen is None else [data_section(chosen.record.preflight)]),
        protocol_section(record.data, _rules(record)),
        repeat_section(record, _commands(record, folder), "compare", _each_run(record, folder)),
        machine_section(record, max(rung.peak_memory_bytes for rung in rungs)),
    ]
    return Page(
        subject="Comparison",
        title=f"{record.data.name}: {count_of(len(rungs), 'strategy', 'strategies')} compared",
        statements=[
            Statement("Verdict", record.verdict.words),
            Statement("Run to use", _chosen_words(record)),
        ],
        figures=_figures(record),
        sections=sections,
        maker=maker_line(record),
    )


def _chosen_words(record: LadderRecord) -> str:
    chosen = record.chosen
    return (
        f"{chosen.run}, chosen on validation ({percent(chosen.score)}) by {chosen.by}. Test was "
        "not used for this choice."
    )


def _figures(record: LadderRecord) -> list[Fact]:
    """Return the main values at the top of the page."""
    rungs = {rung.rung: rung for rung in record.rungs}
    best = max(record.rungs, key=lambda rung: rung.test.accuracy.value)
    chosen = rungs.get(record.chosen.rung, best)
    seeds = max(len(rung.runs) for rung in record.rungs)
    return [
        Fact(f"Highest: {best.rung}", value(best.test.accuracy), interval(best.test.accuracy)),
        Fact(f"To use: {chosen.rung}", value(chosen.test.accuracy), interval(chosen.test.accuracy)),
        Fact("Margin", points(record.verdict.margin), "of accuracy"),
        Fact("Test texts", f"{best.test.rows:,}", count_of(seeds, "seed")),
        Fact("Time", seconds(record.seconds.total), "for all runs"),
    ]


# -- strategies ------------------------------------------------------------------------------------


def _strategies(record: LadderRecord, plots: Plots) -> list[Block]:
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
    seeds = max(len(rung.runs) for rung in rungs)
    over = f"Means over {seeds} seeds. " if seeds > 1 else ""
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
    caption = "Validation accuracy, and the other scores on test, averaged over seeds"
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
        Column("Seeds"),
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
            number_cell(len(rung.runs)),
        ]
        for rung in rungs
    ]
    return Table("Settings, latency and peak memory", columns, rows, sortable=True)


def _note(rung: RungRecord, record: LadderRecord, *, several: bool) -> str:
    """Return the backbone of a rung if there are several, and whether it is chosen."""
    notes = []
    if several and rung.backbone is not None:
        notes.append(rung.backbone)
    if rung.rung == record.verdict.rung:
        notes.append("verdict")
    if rung.rung == record.chosen.rung:
        notes.append("to use")
    return ", ".join(notes)


def _accuracy_cell(rung: RungRecord) -> Cell:
    score = rung.test.accuracy
    spread = "" if score.deviation is None else f"\n±{SPACE}{100 * score.deviation:.1f} over seeds"
    return Cell(value(score), score.value, f"{interval(score)}{spread}")


def _decision_cell(rung: RungRecord) -> Cell:
    standing, need = rung.standing, []
    if standing.texts_to_decide is not None:
        need.append(f"about {count_of(standing.texts_to_decide, 'text')}")
    if standing.seeds_to_decide is not None:
        need.append(f"about {count_of(standing.seeds_to_decide, 'seed')}")
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


# -- differences -----------------------------------------------------------------------------------


def _differences(record: LadderRecord, plots: Plots) -> list[Section]:
    """Return the picture of the verdict, and the differences of all pairs."""
    rungs, verdict = record.rungs, record.verdict
    drawn = [rung for rung in rungs if rung.standing.lower_bound is not None]
    if not drawn:
        return []
    margin, level = points(verdict.margin), percent(verdict.confidence, 0)
    figure = differences_figure(rungs, verdict, title="", subtitle="")
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
    about = (
        "The bounds hold for these fitted models on new texts. One seed says nothing about other "
        "seeds."
        if verdict.about == "models"
        else "The bounds hold for the strategies: for new texts and new seeds, given these "
        "training texts."
    )
    blocks: list[Block] = [plots.plot(figure, f"{label}.", caption), Text(about)]
    if record.pairs:
        blocks.append(
            Details(f"All {len(record.pairs):,} pairs", [_pairs_table(record.pairs, level)])
        )
    return [Section("differences", "Differences", blocks)]


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


# -- costs and curves ------------------------------------------------------------------------------


def _costs(record: LadderRecord, plots: Plots) -> list[Block]:
    """Return accuracy against cost, and the predicted and the true seconds."""
    rungs, cost = record.rungs, record.verdict.cost
    places = candidates(rungs, cost)
    blocks: list[Block] = []
    if places:
        figure = tradeoff_figure(places, cost, title="", subtitle="")
        front = [one.name for one in pareto_front(places)]
        label = (
            f"Scatter plot of test accuracy against {cost}. No other strategy is both cheaper and "
            f"more accurate than {listed(front)}. Values: "
        )
        label += listed(
            [f"{one.name} {value(one.accuracy)} for {one.cost:,.4g} {cost}" for one in places]
        )
        caption = (
            f"Test accuracy against {cost}, on a logarithmic axis. The line joins the strategies "
            "that no other one beats in both (Pareto front). It follows the measured values, so "
            "differences that are undecided also shape it."
        )
        blocks.append(plots.plot(figure, f"{label}.", caption))
    rows = [
        [
            Cell(rung.rung),
            seconds_cell(rung.cost.seconds),
            seconds_cell(rung.cost.prefix),
            seconds_cell(rung.cost.training),
            seconds_cell(rung.cost.predicted),
            _ratio_cell(rung),
        ]
        for rung in rungs
    ]
    columns = [
        Column("Strategy", numeric=False),
        Column("Time of a run"),
        Column("Frozen pass"),
        Column("Training"),
        Column("Predicted"),
        Column("True / predicted"),
    ]
    caption = (
        "The time of a run as if it had run alone with an empty store, averaged over seeds, and "
        "the prediction made before it ran"
    )
    return [*blocks, Table(caption, columns, rows, sortable=True)]


def _ratio_cell(rung: RungRecord) -> Cell:
    predicted = rung.cost.predicted
    if not predicted:
        return Cell(MISSING)
    ratio = rung.cost.seconds / predicted
    return Cell(f"{ratio:.2f}", ratio)


def _curves(rungs: Sequence[RungRecord], plots: Plots) -> list[Section]:
    """Return the validation accuracy by epoch, if a rung was trained by epochs."""
    trained = [rung for rung in rungs if any(run.history for run in rung.runs)]
    if not trained:
        return []
    figure = curves_figure(rungs, title="")
    label = "Line chart of validation accuracy by epoch. At the end: " + listed(
        [f"{rung.rung} {value(rung.validation.accuracy)}" for rung in rungs]
    )
    caption = (
        "Validation accuracy by epoch, averaged over seeds. A dashed line is an exact fit, which "
        "has no epochs."
    )
    return [Section("curves", "Training by epoch", [plots.plot(figure, f"{label}.", caption)])]


def _missing(record: LadderRecord) -> list[Section]:
    """Return what was left out or failed, if there is any."""
    blocks: list[Block] = []
    if record.left_out:
        rows = [
            [Cell(one.rung), seconds_cell(one.predicted), Cell(one.reason)]
            for one in record.left_out
        ]
        columns = [
            Column("Strategy", numeric=False),
            Column("Predicted"),
            Column("Reason", numeric=False, prose=True),
        ]
        blocks.append(Table("Strategies that were not run", columns, rows))
    if record.failed:
        failed = [[Cell(one.rung), number_cell(one.seed), Cell(one.error)] for one in record.failed]
        columns = [
            Column("Strategy", numeric=False),
            Column("Seed"),
            Column("Error", numeric=False, prose=True),
        ]
        blocks.append(Table("Runs that failed", columns, failed))
    return [Section("missing", "Not compared", blocks)] if blocks else []


# -- the run to use --------------------------------------------------------------------------------


def _run_to_use(record: LadderRecord, chosen: ChosenRun | None, plots: Plots) -> list[Section]:
    """Return the scores, the classes, the training and the errors of the run to use."""
    name = record.chosen.run
    sections = []
    if chosen is None:
        missing = Lines(
            [f"The folder {name} is missing, so its details are."], "Missing", "caution"
        )
        sections.append(Section("run", "The run to use", [missing]))
    else:
        run, calibration = chosen.record, calibration_blocks(*chosen, plots)
        sections = [
            Section(
                "run",
                "The run to use",
                [
                    Facts([Fact("Folder", name), Fact("Strategy", run.strategy)]),
                    Text(accuracy_words(run)),
                    *before_after_blocks(run, plots),
                ],
            ),
            Section("classes", "Its classes", class_blocks(run.test, run.labels.names)),
            Section("training", "Its training", training_blocks(run, plots)),
            Section("calibration", "Its calibration", calibration),
            Section(
                "errors", "Its errors", [*error_blocks(run.mistakes), *sample_blocks(run.samples)]
            ),
        ]
    if record.predictions is not None:
        sections[-1] = _with_predictions(record, sections[-1])
    return sections


def _with_predictions(record: LadderRecord, section: Section) -> Section:
    predictions = record.predictions
    assert predictions is not None, "the comparison has predictions"
    rows = [
        [
            Cell(shown_text(one.text)),
            Cell(one.label),
            Cell(percent(one.probs[one.label]), one.probs[one.label]),
        ]
        for one in predictions.texts
    ]
    columns = [
        Column("Text", numeric=False, prose=True),
        Column("Predicted", numeric=False),
        Column("Probability"),
    ]
    table = Table(f"New texts, read by {predictions.run}", columns, rows)
    return Section(section.anchor, section.title, [*section.blocks, table])


# -- protocol and commands -------------------------------------------------------------------------


def _rules(record: LadderRecord) -> list[str]:
    """Return sentences on what each split was used for."""
    margin = f"The margin of {points(record.verdict.margin)} was set before test was read."
    if record.first_margin is not None:
        margin = (
            f"The margin was changed from {points(record.first_margin / 100)} to "
            f"{points(record.verdict.margin)} after the first start, so test may have "
            "been read before."
        )
    return [
        margin,
        "All strategies have the same training, validation and test texts.",
        "Epochs, penalties and the run to use were chosen on validation alone.",
        "Test was only used for the scores and the verdict.",
    ]


def _commands(record: LadderRecord, folder: Path) -> list[tuple[str, str]]:
    run = quoted(folder / record.chosen.run)
    data = record.config.get("fit")
    named = data.get("data") if isinstance(data, dict) else None
    source = named.get("data") if isinstance(named, dict) else None
    return [
        (
            "Compare again in a new folder, with the settings below in settings.toml",
            f"thawline compare {quoted(str(source or 'DATA'))} --config settings.toml "
            f"--out {quoted(f'{folder}-2')}",
        ),
        ("Classify a text with the run to use", f'thawline predict {run} "a text of your own"'),
    ]


def _each_run(record: LadderRecord, folder: Path) -> list[Block]:
    """Return a command for each run of the comparison."""
    runs = [folder / run.run for rung in record.rungs for run in rung.runs]
    lines = [
        f"thawline fit --config {quoted(run / 'config.toml')} --out {quoted(f'{run}-2')}"
        for run in runs
    ]
    code = Code("Repeat a single run of the comparison", "\n".join(lines))
    return [Details(f"Commands for each of the {count_of(len(runs), 'run')}", [code])]
