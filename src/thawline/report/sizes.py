"""The learning curves of a ladder as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from thawline.report.tables import MISSING, literal, ruled_table, wrap_labelled
from thawline.runs.records import LearningCurves


def sizes_table(curves: LearningCurves) -> Table:
    """Return a table of the accuracy on test in per cent, with a column for each number of rows."""
    table = ruled_table()
    table.add_column("rows", overflow="fold", max_width=24)
    for rows in curves.sizes:
        table.add_column(f"{rows:,}", justify="right", no_wrap=True)
    accuracies = {
        (point.rung, point.rows): f"{100 * point.accuracy.value:.1f}" for point in curves.points
    }
    for one in curves.enough:
        cells = [accuracies.get((one.rung, rows), MISSING) for rows in curves.sizes]
        table.add_row(literal(one.rung), *cells)
    return table


def sizes_lines(curves: LearningCurves) -> Iterator[str]:
    """Yield the lines below the table."""
    yield "accuracy on test in per cent, by the number of labelled rows (train and validation)"
    if curves.left_out:
        left_out = ", ".join(f"{rows:,}" for rows in curves.left_out)
        yield wrap_labelled("left out", f"{left_out} rows")
    yield wrap_labelled("labels", curves.words)
