"""The results of a ladder as a table for a terminal of 80 columns, with the verdict in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from rich.table import Table

from thawline.errors import in_words
from thawline.report.tables import MISSING, literal, ruled_table, wrap_labelled
from thawline.runs.records import Comparison, DrawnRows, RungRecord, Score, Standing
from thawline.runtime.durations import format_duration

NAME_WIDTH = 24
"""The largest width of a name, in characters. A longer name continues on the next line."""

VALID_FOR = {
    "models": "for these models",
    "strategies": "over texts and seeds",
    "new_rows": "over texts and rows",
}
"""What the bounds are valid for, by `about` of the verdict."""


def ladder_table(comparison: Comparison) -> Table:
    """Return a table of the rungs of a ladder, whose columns `ladder_lines` explains."""
    table = ruled_table()
    table.add_column("strategy", overflow="fold", max_width=NAME_WIDTH)
    for heading in ("accuracy %", "below the best", "decision", "time s", "trained"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rung in comparison.rungs:
        accuracy, below = half_width(rung.test.accuracy), bounds_below(rung.standing)
        table.add_row(literal(rung.rung), accuracy, below, *decision_cells(rung))
    return table


def decision_cells(rung: RungRecord) -> list[str]:
    """Return the cells of a rung after its scores: the decision and the costs."""
    return [
        rung.standing.decision,
        f"{rung.cost.seconds:,.0f}" if rung.cost.seconds >= 10 else f"{rung.cost.seconds:.1f}",
        short_count(rung.parameters.trainable),
    ]


def half_width(score: Score) -> str:
    """Return a share in per cent with the longer half of its interval, for example "85.4 ±1.6"."""
    half = max(score.high - score.value, score.value - score.low)
    return f"{100 * score.value:.1f} ±{100 * half:.1f}"


def bounds_below(standing: Standing) -> str:
    """Return how many points a rung is below the best of the others, for example "0.9 to 6.3".

    These are the simultaneous bounds that lead to the decision: the rung is worse if both are above
    0, and within the margin if both are below the margin.
    """
    if standing.lower_bound is None or standing.upper_bound is None:
        return MISSING
    return f"{-100 * standing.upper_bound:z.1f} to {-100 * standing.lower_bound:z.1f}"


def short_count(number: int) -> str:
    """Return a count with three digits and a unit, for example "22.7M", "1.92k" or "770"."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:#.3g}".rstrip(".") + unit
    return str(number)


def ladder_lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines below the table: how to read it, the verdict and the run to use."""
    seeds, verdict = seeds_of(comparison.rungs), comparison.verdict
    mean = "" if seeds == "1 seed" else f"mean over {seeds} "
    yield f"accuracy: {mean}± its interval over test texts"
    if comparison.drawn is not None:
        yield draws_line(comparison.drawn)
    if len(comparison.rungs) > 1:
        valid = VALID_FOR[verdict.about]
        level = f"{100 * verdict.confidence:g} %"
        yield f"below the best: points below the best other one (bounds {valid})"
        yield f"decision: by these {level} bounds, which hold for all strategies together"
    yield "time: seconds of a run alone, with an empty store"
    if verdict.cost == "latency":
        yield wrap_labelled("latency", f"{', '.join(_latencies(comparison))} for one text")
    for left in comparison.left_out:
        seconds = "" if left.predicted is None else format_duration(left.predicted)
        predicted = f" (predicted {seconds})" if seconds else ""
        yield wrap_labelled("left out", f"{left.rung}: {in_words(left.reason)}{predicted}")
    for failed in comparison.failed:
        draw = f"draw {failed.draw}, " if failed.draw else ""
        where = f"{failed.rung}, {draw}seed {failed.seed}"
        yield wrap_labelled("failed", f"{where}: {in_words(failed.error)}")
    yield ""
    yield wrap_labelled("verdict", verdict.words)
    yield wrap_labelled("to use", to_use(comparison))


def draws_line(drawn: DrawnRows) -> str:
    """Return a line that describes the draws of the training rows."""
    common = f", {100 * drawn.overlap:.0f} % in common" if drawn.overlap else ""
    return f"draws: {len(drawn.draws)} samples of {drawn.rows:,} labelled rows{common}"


def seeds_of(rungs: Sequence[RungRecord]) -> str:
    """Return the number of seeds of each rung, for example "3 seeds" or "1 to 3 seeds".

    With several draws, it is the number of draws, and that of the seeds on each of them.
    """
    by_draw = [Counter(run.draw for run in rung.runs) for rung in rungs]
    numbers = sorted({number for draws in by_draw for number in draws.values()})
    ends = " to ".join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))
    seeds = "1 seed" if numbers == [1] else f"{ends} seeds"
    draws = len(by_draw[0])
    return f"{draws} draws with {seeds} each" if draws > 1 else seeds


def highest_on_test(rungs: Sequence[RungRecord]) -> str:
    """Return the names of the rungs with the highest accuracy on test. There may be several.

    Args:
        rungs: The rungs, at least one.
    """
    highest = max(rung.test.accuracy.value for rung in rungs)
    names = [rung.rung for rung in rungs if math.isclose(rung.test.accuracy.value, highest)]
    if len(names) > 2:
        return f"{names[0]} and {len(names) - 1} others"
    return " and ".join(names)


def _latencies(comparison: Comparison) -> Iterator[str]:
    """Yield the milliseconds that each rung takes to predict one text."""
    for rung in comparison.rungs:
        seconds = rung.cost.latency
        number = MISSING if seconds is None else f"{1000 * seconds:.3g} ms"
        yield f"{rung.rung} {number}"


def to_use(comparison: Comparison) -> str:
    """Return the run to use and why it was chosen."""
    chosen = comparison.chosen
    return (
        f"{chosen.run}, chosen on validation ({100 * chosen.score:.1f} %): the cheapest within one "
        "standard error of the highest"
    )
