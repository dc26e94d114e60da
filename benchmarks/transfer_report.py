"""Report the results of `benchmarks.transfer`: a table and two pictures.

This module has no command of its own. The pictures show the validation accuracy by epoch and the
test accuracy by labelled rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from scipy.stats import t as student

from thawline.report.lines import Line, draw_lines

Result = dict[str, Any]

ALL = "all"
"""The value of ``--rows`` for all train rows of a data set."""

COLUMNS = (
    *("train rows", "system", "seeds", "accuracy", "95 % interval"),
    *("seconds", "parameters trained"),
)


class Group(NamedTuple):
    """The results of a system with one number of train rows.

    Attributes:
        rows: The number of train rows, or ``all``.
        system: The description of the system.
        seeds: One result for each seed.
    """

    rows: str
    system: str
    seeds: list[Result]


def number(rows: str) -> float:
    """Return the number of rows for sorting. ``all`` is the largest."""
    return float("inf") if rows == ALL else int(rows)


def accuracy_of(result: Result) -> float:
    """Return the test accuracy of a fit."""
    return float(result["record"]["test"]["accuracy"]["value"])


def interval(seeds: Sequence[Result]) -> tuple[float, float]:
    """Return the 95 % confidence interval of the accuracy.

    With several seeds, it is the interval of their mean by Student's t. With one seed, it is the
    interval over the test rows.
    """
    if len(seeds) == 1:
        score = seeds[0]["record"]["test"]["accuracy"]
        return score["low"], score["high"]
    values = [accuracy_of(result) for result in seeds]
    quantile = float(student.ppf(0.975, len(values) - 1))
    half = quantile * stdev(values) / float(len(values)) ** 0.5
    return max(mean(values) - half, 0.0), min(mean(values) + half, 1.0)


def table(groups: Sequence[Group]) -> str:
    """Return the means over the seeds as a Markdown table. Seconds are those of the whole run."""
    lines: list[tuple[str, ...]] = [COLUMNS, ("---",) * len(COLUMNS)]
    for group in groups:
        values = [100 * accuracy_of(result) for result in group.seeds]
        records = [result["record"] for result in group.seeds]
        low, high = (100 * end for end in interval(group.seeds))
        lines.append(
            (
                _written(group.rows),
                group.system,
                str(len(values)),
                f"{mean(values):.1f} %" + (f" ± {stdev(values):.1f}" if len(values) > 1 else ""),
                f"{low:.1f} to {high:.1f}",
                f"{mean(record['seconds']['total'] for record in records):,.0f}",
                f"{records[0]['parameters']['trainable']:,}",
            )
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _written(rows: str) -> str:
    """Return a number of rows with commas, or ``all``."""
    return rows if rows == ALL else f"{int(rows):,}"


def draw(groups: Sequence[Group], folder: Path, *, name: str) -> list[Path]:
    """Draw the validation accuracy by epoch and the test accuracy by labelled rows.

    The first picture shows the groups with the most rows. The second is drawn only if the groups
    have different numbers of rows.

    Args:
        groups: The results, at least one group.
        folder: The folder for the files.
        name: The name of the data set, for the titles.

    Returns:
        The paths of the pictures.
    """
    most = max((group.rows for group in groups), key=number)
    largest = [group for group in groups if group.rows == most and _has_curve(group)]
    curves = [_curve(group) for group in largest]
    paths: list[Path] = []
    if curves:
        paths += draw_lines(
            curves,
            folder,
            "transfer_curves",
            title=f"{name}: validation accuracy by epoch",
            subtitle=f"{_written(most)} train rows{_over(largest)}",
            x_label="epoch (0: before training)",
        )
    if len({group.rows for group in groups}) > 1:
        paths += draw_lines(
            [_by_rows(system, groups) for system in dict.fromkeys(g.system for g in groups)],
            folder,
            "transfer_rows",
            title=f"{name}: test accuracy by labelled rows",
            subtitle=f"rows of train and validation together{_over(groups)}",
            x_label="labelled rows",
            logarithmic=True,
        )
    return paths


def _has_curve(group: Group) -> bool:
    """Return whether the group was trained by epochs."""
    return bool(group.seeds[0]["record"]["history"])


def _over(groups: Sequence[Group]) -> str:
    """Describe the number of seeds in the subtitle. An exact fit does not depend on the seed."""
    numbers = {len(group.seeds) for group in groups if _has_curve(group)}
    if max(numbers, default=1) == 1:
        return ""
    most = f"{'up to ' if len(numbers) > 1 else ''}{max(numbers)}"
    return f", mean of {most} seeds, band: lowest and highest"


def _curve(group: Group) -> Line:
    """Return the validation accuracy of a system at the epochs that all seeds have."""
    histories = [
        {row["epoch"]: row["validation_accuracy"] for row in result["record"]["history"]}
        for result in group.seeds
    ]
    epochs = sorted(set.intersection(*(set(history) for history in histories)))
    return _line(group.system, epochs, [[one[epoch] for one in histories] for epoch in epochs])


def _by_rows(system: str, groups: Sequence[Group]) -> Line:
    """Return the test accuracy of a system by labelled rows."""
    of_system = [group.seeds for group in groups if group.system == system]
    labelled = [seeds[0]["rows"]["train"] + seeds[0]["rows"]["validation"] for seeds in of_system]
    values = [[accuracy_of(result) for result in seeds] for seeds in of_system]
    return _line(system, labelled, values)


def _line(name: str, x: Sequence[float], values: Sequence[Sequence[float]]) -> Line:
    """Return a line through the means, with a band from the lowest to the highest."""
    means = [mean(some) for some in values]
    return Line(name, x, means, [min(some) for some in values], [max(some) for some in values])
