"""A picture of several runs side by side: what each strategy reached, and what it cost."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from thawline.report.figures import (
    ADAPTED,
    FAINT,
    INK,
    VALIDATION,
    interval_note,
    new_figure,
    own_style,
    save_figure,
    share_axis,
)

RUNG_HEIGHT = 0.52
"""Inches for each run, two lines of its name among them."""

NAME_WIDTH = 24
"""Characters in a line of a run's name."""

MOST_LINES = 3
"""Lines of a name; what is left of a longer one is an ellipsis."""


def draw_rungs(
    records: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    title: str,
    names: Sequence[str] | None = None,
) -> list[Path]:
    """Draw test accuracy with its interval, seconds and trained parameters of each run.

    Args:
        records: of runs on identical splits, from top to bottom.
        folder: where the files go; made if need be.
        title: wrapped where it is long.
        names: of the runs; None: their strategies.

    Returns:
        The paths of ``rungs.png`` and ``rungs.svg``.

    Raises:
        ValueError: there are no records, or more or fewer names than records.
    """
    given = [str(record["strategy"]) for record in records] if names is None else list(names)
    if not records or len(given) != len(records):
        raise ValueError(f"{len(records)} records cannot be drawn under {len(given)} names")
    with own_style():
        height = 0.75 + RUNG_HEIGHT * len(records)
        note = interval_note(records[0]["test"])
        figure, bottom, top = new_figure(9.6, height, title, note, gap=0.3)
        room = top - bottom
        accuracy = figure.add_axes((0.2, bottom, 0.38, room))
        seconds = figure.add_axes((0.63, bottom, 0.2, room), sharey=accuracy)
        parameters = figure.add_axes((0.85, bottom, 0.13, room), sharey=accuracy)
        for axes, caption in (
            (accuracy, "Test accuracy"),
            (seconds, "Seconds in all"),
            (parameters, "Parameters trained"),
        ):
            at_right = axes is parameters
            axes.set_title(
                caption, loc="right" if at_right else "left", fontsize=10, color=FAINT, pad=10
            )
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", labelleft=axes is accuracy)
        accuracy.set_yticks(range(len(records)), [_wrapped(name) for name in given], color=INK)
        accuracy.set_ylim(len(records) - 0.5, -0.5)
        _draw_accuracies(accuracy, [record["test"]["accuracy"] for record in records])
        _draw_seconds(seconds, [float(record["seconds"]["total"]) for record in records])
        _write_parameters(parameters, [record["parameters"]["trainable"] for record in records])
        return save_figure(figure, folder, "rungs")


def _wrapped(name: str) -> str:
    """Fold a name after its commas and spaces."""
    broken = re.sub(r"(?<=[,:])(?=\S)", " ", name)
    lines = textwrap.wrap(broken, NAME_WIDTH, max_lines=MOST_LINES, placeholder=" …")
    return "\n".join(re.sub(r"(?<=[,:]) ", "", line) for line in lines)


def _draw_accuracies(axes: Axes, scores: Sequence[Mapping[str, float]]) -> None:
    share_axis(axes.xaxis, 0.0, 1.0)
    axes.set_xlim(0.0, 1.19)  # beyond 100 % is room for what is written there
    axes.spines["bottom"].set_bounds(0.0, 1.0)
    axes.grid(axis="x")
    for row, score in enumerate(scores):
        value, low, high = score["value"], score["low"], score["high"]
        axes.barh(row, value, height=0.62, color=ADAPTED)
        ends = [[max(value - low, 0.0)], [max(high - value, 0.0)]]
        axes.errorbar(value, row, xerr=ends, color=INK, linewidth=1.2, capsize=4)
        _write(axes, f"{100 * value:.1f} %", max(value, high), row, weight="bold")


def _draw_seconds(axes: Axes, seconds: Sequence[float]) -> None:
    """Draw points over whole decades: bars would have no foot on a logarithmic axis."""
    low = math.floor(math.log10(min(seconds)))
    high = max(math.ceil(math.log10(max(seconds))), low + 1)
    axes.set_xscale("log")
    step = 1 if high - low <= 3 else math.ceil((high - low) / 2)
    powers = range(low, high + 1, step)
    axes.xaxis.set_major_locator(FixedLocator([10.0**power for power in powers]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _seconds_name(value)))
    # Room for what is written to the right of a point at the end.
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


def _write(axes: Axes, words: str, x: float, y: float, weight: str = "normal") -> None:
    axes.annotate(
        words,
        (x, y),
        xytext=(7, 0),
        textcoords="offset points",
        va="center_baseline",
        weight=weight,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
    )
