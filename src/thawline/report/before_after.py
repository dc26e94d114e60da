"""The plot of a run's scores before and after training."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thawline.report.figure_text import write_beside
from thawline.report.figures import (
    ADAPTED,
    INK,
    UNTRAINED,
    interval_note,
    new_figure,
    own_style,
    save_figure,
    upright_shares,
)
from thawline.runs.records import MainScores, Score

BEFORE_AFTER_SCORES = {"accuracy": "Accuracy", "f1_macro": "Macro F1"}


def draw_before_after(
    baseline: MainScores,
    adapted: MainScores,
    folder: Path,
    *,
    title: str,
    subtitle: str | None = None,
) -> list[Path]:
    """Draw accuracy and macro F1 of the untrained and the adapted model as bars with intervals.

    Args:
        baseline: The scores of the untrained model.
        adapted: The scores of the adapted model.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.
        subtitle: The text below the title. If None, it gives the number of test texts and explains
            the whiskers.

    Returns:
        The paths of ``before_after.png`` and ``before_after.svg``.
    """
    figure = before_after_figure(baseline, adapted, title=title, subtitle=subtitle)
    return save_figure(figure, folder, "before_after")


def before_after_figure(
    baseline: MainScores, adapted: MainScores, *, title: str, subtitle: str | None = None
) -> Figure:
    """Return the figure of `draw_before_after`, which has the same arguments."""
    with own_style():
        note = subtitle if subtitle is not None else interval_note(adapted)
        figure, bottom, top = new_figure(6.4, 3.6, title, note)
        axes = figure.add_axes((0.1, bottom, 0.87, top - bottom))
        upright_shares(axes, 0.0, 1.09)
        axes.tick_params(axis="x", length=0)
        positions, names = [], []
        for group, (name, caption) in enumerate(BEFORE_AFTER_SCORES.items()):
            for side, (model, colour, scores) in enumerate(
                [("untrained", UNTRAINED, baseline), ("adapted", ADAPTED, adapted)]
            ):
                position = 2.5 * group + side
                _draw_bar(axes, position, getattr(scores, name), colour)
                positions.append(position)
                names.append(model)
            axes.annotate(
                caption,
                (2.5 * group + 0.5, 0),
                xycoords=axes.get_xaxis_transform(),
                xytext=(0, -34),
                textcoords="offset points",
                ha="center",
                weight="bold",
            )
        axes.set_xticks(positions, names)
        axes.set_xlim(-0.75, positions[-1] + 0.75)
        return figure


def _draw_bar(axes: Axes, position: float, score: Score, colour: str) -> None:
    """Draw one bar with its whisker, and write its value above both."""
    value, top = score.value, max(score.value, score.high)
    axes.bar(position, value, width=0.84, color=colour)
    axes.errorbar(
        position,
        value,
        yerr=[[max(value - score.low, 0.0)], [top - value]],
        color=INK,
        linewidth=1.2,
        capsize=4,
    )
    write_beside(axes, f"{100 * value:.1f} %", position, top, weight="bold")
