"""The plot of accuracy against cost, with the rungs that no other rung beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from thawline.report.figure_text import place_names
from thawline.report.figures import (
    EDGE,
    FAINT,
    INK,
    PAPER,
    VALIDATION,
    new_figure,
    own_style,
    save_figure,
    upright_shares,
)
from thawline.runs.records import RungRecord, Score

WIDTH = 8.0
"""The width of the figure, in inches."""

COST_NAMES = {
    "seconds": "seconds of a run alone, with an empty store",
    "parameters": "trained parameters",
    "latency": "seconds for the prediction of one text",
}
"""What the x axis shows, by the cost of the verdict."""


@dataclass(frozen=True)
class Candidate:
    """The values that are drawn for a rung.

    Attributes:
        name: The name of the rung.
        accuracy: The test accuracy, with its confidence interval.
        cost: The cost, above 0.
    """

    name: str
    accuracy: Score
    cost: float


def candidates(rungs: Sequence[RungRecord], cost: str) -> list[Candidate]:
    """Return the rungs whose cost is known.

    Args:
        rungs: The rungs of a ladder.
        cost: The cost: seconds, parameters or latency.
    """
    costs = [rung_cost(rung, cost) for rung in rungs]
    return [
        Candidate(rung.rung, rung.test.accuracy, value)
        for rung, value in zip(rungs, costs, strict=True)
        if value is not None and value > 0
    ]


def rung_cost(rung: RungRecord, cost: str) -> float | None:
    """Return a cost of a rung. None if it was not measured.

    Args:
        rung: The rung.
        cost: The cost: seconds, parameters or latency.
    """
    if cost == "parameters":
        return float(rung.parameters.trainable)
    return rung.cost.latency if cost == "latency" else rung.cost.seconds


def pareto_front(points: Sequence[Candidate]) -> list[Candidate]:
    """Return the points that no other point equals or beats in both values, the cheapest first.

    Of points with the same values, all are returned.
    """

    def beaten(point: Candidate) -> bool:
        return any(
            other.cost <= point.cost
            and other.accuracy.value >= point.accuracy.value
            and (other.cost, other.accuracy.value) != (point.cost, point.accuracy.value)
            for other in points
        )

    return sorted((one for one in points if not beaten(one)), key=lambda one: one.cost)


def draw_tradeoff(
    points: Sequence[Candidate], cost: str, folder: Path, *, title: str, subtitle: str
) -> list[Path]:
    """Draw test accuracy against cost, on a logarithmic axis, with the Pareto front.

    Args:
        points: The rungs, at least one.
        cost: The cost: seconds, parameters or latency.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.
        subtitle: The text below the title, which explains the whiskers.

    Returns:
        The paths of ``tradeoff.png`` and ``tradeoff.svg``.

    Raises:
        ValueError: If there are no points.
    """
    subtitle = f"Test accuracy; {subtitle}"
    if len(pareto_front(points)) > 1:
        subtitle += "; the line joins the strategies that no other one beats in accuracy and cost"
    figure = tradeoff_figure(points, cost, title=title, subtitle=subtitle)
    return save_figure(figure, folder, "tradeoff")


def tradeoff_figure(
    points: Sequence[Candidate], cost: str, *, title: str, subtitle: str, width: float = WIDTH
) -> Figure:
    """Return the figure of `draw_tradeoff`, with another subtitle.

    Args:
        points: The rungs, at least one.
        cost: The cost: seconds, parameters or latency.
        title: The title, which is wrapped if it is long.
        subtitle: The text below the title.
        width: The width of the figure, in inches.

    Raises:
        ValueError: If there are no points.
    """
    if not points:
        raise ValueError("at least one rung is needed for a plot")
    with own_style():
        figure, bottom, top = new_figure(width, 4.4, title, subtitle, gap=0.05)
        axes = figure.add_axes((0.68 / width, bottom, 1 - 1.2 / width, top - bottom))
        ends = [end for one in points for end in (one.accuracy.low, one.accuracy.high)]
        space = max(0.08 * (max(ends) - min(ends)), 0.005)
        upright_shares(axes, max(min(ends) - space, 0.0), min(max(ends) + space, 1.0))
        _cost_axis(axes, [one.cost for one in points], most=int(1.2 * width))
        axes.set_xlabel(f"{COST_NAMES[cost]} (logarithmic scale)")
        front = pareto_front(points)
        axes.plot(
            [one.cost for one in front],
            [one.accuracy.value for one in front],
            color=VALIDATION,
            linewidth=1.4,
            alpha=0.6,
            drawstyle="steps-post",
            zorder=1.5,
        )
        for one in points:
            _draw_point(axes, one, on_front=one in front)
        places = {one.name: (one.cost, one.accuracy.value) for one in points}
        colours = {one.name: INK if one in front else FAINT for one in points}
        whiskers = [[(one.cost, one.accuracy.low), (one.cost, one.accuracy.high)] for one in points]
        place_names(axes, places, colours, [*whiskers, *_steps(front)])
        return figure


def _steps(front: Sequence[Candidate]) -> list[list[tuple[float, float]]]:
    """Return the lines of the Pareto front, which rises where a point is."""
    lines = []
    for one, other in pairwise(front):
        corner = (other.cost, one.accuracy.value)
        lines += [[(one.cost, corner[1]), corner], [corner, (other.cost, other.accuracy.value)]]
    return lines


def _cost_axis(axes: Axes, costs: Sequence[float], most: int) -> None:
    """Show costs on a logarithmic x axis, with at most ``most`` ticks at 1, 2 and 5 or at 1."""
    low, high = math.log10(min(costs)), math.log10(max(costs))
    space = max(0.12 * (high - low), 0.18)
    low, high = low - space, high + space
    steps = (1, 2, 5) if 3 * (high - low) < most else (1,)
    every = math.ceil((high - low) / (0.6 * most))
    decades = range(math.floor(low), math.ceil(high) + 1, every)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    inside = [tick for tick in ticks if low <= math.log10(tick) <= high]
    axes.set_xscale("log")
    axes.set_xlim(10.0**low, 10.0**high)
    axes.xaxis.set_major_locator(FixedLocator(inside))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.grid(axis="x")


def _draw_point(axes: Axes, one: Candidate, *, on_front: bool) -> None:
    value = one.accuracy.value
    colour = VALIDATION if on_front else FAINT
    axes.errorbar(
        one.cost,
        value,
        yerr=[[max(value - one.accuracy.low, 0.0)], [max(one.accuracy.high - value, 0.0)]],
        color=EDGE,
        linewidth=1.2,
        capsize=3,
        zorder=1,
    )
    axes.plot(
        [one.cost],
        [value],
        color=colour,
        marker="o",
        markersize=7,
        markerfacecolor=colour if on_front else PAPER,
        markeredgecolor=colour,
        markeredgewidth=1.5,
        clip_on=False,  # an accuracy of 100 % lies on the edge
    )
