"""Compare the rungs of a ladder on nested parts of the rows, and find out how many rows suffice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from thawline.compare.draws import draws_of
from thawline.compare.plan import plan_runs
from thawline.compare.results import FinishedRun, group_by_rung
from thawline.compare.verdict import correct_predictions
from thawline.compare.words import points
from thawline.config import LadderConfig
from thawline.data import Dataset
from thawline.data.labels import IntArray, join_words
from thawline.errors import ThawlineError
from thawline.evaluation.differences import measure_effects
from thawline.evaluation.standings import decide_standings
from thawline.runs.records import (
    Comparison,
    Crossing,
    CurvePoint,
    EnoughRows,
    FitRecord,
    LearningCurves,
)
from thawline.runtime.progress import Reporter

RunPart = Callable[[LadderConfig, Sequence[Dataset], Path], Comparison]
"""A function that runs a ladder on a part of the rows, in a folder of its own."""


@dataclass(frozen=True)
class _Size:
    """The comparison with one number of rows.

    Attributes:
        rows: The number of rows of train and validation together.
        made: The finished runs.
        comparison: Their comparison.
    """

    rows: int
    made: Sequence[FinishedRun]
    comparison: Comparison


def compare_sizes(
    config: LadderConfig,
    draws: Sequence[Dataset],
    whole: tuple[Sequence[FinishedRun], Comparison],
    folder: Path,
    reporter: Reporter,
    run_part: RunPart,
) -> LearningCurves:
    """Run the ladder on parts of the rows, and return the learning curves.

    Args:
        config: The settings of the ladder. Its budget is what the runs on all rows have left of it.
        draws: All rows, for each draw of the training rows.
        whole: The finished runs on all rows, and their comparison.
        folder: The folder of the ladder. Each part has a folder in it.
        reporter: Shows messages.
        run_part: Runs a ladder on a part of the rows.
    """
    all_rows = len(draws[0].train) + len(draws[0].validation)
    sizes, left_out, left = list[_Size](), list[int](), config.budget
    for rows in sorted(set(config.sizes)):
        if rows >= all_rows:
            if rows > all_rows:
                reporter.message(
                    f"size {rows:,} is left out: the data have {all_rows:,} labelled rows"
                )
                left_out.append(rows)
            continue
        place = folder / f"rows-{rows}"
        part_config = _part_config(config, left)
        reporter.message(f"-- with {rows:,} of {all_rows:,} labelled rows")
        try:
            if config.budget and left <= 0:
                raise ThawlineError("time for this number of rows", "none", "raise `budget`")
            parts = [draw.nested_part(rows) for draw in draws]
            comparison = run_part(part_config, parts, place)
        except ThawlineError as error:  # the other numbers of rows are still compared
            reporter.message(f"size {rows:,} is left out: {error}")
            left_out.append(rows)
            continue
        made = _finished(part_config, place, comparison)
        left -= seconds_of(made)
        sizes.append(_Size(rows, made, comparison))
    sizes.append(_Size(all_rows, *whole))
    return _curves(config, sizes, left_out, draws[0].test.copies)


def seconds_of(made: Sequence[FinishedRun]) -> float:
    """Return the seconds of several runs. Those that share a folder are one run."""
    return sum({one.run.folder: one.record.seconds.total for one in made}.values())


def _part_config(config: LadderConfig, budget: float) -> LadderConfig:
    """Return the settings for a part of the rows.

    Args:
        config: The settings of the ladder.
        budget: The seconds that are left. They are ignored if the ladder has no budget.
    """
    return replace(config, sizes=(), refit=False, budget=max(0.0, budget) if config.budget else 0.0)


def _finished(config: LadderConfig, folder: Path, comparison: Comparison) -> list[FinishedRun]:
    """Read the runs of a part of the rows that belong to the comparison."""
    names = {run.run for rung in comparison.rungs for run in rung.runs}
    found = []
    for run in plan_runs(config, folder):
        record = run.read() if run.name in names else None
        if isinstance(record, FitRecord):
            found.append(FinishedRun.read(run, record))
    return found


def _curves(
    config: LadderConfig, sizes: Sequence[_Size], left_out: Sequence[int], copies: IntArray
) -> LearningCurves:
    curve_points = [
        CurvePoint(
            rung=rung.rung,
            rows=size.rows,
            accuracy=rung.test.accuracy,
            f1_macro=rung.test.f1_macro,
            seconds=rung.cost.seconds,
        )
        for size in sizes
        for rung in size.comparison.rungs
    ]
    rungs = [rung.rung for rung in sizes[-1].comparison.rungs]
    enough = [EnoughRows(rung=rung, rows=_enough(rung, sizes, config, copies)) for rung in rungs]
    crossings = find_crossings({size.rows: size.comparison for size in sizes})
    return LearningCurves(
        sizes=[size.rows for size in sizes],
        points=curve_points,
        enough=enough,
        crossings=crossings,
        over_draws=sizes[-1].comparison.drawn is not None,
        left_out=list(left_out),
        words=curve_words(enough, crossings, [size.rows for size in sizes], config.margin),
    )


def _enough(
    rung: str, sizes: Sequence[_Size], config: LadderConfig, copies: IntArray
) -> int | None:
    """Return the smallest number of rows that is shown to be within the margin of the best one.

    The numbers of rows are compared like the rungs of a ladder. Draws have at most as many rows in
    common as those of all rows.

    Args:
        rung: The rung.
        sizes: The comparison with each number of rows.
        config: The settings of the ladder.
        copies: The number of the text of each test row.
    """
    made = {size.rows: group_by_rung(size.made).get(rung, []) for size in sizes}
    common = set.intersection(*({one.run.draw for one in runs} for runs in made.values() if runs))
    compared = {
        rows: [one for one in runs if one.run.draw in common] for rows, runs in made.items() if runs
    }
    arms = {rows: correct_predictions(runs) for rows, runs in compared.items()}
    drawn = sizes[-1].comparison.drawn if len(common) > 1 else None
    effects = measure_effects(list(arms.values()), draws_of(list(compared.values()), drawn), copies)
    standings = decide_standings(effects, config.margin / 100, config.fit.metrics.confidence)
    within = [
        rows
        for rows, standing in zip(arms, standings, strict=True)
        if standing.decision == "within"
    ]
    return min(within) if within and len(arms) > 1 else None


def find_crossings(comparisons: Mapping[int, Comparison]) -> list[Crossing]:
    """Return where one rung overtakes another.

    Args:
        comparisons: The comparison for each number of rows.
    """
    differences: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for rows, comparison in sorted(comparisons.items()):
        for pair in comparison.pairs:
            if pair.accuracy.low > 0 or pair.accuracy.high < 0:
                found = differences.setdefault((pair.first, pair.second), [])
                found.append((rows, pair.accuracy.value))
    return [
        _crossing(pair, before, after)
        for pair, found in differences.items()
        for before, after in pairwise(found)
        if (before[1] > 0) != (after[1] > 0)
    ]


def _crossing(
    pair: tuple[str, str], before: tuple[int, float], after: tuple[int, float]
) -> Crossing:
    (rows, value), (more_rows, later) = before, after
    start, end = math.log(rows), math.log(more_rows)
    crossing = math.exp(start + (end - start) * value / (value - later))
    fewer, more = pair if value > 0 else pair[::-1]
    return Crossing(fewer=fewer, more=more, above=rows, below=more_rows, rows=round(crossing))


def curve_words(
    enough: Sequence[EnoughRows], crossings: Sequence[Crossing], sizes: Sequence[int], margin: float
) -> str:
    """Return the answer to the question how many labelled rows are enough, in sentences.

    Args:
        enough: How many rows each rung needs.
        crossings: Where one rung overtakes another.
        sizes: The numbers of rows that were compared. The last one is that of all rows.
        margin: The margin in percentage points.
    """
    *fewer, all_rows = sizes
    if not fewer:
        return f"No number of rows below {all_rows:,} was compared."
    distance = points(margin / 100)
    sentences, unknown = list[str](), list[str]()
    for one in enough:
        if one.rows is None or one.rows >= all_rows:
            unknown.append(f"`{one.rung}`")
            continue
        sentences.append(
            f"`{one.rung}`: {one.rows:,} labelled rows are enough; with them it is within "
            f"{distance} of its best accuracy."
        )
    if unknown:
        sentences.append(
            f"{join_words(unknown)}: none of the compared numbers of rows below {all_rows:,} is "
            f"shown to be within {distance} of the best accuracy."
        )
    sentences += [
        f"Below about {one.rows:,} rows `{one.fewer}` is better than `{one.more}`, and above it is "
        f"worse (measured with {one.above:,} and {one.below:,} rows)."
        for one in crossings
    ]
    return " ".join(sentences)
