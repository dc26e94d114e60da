"""The plots of a ladder: their names, their title, and drawing them from the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from thawline.data.labels import join_words
from thawline.report.curves import draw_curves
from thawline.report.differences import draw_verdict
from thawline.report.figures import interval_note
from thawline.report.rungs import RungBar, draw_rungs
from thawline.runs.records import Comparison, StartedLadder
from thawline.runtime import failures
from thawline.runtime.files import remove

PLOTS = ("rungs", "differences", "tradeoff", "curves", "learning")
"""The names of all plots that a ladder can have, without their suffixes."""


def plot_title(started: StartedLadder, comparison: Comparison) -> str:
    """Return the title of all plots: the data set and the backbones that were compared."""
    used = [rung.backbone for rung in comparison.rungs if rung.backbone is not None]
    names = join_words([Path(backbone).name for backbone in dict.fromkeys(used)])
    return f"{started.data.name}: strategies{f' on {names}' if names else ''}"


def draw_ladder(started: StartedLadder, comparison: Comparison, folder: Path) -> list[str]:
    """Draw the rungs as bars, the verdict and, if a rung was trained by epochs, its curves.

    Returns:
        The names of the files.
    """
    title, rungs = plot_title(started, comparison), comparison.rungs
    bars = [
        RungBar(rung.rung, rung.test.accuracy, rung.cost.seconds, rung.parameters.trainable)
        for rung in rungs
    ]
    with failures.system_errors(folder):
        plots = draw_rungs(bars, folder, title=title, subtitle=interval_note(rungs[0].test))
        plots += draw_verdict(rungs, comparison.verdict, folder, title=title)
        if any(run.history for rung in rungs for run in rung.runs):
            plots += draw_curves(rungs, folder, title=title)
    return [path.name for path in plots]


def remove_old_plots(folder: Path, drawn: Sequence[str]) -> None:
    """Remove the plots that only an earlier start drew, because they show other results."""
    for path in folder.iterdir():
        if path.stem in PLOTS and path.suffix in (".png", ".svg") and path.name not in drawn:
            remove(path)
