"""The picture of several trainings together: validation accuracy by epoch, a line for each rung."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes

from thawline.report.figures import (
    SEVERAL,
    name_lines,
    new_figure,
    own_style,
    save_figure,
    upright_shares,
)
from thawline.report.history import epoch_axis, padded
from thawline.runs.records import RungRecord

LINE_HEIGHT, CHARACTER = 0.2, 0.092
"""Inches that a line's name takes, upright and level."""

WIDTH = 8.0
"""Inches of the picture."""

MARKERS = "osD^vP"
"""By rung, so that a line is known without its colour too."""

LONGEST_NAME = 22
"""Characters of a rung's name; a longer one ends in an ellipsis."""


def draw_curves(rungs: Sequence[RungRecord], folder: Path, *, title: str) -> list[Path]:
    """Draw each rung's validation accuracy by epoch, its name at the line's end.

    A rung without epochs, whose head was solved exactly, is a dashed line at its accuracy. The mean
    over the seeds is drawn.

    Args:
        rungs: The rungs of a ladder.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.

    Returns:
        The paths of ``curves.png`` and ``curves.svg``.

    Raises:
        ValueError: If no rung has epochs.
    """
    curves = {_short(rung.rung): _curve(rung) for rung in rungs}
    epochs = sorted({epoch for curve in curves.values() for epoch in curve})
    if not epochs:
        raise ValueError("curves need at least one rung with epochs")
    height = max(3.6, 1.2 + LINE_HEIGHT * len(curves))
    subtitle = f"Validation accuracy, {rungs[0].validation.rows:,} texts"
    if not all(curves.values()):
        subtitle += "; dashed: solved exactly, without epochs"
    with own_style():
        figure, bottom, top = new_figure(WIDTH, height, title, subtitle, gap=0.1)
        room = CHARACTER * (max(map(len, curves)) + len("  100.0 %")) + 0.15
        axes = figure.add_axes((0.09, bottom, 0.91 - room / WIDTH, top - bottom))
        epoch_axis(axes, epochs)
        flat = {_short(rung.rung): rung.validation.accuracy.value for rung in rungs}
        drawn = {name: curve or dict.fromkeys(epochs, flat[name]) for name, curve in curves.items()}
        low, high = padded(
            [value for curve in drawn.values() for value in curve.values()], 0.1, 0.02
        )
        upright_shares(axes, max(low, 0.0), min(high, 1.0))
        colours = dict(zip(drawn, cycle(SEVERAL)))
        for (name, curve), marker in zip(drawn.items(), cycle(MARKERS)):
            _draw_line(axes, curve, colours[name], marker if curves[name] else None)
        inches = height - bottom * figure.get_figheight()
        _name(axes, drawn, colours, epochs[-1], LINE_HEIGHT * (high - low) / inches)
        return save_figure(figure, folder, "curves")


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _curve(rung: RungRecord) -> dict[float, float]:
    """Return the mean accuracy at each evaluation that every seed has. Empty without epochs."""
    seeds = [
        {float(row.epoch): row.validation_accuracy for row in run.history} for run in rung.runs
    ]
    shared = set(seeds[0]).intersection(*seeds[1:])
    return {epoch: fmean(seed[epoch] for seed in seeds) for epoch in sorted(shared)}


def _draw_line(axes: Axes, curve: Mapping[float, float], colour: str, marker: str | None) -> None:
    axes.plot(
        list(curve),
        list(curve.values()),
        color=colour,
        linewidth=1.8,
        linestyle="--" if marker is None else "-",
        marker=marker,
        markersize=5,
        clip_on=False,
    )


def _name(
    axes: Axes,
    drawn: Mapping[str, Mapping[float, float]],
    colours: Mapping[str, str],
    at: float,
    gap: float,
) -> None:
    """Name each line by its rung and its last accuracy."""
    ends = {name: curve[max(curve)] for name, curve in drawn.items()}
    named = {name: f"{name}  {100 * value:.1f} %" for name, value in ends.items()}
    name_lines(
        axes,
        {named[name]: value for name, value in ends.items()},
        {named[name]: colour for name, colour in colours.items()},
        at,
        gap,
    )
