"""Pictures of a run: before and after, and the history of its epochs.

Figures are built as objects, without pyplot, so no window system and no global figure list is
involved. The same numbers give the same bytes (with the same matplotlib): matplotlib's own
defaults are used whatever the user's matplotlibrc says, SVG ids are salted with a constant, and
no date is written. Text in an SVG stays text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

INK, FAINT, GRID = "#222222", "#666666", "#e3e3e3"
UNTRAINED, ADAPTED = "#c4c4c4", "#56b4e9"
"""Bars: light enough for a dark whisker to be read upon them."""
VALIDATION, TRAIN = "#0072b2", "#d55e00"
"""Lines. All but the grey are from Okabe and Ito's palette, safe for colour-blind readers."""

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": "#b0b0b0",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "ytick.major.size": 0,
    "svg.fonttype": "none",
    "svg.hashsalt": "thawline",
}
DPI = 160
TICK_STEPS = [1, 2, 2.5, 5, 10]
BEFORE_AFTER_SCORES = {"accuracy": "Accuracy", "f1_macro": "Macro F1"}


class _Series(NamedTuple):
    """The measured points of one quantity."""

    epochs: list[int]
    values: list[float]


def draw_before_after(
    baseline: Mapping[str, Any],
    adapted: Mapping[str, Any],
    folder: Path,
    *,
    title: str,
    subtitle: str | None = None,
) -> list[Path]:
    """Draw accuracy and macro F1 of the untrained and the adapted model as bars with intervals.

    Args:
        baseline: scores of the untrained model, as `metrics.evaluate` returns them; a score that
            is None has no bar, one without ``low`` and ``high`` has no whisker.
        adapted: scores of the adapted model.
        folder: where the files go; made if need be.
        title: wrapped where it is long.
        subtitle: under the title; None says how many rows were scored, and what the whiskers are.

    Returns:
        The paths of ``before_after.png`` and ``before_after.svg``.
    """
    with matplotlib.style.context(["default", STYLE]):
        note = subtitle if subtitle is not None else _interval_note(adapted)
        figure, bottom, top = _figure(6.4, 3.6, title, note)
        axes = figure.add_axes((0.1, bottom, 0.87, top - bottom))
        _percent_axis(axes, 0.0, 1.09)
        axes.tick_params(axis="x", length=0)
        positions, names = [], []
        for group, (name, caption) in enumerate(BEFORE_AFTER_SCORES.items()):
            for side, (word, colour, scores) in enumerate(
                [("untrained", UNTRAINED, baseline), ("adapted", ADAPTED, adapted)]
            ):
                position = 2.5 * group + side
                _draw_bar(axes, position, scores.get(name), colour)
                positions.append(position)
                names.append(word)
            axes.annotate(
                caption,
                (2.5 * group + 0.5, 0),
                xycoords=axes.get_xaxis_transform(),
                xytext=(0, -34),
                textcoords="offset points",
                ha="center",
                weight="bold",
            )
        axes.set_xticks(positions, names)
        axes.set_xlim(-0.75, positions[-1] + 0.75)
        return _save(figure, folder, "before_after")


def draw_history(
    history: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    title: str,
    subtitle: str | None = None,
) -> list[Path]:
    """Draw validation accuracy by epoch, and beside it the losses of validation and train.

    Args:
        history: one dict for each measured epoch, ``{"epoch", "validation_accuracy",
            "validation_loss", "train_loss"}``; epoch 0 is the untrained head; a value that is
            None or left out has no point.
        folder: where the files go; made if need be.
        title: wrapped where it is long.
        subtitle: under the title.

    Returns:
        The paths of ``history.png`` and ``history.svg``.

    Raises:
        ValueError: the history is empty.
    """
    if not history:
        raise ValueError("a history needs at least one epoch")
    with matplotlib.style.context(["default", STYLE]):
        figure, bottom, top = _figure(9.6, 3.5, title, subtitle, gap=0.3)
        left = figure.add_axes((0.07, bottom, 0.41, top - bottom))
        right = figure.add_axes((0.55, bottom, 0.35, top - bottom))
        epochs = [int(entry["epoch"]) for entry in history]
        for axes, caption in ((left, "Validation accuracy"), (right, "Loss (nats)")):
            axes.set_title(caption, loc="left", fontsize=10, color=FAINT, pad=10)
            _epoch_axis(axes, epochs)
        _draw_accuracy(left, _series(history, "validation_accuracy"))
        _draw_losses(
            right,
            {
                "validation": (VALIDATION, _series(history, "validation_loss")),
                "train": (TRAIN, _series(history, "train_loss")),
            },
        )
        return _save(figure, folder, "history")


def _figure(
    width: float, plot_height: float, title: str, subtitle: str | None, gap: float = 0.0
) -> tuple[Figure, float, float]:
    """Return a figure with its header, and the lower and upper edge that are left for axes.

    ``width``, ``plot_height`` and the ``gap`` below the header are in inches, the edges are shares
    of the figure's height.
    """
    room = int(width * 11)  # characters of the title's size that fit a line
    headings = [
        *((line, 13, "bold", INK, 0.27) for line in textwrap.wrap(title, int(room * 0.8))),
        *((line, 9.5, "normal", FAINT, 0.21) for line in textwrap.wrap(subtitle or "", room)),
    ]
    header = 0.32 + gap + sum(step for *_, step in headings)
    height = header + plot_height
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    from_top = 0.14
    for line, size, weight, colour, step in headings:
        figure.text(
            0.18 / width,
            1 - from_top / height,
            line,
            size=size,
            weight=weight,
            color=colour,
            va="top",
            parse_math=False,
        )
        from_top += step
    return figure, 0.62 / height, 1 - header / height


def _interval_note(scores: Mapping[str, Any]) -> str:
    """Say what the whiskers and the rows are, as far as the scores know."""
    rows, level = scores.get("rows"), scores.get("confidence_level")
    whiskers = "whiskers: confidence intervals"
    if level is not None:
        whiskers = f"whiskers: {100 * level:g} % intervals"
    return whiskers if rows is None else f"{rows:,} texts, {whiskers}"


def _percent_axis(axes: Axes, low: float, high: float) -> None:
    """Show shares from ``low`` to ``high`` in per cent, with no tick outside 0 … 100 %."""
    ticks = MaxNLocator(nbins=6, steps=TICK_STEPS).tick_values(low, high)
    inside = [tick for tick in ticks if max(low, -1e-9) <= tick <= min(high, 1 + 1e-9)]
    axes.set_yticks(inside)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    axes.set_ylim(low, high)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def _draw_bar(axes: Axes, position: float, score: Mapping[str, Any] | None, colour: str) -> None:
    """Draw one bar, its whisker, and its value above both."""
    value = None if score is None else score.get("value")
    if score is None or value is None:
        _write(axes, "not measured", position, 0.0, colour=FAINT)
        return
    axes.bar(position, value, width=0.84, color=colour)
    top = value
    if score.get("low") is not None and score.get("high") is not None:
        top = max(value, score["high"])
        axes.errorbar(
            position,
            value,
            yerr=[[max(value - score["low"], 0.0)], [top - value]],
            color=INK,
            linewidth=1.2,
            capsize=4,
        )
    _write(axes, f"{100 * value:.1f} %", position, top, weight="bold")


def _write(
    axes: Axes,
    words: str,
    x: float,
    y: float,
    *,
    above: bool = True,
    weight: str = "normal",
    colour: str = INK,
) -> None:
    """Write beside a point, on a white ground so that a line passing by does not blur it."""
    axes.annotate(
        words,
        (x, y),
        xytext=(0, 5 if above else -6),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        weight=weight,
        color=colour,
        # A path effect would turn the text of an SVG into outlines.
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
    )


def _series(history: Sequence[Mapping[str, Any]], name: str) -> _Series:
    """Return the points of one quantity that were measured."""
    measured = [(int(entry["epoch"]), entry.get(name)) for entry in history]
    points = [(epoch, float(value)) for epoch, value in measured if value is not None]
    return _Series([epoch for epoch, _ in points], [value for _, value in points])


def _epoch_axis(axes: Axes, epochs: Sequence[int]) -> None:
    axes.set_xlabel("epoch (0: the untrained head)" if 0 in epochs else "epoch")
    first, last = min(epochs), max(epochs)
    ticks = MaxNLocator(nbins=8, integer=True).tick_values(first, last)
    axes.set_xticks([int(tick) for tick in ticks if tick in range(first, last + 1)])
    margin = max(0.12 * (last - first), 0.4)
    axes.set_xlim(first - margin, last + margin)


def _not_measured(axes: Axes) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=FAINT)


def _draw_accuracy(axes: Axes, series: _Series) -> None:
    """Draw accuracy with a marker on each point; write the first, the best and the last value."""
    values = series.values
    if not values:
        _not_measured(axes)
        return
    low, high = _padded(values, share=0.2, least=0.02)
    _percent_axis(axes, low, high)
    _draw_line(axes, series, VALIDATION)
    last = len(values) - 1
    # Values near together would be written over each other where epochs are many.
    labelled = set(range(len(values))) if len(values) <= 6 else {0, last}
    best = max(range(len(values)), key=values.__getitem__)
    if all(abs(best - other) * 7 >= len(values) for other in labelled):
        labelled.add(best)
    for index in sorted(labelled):
        neighbours = values[max(index - 1, 0) : index + 2]
        _write(
            axes,
            f"{100 * values[index]:.1f} %",
            series.epochs[index],
            values[index],
            above=values[index] >= sum(neighbours) / len(neighbours),
            weight="bold" if index == best else "normal",
        )


def _draw_losses(axes: Axes, losses: Mapping[str, tuple[str, _Series]]) -> None:
    """Draw the losses, each named at the right of its last point."""
    drawn = {word: pair for word, pair in losses.items() if pair[1].values}
    if not drawn:
        _not_measured(axes)
        return
    low, high = _padded([value for _, s in drawn.values() for value in s.values], 0.08, 0.01)
    axes.set_ylim(max(low, 0.0), high)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=TICK_STEPS))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    for colour, series in drawn.values():
        _draw_line(axes, series, colour)
    ends = _spread({word: s.values[-1] for word, (_, s) in drawn.items()}, 0.075 * (high - low))
    last = max(series.epochs[-1] for _, series in drawn.values())
    for word, (colour, _) in drawn.items():
        axes.annotate(
            word,
            (last, ends[word]),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            weight="bold",
            annotation_clip=False,
        )


def _draw_line(axes: Axes, series: _Series, colour: str) -> None:
    axes.plot(
        series.epochs,
        series.values,
        color=colour,
        linewidth=1.8,
        marker="o",
        markersize=5,
        clip_on=False,
    )


def _padded(values: Sequence[float], share: float, least: float) -> tuple[float, float]:
    """Return limits around the values: ``share`` of their range, and ``least``, on either side."""
    pad = max(share * (max(values) - min(values)), least)
    return min(values) - pad, max(values) + pad


def _spread(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """Move two heights apart, evenly, until they are at least ``gap`` from each other."""
    ordered = sorted(heights, key=heights.__getitem__)
    moved = dict(heights)
    for lower, upper in pairwise(ordered):
        short = max(0.0, gap - (moved[upper] - moved[lower])) / 2
        moved[lower] -= short
        moved[upper] += short
    return moved


def _save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write the figure as PNG and SVG, with nothing in them that changes from day to day."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    figure.savefig(paths[0], dpi=DPI)
    figure.savefig(paths[1], metadata={"Date": None})
    return paths
