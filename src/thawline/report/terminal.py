"""The results of the commands on the terminal."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import JustifyMethod
from rich.table import Table

from thawline.config import ReportConfig
from thawline.data.labels import join_words
from thawline.errors import printable
from thawline.inference.prediction import CONFIDENCE, TextPrediction
from thawline.report.explained import explained_lines
from thawline.report.preflight import preflight_sections
from thawline.report.summary import (
    Section,
    fit_sections,
    ladder_sections,
    scores_sections,
    stages_read,
)
from thawline.report.tables import MISSING, plot_names, wrap_labelled
from thawline.runs.layout import LADDER
from thawline.runs.records import (
    BackboneOrigin,
    EvaluationReport,
    FitRecord,
    InfoReport,
    LadderRecord,
    OperationsSummary,
    PreflightReport,
)
from thawline.runtime import terminal

if TYPE_CHECKING:
    from thawline.inference.explaining import TextPart
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
    console, proof = terminal.console(), record.proof
    console.print()
    _print_sections(fit_sections(record, shown))
    run = Path(record.artifact).parent
    console.print(f"\nartifact  {record.artifact}")
    checked = f"a fresh process computes the same probabilities for {proof.texts} texts"
    console.print(wrap_labelled("proof", f"{checked} (largest difference {proof.difference:.2g})"))
    console.print(f"plots     {plot_names(record.plots)} in {run}")
    console.print(f'next      thawline predict {shlex.quote(str(run))} "a text of your own"')


def _print_sections(sections: Mapping[str, Section]) -> None:
    """Print sections, with a blank line between two of them."""
    console = terminal.console()
    found = [section for make in sections.values() if (section := make()) is not None]
    for place, section in enumerate(found):
        if place:
            console.print()
        console.print(section)


def print_evaluation(scores: EvaluationReport) -> None:
    """Print scores with their intervals, and the scores of each class."""
    terminal.console().print()
    _print_sections(scores_sections(scores))


def print_ladder(record: LadderRecord, folder: Path) -> None:
    """Print the rungs of a ladder, the verdict, and the places of the files.

    Args:
        record: The record of the ladder.
        folder: The folder of the ladder.
    """
    console = terminal.console()
    console.print()
    _print_sections(ladder_sections(record))
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
    used = record.chosen.run if record.refit is None else record.refit
    console, run = terminal.console(), shlex.quote(str(folder / used))
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
    predictions: Sequence[TextPrediction],
    runs: Sequence[str] | None = None,
    parts: Sequence[Sequence[TextPart]] | None = None,
) -> None:
    """Print a line for each text: its label with its probability, and the text on one line.

    If the classes are neg and pos, the probabilities of both follow the label.

    Args:
        predictions: The predictions. Those of several classifiers follow each other for each text.
        runs: The names of the classifiers, which begin the lines. If None, there is only one.
        parts: The parts of the text of each prediction with their scores. If None, they are not
            shown.
    """
    console = terminal.console()
    below = [[]] * len(predictions) if parts is None else map(explained_lines, parts)
    names = [f"{printable(run)}  " for run in runs] if runs else [""]
    for prediction, name, lines in zip(predictions, cycle(names), below, strict=False):
        confidence = prediction.probabilities[prediction.label]
        cells = [f"{name}{printable(prediction.label)} ({confidence:.3f})"]
        for name, share in prediction.shown_probabilities().items():
            if name != CONFIDENCE:
                cells.append(f"{name} {share:.4f}")
        text = prediction.text if isinstance(prediction.text, str) else " | ".join(prediction.text)
        console.print("  ".join([*cells, " ".join(text.split())]))
        for line in lines:
            console.print(line)


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
    read = f"features {features}" if isinstance(features, str) else stages_read(features)
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
