"""A plot of several lines: the accuracy of several systems over epochs or over training rows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from thawline.report.figure_text import name_lines
from thawline.report.figures import LINE_COLOURS, new_figure, own_style, save_figure, upright_shares
from thawline.report.names import distinct_names

WIDTH, PLOT_HEIGHT = 9.6, 4.2
"""The width of the figure, and its height below the header, in inches."""

CHARACTER_WIDTH = 0.08
"""The width of a bold character, in inches."""

MAX_NAME_LENGTH = 48
"""The number of characters of a name. A longer name ends in an ellipsis."""

NAME_GAP = 0.055
"""The least distance between two names, as a share of the y axis of the usual height."""

NAME_HEIGHT = 0.21
"""The height of a name, in inches, by which a plot of many lines becomes higher."""

MARKERS = "osD^vP"
"""The markers of the lines: the first one for the first `LINE_COLOURS`, and so on."""


@dataclass(frozen=True)
class Line:
    """The measurements of one system.

    Attributes:
        name: The name, which is written at the right end of the line.
        x: The epochs, or the numbers of rows.
        values: The measured shares, from 0 to 1, one for each x.
        low: The lower end of the band around each value. If None, no band is drawn.
        high: The upper end of the band around each value. If None, no band is drawn.
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
    """Draw shares over epochs or rows, with one named line for each system.

    Args:
        lines: The lines, each with at least one point. If there are more than `LINE_COLOURS`, the
            markers distinguish those of the same colour.
        folder: The folder of the files, which is made if it does not exist.
        name: The name of the files, without a suffix.
        title: The title, which is wrapped if it is long.
        x_label: The label of the x axis.
        subtitle: The text below the title. If None, there is none.
        logarithmic: Whether the x axis is logarithmic. If True, every x has a tick.

    Returns:
        The paths of the PNG and of the SVG.

    Raises:
        ValueError: If there is no line, or if a line has no points.
    """
    figure = lines_figure(
        lines, title=title, x_label=x_label, subtitle=subtitle, logarithmic=logarithmic
    )
    return save_figure(figure, folder, name)


def lines_figure(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    subtitle: str | None = None,
    logarithmic: bool = False,
) -> Figure:
    """Return the figure of `draw_lines`, which has the same arguments.

    Raises:
        ValueError: If there is no line, or if a line has no points.
    """
    if not lines or not all(line.values for line in lines):
        raise ValueError("each of the lines needs at least one point")
    with own_style():
        plot_height = max(PLOT_HEIGHT, 1.0 + NAME_HEIGHT * len(lines))
        figure, bottom, top = new_figure(WIDTH, plot_height, title, subtitle, gap=0.1)
        name_width = CHARACTER_WIDTH * max(map(len, _captions(lines))) + 0.25
        axes = figure.add_axes((0.07, bottom, 0.93 - name_width / WIDTH, top - bottom))
        shown = [value for line in lines for value in (*line.values, *_band(line))]
        pad = max(0.06 * (max(shown) - min(shown)), 0.005)
        low, high = max(min(shown) - pad, 0.0), min(max(shown) + pad, 1.0)
        upright_shares(axes, low, high)
        _set_x_axis(axes, sorted({x for line in lines for x in line.x}), logarithmic)
        axes.set_xlabel(x_label)
        for place, line in enumerate(lines):
            colour = LINE_COLOURS[place % len(LINE_COLOURS)]
            _draw_line(axes, line, colour, MARKERS[place // len(LINE_COLOURS) % len(MARKERS)])
        _write_names(axes, lines, low, high, plot_height)
        return figure


def _band(line: Line) -> list[float]:
    """Return both ends of the band of a line, or nothing if it has no band."""
    return [*(line.low or ()), *(line.high or ())]


def _set_x_axis(axes: Axes, places: Sequence[float], logarithmic: bool) -> None:
    """Set the limits and the ticks of the x axis; ``places`` are all x in ascending order."""
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


def _draw_line(axes: Axes, line: Line, colour: str, marker: str) -> None:
    if line.low is not None and line.high is not None:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(line.x, line.values, color=colour, linewidth=1.8, marker=marker, markersize=5)


def _write_names(
    axes: Axes, lines: Sequence[Line], low: float, high: float, plot_height: float
) -> None:
    """Write the name of each line at the right edge, even if the line ends before it."""
    captions = _captions(lines)
    name_lines(
        axes,
        {name: line.values[-1] for name, line in zip(captions, lines, strict=True)},
        dict(zip(captions, cycle(LINE_COLOURS))),
        axes.get_xlim()[1],
        NAME_GAP * (high - low) * PLOT_HEIGHT / plot_height,
    )


def _captions(lines: Sequence[Line]) -> list[str]:
    """Return the name of each line with its last value."""
    names = distinct_names(
        [line.name for line in lines],
        lambda name: textwrap.shorten(name, MAX_NAME_LENGTH, placeholder=" …"),
    )
    return [f"{names[line.name]}  {100 * line.values[-1]:.1f} %" for line in lines]
