"""The calibration plot of a classifier: how often it is right, by its confidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from thawline.evaluation.calibration import ReliabilityBin
from thawline.report.figures import (
    ADAPTED,
    EDGE,
    FAINT,
    INK,
    VALIDATION,
    interval_note,
    new_figure,
    own_style,
    save_figure,
    share_axis,
    upright_shares,
)
from thawline.runs.records import MainScores


def draw_reliability(
    bins: Sequence[ReliabilityBin], test: MainScores, folder: Path, *, title: str
) -> list[Path]:
    """Draw the accuracy in bins of confidence, and the number of texts in each bin below it.

    Args:
        bins: The bins that hold texts, at least one.
        test: The scores on test, with the calibration error.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.

    Returns:
        The paths of ``reliability.png`` and ``reliability.svg``.

    Raises:
        ValueError: If there are no bins.
    """
    error = 100 * test.calibration_error.value
    subtitle = f"{interval_note(test)}; calibration error {error:.1f} %; dashed: no error"
    figure = reliability_figure(bins, title=title, subtitle=subtitle)
    return save_figure(figure, folder, "reliability")


def reliability_figure(bins: Sequence[ReliabilityBin], *, title: str, subtitle: str) -> Figure:
    """Return the figure of `draw_reliability`, with another subtitle.

    Raises:
        ValueError: If there are no bins.
    """
    if not bins:
        raise ValueError("at least one bin is needed for a plot")
    with own_style():
        figure, bottom, top = new_figure(6.4, 4.6, title, subtitle, gap=0.3)
        space = top - bottom
        upper = figure.add_axes((0.11, bottom + 0.33 * space, 0.86, 0.67 * space))
        lower = figure.add_axes((0.11, bottom, 0.86, 0.2 * space), sharex=upper)
        first = min(one.low for one in bins)
        edge = 0.02 * (1 - first)
        upright_shares(upper, 0.0, 1.04)
        upper.set_xlim(first - edge, 1 + edge)
        upper.plot([first, 1], [first, 1], color=EDGE, linewidth=1.2, linestyle=(0, (4, 3)))
        upper.tick_params(axis="x", labelbottom=False, length=0)
        upper.set_title("Correct predictions", loc="left", fontsize=10, color=FAINT, pad=10)
        for one in bins:
            upper.errorbar(
                one.confidence,
                one.accuracy,
                yerr=[[one.accuracy - one.interval.low], [one.interval.high - one.accuracy]],
                color=INK,
                linewidth=1.1,
                capsize=3,
            )
        confidences = [one.confidence for one in bins]
        upper.plot(
            confidences,
            [one.accuracy for one in bins],
            color=VALIDATION,
            linewidth=1.6,
            marker="o",
            markersize=5,
        )
        lower.bar(
            [one.low for one in bins],
            [one.rows for one in bins],
            width=[0.92 * (one.high - one.low) for one in bins],
            align="edge",
            color=ADAPTED,
        )
        lower.set_yticks([max(one.rows for one in bins)])
        lower.yaxis.set_major_formatter("{x:,.0f}")
        lower.spines["left"].set_visible(False)
        lower.set_title("Texts", loc="left", fontsize=10, color=FAINT, pad=6)
        lower.set_xlabel("confidence of the prediction", color=FAINT)
        share_axis(lower.xaxis, first - edge, 1 + edge)
        return figure
