"""The picture of the verdict: the differences between rungs, with their bounds and the margin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thawline.report.figure_text import widest_text
from thawline.report.figures import (
    ADAPTED,
    EDGE,
    FAINT,
    INK,
    LINE_COLOURS,
    PAPER,
    TRAIN,
    interval_note,
    new_figure,
    own_style,
    point_axis,
    save_figure,
)
from thawline.report.rungs import wrapped_names
from thawline.report.tradeoff import candidates, draw_tradeoff
from thawline.runs.records import RungRecord, Verdict

ROW_HEIGHT = 0.46
"""The height of a rung, in inches."""

WIDTH = 8.0
"""The width of the figure, in inches."""

COLOURS = {"within": LINE_COLOURS[2], "undecided": FAINT, "worse": TRAIN}
"""The colours of the decisions. The decision is also written beside its row."""


def draw_verdict(
    rungs: Sequence[RungRecord], verdict: Verdict, folder: Path, *, title: str
) -> list[Path]:
    """Draw the differences between rungs, if there are several, and their accuracy against cost.

    Args:
        rungs: The rungs of a ladder.
        verdict: The verdict.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.

    Returns:
        The paths of the files.
    """
    paths = []
    if any(rung.standing.lower_bound is not None for rung in rungs):
        paths += draw_differences(rungs, verdict, folder, title=title)
    places = candidates(rungs, verdict.cost)
    if places:
        note = interval_note(rungs[0].test)
        paths += draw_tradeoff(places, verdict.cost, folder, title=title, subtitle=note)
    return paths


def draw_differences(
    rungs: Sequence[RungRecord], verdict: Verdict, folder: Path, *, title: str
) -> list[Path]:
    """Draw the difference of each rung to the best of the others, with its simultaneous bounds.

    A rung is within the margin if its complete bar lies to the right of the margin, and worse if
    its complete bar lies to the left of zero.

    Args:
        rungs: The rungs of a ladder, at least two.
        verdict: The verdict, with the margin and the confidence level.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.

    Returns:
        The paths of ``differences.png`` and ``differences.svg``.

    Raises:
        ValueError: If no rung has bounds, because there are fewer than two.
    """
    margin = 100 * verdict.margin
    subtitle = (
        f"Test accuracy of each strategy minus that of the best other one; bars are "
        f"{100 * verdict.confidence:g} % bounds that hold together; the band is the margin of "
        f"{margin:g} {'point' if margin == 1 else 'points'}"
    )
    figure = differences_figure(rungs, verdict, title=title, subtitle=subtitle)
    return save_figure(figure, folder, "differences")


def differences_figure(
    rungs: Sequence[RungRecord],
    verdict: Verdict,
    *,
    title: str,
    subtitle: str,
    width: float = WIDTH,
) -> Figure:
    """Return the figure of `draw_differences`, with another subtitle.

    Args:
        rungs: The rungs of a ladder, at least two.
        verdict: The verdict, with the margin and the confidence level.
        title: The title, which is wrapped if it is long.
        subtitle: The text below the title.
        width: The width of the figure, in inches.

    Raises:
        ValueError: If no rung has bounds, because there are fewer than two.
    """
    rows = [rung for rung in rungs if rung.standing.lower_bound is not None]
    if not rows:
        raise ValueError("differences need at least two rungs")
    with own_style():
        height = 0.85 + ROW_HEIGHT * len(rows)
        figure, bottom, top = new_figure(width, height, title, subtitle, gap=0.05)
        names = wrapped_names([rung.rung for rung in rows])
        left = (0.2 + widest_text(names)) / width
        right = (0.25 + widest_text([rung.standing.decision for rung in rows], "bold")) / width
        axes = figure.add_axes((left, bottom, 1 - left - right, top - bottom))
        low, high = _limits(rows, verdict.margin)
        axes.set_xlim(low, high)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        point_axis(axes.xaxis, low, high)
        axes.set_xlabel("points of accuracy")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.axvspan(-verdict.margin, 0, facecolor=ADAPTED, alpha=0.22, edgecolor="none", zorder=0)
        axes.axvline(-verdict.margin, color=ADAPTED, linewidth=1.2, zorder=0.5)
        axes.axvline(0, color=EDGE, linewidth=1.2, zorder=0.5)
        axes.set_yticks(range(len(rows)), names, color=INK, parse_math=False)
        for row, rung in enumerate(rows):
            _draw_row(axes, row, rung)
        return figure


def _limits(rungs: Sequence[RungRecord], margin: float) -> tuple[float, float]:
    """Return the limits of the x axis, with space around the bounds and the margin."""
    ends = [-margin, 0.0]
    for rung in rungs:
        standing = rung.standing
        ends += [end for end in (standing.lower_bound, standing.upper_bound) if end is not None]
    space = 0.06 * (max(ends) - min(ends))
    return min(ends) - space, max(ends) + space


def _draw_row(axes: Axes, row: int, rung: RungRecord) -> None:
    standing = rung.standing
    assert standing.lower_bound is not None, "every drawn rung has bounds"
    low, high = standing.lower_bound, standing.upper_bound
    assert high is not None, "a rung with a lower bound has an upper bound"
    colour = COLOURS[standing.decision]
    axes.plot([low, high], [row, row], color=colour, linewidth=2.4, solid_capstyle="butt")
    axes.plot([low, high], [row, row], color=colour, linestyle="none", marker="|", markersize=9)
    if standing.below_best is not None:
        decided = standing.decision != "undecided"
        axes.plot(
            [-standing.below_best.value],
            [row],
            color=colour,
            marker="o",
            markersize=7,
            markerfacecolor=colour if decided else PAPER,
            markeredgecolor=colour,
            markeredgewidth=1.6,
        )
    axes.annotate(
        standing.decision,
        (1, row),
        xycoords=axes.get_yaxis_transform(),
        xytext=(8, 0),
        textcoords="offset points",
        va="center_baseline",
        color=colour,
        weight="bold",
        annotation_clip=False,
    )
