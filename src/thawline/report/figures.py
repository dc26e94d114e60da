"""What all pictures share: the style, the header, the axis of shares, and how they are written.

Figures are built as objects, without pyplot, so no window system and no global figure list is
involved. The same numbers give the same bytes (with the same matplotlib): matplotlib's own
defaults are used whatever the user's matplotlibrc says, SVG ids are salted with a constant, and
no date is written. Text in an SVG stays text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from thawline.runs.records import MainScores

INK, FAINT, GRID = "#222222", "#666666", "#e3e3e3"
UNTRAINED, ADAPTED = "#c4c4c4", "#56b4e9"
"""Bars: light enough for a dark whisker to be read upon them."""
VALIDATION, TRAIN = "#0072b2", "#d55e00"
"""Lines. All but the grey are from Okabe and Ito's palette, safe for colour-blind readers."""
SEVERAL = (VALIDATION, TRAIN, "#009e73", "#b25286", "#7a6400", INK)
"""More lines; that palette's yellow and purple are darkened until a name in them is legible."""

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


@contextmanager
def own_style() -> Iterator[None]:
    """Draw in this module's style alone."""
    with matplotlib.style.context(["default", STYLE]):
        yield


def new_figure(
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


def interval_note(scores: MainScores) -> str:
    """Return a line that says how many rows were scored and what the whiskers are."""
    return f"{scores.rows:,} texts, whiskers: {100 * scores.confidence_level:g} % intervals"


def share_axis(axis: Axis, low: float, high: float) -> None:
    """Show shares from ``low`` to ``high`` in per cent, with no tick outside 0 … 100 %."""
    ticks = MaxNLocator(nbins=6, steps=TICK_STEPS).tick_values(low, high)
    inside = [tick for tick in ticks if max(low, -1e-9) <= tick <= min(high, 1 + 1e-9)]
    axis.set_ticks(inside)
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))


def upright_shares(axes: Axes, low: float, high: float) -> None:
    """Give shares from ``low`` to ``high`` the upright axis, with lines and without a spine."""
    share_axis(axes.yaxis, low, high)
    axes.set_ylim(low, high)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def write_beside(
    axes: Axes,
    words: str,
    x: float,
    y: float,
    *,
    above: bool = True,
    weight: str = "normal",
    colour: str = INK,
    away: int = 5,
) -> None:
    """Write beside a point, on a white ground so that a line passing by does not blur it.

    It stands as many typographic points ``away`` as it is told.
    """
    axes.annotate(
        words,
        (x, y),
        xytext=(0, away if above else -away - 1),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        weight=weight,
        color=colour,
        # A path effect would turn the text of an SVG into outlines.
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
    )


def spread(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """Move heights apart, each as little as need be, until they are at least ``gap`` apart.

    Those that would touch make a group, which stays where its mean was.
    """
    groups: list[list[str]] = []
    for name in sorted(heights, key=heights.__getitem__):
        groups.append([name])
        while len(groups) > 1 and _foot(groups[-1], heights, gap) < (
            _foot(groups[-2], heights, gap) + gap * len(groups[-2])
        ):
            last = groups.pop()
            groups[-1] += last
    return {
        name: _foot(group, heights, gap) + gap * place
        for group in groups
        for place, name in enumerate(group)
    }


def _foot(group: Sequence[str], heights: Mapping[str, float], gap: float) -> float:
    """Return the lowest height of a group whose members stand ``gap`` apart around their mean."""
    mean = sum(heights[name] for name in group) / len(group)
    return mean - gap * (len(group) - 1) / 2


def name_lines(
    axes: Axes, ends: Mapping[str, float], colours: Mapping[str, str], at: float, gap: float
) -> None:
    """Name lines directly at their right ends, each in its colour, none over another.

    Args:
        axes: where they are drawn.
        ends: each line's last value, by its name.
        colours: by name.
        at: where the lines end.
        gap: between two names, in the unit of the values.
    """
    for name, height in spread(ends, gap).items():
        axes.annotate(
            name,
            (at, height),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colours[name],
            weight="bold",
            annotation_clip=False,
            parse_math=False,
        )


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write the figure as PNG and SVG, with nothing in them that changes from day to day."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    figure.savefig(paths[0], dpi=DPI)
    figure.savefig(paths[1], metadata={"Date": None})
    return paths
