"""Scores as tables for a terminal of 80 columns, readable without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

MISSING = "-"
HEAD_FITTED = "head fitted"
"""What the model of epoch 0 is where its head was trained first."""

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
KEPT_BY = {
    "accuracy": "highest validation accuracy",
    "f1_macro": "highest validation macro F1",
    "loss": "lowest validation loss",
    "last": "the last",
}
BEFORE_AFTER_ROWS = ("accuracy", "f1_macro", "f1_weighted", "loss", "calibration_error")


def plain_console() -> Console:
    """Return what prints names as they are: [brackets] are no markup, :smile: is no emoji."""
    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def before_after_table(baseline: Mapping[str, Any], adapted: Mapping[str, Any]) -> Table:
    """Set the scores of the untrained and the adapted model side by side.

    Shares are in per cent and change by points (of a hundred); the loss is in nats. A score that
    is None or left out is a dash.

    Args:
        baseline: scores of the untrained model, as `metrics.evaluate` returns them.
        adapted: scores of the adapted model.
    """
    table = ruled_table()
    table.add_column("score")
    for heading in ("untrained", "adapted", "change"):
        table.add_column(heading, justify="right")
    for name in BEFORE_AFTER_ROWS:
        before, after = baseline.get(name), adapted.get(name)
        share = name in SHARES
        table.add_row(
            SHARES.get(name, name),
            with_interval(before, share),
            with_interval(after, share),
            _change(_value(before), _value(after), share),
        )
    return table


def scores_table(scores: Mapping[str, Any]) -> Table:
    """List one model's scores with their intervals.

    Args:
        scores: as `metrics.evaluate` returns them.
    """
    table = ruled_table()
    table.add_column("score")
    table.add_column("value", justify="right")
    for name in SCORE_ROWS:
        share = name in SHARES
        table.add_row(SHARES.get(name, name), with_interval(scores.get(name), share))
    return table


def history_table(history: Sequence[Mapping[str, Any]], start: str = "untrained") -> Table:
    """List what was measured at each evaluation, epoch 0 before any training.

    Args:
        history: one dict for each evaluation, ``{"epoch", "step", "train_loss",
            "validation_loss", "validation_accuracy", "validation_f1_macro", "kept"}``, losses in
            nats; None or left out is a dash. Steps are listed where an evaluation stands within
            an epoch, macro F1 where it was measured; the row whose weights were kept says so.
        start: what the model of epoch 0 is.
    """

    def numbers(name: str, *, share: bool) -> list[str]:
        return [_number(entry.get(name), share) for entry in history]

    within_epochs = any(entry["epoch"] % 1 for entry in history)
    f1 = numbers("validation_f1_macro", share=True)
    columns = {
        "epoch": [_epoch_name(entry["epoch"], start) for entry in history],
        "step": [f"{entry['step']:,}" for entry in history] if within_epochs else [],
        "train\nloss": numbers("train_loss", share=False),
        "validation\nloss": numbers("validation_loss", share=False),
        "validation\naccuracy": numbers("validation_accuracy", share=True),
        "validation\nmacro F1": f1 if set(f1) != {MISSING} else [],
        "": ["kept" if entry.get("kept") else "" for entry in history],
    }
    table = ruled_table()
    filled = {heading: cells for heading, cells in columns.items() if cells}
    for heading in filled:
        table.add_column(heading, justify="left" if heading in ("epoch", "") else "right")
    for row in zip(*filled.values(), strict=True):
        table.add_row(*row)
    return table


def kept_line(kept: Mapping[str, Any]) -> str:
    """Say which evaluation's weights were kept, and whether the training stopped early.

    Args:
        kept: ``{"epoch", "step", "by", "last", "epochs"}`` of a record.
    """
    line = f"epoch {_epoch_name(kept['epoch'])} kept: {KEPT_BY[kept['by']]}"
    if kept["last"] == kept["epochs"]:
        return line
    return f"{line}; stopped early after {_epoch_name(kept['last'])} of {kept['epochs']} epochs"


def _epoch_name(epoch: float, start: str = "untrained") -> str:
    """Write an epoch as "3", a place within one as "2.25", and epoch 0 as "0 (untrained)"."""
    if epoch == 0:
        return f"0 ({start})"
    return f"{epoch:.2f}".rstrip("0").rstrip(".")


def per_class_table(
    scores: Mapping[str, Any], names: Sequence[str], most: int | None = None
) -> Table:
    """List precision, recall and F1 in per cent, and the rows of each class.

    Args:
        scores: as `metrics.evaluate` returns them; a class that occurs neither in the labels nor
            in the predictions has dashes.
        names: of the classes, in the order of their numbers. They are printed as they are: square
            brackets in a name are no markup.
        most: how many classes are listed; of more, those with the lowest F1 are, in their own
            order. None: all.

    Raises:
        ValueError: there are more or fewer names than classes.
    """
    classes = scores["per_class"]
    if len(names) != len(classes):
        raise ValueError(f"{len(classes)} classes need as many names, not {len(names)}")
    table = ruled_table()
    table.add_column("class", overflow="fold", max_width=36)
    for heading in ("precision", "recall", "F1", "rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in _weakest(list(zip(names, classes, strict=True)), most):
        table.add_row(
            Text(name),
            *(_number(row[score], share=True) for score in ("precision", "recall", "f1")),
            f"{row['support']:,}",
        )
    return table


def _weakest(
    classes: Sequence[tuple[str, Mapping[str, Any]]], most: int | None
) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Return the classes with the lowest F1, in their own order; untested ones come last."""
    if most is None or len(classes) <= most:
        return classes

    def f1(index: int) -> float:
        score = classes[index][1]["f1"]
        return 2.0 if score is None else float(score)

    return [classes[index] for index in sorted(sorted(range(len(classes)), key=f1)[:most])]


def ruled_table() -> Table:
    """Return a table with a rule under its head alone."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)


def _value(score: Mapping[str, Any] | None) -> float | None:
    return None if score is None else score.get("value")


def _number(value: float | None, share: bool) -> str:
    """Write a share as "85.4 %", a loss as "0.372"."""
    if value is None:
        return MISSING
    return f"{100 * value:.1f} %" if share else f"{value:.3f}"


def with_interval(score: Mapping[str, Any] | None, share: bool) -> str:
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
