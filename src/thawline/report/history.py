"""The plot of a training: accuracy and losses by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from thawline.report.figure_text import name_lines, write_beside
from thawline.report.figures import (
    FAINT,
    LINE_COLOURS,
    TICK_STEPS,
    TRAIN,
    VALIDATION,
    new_figure,
    own_style,
    save_figure,
    upright_shares,
)
from thawline.runs.records import EpochRow, FitEpoch

F1 = LINE_COLOURS[2]
"""The colour of macro F1."""

MAX_MARKERS = 24
"""The largest number of points that are drawn with markers. More markers would hide the line."""


class _Series(NamedTuple):
    """The measured points of one quantity."""

    epochs: list[float]
    values: list[float]


def draw_history(
    history: Sequence[EpochRow],
    folder: Path,
    *,
    title: str,
    subtitle: str | None = None,
    accuracy: str | None = None,
    start: str = "untrained",
) -> list[Path]:
    """Draw validation scores by epoch, and to the right of them the validation and train losses.

    The scores are the accuracy and, for a classifier, the macro F1.

    Args:
        history: The evaluations. If a train loss is None, no point is drawn. A ring marks the
            accuracy of the evaluation whose weights were kept.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.
        subtitle: The text below the title. If None, there is none.
        accuracy: The title of the plot of the scores. If None, it names the scores.
        start: A description of the model at epoch 0, before training.

    Returns:
        The paths of ``history.png`` and ``history.svg``.

    Raises:
        ValueError: If the history is empty.
    """
    figure = history_figure(history, title=title, subtitle=subtitle, accuracy=accuracy, start=start)
    return save_figure(figure, folder, "history")


def history_figure(
    history: Sequence[EpochRow],
    *,
    title: str,
    subtitle: str | None = None,
    accuracy: str | None = None,
    start: str = "untrained",
) -> Figure:
    """Return the figure of `draw_history`, which has the same arguments.

    Raises:
        ValueError: If the history is empty.
    """
    if not history:
        raise ValueError("a history needs at least one epoch")
    with own_style():
        figure, bottom, top = new_figure(9.6, 3.5, title, subtitle, gap=0.3)
        left = figure.add_axes((0.07, bottom, 0.36, top - bottom))
        right = figure.add_axes((0.57, bottom, 0.33, top - bottom))
        epochs = [float(row.epoch) for row in history]
        f1 = [row.validation_f1_macro for row in history if isinstance(row, FitEpoch)]
        if accuracy is None:
            accuracy = f"Validation accuracy{' and macro F1' if f1 else ''}"
        for axes, caption in ((left, accuracy), (right, "Loss (nats)")):
            axes.set_title(caption, loc="left", fontsize=10, color=FAINT, pad=10)
            epoch_axis(axes, epochs, start)
        accuracies = _Series(epochs, [row.validation_accuracy for row in history])
        losses = _Series(epochs, [row.validation_loss for row in history])
        _draw_scores(left, accuracies, _Series(epochs[: len(f1)], f1), _kept_epoch(history))
        _draw_losses(
            right,
            {
                "validation": (VALIDATION, losses),
                "train": (TRAIN, _train_losses(history)),
            },
        )
        return figure


def _train_losses(history: Sequence[EpochRow]) -> _Series:
    """Return the train losses that were measured. Before training, no train loss exists."""
    points = [(float(row.epoch), row.train_loss) for row in history if row.train_loss is not None]
    return _Series([epoch for epoch, _ in points], [value for _, value in points])


def _kept_epoch(history: Sequence[EpochRow]) -> float | None:
    """Return the epoch whose weights were kept. None if no weights were kept yet."""
    return next((float(row.epoch) for row in history if row.kept), None)


def epoch_axis(axes: Axes, epochs: Sequence[float], start: str = "untrained") -> None:
    """Show epochs on the x axis. Ticks are integers if at least two epochs are shown.

    Args:
        axes: The axes.
        epochs: The epochs of all points.
        start: A description of the model at epoch 0.
    """
    axes.set_xlabel(f"epoch (0: {start})" if 0 in epochs else "epoch")
    first, last = min(epochs), max(epochs)
    whole = all(epoch.is_integer() for epoch in epochs) or last - first >= 2
    ticks = MaxNLocator(nbins=8 if whole else 4, integer=whole).tick_values(first, last)
    inside = [tick for tick in ticks if first <= tick <= last]
    axes.set_xticks(inside, [f"{tick:.3g}" for tick in inside])
    margin = _margin(epochs)
    axes.set_xlim(first - margin, last + margin)


def _margin(epochs: Sequence[float]) -> float:
    """Return the space on each side of the epochs on an axis."""
    first, last = min(epochs), max(epochs)
    return 0.12 * (last - first) if last > first else 0.4


def _draw_scores(axes: Axes, series: _Series, f1: _Series, kept: float | None) -> None:
    """Draw the scores, and write the first, the kept and the last accuracy beside their points.

    Args:
        axes: The axes.
        series: The accuracy.
        f1: The macro F1. If it has no values, only the accuracy is drawn.
        kept: The epoch whose weights were kept. If None, the best accuracy is marked instead.
    """
    values = series.values
    low, high = padded([*values, *f1.values], share=0.2, least=0.02)
    upright_shares(axes, low, high)
    _draw_line(axes, series, VALIDATION)
    if f1.values:
        _draw_line(axes, f1, F1, dashed=True)
        name_lines(
            axes,
            {"accuracy": values[-1], "macro F1": f1.values[-1]},
            {"accuracy": VALIDATION, "macro F1": F1},
            series.epochs[-1] + _margin(series.epochs),
            0.075 * (high - low),
        )
    marked = max(range(len(values)), key=values.__getitem__)
    if kept in series.epochs:
        marked = series.epochs.index(kept)
        draw_ring(axes, kept, values[marked])
    for index in _labelled(series, marked):
        neighbours = values[max(index - 1, 0) : index + 2]
        write_beside(
            axes,
            f"{100 * values[index]:.1f} %",
            series.epochs[index],
            values[index],
            above=values[index] >= sum(neighbours) / len(neighbours),
            weight="bold" if index == marked else "normal",
            distance=8 if index == marked else 5,
        )


def _labelled(series: _Series, marked: int) -> list[int]:
    """Return the indices of the points whose values are written.

    These are the marked, the first and the last point, and all others if there are at most six
    points. A point that is close to one with a value has none, because the values would overlap.
    """
    points = range(len(series.epochs))
    least = (series.epochs[-1] - series.epochs[0]) / 5.5
    labelled: list[int] = []
    for index in (marked, 0, points[-1], *(points if len(points) <= 6 else ())):
        distances = [abs(series.epochs[index] - series.epochs[other]) for other in labelled]
        if index not in labelled and all(distance >= least for distance in distances):
            labelled.append(index)
    return sorted(labelled)


def draw_ring(axes: Axes, place: float, value: float) -> None:
    """Draw a ring around a point."""
    axes.plot(
        [place],
        [value],
        color=VALIDATION,
        marker="o",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=VALIDATION,
        markeredgewidth=1.2,
        clip_on=False,
    )


def _draw_losses(axes: Axes, losses: Mapping[str, tuple[str, _Series]]) -> None:
    """Draw the losses, with the name of each to the right of its last point."""
    drawn = {name: pair for name, pair in losses.items() if pair[1].values}
    low, high = padded([value for _, s in drawn.values() for value in s.values], 0.08, 0.01)
    low = max(low, 0.0)
    ticks = MaxNLocator(nbins=6, steps=TICK_STEPS).tick_values(low, high)
    axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    axes.set_ylim(low, high)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    for colour, series in drawn.values():
        _draw_line(axes, series, colour)
    name_lines(
        axes,
        {name: series.values[-1] for name, (_, series) in drawn.items()},
        {name: colour for name, (colour, _) in drawn.items()},
        max(series.epochs[-1] for _, series in drawn.values()),
        0.075 * (high - low),
    )


def _draw_line(axes: Axes, series: _Series, colour: str, *, dashed: bool = False) -> None:
    marker = "o" if len(series.epochs) <= MAX_MARKERS else None
    draw_line(axes, series.epochs, series.values, colour, marker=marker, dashed=dashed)


def draw_line(
    axes: Axes,
    places: Sequence[float],
    values: Sequence[float],
    colour: str,
    *,
    marker: str | None = "o",
    dashed: bool = False,
) -> None:
    """Draw a line through measured points.

    Args:
        axes: The axes.
        places: The places of the points on the x axis.
        values: The values.
        colour: The colour.
        marker: The marker of the points. If None, they have none.
        dashed: Whether the line is dashed and thinner, so that a line below it is visible.
    """
    axes.plot(
        places,
        values,
        color=colour,
        linewidth=1.3 if dashed else 1.8,
        linestyle="--" if dashed else "-",
        marker=marker,
        markersize=3.5 if dashed else 5,
        clip_on=False,
    )


def padded(values: Sequence[float], share: float, least: float) -> tuple[float, float]:
    """Return limits of an axis that leave space around the values.

    Args:
        values: The values.
        share: The space on each side, as a share of the range of the values.
        least: The least space on each side, in the unit of the values.
    """
    pad = max(share * (max(values) - min(values)), least)
    return min(values) - pad, max(values) + pad
