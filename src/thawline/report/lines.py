"""A picture of several lines: accuracy of systems side by side, by epoch or by labelled rows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from thawline.report.figures import (
    SEVERAL,
    name_lines,
    new_figure,
    own_style,
    save_figure,
    upright_shares,
)

WIDTH, PLOT_HEIGHT = 9.6, 4.2
"""Inches; the height is that from the header down."""

CHARACTER = 0.08
"""Inches for each character of a bold name."""

LONGEST = 48
"""Characters of a name; of a longer one the end is an ellipsis."""

NAME_GAP = 0.055
"""Least distance between two names, a share of the axis."""


@dataclass(frozen=True)
class Line:
    """One system.

    Attributes:
        name: written at its right end.
        x: epochs, or rows.
        values: shares from 0 to 1, one for each x.
        low: the lower end of a band around each value; None: there is no band.
        high: the upper end.
    """

    name: str
    x: Sequence[float]
    values: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def draw_lines(
    lines: Sequence[Line],
    folder: Path,
    name: str,
    *,
    title: str,
    x_label: str,
    subtitle: str | None = None,
    logarithmic: bool = False,
) -> list[Path]:
    """Draw shares over epochs or rows, a line for each system, with its name at the right end.

    Args:
        lines: at most as many as there are colours in `SEVERAL`, each with a point at least.
        folder: where the files go; made if need be.
        name: of the files.
        title: wrapped where it is long.
        x_label: below the axis.
        subtitle: under the title.
        logarithmic: whether equal steps along the axis are equal ratios; then every x has a tick.

    Returns:
        The paths of the PNG and the SVG.

    Raises:
        ValueError: there is no line, one of no points, or more than there are colours.
    """
    if not lines or not all(line.values for line in lines):
        raise ValueError("each of the lines needs at least one point")
    if len(lines) > len(SEVERAL):
        raise ValueError(f"at most {len(SEVERAL)} lines can be told apart")
    with own_style():
        figure, bottom, top = new_figure(WIDTH, PLOT_HEIGHT, title, subtitle, gap=0.1)
        beside = CHARACTER * max(len(_caption(line)) for line in lines) + 0.25
        axes = figure.add_axes((0.07, bottom, 0.93 - beside / WIDTH, top - bottom))
        every = [value for line in lines for value in (*line.values, *_band(line))]
        pad = max(0.06 * (max(every) - min(every)), 0.005)
        low, high = max(min(every) - pad, 0.0), min(max(every) + pad, 1.0)
        upright_shares(axes, low, high)
        _along(axes, sorted({x for line in lines for x in line.x}), logarithmic)
        axes.set_xlabel(x_label)
        for line, colour in zip(lines, SEVERAL, strict=False):
            _draw(axes, line, colour)
        _name(axes, lines, low, high)
        return save_figure(figure, folder, name)


def _band(line: Line) -> list[float]:
    return [*(line.low or ()), *(line.high or ())]


def _along(axes: Axes, places: Sequence[float], logarithmic: bool) -> None:
    """Set the axis from the first place to the last."""
    first, last = places[0], places[-1]
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(list(places)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(list(places), [f"{place:,.0f}" for place in places])
        margin = (last / first) ** 0.04 if last > first else 1.5
        axes.set_xlim(first / margin, last * margin)
        return
    margin = 0.04 * (last - first) if last > first else 0.4
    ticks = MaxNLocator(nbins=10, integer=last - first >= 2).tick_values(first, last)
    inside = [tick for tick in ticks if first <= tick <= last]
    axes.set_xticks(inside, [f"{tick:.3g}" for tick in inside])
    axes.set_xlim(first - margin, last + margin)


def _draw(axes: Axes, line: Line, colour: str) -> None:
    if line.low is not None and line.high is not None:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(line.x, line.values, color=colour, linewidth=1.8, marker="o", markersize=5)


def _name(axes: Axes, lines: Sequence[Line], low: float, high: float) -> None:
    """Name each line beside the axis, those that end before the others at its right edge too."""
    name_lines(
        axes,
        {_caption(line): line.values[-1] for line in lines},
        {_caption(line): colour for line, colour in zip(lines, SEVERAL, strict=False)},
        axes.get_xlim()[1],
        NAME_GAP * (high - low),
    )


def _caption(line: Line) -> str:
    name = textwrap.shorten(line.name, LONGEST, placeholder=" …")
    return f"{name}  {100 * line.values[-1]:.1f} %"
