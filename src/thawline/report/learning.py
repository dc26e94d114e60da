"""The plot of learning curves: the accuracy of each rung by the number of labelled rows."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from thawline.report.figures import save_figure
from thawline.report.lines import Line, lines_figure
from thawline.runs.records import LearningCurves


def draw_learning(curves: LearningCurves, folder: Path, *, title: str) -> list[Path]:
    """Draw test accuracy by the number of rows, with one line for each rung.

    Args:
        curves: The learning curves.
        folder: The folder of the files, which is made if it does not exist.
        title: The title, which is wrapped if it is long.

    Returns:
        The paths of ``learning.png`` and ``learning.svg``.

    Raises:
        ValueError: If there are no points.
    """
    subtitle = "Accuracy on test by the number of labelled rows (train and validation)"
    if any(point.accuracy.deviation is not None for point in curves.points):
        over = "draws" if curves.over_draws else "seeds"
        subtitle += f"; the bands are one standard deviation over {over}"
    figure = learning_figure(curves, title=title, subtitle=subtitle)
    return save_figure(figure, folder, "learning")


def learning_figure(curves: LearningCurves, *, title: str, subtitle: str) -> Figure:
    """Return the figure of `draw_learning`, with another subtitle.

    Raises:
        ValueError: If there are no points.
    """
    return lines_figure(
        learning_lines(curves),
        title=title,
        subtitle=subtitle,
        x_label="labelled rows",
        logarithmic=True,
    )


def learning_lines(curves: LearningCurves) -> list[Line]:
    """Return the line of each rung, with a band if it has several seeds everywhere."""
    lines = []
    for rung in dict.fromkeys(point.rung for point in curves.points):
        points = sorted(
            (point for point in curves.points if point.rung == rung), key=lambda one: one.rows
        )
        values = [point.accuracy.value for point in points]
        spread = [point.accuracy.deviation for point in points]
        rows = [point.rows for point in points]
        if None in spread:
            lines.append(Line(rung, rows, values))
            continue
        around = [(v, s) for v, s in zip(values, spread, strict=True) if s is not None]
        low, high = [max(v - s, 0.0) for v, s in around], [min(v + s, 1.0) for v, s in around]
        lines.append(Line(rung, rows, values, low, high))
    return lines
