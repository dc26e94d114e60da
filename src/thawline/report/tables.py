"""Scores as tables for a terminal of 80 columns, readable without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from thawline.errors import printable
from thawline.runs.records import ClassScores, FitEpoch, KeptEpoch, MainScores, Score, Scores

MISSING = "-"
LABEL_WIDTH = 10
"""The width of the column of labels, in characters."""
_UNBROKEN = "\N{NO-BREAK SPACE}%"
HEAD_FITTED = "head fitted"
"""The description of the model at epoch 0 if its head was trained first."""

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
KEPT_BECAUSE = {
    "accuracy": "the highest validation accuracy",
    "f1_macro": "the highest validation macro F1",
    "loss": "the lowest validation loss",
}
"""The score for which an epoch was kept, by the setting training.keep."""
BEFORE_AFTER_ROWS = ("accuracy", "f1_macro", "f1_weighted", "loss", "calibration_error")


def wrap_labelled(label: str, text: str) -> str:
    """Return a text in the column to the right of a label, wrapped at 79 columns.

    No line ends between a number and its per cent sign.
    """
    line = f"{label:<{LABEL_WIDTH}}{text.replace(' %', _UNBROKEN)}"
    wrapped = textwrap.fill(line, 79, subsequent_indent=" " * LABEL_WIDTH)
    return wrapped.replace(_UNBROKEN, " %")


def plot_names(files: Sequence[str]) -> str:
    """Return the names of plots, each of which is a file in two formats."""
    return f"{', '.join(dict.fromkeys(Path(file).stem for file in files))} (PNG and SVG)"


def rounded_up(number: int) -> int:
    """Round a positive number up to two significant digits, for an estimate."""
    step: int = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // step) * step


def literal(text: str, keep: str = "", **options: Any) -> Text:
    """Return a text for a cell of a table, without markup and with escaped control characters.

    Args:
        text: The text.
        keep: The control characters that stay.
        **options: Options of rich's `Text`.
    """
    return Text(printable(text, keep), **options)


def before_after_table(baseline: MainScores, adapted: MainScores) -> Table:
    """Return a table of the scores of the untrained and the adapted model.

    Shares are in per cent and change by percentage points. The loss is in nats.
    """
    table = ruled_table()
    table.add_column("score")
    for heading in ("untrained", "adapted", "change"):
        table.add_column(heading, justify="right")
    for name in BEFORE_AFTER_ROWS:
        before: Score = getattr(baseline, name)
        after: Score = getattr(adapted, name)
        share = name in SHARES
        table.add_row(
            SHARES.get(name, name),
            with_interval(before, share),
            with_interval(after, share),
            _change(before.value, after.value, share),
        )
    return table


def scores_table(scores: Scores) -> Table:
    """Return a table of the scores of one model with their intervals."""
    table = ruled_table()
    table.add_column("score")
    table.add_column("value", justify="right")
    for name in SCORE_ROWS:
        share = name in SHARES
        table.add_row(SHARES.get(name, name), with_interval(getattr(scores, name), share))
    return table


def history_table(history: Sequence[FitEpoch], start: str = "untrained") -> Table:
    """Return a table of the evaluations during a training.

    Steps are listed if the model was also evaluated within epochs.

    Args:
        history: The evaluations.
        start: A description of the model at epoch 0, before training.
    """

    def numbers(name: str, *, share: bool) -> list[str]:
        return [_number(getattr(row, name), share) for row in history]

    within_epochs = any(row.epoch % 1 for row in history)
    columns = {
        "epoch": [_epoch_name(row.epoch, start) for row in history],
        "step": [f"{row.step:,}" for row in history] if within_epochs else [],
        "stages\ntrained": [str(row.stages) for row in history if row.stages is not None],
        "train\nloss": numbers("train_loss", share=False),
        "validation\nloss": numbers("validation_loss", share=False),
        "validation\naccuracy": numbers("validation_accuracy", share=True),
        "validation\nmacro F1": numbers("validation_f1_macro", share=True),
        "": ["kept" if row.kept else "" for row in history],
    }
    table = ruled_table()
    filled = {heading: cells for heading, cells in columns.items() if cells}
    for heading in filled:
        table.add_column(heading, justify="left" if heading in ("epoch", "") else "right")
    for cells in zip(*filled.values(), strict=True):
        table.add_row(*cells)
    return table


def kept_line(kept: KeptEpoch, history: Sequence[FitEpoch]) -> str:
    """Return a sentence on which epoch was kept, and on whether the training stopped early.

    Args:
        kept: The epoch.
        history: All evaluations of the training.
    """
    name = "the start (epoch 0)" if kept.epoch == 0 else f"epoch {_epoch_name(kept.epoch)}"
    line = f"{name} is kept, because it {_kept_because(kept, history)}"
    if kept.last == kept.epochs:
        return line
    return f"{line}; training stopped early after {_epoch_name(kept.last)} of {kept.epochs} epochs"


def _kept_because(kept: KeptEpoch, history: Sequence[FitEpoch]) -> str:
    if kept.by == "last":
        return "is the last one"
    scores = {row.step: getattr(row, f"validation_{kept.by}") for row in history}
    score, reason = scores.pop(kept.step, None), KEPT_BECAUSE[kept.by]
    if score is not None and score in scores.values():
        return f"is the last one with {reason}"
    return f"has {reason}"


def _epoch_name(epoch: float, start: str = "untrained") -> str:
    """Return epoch 3 as "3", epoch 2.25 as "2.25", and epoch 0 as "0 (untrained)"."""
    if epoch == 0:
        return f"0 ({start})"
    return f"{epoch:.2f}".rstrip("0").rstrip(".")


def per_class_table(scores: Scores, names: Sequence[str], most: int | None = None) -> Table:
    """Return a table of precision, recall and F1 in per cent, and the number of rows, by class.

    Args:
        scores: The scores. A class that occurs neither in the labels nor in the predictions gets
            dashes.
        names: The names of the classes, in the order of their ids. Square brackets in a name are
            printed literally.
        most: The largest number of classes that are listed. If there are more classes, those with
            the lowest F1 are listed, in the order of their ids. If None, all are listed.

    Raises:
        ValueError: If the number of names is not the number of classes.
    """
    classes = scores.per_class
    if len(names) != len(classes):
        raise ValueError(f"{len(classes)} classes need as many names, not {len(names)}")
    table = ruled_table()
    table.add_column("class", overflow="fold", max_width=36)
    for heading in ("precision", "recall", "F1", "rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in _weakest(list(zip(names, classes, strict=True)), most):
        table.add_row(
            literal(name),
            *(_number(score, share=True) for score in (row.precision, row.recall, row.f1)),
            f"{row.support:,}",
        )
    return table


def _weakest(
    classes: Sequence[tuple[str, ClassScores]], most: int | None
) -> Sequence[tuple[str, ClassScores]]:
    """Return the classes with the lowest F1, in the order of their ids.

    Classes without an F1 score are only returned if the others are fewer than ``most``.
    """
    if most is None or len(classes) <= most:
        return classes

    def f1(index: int) -> float:
        score = classes[index][1].f1
        return 2.0 if score is None else score

    return [classes[index] for index in sorted(sorted(range(len(classes)), key=f1)[:most])]


def ruled_table() -> Table:
    """Return an empty table with a line below its header and no other lines."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)


def _number(value: float | None, share: bool) -> str:
    """Return a share as "85.4 %", a loss as "0.372", and None as a dash."""
    if value is None:
        return MISSING
    return f"{100 * value:.1f} %" if share else f"{value:.3f}"


def with_interval(score: Score | None, share: bool) -> str:
    """Return a score as "85.4 % (83.8 to 86.9)", and a missing score as a dash."""
    if score is None:
        return MISSING
    low, high = (_number(end, share).removesuffix(" %") for end in (score.low, score.high))
    return f"{_number(score.value, share)} ({low} to {high})"


def _change(before: float, after: float, share: bool) -> str:
    """Return a signed difference: "+35.4 points" of shares, or "-0.318" of a loss."""
    return f"{100 * (after - before):+z.1f} points" if share else f"{after - before:+z.3f}"
