"""The results of the commands on the terminal."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table

from thawline.config import ReportConfig
from thawline.data.labels import join_words
from thawline.errors import printable
from thawline.inference.prediction import CONFIDENCE, TextPrediction
from thawline.report.confusions import confusion_table
from thawline.report.ladder import ladder_lines, ladder_table
from thawline.report.mistakes import answers_table, mistakes_sections, samples_table
from thawline.report.preflight import preflight_sections
from thawline.report.sizes import sizes_lines, sizes_table
from thawline.report.tables import (
    HEAD_FITTED,
    LABEL_WIDTH,
    MISSING,
    before_after_table,
    history_table,
    kept_line,
    per_class_table,
    plot_names,
    scores_table,
    wrap_labelled,
)
from thawline.runs.layout import LADDER
from thawline.runs.records import (
    AdaptedBackbone,
    BackboneOrigin,
    EvaluationReport,
    FitParameters,
    FitRecord,
    InfoReport,
    LadderRecord,
    MainScores,
    OperationsSummary,
    PreflightReport,
)
from thawline.runtime import terminal

if TYPE_CHECKING:
    from thawline.store import StoredEntry


def _plain_table(*columns: str, left: Sequence[str] = ()) -> Table:
    """Return an empty table without lines.

    Only the first column is wrapped in a narrow terminal, because a name can be a long path.

    Args:
        columns: The headings of the columns.
        left: The headings of the left-aligned columns. The first column is always left-aligned.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        to_left = index == 0 or column in left
        side: JustifyMethod = "left" if to_left else "right"
        table.add_column(column, justify=side, overflow="fold", no_wrap=index > 0)
    return table


def print_fit(record: FitRecord, shown: ReportConfig) -> None:
    """Print the results of a fit, its cost, and the places of its files.

    Args:
        record: The record of the fit.
        shown: The numbers of classes and mistakes that are printed.
    """
    console = terminal.console()
    test, proof = record.test, record.proof
    console.print(f"\n{record.data.name}: {test.rows:,} test texts, {_intervals(test)}")
    for section in _fit_sections(record, shown):
        console.print(section)
        console.print()
    run = Path(record.artifact).parent
    console.print(_cost(record))
    console.print()
    console.print(f"artifact  {record.artifact}")
    checked = f"a fresh process computes the same probabilities for {proof.texts} texts"
    console.print(wrap_labelled("proof", f"{checked} (largest difference {proof.difference:.2g})"))
    console.print(f"plots     {plot_names(record.plots)} in {run}")
    console.print(f'next      thawline predict {shlex.quote(str(run))} "a text of your own"')


def _fit_sections(record: FitRecord, shown: ReportConfig) -> Iterator[RenderableType]:
    """Yield the tables of a fit, and the lines that belong to them."""
    names = record.labels.names
    yield before_after_table(record.baseline, record.test)
    if record.warnings:
        yield "\n".join(wrap_labelled("warning", warning) for warning in record.warnings)
    table = per_class_table(record.test, names, shown.classes)
    left_out = len(names) - table.row_count
    hint = f"and {left_out:,} with a higher F1 (thawline evaluate lists all classes)"
    yield Group(table, hint) if left_out else table
    yield confusion_table(record.test, names)
    if record.kept is not None:
        start = "untrained" if record.head_first is None else HEAD_FITTED
        kept = textwrap.fill(kept_line(record.kept, record.history), 79)
        yield Group(history_table(record.history, start), kept)
    yield samples_table(record.samples)
    if record.answers:
        yield answers_table(record.answers)
    unit = "words" if record.backbone is None else "tokens"
    yield Group(*mistakes_sections(record.mistakes, shown.shown_mistakes, unit))


def _intervals(scores: MainScores) -> str:
    return f"{100 * scores.confidence_level:g} % confidence intervals"


def _cost(record: FitRecord) -> str:
    """Return lines on what was trained, and on the seconds and the memory that it took."""
    return "\n".join(
        [
            f"strategy  {_with_line(record.strategy, record.line)}",
            *([] if record.tapt is None else [wrap_labelled("tapt", _tapt(record.tapt))]),
            wrap_labelled("head", _reads(record)),
            f"trained   {_trained(record.parameters)} of {record.parameters.total:,} parameters",
            wrap_labelled("seconds", _seconds(record)),
            *_speed(record),
            f"memory    {record.peak_memory_bytes / 1e6:,.0f} MB at the peak",
        ]
    )


def _with_line(strategy: str, line: int | None) -> str:
    return strategy if line is None else f"{strategy}, thaw line {line}"


def _reads(record: FitRecord) -> str:
    """Return the head and what it reads."""
    parts = [record.head]
    if record.features:
        parts += [f"pooling {record.pooling}", _features(record.features)]
    if record.words is not None:
        parts.append(f"{record.words.terms:,} words and pairs of words")
    return ", ".join(parts)


def _tapt(adapted: AdaptedBackbone) -> str:
    """Return how the backbone was trained on its own objective."""
    (kept,) = [row for row in adapted.history if row.kept]
    words = "an earlier training is used again: " if adapted.reused else ""
    return (
        f"{words}{adapted.objective} of {adapted.train:,} texts, loss "
        f"{adapted.history[0].validation_loss:.3f} to {kept.validation_loss:.3f} on "
        f"{adapted.held_out:,} others"
    )


def _features(stages: Sequence[int]) -> str:
    """Return the stages that a head reads as "features of stages 0, 1, 2"."""
    return f"features of stage{'s' if len(stages) > 1 else ''} {', '.join(map(str, stages))}"


def _seconds(record: FitRecord) -> str:
    """Return the total seconds and the seconds of each part."""
    seconds = record.seconds
    first, earlier = seconds.head_first or 0.0, sum(record.starts[:-1])
    first += seconds.tapt or 0.0
    known = seconds.tokenising + seconds.prefix + first + seconds.training + seconds.evaluation
    prefix = f" ({reading})" if (reading := _reading(record)) else ""
    head_first = [] if seconds.head_first is None else [f"head first {seconds.head_first:.1f}"]
    tapt = [] if seconds.tapt is None else [f"tapt {seconds.tapt:.1f}"]
    parts = [
        *tapt,
        f"tokenising {seconds.tokenising:.1f}",
        f"prefix {seconds.prefix:.1f}{prefix}",
        *head_first,
        f"training {seconds.training:.1f}",
        f"evaluation {seconds.evaluation:.1f}",
        f"other {seconds.total - earlier - known:.1f} (loading, saving, proof)",
        *([f"earlier starts {earlier:.1f}"] if earlier else []),
    ]
    return f"{seconds.total:.1f} in total: {', '.join(parts)}"


def _reading(record: FitRecord) -> str:
    """Return how the texts were read by the frozen pass, or "" if there was none."""
    if record.prefix.texts:
        passes = "in two passes" if _has_two_passes(record) else "once"
        return f"{record.prefix.texts:,} texts read {passes}"
    # A strategy without frozen blocks reads nothing. Older records have no number here.
    return "" if record.prefix.from_store == 0 else "all states from the store"


def _speed(record: FitRecord) -> list[str]:
    """Return a line with the share of the matrix rate that each part reached, or two if it is long.

    Returns:
        An empty list if no part ran blocks of the backbone.
    """
    machine = "this machine's" if record.prefix.device == "cpu" else "this GPU's"
    suffix = None if record.suffix is None else record.suffix.share_of_matrix_rate
    shares = {
        "prefix": (record.seconds.prefix, record.prefix.share_of_matrix_rate),
        "training": (record.seconds.training, suffix),
    }
    parts = [
        f"{name} {seconds:.1f} s, {_per_cent(share)}"
        for name, (seconds, share) in shares.items()
        if share is not None
    ]
    if parts:
        parts[0] += f" of {machine} matrix rate"
    if record.prefix.from_store and not record.prefix.texts:
        parts.insert(0, "prefix from the store")
    line = f"{'speed':<{LABEL_WIDTH}}{'; '.join(parts)}"
    lines = line if len(line) < 80 else line.replace("; ", f";\n{' ' * LABEL_WIDTH}")
    return [lines] if parts else []


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"


def _has_two_passes(record: FitRecord) -> bool:
    """Return whether two frozen passes took place: one to pooled states, and one to the line."""
    return record.head_first is not None and record.line is not None and record.line > 1


def _trained(parameters: FitParameters) -> str:
    """Return the number of trained parameters, by part if more than the head was trained."""
    counts = [f"{name} {count:,}" for name, count in parameters.trained.items()]
    parts = f" ({', '.join(counts)})" if len(counts) > 1 else ""
    return f"{parameters.trainable:,}{parts}"


def print_evaluation(scores: EvaluationReport) -> None:
    """Print scores with their intervals, and the scores of each class."""
    console = terminal.console()
    origin = "" if scores.source == scores.split else f" (rows of {scores.source})"
    split = "all splits" if scores.split == "all" else f"the {scores.split} split"
    console.print(f"\n{scores.rows:,} texts of {split}{origin}, {_intervals(scores)}")
    console.print(scores_table(scores))
    console.print()
    console.print(per_class_table(scores, scores.labels))
    console.print()
    console.print(confusion_table(scores, scores.labels))


def print_ladder(record: LadderRecord, folder: Path) -> None:
    """Print the rungs of a ladder, the verdict, and the places of the files.

    Args:
        record: The record of the ladder.
        folder: The folder of the ladder.
    """
    console = terminal.console()
    parts, test = record.data.protocol.splits, record.rungs[0].test
    rows = ", ".join(f"{part.rows:,} {name}" for name, part in parts.items())
    console.print(f"\n{record.data.name}: {rows} texts, {_intervals(test)}")
    console.print(ladder_table(record))
    console.print("\n".join(ladder_lines(record)))
    if record.curves is not None:
        console.print()
        console.print(sizes_table(record.curves))
        console.print("\n".join(sizes_lines(record.curves)))
    console.print(f"plots     {plot_names(record.plots)} in {folder}")
    console.print(f"record    {folder / LADDER}")
    each = "strategy and seed" if record.drawn is None else "strategy, draw and seed"
    console.print(f"runs      one folder per {each} in {folder}")
    if record.refit is not None:
        fitted = f"{folder / record.refit}, fitted on train and validation together"
        console.print(f"refit     {fitted}")


def print_comparison(record: LadderRecord, folder: Path) -> None:
    """Print a ladder, and the commands that use it.

    Args:
        record: The record of the ladder.
        folder: The folder of the ladder.
    """
    print_ladder(record, folder)
    console, run = terminal.console(), shlex.quote(str(folder / record.chosen.run))
    console.print(f'next      thawline predict {run} "a text of your own"')
    console.print(f"          thawline report {shlex.quote(str(folder))}")


def print_demo(record: LadderRecord, folder: Path, data: str) -> None:
    """Print the ladder of the demonstration, and the predictions for its sample texts.

    Args:
        record: The record of the ladder, with the predictions.
        folder: The folder of the ladder.
        data: The name of the data set.
    """
    print_ladder(record, folder)
    console, predictions = terminal.console(), record.predictions
    assert predictions is not None, "the demonstration predicts some texts"
    console.print(f"\npredictions of {record.chosen.run} for {len(predictions.texts)} new texts")
    print_predictions([TextPrediction(one.text, one.label, one.probs) for one in predictions.texts])
    run = folder / predictions.run
    console.print(f'\nnext      thawline predict {shlex.quote(str(run))} "a text of your own"')
    console.print(f"          thawline fit --data {shlex.quote(data)}")
    console.print("The demonstration trains on few rows. The fit uses all rows.")


def print_predictions(
    predictions: Sequence[TextPrediction], runs: Sequence[str] | None = None
) -> None:
    """Print a line for each text: its label with its probability, and the text on one line.

    If the classes are neg and pos, the probabilities of both follow the label.

    Args:
        predictions: The predictions. Those of several classifiers follow each other for each text.
        runs: The names of the classifiers, which begin the lines. If None, there is only one.
    """
    console = terminal.console()
    names = [f"{printable(run)}  " for run in runs] if runs else [""]
    for prediction, name in zip(predictions, cycle(names), strict=False):
        confidence = prediction.probabilities[prediction.label]
        parts = [f"{name}{printable(prediction.label)} ({confidence:.3f})"]
        for name, share in prediction.shown_probabilities().items():
            if name != CONFIDENCE:
                parts.append(f"{name} {share:.4f}")
        text = prediction.text if isinstance(prediction.text, str) else " | ".join(prediction.text)
        console.print("  ".join([*parts, " ".join(text.split())]))


def print_info(described: InfoReport) -> None:
    """Print the stages of a backbone, and what a fit would train."""
    console = terminal.console()
    if described.backbone is None:
        console.print(f"strategy   {described.strategy}, without a backbone")
        console.print(f"head       {described.head}, on the words and pairs of words of train")
        return
    console.print(
        f"{described.backbone}: model type {described.family}, hidden size "
        f"{described.hidden_size}, at most {described.max_length} tokens per text"
    )
    if described.origin is not None:
        console.print(_origin_line(described.origin))
    table = _plain_table("stage", "part", "parameters", "", left=("part", ""))
    for stage in described.stages:
        trainable = f"{stage.trainable:,} trained" if stage.trainable else "frozen"
        if stage.first_epoch is not None:
            trainable += f" from epoch {stage.first_epoch} on"
        table.add_row(str(stage.stage), stage.name, f"{stage.parameters:,}", trainable)
    console.print(table)
    parameters, features = described.parameters, described.features
    read = f"features {features}" if isinstance(features, str) else _features(features)
    console.print(f"strategy   {described.strategy}, thaw line {described.line}")
    console.print(f"head       {described.head}, pooling {described.pooling}, {read}")
    if parameters is not None:
        console.print(f"trainable  {parameters.trainable:,} parameters")
        console.print(f"frozen     {parameters.frozen:,} parameters")
        console.print(f"total      {parameters.total:,} parameters")
    if described.operations is not None:
        console.print(_operations(described.operations))


def _operations(operations: OperationsSummary) -> str:
    """Return a line on the operations that a text of the maximum length needs in a fit."""
    counts = {
        "in the prefix": operations.prefix,
        "in each epoch": operations.training,
    }
    parts = [f"{count / 1e9:.3g} GFLOP {when}" for when, count in counts.items() if count]
    return f"operations {', '.join(parts)} ({operations.tokens} tokens)"


def _origin_line(origin: BackboneOrigin) -> str:
    """Return a sentence on the classifier that a backbone is taken from."""
    classes = f"{len(origin.labels)} classes ({join_words(origin.labels)})"
    start = f"trained with {origin.strategy} on {origin.backbone}"
    return textwrap.fill(
        f"It is the backbone of a classifier with {classes}, {start}. Its head is not used.", 79
    )


def print_preflight(report: PreflightReport) -> None:
    """Print the report on a data set, the findings first."""
    console = terminal.console()
    console.print(f"\n{report.data}: {report.all.rows:,} texts")
    for section in preflight_sections(report):
        console.print(section)
        console.print()


def print_store(entries: Sequence[StoredEntry], home: Path) -> None:
    """Print the entries of the store, and below them the problems of some entries.

    Args:
        entries: The entries.
        home: The cache folder that contains the store.
    """
    console = terminal.console()
    console.print(f"store in {home / 'store'}")
    columns = ("backbone", "states", "tokens", "dtype", "texts", "MB", "entry")
    table = _plain_table(*columns, left=("states", "tokens", "dtype", "entry"))
    for entry in entries:
        table.add_row(
            entry.name,
            _states(entry),
            _kept_tokens(entry),
            entry.dtype,
            f"{entry.texts:,}",
            f"{entry.bytes / 1e6:,.1f}",
            entry.entry[:8],
        )
    console.print(table if entries else "The store is empty.")
    for entry in entries:
        if entry.problem is not None:
            console.print(f"{entry.entry[:8]}: {entry.problem}")


def _states(entry: StoredEntry) -> str:
    """Return "pooled", or "to stage 2" if later stages are missing, or "line 3" of token states."""
    if entry.max_length is None:
        return MISSING
    if entry.line is not None:
        return f"line {entry.line}"
    return "pooled" if entry.stage is None else f"to stage {entry.stage}"


def _kept_tokens(entry: StoredEntry) -> str:
    """Return the tokens that are kept of a long text as "first 512" or "last 512"."""
    if entry.max_length is None:
        return MISSING
    return f"{'first' if entry.truncation_side == 'right' else 'last'} {entry.max_length}"
