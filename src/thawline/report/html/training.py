"""The training of a classifier: its curves by epoch, or the candidates of an exact fit."""

from __future__ import annotations

from collections.abc import Sequence

from thawline.report.choice import choice_figure
from thawline.report.history import history_figure
from thawline.report.html.blocks import Block, Cell, Column, Details, Table, Text
from thawline.report.html.plots import Plots
from thawline.report.html.words import (
    number_cell,
    percent,
    share_cell,
)
from thawline.report.tables import (
    HEAD_FITTED,
    MISSING,
    kept_line,
)
from thawline.runs.records import (
    ExactFitStep,
    FitEpoch,
    FitRecord,
)


def training_blocks(record: FitRecord, plots: Plots) -> list[Block]:
    """Return the curves of a training by epochs, or the candidates of an exact fit."""
    blocks: list[Block] = []
    if record.head_first is not None:
        blocks.append(Text("The head was trained first, on frozen states:"))
        blocks += _trained(record.head_first.history, record.head_first.choice, plots)
        blocks.append(Text("Then the strategy was trained:"))
    blocks += _trained(record.history, record.choice, plots, record)
    return blocks


def _trained(
    history: Sequence[FitEpoch],
    choice: Sequence[ExactFitStep],
    plots: Plots,
    record: FitRecord | None = None,
) -> list[Block]:
    blocks: list[Block] = []
    if history:
        first, last = history[0], history[-1]
        kept = next((row for row in history if row.kept), last)
        start = "untrained" if record is None or record.head_first is None else HEAD_FITTED
        figure = history_figure(history, title="", subtitle="", start=start)
        label = (
            f"Two line charts over {last.epoch:g} epochs. Validation accuracy starts at "
            f"{percent(first.validation_accuracy)}, is {percent(kept.validation_accuracy)} at the "
            f"epoch whose weights were kept ({kept.epoch:g}), and ends at "
            f"{percent(last.validation_accuracy)}. Validation loss goes from "
            f"{first.validation_loss:.3f} to {last.validation_loss:.3f} nats."
        )
        caption = "Accuracy and losses by epoch."
        if record is not None and record.kept is not None:
            words = kept_line(record.kept, history)
            caption = f"{words[0].upper()}{words[1:]}. A ring marks it."
        blocks.append(plots.plot(figure, label, caption))
        blocks.append(Details("Values of each evaluation", [_history_table(history)]))
    if choice:
        blocks.append(
            Text(
                "The head was fitted exactly, without epochs, once for each candidate. The "
                "candidate with the lowest loss on validation is used."
            )
        )
        best = min(choice, key=lambda step: step.loss)
        label = (
            f"Two line charts over the penalties. At the chosen penalty, validation accuracy is "
            f"{percent(best.accuracy)} and validation loss is {best.loss:.3f} nats."
        )
        caption = (
            "Validation scores for each penalty. A ring marks the chosen one. Losses of other "
            "stages are grey."
        )
        blocks.append(plots.plot(choice_figure(choice, title=""), label, caption))
        blocks.append(Details(f"The {len(choice)} candidates", [_choice_table(choice)]))
    return blocks


def _history_table(history: Sequence[FitEpoch]) -> Table:
    columns = [
        Column("Epoch", numeric=False),
        Column("Step"),
        Column("Train loss", unit="nats"),
        Column("Train accuracy"),
        Column("Validation loss", unit="nats"),
        Column("Validation accuracy"),
        Column("Validation macro F1"),
        Column("Weights", numeric=False),
    ]
    rows = [
        [
            Cell(f"{row.epoch:g}", row.epoch),
            number_cell(row.step),
            Cell(MISSING if row.train_loss is None else f"{row.train_loss:.3f}", row.train_loss),
            Cell(MISSING) if row.train_accuracy is None else share_cell(row.train_accuracy),
            Cell(f"{row.validation_loss:.3f}", row.validation_loss),
            share_cell(row.validation_accuracy),
            share_cell(row.validation_f1_macro),
            Cell("kept" if row.kept else ""),
        ]
        for row in history
    ]
    return Table("Evaluations during the training", columns, rows)


def _choice_table(choice: Sequence[ExactFitStep]) -> Table:
    best = min(step.loss for step in choice)
    words = any(step.words_penalty is not None for step in choice)
    rows = [
        [
            Cell(", ".join(map(str, step.stages)) or MISSING),
            *(
                Cell(MISSING if penalty is None else f"{penalty:g}", penalty)
                for penalty in ((step.penalty, step.words_penalty) if words else (step.penalty,))
            ),
            Cell(
                f"{step.loss:.4f}",
                step.loss,
                tone="good" if step.loss == best else "",
                note="lowest" if step.loss == best else "",
            ),
            share_cell(step.accuracy),
        ]
        for step in choice
    ]
    columns = [
        Column("Stages", numeric=False),
        Column("Penalty"),
        *([Column("Penalty of words")] if words else []),
        Column("Validation loss", unit="nats"),
        Column("Validation accuracy"),
    ]
    return Table("Candidates of the exact fit", columns, rows, sortable=True)
