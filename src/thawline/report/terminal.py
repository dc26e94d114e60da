"""What the commands print for a reader."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table

from thawline.config import ReportConfig
from thawline.data.labels import join_words
from thawline.report.ladder import ladder_lines, ladder_table
from thawline.report.mistakes import mistakes_sections, samples_table
from thawline.report.preflight import preflight_sections
from thawline.report.tables import (
    HEAD_FITTED,
    before_after_table,
    history_table,
    kept_line,
    per_class_table,
    plain_console,
    scores_table,
)
from thawline.runs.layout import LADDER
from thawline.runs.records import (
    BackboneOrigin,
    EvaluationReport,
    FitParameters,
    FitRecord,
    InfoReport,
    LadderRecord,
    MainScores,
    PreflightReport,
)


def _plain_table(*columns: str, left: Sequence[str] = ()) -> Table:
    """Return a table without lines.

    The first column and those in ``left`` are left-aligned. Only the first column is wrapped in a
    narrow terminal, because a name can be a long path.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        to_left = index == 0 or column in left
        side: JustifyMethod = "left" if to_left else "right"
        table.add_column(column, justify=side, overflow="fold", no_wrap=index > 0)
    return table


def print_fit(record: FitRecord, shown: ReportConfig) -> None:
    """Print the results of a fit, what it cost, and where its files are.

    Args:
        record: The record of the fit.
        shown: How many classes and mistakes are shown.
    """
    console = plain_console()
    test, proof = record.test, record.proof
    console.print(f"\n{record.data.name}, {test.rows:,} test texts, {_level(test)} intervals")
    for section in _fit_sections(record, shown):
        console.print(section)
        console.print()
    run = Path(record.artifact).parent
    plots = ", ".join(Path(plot).name for plot in record.plots)
    console.print(_cost(record))
    console.print()
    console.print(f"artifact  {record.artifact}")
    console.print(
        f"proof     a fresh process gave the same probabilities for {proof.texts} texts; "
        f"largest difference {proof.difference:.2g}"
    )
    console.print(f"plots     {plots} in {run}")
    console.print(f'next      thawline predict {shlex.quote(str(run))} "a text of your own"')


def _fit_sections(record: FitRecord, shown: ReportConfig) -> Iterator[RenderableType]:
    """Yield the tables of a fit."""
    names = record.labels.names
    yield before_after_table(record.baseline, record.test)
    table = per_class_table(record.test, names, shown.classes)
    left_out = len(names) - table.row_count
    hint = f"and {left_out:,} with a higher F1, which thawline evaluate lists"
    yield Group(table, hint) if left_out else table
    if record.kept is not None:
        start = "untrained" if record.head_first is None else HEAD_FITTED
        yield Group(history_table(record.history, start), kept_line(record.kept))
    yield samples_table(record.samples)
    yield Group(*mistakes_sections(record.mistakes, shown.shown_mistakes))


def _level(scores: MainScores) -> str:
    return f"{100 * scores.confidence_level:g} %"


def _cost(record: FitRecord) -> str:
    stages = ", ".join(map(str, record.features))
    return "\n".join(
        [
            f"strategy  {record.strategy}, line {record.line}; head {record.head} on the "
            f"{record.pooling} of stage{'s' if len(record.features) > 1 else ''} {stages}",
            f"trained   {_trained(record.parameters)} of {record.parameters.total:,} parameters",
            *_seconds(record),
            f"memory    {record.peak_memory_bytes / 1e6:,.0f} MB at the peak",
        ]
    )


def _seconds(record: FitRecord) -> list[str]:
    """Return two lines with the seconds of each part."""
    seconds, computed = record.seconds, record.prefix.texts
    first = seconds.head_first or 0.0
    known = seconds.tokenising + seconds.prefix + first + seconds.training + seconds.evaluation
    passes = "in two passes" if _has_two_passes(record) else "once"
    prefix = f"{computed:,} texts read {passes}" if computed else "all states from the store"
    head_first = [] if seconds.head_first is None else [f"head first {seconds.head_first:.1f}"]
    parts = [
        f"tokenising {seconds.tokenising:.1f}",
        f"prefix {seconds.prefix:.1f} ({prefix})",
        *head_first,
        f"training {seconds.training:.1f}",
        f"evaluation {seconds.evaluation:.1f}",
        f"loading, saving, proof and plots {seconds.total - known:.1f}",
    ]
    end = 2 if head_first else 3  # of the first line
    return [
        f"seconds   {seconds.total:.1f} in total: {', '.join(parts[:end])},",
        f"          {', '.join(parts[end:])}",
    ]


def _has_two_passes(record: FitRecord) -> bool:
    """Return whether there were two frozen passes: to pooled states, and to the line."""
    return record.head_first is not None and record.line > 1


def _trained(parameters: FitParameters) -> str:
    """Return how many parameters were trained, by part unless all of them are the head's."""
    counts = [f"{name} {count:,}" for name, count in parameters.trained.items()]
    parts = f" ({', '.join(counts)})" if len(counts) > 1 else ""
    return f"{parameters.trainable:,}{parts}"


def print_evaluation(scores: EvaluationReport) -> None:
    """Print scores with intervals, and those of each class."""
    console = plain_console()
    origin = "" if scores.source == scores.split else f", rows of {scores.source}"
    split = f"split {scores.split}{origin}"
    console.print(f"\n{scores.rows:,} texts, {split}, {_level(scores)} intervals")
    console.print(scores_table(scores))
    console.print()
    console.print(per_class_table(scores, scores.labels))


def print_ladder(record: LadderRecord, folder: Path) -> None:
    """Print the rungs of a ladder, the verdict, and where the files are."""
    console = plain_console()
    parts, test = record.data.protocol.splits, record.rungs[0].test
    rows = ", ".join(f"{part.rows:,} {name}" for name, part in parts.items())
    console.print(f"\n{record.data.name}: {rows} texts, {_level(test)} intervals")
    console.print(ladder_table(record))
    console.print("\n".join(ladder_lines(record)))
    console.print(f"plots     {', '.join(record.plots)} in {folder}")
    console.print(f"record    {folder / LADDER}; each run in a folder of its own beside it")


def print_demo(record: LadderRecord, folder: Path, data: str) -> None:
    """Print the demonstration's ladder, and the predictions of the verdict's classifier.

    Args:
        record: The record of the ladder.
        folder: The folder of the ladder.
        data: The name of the data set.
    """
    print_ladder(record, folder)
    console, predictions = plain_console(), record.predictions
    assert predictions is not None, "the demonstration predicts some texts"
    console.print(f"\nthree texts, classified by the verdict's {record.verdict.rung}")
    print_predictions([prediction.to_dict() for prediction in predictions.texts])
    run = folder / predictions.run
    console.print(f'\nnext      thawline predict {shlex.quote(str(run))} "a text of your own"')
    console.print(
        "This is a demonstration: with so few rows the intervals are wide. thawline fit --data "
        f"{shlex.quote(data)} reads all of them."
    )


def print_predictions(records: Sequence[Mapping[str, Any]]) -> None:
    """Print a line for each text: its label, its probabilities, and the text on one line."""
    console = plain_console()
    for record in records:
        if "neg_prob" in record:
            shares = f"neg_prob {record['neg_prob']:.4f}  pos_prob {record['pos_prob']:.4f}"
        else:
            shares = f"confidence {record['confidence']:.4f}"
        text = record["text"] if isinstance(record["text"], str) else " | ".join(record["text"])
        console.print(f"{record['label']}  {shares}  {' '.join(text.split())}")


def print_info(described: InfoReport) -> None:
    """Print the stages of a backbone, and what a fit would train."""
    console = plain_console()
    console.print(
        f"{described.backbone}: {described.family}, {described.hidden_size} wide, "
        f"up to {described.max_length} tokens"
    )
    if described.origin is not None:
        console.print(_origin_line(described.origin))
    table = _plain_table("stage", "part", "parameters", "", left=("part", ""))
    for stage in described.stages:
        trainable = f"{stage.trainable:,} trained" if stage.trainable else "frozen"
        table.add_row(str(stage.stage), stage.name, f"{stage.parameters:,}", trainable)
    console.print(table)
    parameters, features = described.parameters, described.features
    read = features if isinstance(features, str) else f"of stage {', '.join(map(str, features))}"
    console.print(f"strategy   {described.strategy}, thaw line {described.line}")
    console.print(f"head       {described.head}, pooling {described.pooling}, features {read}")
    console.print(f"trainable  {parameters.trainable:,}")
    console.print(f"frozen     {parameters.frozen:,}")
    console.print(f"total      {parameters.total:,}")


def _origin_line(origin: BackboneOrigin) -> str:
    """Return a line that says which classifier a backbone is taken from, without its head."""
    classes = f"{len(origin.labels)} classes ({join_words(origin.labels)})"
    start = f"{origin.strategy} on {origin.backbone}"
    return f"taken from a classifier trained with {start}, without its head of {classes}"


def print_preflight(report: PreflightReport) -> None:
    """Print what a survey found in a data set, the findings first."""
    console = plain_console()
    console.print(f"\n{report.data}, {report.all.rows:,} texts")
    for section in preflight_sections(report):
        console.print(section)
        console.print()


def print_store(entries: Sequence[Mapping[str, Any]], home: Path) -> None:
    """Print the entries of the store, and below them what is wrong with some."""
    console = plain_console()
    console.print(f"store in {home / 'store'}")
    columns = ("backbone", "line", "tokens", "cut", "dtype", "texts", "MB", "entry")
    table = _plain_table(*columns, left=("cut", "dtype", "entry"))
    for entry in entries:
        table.add_row(
            entry["name"],
            _or_dash(entry["line"]),
            _or_dash(entry["max_length"]),
            entry["truncation_side"],
            entry["dtype"],
            f"{entry['texts']:,}",
            f"{entry['bytes'] / 1e6:,.1f}",
            entry["entry"][:8],
        )
    console.print(table if entries else "empty")
    for entry in entries:
        if entry["problem"] is not None:
            console.print(f"{entry['entry'][:8]}: {entry['problem']}")


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
