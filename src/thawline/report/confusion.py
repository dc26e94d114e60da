"""The confusion matrix of a classifier: as a picture, and as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thawline.data.texts import shorten
from thawline.errors import printable
from thawline.report.confusions import by_mistakes, confusion_cells
from thawline.report.figure_text import widest_text
from thawline.report.figures import (
    FAINT,
    INK,
    PAPER,
    VALIDATION,
    new_figure,
    own_style,
    save_figure,
)
from thawline.runs.records import Scores

MAX_DRAWN = 30
"""The largest number of classes in the picture. If there are more, those with most mistakes."""

MAX_NUMBERED = 16
"""The largest number of classes for which the counts are written into the cells."""

NAME_CHARACTERS = 20
"""The largest number of characters of a class name in the picture."""

_COLOURS = LinearSegmentedColormap.from_list("share", [PAPER, VALIDATION])


def draw_confusion(scores: Scores, names: Sequence[str], folder: Path, *, title: str) -> list[Path]:
    """Draw the confusion matrix of a classifier on test.

    Args:
        scores: The scores, which have the counts of each pair of classes.
        names: The names of the classes, in the order of their ids.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.

    Returns:
        The paths of ``confusion.png`` and ``confusion.svg``.
    """
    return save_figure(confusion_figure(scores, names, title=title), folder, "confusion")


def confusion_figure(scores: Scores, names: Sequence[str], *, title: str) -> Figure:
    """Return the figure of `draw_confusion`.

    The colour of a cell is its share of the texts of the true class. With more than `MAX_DRAWN`
    classes, those with most mistakes are drawn.
    """
    classes = sorted(by_mistakes(scores)[:MAX_DRAWN])
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    place = {label: index for index, label in enumerate(classes)}
    for true, predicted, count in confusion_cells(scores):
        if true in place and predicted in place:
            counts[place[true], place[predicted]] = count
    support = np.array([max(1, scores.per_class[label].support) for label in classes])
    shown = [shorten(printable(names[label]), NAME_CHARACTERS) for label in classes]
    note = f"{scores.rows:,} test texts; the colour is the share of the texts of the true class"
    if len(classes) < len(names):
        note = f"the {len(classes)} of {len(names):,} classes with most mistakes; {note}"
    with own_style():
        return _figure(counts, counts / support[:, None], shown, title, note)


def _figure(
    counts: NDArray[np.int64],
    shares: NDArray[np.float64],
    names: Sequence[str],
    title: str,
    note: str,
) -> Figure:
    n = len(names)
    longest = widest_text(names)
    upright = n <= 4 and longest < 0.85
    cell = 0.95 if upright else 0.55 if n <= 8 else 0.45 if n <= MAX_NUMBERED else 0.25
    side, left = cell * n, longest + 0.65
    below = 0.75 if upright else longest + 0.75
    width = max(5.6, left + side + 0.3)
    figure, _, top = new_figure(width, side + below + 0.1, title, note, gap=0.1)
    height = figure.get_size_inches()[1]
    axes = figure.add_axes((left / width, top - side / height, side / width, side / height))
    axes.set_xlim(0, n)
    axes.set_ylim(n, 0)
    axes.pcolormesh(shares, cmap=_COLOURS, vmin=0, vmax=1, edgecolors=PAPER, linewidth=1)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if n <= MAX_NUMBERED:
        _write_counts(axes, counts, shares, cell)
    _write_names(axes, names, upright=upright, left=left, below=below)
    return figure


def _write_counts(
    axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64], cell: float
) -> None:
    """Write each count into its cell, smaller if the largest one would not fit."""
    largest = widest_text([f"{int(counts.max()):,}"])
    size = min(10.0, 10.0 * 0.85 * cell / largest)
    for row, column in product(range(len(counts)), range(len(counts))):
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            size=size,
            color=PAPER if shares[row, column] > 0.55 else INK,
            weight="bold" if row == column else "normal",
        )


def _write_names(
    axes: Axes, names: Sequence[str], *, upright: bool, left: float, below: float
) -> None:
    """Write the names of the classes beside the rows and below the columns."""
    n = len(names)
    size = 10 if n <= MAX_NUMBERED else 9
    for place, name in enumerate(names):
        axes.annotate(
            name,
            (0, place + 0.5),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            size=size,
            annotation_clip=False,
            parse_math=False,
        )
        axes.annotate(
            name,
            (place + 0.5, n),
            xytext=(0, -6),
            textcoords="offset points",
            ha="center",
            va="top",
            size=size,
            rotation=0 if upright else 90,
            annotation_clip=False,
            parse_math=False,
        )
    captions = (
        ("true class", (0, n / 2), (-72 * left + 12, 0), 90),
        ("predicted class", (n / 2, n), (0, -72 * below + 12), 0),
    )
    for text, point, offset, rotation in captions:
        axes.annotate(
            text,
            point,
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            rotation=rotation,
            color=FAINT,
            annotation_clip=False,
        )
