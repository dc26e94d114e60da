"""The parts that all plots share: the style, the header, axes in per cent, and saving.

Figures are built without pyplot, so they need no display and change no global state. The same
numbers give the same bytes with the same version of matplotlib: the user's matplotlibrc is ignored,
the ids in an SVG use a constant salt, and no date is written. Text in an SVG stays text.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from thawline.errors import printable
from thawline.runs.records import MainScores
from thawline.runtime.files import new_file

PAPER, INK, FAINT, GRID, EDGE = "#ffffff", "#222222", "#666666", "#e3e3e3", "#b0b0b0"
UNTRAINED, ADAPTED = "#c4c4c4", "#56b4e9"
"""Colours of bars, which are light enough for a dark whisker to be visible on them."""
VALIDATION, TRAIN = "#0072b2", "#d55e00"
"""Colours of lines, from the palette of Okabe and Ito, which is safe for colour-blind readers."""
LINE_COLOURS = (VALIDATION, TRAIN, "#009e73", "#b25286", "#7a6400", INK)
"""Colours of several lines. The palette's yellow and purple are darkened to keep names legible."""

PALETTE = {
    "paper": PAPER,
    "ink": INK,
    "faint": FAINT,
    "grid": GRID,
    "edge": EDGE,
    "untrained": UNTRAINED,
    "adapted": ADAPTED,
    "blue": VALIDATION,
    "orange": TRAIN,
    "green": LINE_COLOURS[2],
    "purple": LINE_COLOURS[3],
    "olive": LINE_COLOURS[4],
}
"""All colours by name. A report in HTML gives them other values in a dark colour scheme."""

FONT, FONT_SIZE = "DejaVu Sans", 10
"""The font, which comes with matplotlib, so that every machine draws the same."""

STYLE = {
    "font.family": FONT,
    "font.size": FONT_SIZE,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": EDGE,
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


@contextmanager
def own_style() -> Iterator[None]:
    """Apply the style of this module, without the user's settings, while figures are drawn.

    It is also a decorator of the functions that draw.
    """
    with matplotlib.style.context(["default", STYLE]):
        yield


def new_figure(
    width: float, plot_height: float, title: str, subtitle: str | None, gap: float = 0.0
) -> tuple[Figure, float, float]:
    """Create a figure with a header and an empty area for axes.

    Args:
        width: The width of the figure, in inches.
        plot_height: The height of the figure below the header, in inches.
        title: The title, which is wrapped if it is long.
        subtitle: The text below the title, which is wrapped too. If None, there is none.
        gap: The additional space below the header, in inches.

    Returns:
        The figure, and the lower and upper edge of the area for axes, as shares of the figure's
        height.
    """
    title, subtitle = printable(title), printable(subtitle or "")
    line_length = int(width * 11)  # the number of subtitle characters that fit on a line
    headings = [
        *((line, 13, "bold", INK, 0.27) for line in textwrap.wrap(title, int(line_length * 0.8))),
        *((line, 9.5, "normal", FAINT, 0.21) for line in textwrap.wrap(subtitle, line_length)),
    ]
    header = (0.32 if headings else 0.12) + gap + sum(step for *_, step in headings)
    height = header + plot_height
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER)
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


def interval_note(scores: MainScores) -> str:
    """Return a subtitle with the number of scored texts and the meaning of the whiskers."""
    level = f"{100 * scores.confidence_level:g} %"
    return f"{scores.rows:,} test texts; whiskers are {level} confidence intervals"


def share_axis(axis: Axis, low: float, high: float) -> None:
    """Label an axis in per cent.

    Args:
        axis: The axis.
        low: The lowest share on the axis.
        high: The highest share on the axis. No tick is outside 0 to 100 %.
    """
    ticks = MaxNLocator(nbins=6, steps=TICK_STEPS).tick_values(low, high)
    inside = [tick for tick in ticks if max(low, -1e-9) <= tick <= min(high, 1 + 1e-9)]
    axis.set_ticks(inside)
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))


def upright_shares(axes: Axes, low: float, high: float) -> None:
    """Show shares from ``low`` to ``high`` on the y axis, with grid lines and without a spine."""
    share_axis(axes.yaxis, low, high)
    axes.set_ylim(low, high)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def point_axis(axis: Axis, low: float, high: float) -> None:
    """Label an axis of differences of shares in points, with the sign of each.

    Args:
        axis: The axis.
        low: The lowest difference on the axis.
        high: The highest difference on the axis.
    """
    ticks = MaxNLocator(nbins=7, steps=TICK_STEPS).tick_values(low, high)
    axis.set_ticks([tick for tick in ticks if low <= tick <= high])
    axis.set_major_formatter(
        FuncFormatter(lambda share, _: f"{100 * share:+.3g}".replace("-", "−").replace("+0", "0"))
    )


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG, without dates, so that equal figures give equal files.

    Each file is on the disk when it appears.

    Args:
        figure: The figure.
        folder: The folder of the files, which is made if it does not exist.
        name: The name of the files, without a suffix.

    Returns:
        The paths of the PNG and of the SVG.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    with own_style():
        with new_file(paths[0]) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI)
        with new_file(paths[1]) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
    return paths


def svg_text(figure: Figure) -> str:
    """Return a figure as the text of an SVG file, without dates."""
    buffer = io.StringIO()
    with own_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
