"""Scores as tables for a terminal of 80 columns, readable without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

MISSING = "-"
SHARES = {
    "accuracy": "accuracy",
    "f1_macro": "macro F1",
    "f1_weighted": "weighted F1",
    "precision_macro": "macro precision",
    "recall_macro": "macro recall",
    "calibration_error": "calibration error",
}
SCORE_ROWS = (
    "accuracy",
    "f1_macro",
    "f1_weighted",
    "precision_macro",
    "recall_macro",
    "loss",
    "calibration_error",
)
BEFORE_AFTER_ROWS = ("accuracy", "f1_macro", "f1_weighted", "loss", "calibration_error")


def before_after_table(baseline: Mapping[str, Any], adapted: Mapping[str, Any]) -> Table:
    """Set the scores of the untrained and the adapted model side by side.

    Shares are in per cent and change by points (of a hundred); the loss is in nats. A score that
    is None or left out is a dash.

    Args:
        baseline: scores of the untrained model, as `metrics.evaluate` returns them.
        adapted: scores of the adapted model.
    """
    table = _table()
    table.add_column("score")
    for heading in ("untrained", "adapted", "change"):
        table.add_column(heading, justify="right")
    for name in BEFORE_AFTER_ROWS:
        before, after = baseline.get(name), adapted.get(name)
        share = name in SHARES
        table.add_row(
            SHARES.get(name, name),
            _with_interval(before, share),
            _with_interval(after, share),
            _change(_value(before), _value(after), share),
        )
    return table


def scores_table(scores: Mapping[str, Any]) -> Table:
    """List one model's scores with their intervals.

    Args:
        scores: as `metrics.evaluate` returns them.
    """
    table = _table()
    table.add_column("score")
    table.add_column("value", justify="right")
    for name in SCORE_ROWS:
        share = name in SHARES
        table.add_row(SHARES.get(name, name), _with_interval(scores.get(name), share))
    return table


def history_table(history: Sequence[Mapping[str, Any]]) -> Table:
    """List what was measured at each epoch; epoch 0 is the untrained head.

    Args:
        history: one dict for each epoch, ``{"epoch", "train_loss", "validation_loss",
            "validation_accuracy"}``, losses in nats; None or left out is a dash.
    """
    table = _table()
    table.add_column("epoch")
    for heading in ("train loss", "validation loss", "validation accuracy"):
        table.add_column(heading, justify="right")
    for entry in history:
        epoch = int(entry["epoch"])
        table.add_row(
            "0 (untrained)" if epoch == 0 else str(epoch),
            _number(entry.get("train_loss"), share=False),
            _number(entry.get("validation_loss"), share=False),
            _number(entry.get("validation_accuracy"), share=True),
        )
    return table


def per_class_table(scores: Mapping[str, Any], names: Sequence[str]) -> Table:
    """List precision, recall and F1 in per cent, and the rows of each class.

    Args:
        scores: as `metrics.evaluate` returns them; a class that occurs neither in the labels nor
            in the predictions has dashes.
        names: of the classes, in the order of their numbers. They are printed as they are: square
            brackets in a name are no markup.

    Raises:
        ValueError: there are more or fewer names than classes.
    """
    classes = scores["per_class"]
    if len(names) != len(classes):
        raise ValueError(f"{len(classes)} classes need as many names, not {len(names)}")
    table = _table()
    table.add_column("class", overflow="fold", max_width=36)
    for heading in ("precision", "recall", "F1", "rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in zip(names, classes, strict=True):
        table.add_row(
            Text(name),
            *(_number(row[score], share=True) for score in ("precision", "recall", "f1")),
            f"{row['support']:,}",
        )
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)


def _value(score: Mapping[str, Any] | None) -> float | None:
    return None if score is None else score.get("value")


def _number(value: float | None, share: bool) -> str:
    """Write a share as "85.4 %", a loss as "0.372"."""
    if value is None:
        return MISSING
    return f"{100 * value:.1f} %" if share else f"{value:.3f}"


def _with_interval(score: Mapping[str, Any] | None, share: bool) -> str:
    """Write a score as "85.4 % (83.8 to 86.9)", or without the ends that it lacks."""
    number = _number(_value(score), share)
    if score is None or any(score.get(part) is None for part in ("value", "low", "high")):
        return number
    low, high = (_number(score[end], share).removesuffix(" %") for end in ("low", "high"))
    return f"{number} ({low} to {high})"


def _change(before: float | None, after: float | None, share: bool) -> str:
    """Write a signed difference: "+35.4 points" of a hundred, or "-0.318" of a loss."""
    if before is None or after is None:
        return MISSING
    return f"{100 * (after - before):+z.1f} points" if share else f"{after - before:+z.3f}"
