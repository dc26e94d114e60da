"""The pairs of true and predicted classes, and their table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from thawline.data.texts import shorten
from thawline.report.tables import literal, ruled_table
from thawline.runs.records import Scores

MAX_COLUMNS = 8
"""The largest number of classes whose confusion matrix is printed."""

MAX_CONFUSIONS = 8
"""The largest number of confusions that are printed if there are more classes."""

WIDTH = 79
"""The number of characters of a line on the terminal."""


def confusion_cells(scores: Scores) -> list[tuple[int, int, int]]:
    """Return the true class, the predicted class and the texts of each pair that occurs."""
    if scores.confusion_cells is not None:
        return [(true, predicted, texts) for true, predicted, texts in scores.confusion_cells]
    return [
        (true, predicted, texts)
        for true, row in enumerate(scores.confusion or [])
        for predicted, texts in enumerate(row)
        if texts
    ]


def most_frequent(scores: Scores) -> list[tuple[int, int, int]]:
    """Return the pairs of different classes, the most frequent first."""
    wrong = [cell for cell in confusion_cells(scores) if cell[0] != cell[1]]
    return sorted(wrong, key=lambda cell: -cell[2])


def by_mistakes(scores: Scores) -> list[int]:
    """Return the ids of the classes, those first that occur in most mistakes."""
    mistakes = [0] * len(scores.per_class)
    for true, predicted, texts in most_frequent(scores):
        mistakes[true] += texts
        mistakes[predicted] += texts
    return sorted(range(len(mistakes)), key=lambda label: -mistakes[label])


def confusion_table(scores: Scores, names: Sequence[str]) -> Table | str:
    """Return the confusion matrix for the terminal, or the most frequent confusions.

    Args:
        scores: The scores.
        names: The names of the classes, in the order of their ids.
    """
    shown = [shorten(name, 14) for name in names]
    needed = max(map(len, shown)) + sum(2 + max(len(name), 6) for name in shown)
    if len(names) <= MAX_COLUMNS and needed + len("true ↓  predicted →") <= WIDTH:
        return _matrix(scores, shown)
    wrong = most_frequent(scores)
    if not wrong:
        return "confusions  none"
    table = ruled_table()
    for heading in ("true", "predicted"):
        table.add_column(heading, no_wrap=True, max_width=26, overflow="ellipsis")
    table.add_column("texts", justify="right", no_wrap=True)
    table.add_column("of the class", justify="right", no_wrap=True)
    for true, predicted, texts in wrong[:MAX_CONFUSIONS]:
        share = 100 * texts / scores.per_class[true].support
        table.add_row(
            literal(names[true]), literal(names[predicted]), f"{texts:,}", f"{share:.1f} %"
        )
    return table


def _matrix(scores: Scores, names: Sequence[str]) -> Table:
    table = ruled_table()
    table.add_column("true ↓  predicted →", no_wrap=True)
    for name in names:
        table.add_column(literal(name), justify="right", no_wrap=True)
    counts = {(true, predicted): texts for true, predicted, texts in confusion_cells(scores)}
    for true, name in enumerate(names):
        row = (f"{counts.get((true, predicted), 0):,}" for predicted in range(len(names)))
        table.add_row(literal(name), *row)
    return table
