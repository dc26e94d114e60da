"""The plot of a ladder's trainings: validation accuracy by epoch, with one line for each rung."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thawline.report.figure_text import name_lines
from thawline.report.figures import LINE_COLOURS, new_figure, own_style, save_figure, upright_shares
from thawline.report.history import epoch_axis, padded
from thawline.report.names import distinct_names
from thawline.runs.records import RungRecord

NAME_HEIGHT, CHARACTER_WIDTH = 0.2, 0.092
"""The height of a rung's name and the width of its characters, in inches."""

WIDTH = 8.0
"""The width of the figure, in inches."""

MARKERS = "osD^vP"
"""The markers of the rungs, which distinguish the lines without colour."""

MAX_NAME_LENGTH = 22
"""The number of characters of a rung's name. A longer name ends in an ellipsis."""


def draw_curves(rungs: Sequence[RungRecord], folder: Path, *, title: str) -> list[Path]:
    """Draw the validation accuracy of each rung by epoch, averaged over the seeds.

    A rung that was fitted exactly has no epochs. It is drawn as a dashed line at its accuracy.

    Args:
        rungs: The rungs of a ladder.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.

    Returns:
        The paths of ``curves.png`` and ``curves.svg``.

    Raises:
        ValueError: If no rung has epochs.
    """
    return save_figure(curves_figure(rungs, title=title), folder, "curves")


def curves_figure(rungs: Sequence[RungRecord], *, title: str) -> Figure:
    """Return the figure of `draw_curves`, which has the same arguments.

    Raises:
        ValueError: If no rung has epochs.
    """
    names = distinct_names([rung.rung for rung in rungs], _shorten)
    curves = {names[rung.rung]: _curve(rung) for rung in rungs}
    epochs = sorted({epoch for curve in curves.values() for epoch in curve})
    if not epochs:
        raise ValueError("curves need at least one rung with epochs")
    height = max(3.6, 1.2 + NAME_HEIGHT * len(curves))
    subtitle = f"Accuracy on {rungs[0].validation.rows:,} validation texts"
    if not all(curves.values()):
        subtitle += "; dashed lines: exact fits, which have no epochs"
    with own_style():
        figure, bottom, top = new_figure(WIDTH, height, title, subtitle, gap=0.1)
        name_width = CHARACTER_WIDTH * (max(map(len, curves)) + len("  100.0 %")) + 0.15
        axes = figure.add_axes((0.09, bottom, 0.91 - name_width / WIDTH, top - bottom))
        epoch_axis(axes, epochs)
        final = {names[rung.rung]: rung.validation.accuracy.value for rung in rungs}
        drawn = {
            name: curve or dict.fromkeys(epochs, final[name]) for name, curve in curves.items()
        }
        low, high = padded(
            [value for curve in drawn.values() for value in curve.values()], 0.1, 0.02
        )
        upright_shares(axes, max(low, 0.0), min(high, 1.0))
        colours = dict(zip(drawn, cycle(LINE_COLOURS)))
        for (name, curve), marker in zip(drawn.items(), cycle(MARKERS)):
            _draw_line(axes, curve, colours[name], marker if curves[name] else None)
        inches = height - bottom * figure.get_figheight()
        _write_names(axes, drawn, colours, epochs[-1], NAME_HEIGHT * (high - low) / inches)
        return figure


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"


def _curve(rung: RungRecord) -> dict[float, float]:
    """Return the mean accuracy at each epoch that every seed evaluated. Empty without epochs."""
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


def _write_names(
    axes: Axes,
    drawn: Mapping[str, Mapping[float, float]],
    colours: Mapping[str, str],
    x: float,
    gap: float,
) -> None:
    """Write the name and the last accuracy of each rung at the end of its line."""
    ends = {name: curve[max(curve)] for name, curve in drawn.items()}
    captions = {name: f"{name}  {100 * value:.1f} %" for name, value in ends.items()}
    name_lines(
        axes,
        {captions[name]: value for name, value in ends.items()},
        {captions[name]: colour for name, colour in colours.items()},
        x,
        gap,
    )
