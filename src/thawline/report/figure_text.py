"""Text within plots: notes beside points, and names of points and lines that hide nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from thawline.errors import printable
from thawline.report.figures import DPI, EDGE, FONT, FONT_SIZE, INK, PAPER

TEXT_BACKGROUND = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
"""A white background, which keeps text legible where it crosses a line.

A path effect would do so too, but would turn the text of an SVG into outlines.
"""
_DISTANCES = (9, 20, 34, 50, 70)
_ANGLES = (135, -45, 180, 0, 45, -135, 90, -90)
"""The places around a point at which `place_names` writes its name, the first free one: distances
in typographic points, and angles in degrees. A rising line leaves the first angles free."""
_LINE_SPACE = 2.5
"""The space between a name and a line, in typographic points."""


def write_beside(
    axes: Axes,
    text: str,
    x: float,
    y: float,
    *,
    above: bool = True,
    weight: str = "normal",
    distance: int = 5,
) -> None:
    """Write text above or below a point.

    Args:
        axes: The axes of the point.
        text: The text.
        x: The place of the point on the x axis.
        y: The place of the point on the y axis.
        above: Whether the text is above the point. Otherwise it is below.
        weight: The font weight.
        distance: The distance between the text and the point, in typographic points.
    """
    axes.annotate(
        text,
        (x, y),
        xytext=(0, distance if above else -distance - 1),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        weight=weight,
        color=INK,
        bbox=TEXT_BACKGROUND,
    )


def spread(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """Move heights apart, each as little as possible, until they are at least ``gap`` apart.

    Heights that are too close form a group, which keeps its mean.

    Args:
        heights: The heights by name.
        gap: The least distance between two heights.

    Returns:
        The new heights by name.
    """
    groups: list[list[str]] = []
    for name in sorted(heights, key=heights.__getitem__):
        groups.append([name])
        while len(groups) > 1 and _lowest(groups[-1], heights, gap) < (
            _lowest(groups[-2], heights, gap) + gap * len(groups[-2])
        ):
            last = groups.pop()
            groups[-1] += last
    return {
        name: _lowest(group, heights, gap) + gap * place
        for group in groups
        for place, name in enumerate(group)
    }


def widest_text(texts: Iterable[str], weight: str = "normal") -> float:
    """Return the width of the longest line of some texts in the style's font, in inches."""
    renderer = FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()
    font = FontProperties(family=FONT, size=FONT_SIZE, weight=weight)
    lines = [line for text in texts for line in text.splitlines()]
    widths = [renderer.get_text_width_height_descent(line, font, False)[0] for line in lines]
    return float(max(widths, default=0.0)) / DPI


def place_names(
    axes: Axes,
    points: Mapping[str, tuple[float, float]],
    colours: Mapping[str, str],
    lines: Sequence[Sequence[tuple[float, float]]] = (),
) -> None:
    """Write the name of each point beside it, where it hides no point, no line and no other name.

    The axes must have their final limits. The first free place around a point is used, the
    nearest ones first. If none is free, the name lies where it hides least. A thin line leads to a
    name that is not next to its point.

    Args:
        axes: The axes.
        points: The points, in the units of the axes, by name.
        colours: The colour of each name.
        lines: Horizontal or vertical lines, in the units of the axes: their two ends.
    """
    renderer = FigureCanvasAgg(axes.figure.get_figure(root=True)).get_renderer()
    frame = axes.get_window_extent(renderer)
    radius = renderer.points_to_pixels(5)
    width = renderer.points_to_pixels(_LINE_SPACE)
    # A hidden point or name is worse than a hidden line, which remains visible on both sides.
    thin = [Bbox(axes.transData.transform(sorted(line))).padded(width) for line in lines]
    places = axes.transData.transform(list(points.values()))
    taken = [Bbox.from_bounds(x - radius, y - radius, 2 * radius, 2 * radius) for x, y in places]

    def hidden(note: Annotation, distance: int) -> tuple[bool, int, float, float]:
        box = note.get_window_extent(renderer)
        is_outside = not (frame.x0 <= box.x0 and box.x1 <= frame.x1)
        is_outside = is_outside or not (frame.y0 <= box.y0 and box.y1 <= frame.y1)
        crossed = 0 if distance == _DISTANCES[0] else _crossed(note, taken)
        return is_outside, crossed, _overlap(box, taken), _overlap(box, thin)

    for name, point in points.items():
        note = axes.annotate(
            printable(name),
            point,
            xytext=(0, 0),
            textcoords="offset points",
            color=colours[name],
            weight="bold",
            bbox=TEXT_BACKGROUND,
            parse_math=False,
        )
        found: list[tuple[tuple[bool, int, float, float], tuple[int, int]]] = []
        for place in product(_DISTANCES, _ANGLES):
            _move(note, *place)
            found.append((hidden(note, place[0]), place))
            if not any(found[-1][0]):
                break
        distance, degrees = min(found)[1]
        _move(note, distance, degrees)
        taken.append(note.get_window_extent(renderer))
        if distance > _DISTANCES[0]:
            axes.annotate(
                "",
                point,
                xytext=note.get_position(),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": EDGE, "linewidth": 0.8},
                zorder=1,
            )


def _move(note: Annotation, distance: int, degrees: int) -> None:
    """Move a text to a distance from its point, in typographic points, and an angle."""
    x, y = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    note.set_position((distance * x, distance * y))
    note.set_horizontalalignment("left" if x > 0.1 else "right" if x < -0.1 else "center")
    note.set_verticalalignment("center" if abs(y) < 0.1 else "bottom" if y > 0 else "top")


def _crossed(note: Annotation, boxes: Iterable[Bbox]) -> int:
    """Return how many boxes the line from a point to its text crosses."""
    start = note.axes.transData.transform(note.xy)  # type: ignore[union-attr]
    offset = np.array(note.get_position()) * note.axes.figure.dpi / 72  # type: ignore[union-attr]
    on_line = [start + share * offset for share in np.linspace(0.4, 1, 10)]
    return sum(any(box.contains(x, y) for x, y in on_line) for box in boxes)


def _overlap(box: Bbox, others: Iterable[Bbox]) -> float:
    """Return the area of a box that others cover, counted once for each of them."""
    shared = (Bbox.intersection(box, other) for other in others)
    return sum(float(one.width * one.height) for one in shared if one is not None)


def _lowest(group: Sequence[str], heights: Mapping[str, float], gap: float) -> float:
    """Return the lowest height of a group whose members are ``gap`` apart around their mean."""
    mean = sum(heights[name] for name in group) / len(group)
    return mean - gap * (len(group) - 1) / 2


def name_lines(
    axes: Axes, ends: Mapping[str, float], colours: Mapping[str, str], x: float, gap: float
) -> None:
    """Write the names of lines to the right of their ends, without overlap.

    Args:
        axes: The axes of the lines.
        ends: The last value of each line, by name.
        colours: The colour of each line, by name.
        x: The place on the x axis at which the names start.
        gap: The least distance between two names, in the unit of the values.
    """
    for name, height in spread(ends, gap).items():
        axes.annotate(
            printable(name),
            (x, height),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colours[name],
            weight="bold",
            bbox=TEXT_BACKGROUND,
            annotation_clip=False,
            parse_math=False,
        )
