"""A plot that compares rungs: their test accuracy, seconds and trained parameters."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from thawline.errors import printable
from thawline.report.figure_text import TEXT_BACKGROUND
from thawline.report.figures import (
    ADAPTED,
    FAINT,
    INK,
    VALIDATION,
    new_figure,
    own_style,
    save_figure,
    share_axis,
)
from thawline.report.names import distinct_names
from thawline.runs.records import Score

RUNG_HEIGHT = 0.52
"""The height of a rung, in inches, which is enough for two lines of its name."""

NAME_WIDTH = 24
"""The number of characters in a line of a rung's name."""

MAX_LINES = 3
"""The number of lines of a name. A longer name ends in an ellipsis."""


@dataclass(frozen=True)
class RungBar:
    """The values that are drawn for a rung.

    Attributes:
        name: The name of the rung.
        accuracy: The test accuracy, with its confidence interval.
        seconds: The duration of a run, in seconds.
        trainable: The number of parameters that were trained.
    """

    name: str
    accuracy: Score
    seconds: float
    trainable: int


def draw_rungs(bars: Sequence[RungBar], folder: Path, *, title: str, subtitle: str) -> list[Path]:
    """Draw the test accuracy, the seconds and the trained parameters of each rung.

    Args:
        bars: The rungs, from top to bottom.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.
        subtitle: The text below the title, which explains the whiskers.

    Returns:
        The paths of ``rungs.png`` and ``rungs.svg``.

    Raises:
        ValueError: If there are no rungs.
    """
    return save_figure(rungs_figure(bars, title=title, subtitle=subtitle), folder, "rungs")


def rungs_figure(bars: Sequence[RungBar], *, title: str, subtitle: str) -> Figure:
    """Return the figure of `draw_rungs`, which has the same arguments.

    Raises:
        ValueError: If there are no rungs.
    """
    if not bars:
        raise ValueError("at least one rung is needed for a plot")
    with own_style():
        height = 0.75 + RUNG_HEIGHT * len(bars)
        figure, bottom, top = new_figure(9.6, height, title, subtitle, gap=0.3)
        plot_height = top - bottom
        accuracy = figure.add_axes((0.2, bottom, 0.38, plot_height))
        seconds = figure.add_axes((0.63, bottom, 0.2, plot_height), sharey=accuracy)
        parameters = figure.add_axes((0.85, bottom, 0.13, plot_height), sharey=accuracy)
        for axes, caption in (
            (accuracy, "Test accuracy"),
            (seconds, "Seconds per run"),
            (parameters, "Trained parameters"),
        ):
            at_right = axes is parameters
            axes.set_title(
                caption, loc="right" if at_right else "left", fontsize=10, color=FAINT, pad=10
            )
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", labelleft=axes is accuracy)
        names = wrapped_names([bar.name for bar in bars])
        accuracy.set_yticks(range(len(bars)), names, color=INK, parse_math=False)
        accuracy.set_ylim(len(bars) - 0.5, -0.5)
        _draw_accuracies(accuracy, [bar.accuracy for bar in bars])
        _draw_seconds(seconds, [bar.seconds for bar in bars])
        _write_parameters(parameters, [bar.trainable for bar in bars])
        return figure


def wrapped_names(names: Sequence[str]) -> list[str]:
    """Wrap names at their spaces, and after their commas and colons.

    Long names are shortened, but different names stay different.
    """
    shown = [printable(name) for name in names]
    wrapped = distinct_names(shown, lambda name: _wrapped(name, MAX_LINES))
    return [wrapped[name] if "\n" in wrapped[name] else _wrapped(wrapped[name]) for name in shown]


def _wrapped(name: str, most: int | None = None) -> str:
    broken = re.sub(r"(?<=[,:])(?=\S)", " ", name)
    lines = textwrap.wrap(broken, NAME_WIDTH, max_lines=most, placeholder=" …")
    return "\n".join(re.sub(r"(?<=[,:]) ", "", line) for line in lines)


def _draw_accuracies(axes: Axes, scores: Sequence[Score]) -> None:
    share_axis(axes.xaxis, 0.0, 1.0)
    axes.set_xlim(0.0, 1.19)  # leave room for the values beyond 100 %
    axes.spines["bottom"].set_bounds(0.0, 1.0)
    axes.grid(axis="x")
    for row, score in enumerate(scores):
        value, low, high = score.value, score.low, score.high
        axes.barh(row, value, height=0.62, color=ADAPTED)
        ends = [[max(value - low, 0.0)], [max(high - value, 0.0)]]
        axes.errorbar(value, row, xerr=ends, color=INK, linewidth=1.2, capsize=4)
        _write(axes, f"{100 * value:.1f} %", max(value, high), row, weight="bold")


def _draw_seconds(axes: Axes, seconds: Sequence[float]) -> None:
    """Draw points over whole decades, because a logarithmic axis has no zero for bars."""
    low = math.floor(math.log10(min(seconds)))
    high = max(math.ceil(math.log10(max(seconds))), low + 1)
    axes.set_xscale("log")
    step = 1 if high - low <= 3 else math.ceil((high - low) / 2)
    powers = range(low, high + 1, step)
    axes.xaxis.set_major_locator(FixedLocator([10.0**power for power in powers]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _seconds_name(value)))
    # Leave room for the value to the right of the last point.
    axes.set_xlim(10.0 ** (low - 0.1 * (high - low)), 10.0 ** (high + 0.3 * (high - low)))
    axes.spines["bottom"].set_bounds(10.0**low, 10.0**high)
    axes.grid(axis="x")
    for row, value in enumerate(seconds):
        axes.plot([value], [row], marker="o", markersize=7, color=VALIDATION, clip_on=False)
        _write(axes, _seconds_name(value), value, row)


def _seconds_name(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.2g}"


def _write_parameters(axes: Axes, counts: Sequence[int]) -> None:
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    for row, count in enumerate(counts):
        axes.text(1, row, f"{count:,}", ha="right", va="center_baseline")


def _write(axes: Axes, text: str, x: float, y: float, weight: str = "normal") -> None:
    """Write text to the right of a point."""
    axes.annotate(
        text,
        (x, y),
        xytext=(7, 0),
        textcoords="offset points",
        va="center_baseline",
        weight=weight,
        bbox=TEXT_BACKGROUND,
    )
