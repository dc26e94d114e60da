"""The report on a comparison of strategies."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

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
)
from thawline.report.html.classifier import (
    accuracy_words,
    before_after_blocks,
    calibration_blocks,
    class_blocks,
)
from thawline.report.html.costs import (
    cost_blocks,
    curve_sections,
    learning_section,
    missing_sections,
)
from thawline.report.html.errors import error_blocks, sample_blocks
from thawline.report.html.plots import Plots
from thawline.report.html.sections import (
    data_section,
    machine_section,
    maker_line,
    protocol_section,
    quoted,
    repeat_section,
)
from thawline.report.html.strategies import difference_sections, strategy_blocks
from thawline.report.html.training import training_blocks
from thawline.report.html.words import (
    count_of,
    interval,
    length_unit,
    percent,
    points,
    seconds,
    shown_text,
    unbroken,
    value,
)
from thawline.report.ladder import highest_on_test, seeds_of, to_use
from thawline.runs.logits import RunLogits
from thawline.runs.records import (
    FitRecord,
    LadderRecord,
)


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
        Section("strategies", "Strategies", strategy_blocks(record, plots)),
        *difference_sections(record, plots),
        Section("cost", "Accuracy and cost", cost_blocks(record, plots)),
        *curve_sections(rungs, plots),
        *([] if record.curves is None else [learning_section(record.curves, plots)]),
        *missing_sections(record),
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
            Statement("Verdict", unbroken(record.verdict.words)),
            Statement("Run to use", unbroken(f"{to_use(record)}. Test was not used.")),
        ],
        figures=_figures(record),
        sections=sections,
        maker=maker_line(record),
    )


def _figures(record: LadderRecord) -> list[Fact]:
    """Return the main values at the top of the page."""
    rungs = {rung.rung: rung for rung in record.rungs}
    best = max(record.rungs, key=lambda rung: rung.test.accuracy.value)
    chosen = rungs.get(record.chosen.rung, best)
    return [
        Fact(
            f"Highest: {highest_on_test(record.rungs)}",
            value(best.test.accuracy),
            interval(best.test.accuracy),
        ),
        Fact(f"To use: {chosen.rung}", value(chosen.test.accuracy), interval(chosen.test.accuracy)),
        Fact("Margin", points(record.verdict.margin), "of accuracy"),
        Fact("Test texts", f"{best.test.rows:,}", seeds_of(record.rungs)),
        Fact("Time", seconds(record.seconds.total), "for all runs"),
    ]


# -- the run to use --------------------------------------------------------------------------------


def _run_to_use(record: LadderRecord, chosen: ChosenRun | None, plots: Plots) -> list[Section]:
    """Return the scores, the classes, the training and the errors of the run to use."""
    name = record.chosen.run
    sections = []
    if chosen is None:
        missing = Lines(
            [f"The folder {name} is missing, so the details of this run are not shown."],
            "Missing",
            "caution",
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
                "errors",
                "Its errors",
                [*error_blocks(run.mistakes, length_unit(run)), *sample_blocks(run.samples)],
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
    used, which = record.chosen.run, "the run to use"
    if record.refit is not None:
        used, which = record.refit, "the run on train and validation together"
    run = quoted(folder / used)
    data = record.config.get("fit")
    named = data.get("data") if isinstance(data, dict) else None
    source = named.get("data") if isinstance(named, dict) else None
    return [
        (
            "Compare again in a new folder, with the settings below in settings.toml",
            f"thawline compare {quoted(str(source or 'DATA'))} --config settings.toml "
            f"--out {quoted(f'{folder}-2')}",
        ),
        (f"Classify a text with {which}", f'thawline predict {run} "a text of your own"'),
    ]


def _each_run(record: LadderRecord, folder: Path) -> list[Block]:
    """Return a command for each run of the comparison."""
    # Without random numbers, a single run stands for all seeds.
    runs = dict.fromkeys(folder / run.run for rung in record.rungs for run in rung.runs)
    lines = [
        f"thawline fit --config {quoted(run / 'config.toml')} --out {quoted(f'{run}-2')}"
        for run in runs
    ]
    code = Code("Repeat a single run of the comparison", "\n".join(lines))
    return [Details(f"Commands for each of the {count_of(len(runs), 'run')}", [code])]
