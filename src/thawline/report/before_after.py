"""The picture of a run's scores before training and after."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from thawline.report.figures import (
    ADAPTED,
    FAINT,
    INK,
    UNTRAINED,
    interval_note,
    new_figure,
    own_style,
    save_figure,
    upright_shares,
    write_beside,
)

BEFORE_AFTER_SCORES = {"accuracy": "Accuracy", "f1_macro": "Macro F1"}


def draw_before_after(
    baseline: Mapping[str, Any],
    adapted: Mapping[str, Any],
    folder: Path,
    *,
    title: str,
    subtitle: str | None = None,
) -> list[Path]:
    """Draw accuracy and macro F1 of the untrained and the adapted model as bars with intervals.

    Args:
        baseline: scores of the untrained model, as `metrics.evaluate` returns them; a score that
            is None has no bar, one without ``low`` and ``high`` has no whisker.
        adapted: scores of the adapted model.
        folder: where the files go; made if need be.
        title: wrapped where it is long.
        subtitle: under the title; None says how many rows were scored, and what the whiskers are.

    Returns:
        The paths of ``before_after.png`` and ``before_after.svg``.
    """
    with own_style():
        note = subtitle if subtitle is not None else interval_note(adapted)
        figure, bottom, top = new_figure(6.4, 3.6, title, note)
        axes = figure.add_axes((0.1, bottom, 0.87, top - bottom))
        upright_shares(axes, 0.0, 1.09)
        axes.tick_params(axis="x", length=0)
        positions, names = [], []
        for group, (name, caption) in enumerate(BEFORE_AFTER_SCORES.items()):
            for side, (word, colour, scores) in enumerate(
                [("untrained", UNTRAINED, baseline), ("adapted", ADAPTED, adapted)]
            ):
                position = 2.5 * group + side
                _draw_bar(axes, position, scores.get(name), colour)
                positions.append(position)
                names.append(word)
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
        return save_figure(figure, folder, "before_after")


def _draw_bar(axes: Axes, position: float, score: Mapping[str, Any] | None, colour: str) -> None:
    """Draw one bar, its whisker, and its value above both."""
    value = None if score is None else score.get("value")
    if score is None or value is None:
        write_beside(axes, "not measured", position, 0.0, colour=FAINT)
        return
    axes.bar(position, value, width=0.84, color=colour)
    top = value
    if score.get("low") is not None and score.get("high") is not None:
        top = max(value, score["high"])
        axes.errorbar(
            position,
            value,
            yerr=[[max(value - score["low"], 0.0)], [top - value]],
            color=INK,
            linewidth=1.2,
            capsize=4,
        )
    write_beside(axes, f"{100 * value:.1f} %", position, top, weight="bold")
