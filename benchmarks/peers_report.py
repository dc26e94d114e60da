"""Summarise the results of `benchmarks.peers`: whole jobs, ratios and a Markdown table.

This module has no command of its own. Everything is computed from the rows of the results file, so
that the table always agrees with the measurements.

A script that was measured on two parts of the data gets a computed time for the whole job. The
process is divided into three parts: training, inference (evaluation on validation and test, or
encoding), and the rest. The seconds of training and of inference are a straight line in the number
of computed tokens, padding included, and the line goes through both parts. The rest is the mean of
both parts and does not grow, although tokenising does, which favours the script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import linear_regression, mean, median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.peer_scripts import PACKAGES

Row = dict[str, Any]
Run = dict[str, Any]

THAWLINE, FILLED = "thawline", "thawline-filled"

TITLES = {
    THAWLINE: "`thawline fit`",
    FILLED: "`thawline fit`, store filled",
    "trainer": "Trainer, as usual",
    "trainer-best": "Trainer, best options",
    "encode": "encode, logistic regression",
    "setfit": "SetFit, frozen body",
    "model2vec": "model2vec, distilled",
    "autointent": "AutoIntent, classic-light",
}
"""The names of the sides in the table."""

COLUMNS = (
    *("strategy", "epochs", "system", "rows of the job", "accuracy", "seconds"),
    *("`thawline fit` is faster by", "with its store filled"),
)


class Batches(NamedTuple):
    """How a script forms its batches.

    Attributes:
        size: The number of texts in a batch.
        sorted_over: The number of batches whose texts are sorted by length together. 1 stands for
            random batches, and None for all.
    """

    size: int
    sorted_over: int | None


class Line(NamedTuple):
    """One line of the table: a side and a job.

    Attributes:
        side: A key of `TITLES`.
        epochs: The number of epochs of the job. None if the side has no epochs.
        rows: The numbers of train and test rows of the job.
        computed: Whether the seconds were computed from other measurements.
        accuracy: The score on test with its interval. None if the job was not run.
        seconds: The median over the rounds.
        ratio: The median ratio of the seconds to those of `thawline fit`. None if there is none.
        ratio_filled: The same with a filled store.
    """

    side: str
    epochs: int | None
    rows: tuple[int, int]
    computed: bool
    accuracy: dict[str, float] | None
    seconds: float
    ratio: float | None
    ratio_filled: float | None


def padded_tokens(lengths: ArrayLike, batches: Batches, repeats: int = 10) -> float:
    """Return how many tokens a pass over texts computes, padding included.

    Args:
        lengths: The number of tokens of each text.
        batches: How the batches are formed.
        repeats: The number of random orders, over which the result is averaged.
    """
    tokens = np.asarray(lengths)
    generator = np.random.default_rng(0)
    group = len(tokens) if batches.sorted_over is None else batches.size * batches.sorted_over
    totals = []
    for _ in range(repeats):
        order = generator.permutation(tokens)
        total = 0
        for start in range(0, len(order), max(group, 1)):
            texts = np.sort(order[start : start + group])[::-1]
            for first in range(0, len(texts), batches.size):
                batch = texts[first : first + batches.size]
                total += int(batch.max()) * len(batch)
        totals.append(total)
    return mean(totals)


def _on_line(work: Sequence[float], seconds: Sequence[float], wanted: float) -> float:
    """Return the seconds of some work, on the line through those of other work.

    If all of these have the same work, the line goes through the origin.
    """
    if len(set(work)) > 1:
        slope, intercept = linear_regression(work, seconds)
        return float(intercept + slope * wanted)
    return mean(seconds) * wanted / work[0]


def _parts(work: dict[str, float], epochs: int) -> tuple[float, float]:
    """Return the tokens of training and of inference of a job."""
    return work["train"] * epochs, work["validation"] * epochs + work["test"]


def computed_seconds(row: Row, runs: Sequence[Run], rows: Sequence[int], epochs: int) -> float:
    """Return the seconds of a script's whole process, computed from runs of other jobs.

    Args:
        row: The row of the results, with the tokens of each job in ``work``.
        runs: The measured runs of one side.
        rows: The numbers of train and test rows of the job.
        epochs: The number of epochs of the job.
    """
    work = row["work"][runs[0]["side"]]
    wanted = _parts(work[_name(rows)], epochs)
    known = [_parts(work[_name(run["rows"])], row["epochs"]) for run in runs]
    rest = [run["process_seconds"] for run in runs]
    seconds = 0.0
    for part, field in enumerate(("training_seconds", "inference_seconds")):
        if wanted[part] == 0:  # these seconds do not follow from batches and stay in the rest
            continue
        values = [run[field] for run in runs]
        seconds += _on_line([tokens[part] for tokens in known], values, wanted[part])
        rest = [other - value for other, value in zip(rest, values, strict=True)]
    return float(mean(rest) + seconds)


def _name(rows: Sequence[int]) -> str:
    """Return the key of a job's rows in ``work``."""
    return f"{rows[0]},{rows[1]}"


def _whole(
    row: Row, side: str, number: int, rows: Sequence[int], epochs: int
) -> tuple[float, bool] | None:
    """Return the seconds of a whole job in one round, and whether they were computed."""
    runs = [run for run in row["runs"] if run["side"] == side and run["round"] == number]
    same = [run for run in runs if tuple(run["rows"]) == tuple(rows)]
    if same and (epochs == row["epochs"] or not _by_epochs(row, side, same[0])):
        return same[0]["process_seconds"], False
    if side in (THAWLINE, FILLED):
        if not same:
            return None
        more = same[0]["training_seconds"] * (epochs / row["epochs"] - 1)
        return same[0]["process_seconds"] + more, True
    if not runs or _name(rows) not in row["work"].get(side, {}):
        return None
    return computed_seconds(row, runs, rows, epochs), True


def _by_epochs(row: Row, side: str, run: Run) -> bool:
    """Return whether the seconds of a side depend on the number of epochs."""
    if side in (THAWLINE, FILLED):
        return run["epochs"] is not None
    return side.startswith("trainer")


def lines(row: Row) -> list[Line]:
    """Return the lines of one row of the results: the measured part first, then the whole job."""
    jobs = [(tuple(row["script_rows"]), row["epochs"])] if row["script_rows"] else []
    jobs += [((row["train"], row["test"]), epochs) for epochs in row["all_epochs"]]
    found: list[Line] = []
    for rows, epochs in jobs:
        for side in TITLES:
            line = _line(row, side, rows, epochs)
            if line is not None and line not in found:
                found.append(line)
    return found


def _line(row: Row, side: str, rows: tuple[int, int], epochs: int) -> Line | None:
    """Return one line, or None if the side has no result for the job."""
    numbers = sorted({run["round"] for run in row["runs"]})
    wholes = {
        name: {number: _whole(row, name, number, rows, epochs) for number in numbers}
        for name in (side, THAWLINE, FILLED)
    }
    own = {number: whole for number, whole in wholes[side].items() if whole is not None}
    if not own:
        return None

    def ratio(other: str) -> float | None:
        if side in (THAWLINE, FILLED):
            return None
        pairs = [
            (own[number][0], whole[0])
            for number, whole in wholes[other].items()
            if whole is not None and number in own
        ]
        return median(a / b for a, b in pairs) if pairs else None

    runs = [run for run in row["runs"] if run["side"] == side]
    same = [run for run in runs if tuple(run["rows"]) == rows]
    depends = _by_epochs(row, side, runs[0])
    computed = any(whole[1] for whole in own.values())
    return Line(
        side,
        epochs if depends else None,
        rows,
        computed,
        same[0]["accuracy"] if same and not computed else None,
        median(whole[0] for whole in own.values()),
        ratio(THAWLINE),
        ratio(FILLED),
    )


def table(rows: Iterable[Row]) -> str:
    """Return the results as a Markdown table, without the parts that slow scripts ran on.

    Seconds that were computed have the sign ≈. A system that did not run has a line with its error.
    """
    written: list[tuple[str, ...]] = [COLUMNS, ("---",) * len(COLUMNS)]
    for row in rows:
        whole = row["train"], row["test"]
        written += [_cells(row, line) for line in lines(row) if line.rows == whole]
        written += [_cells_of_failed(row, failed) for failed in row["failed"]]
    return "\n".join(f"| {' | '.join(line)} |" for line in written)


def _cells(row: Row, line: Line) -> tuple[str, ...]:
    """Return the cells of a measured or computed job."""
    return (
        f"`{row['strategy']}`",
        "–" if line.epochs is None else str(line.epochs),
        TITLES[line.side],
        f"{row['data']} {line.rows[0]:,} / {line.rows[1]:,}",
        _accuracy(line.accuracy),
        f"{'≈ ' if line.computed else ''}{_seconds(line.seconds)}",
        _times(line.ratio),
        _times(line.ratio_filled),
    )


def _cells_of_failed(row: Row, failed: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a system that did not run."""
    package = PACKAGES[failed["side"]][0]
    version = failed["versions"].get(package, "is not installed")
    title = f"{TITLES[failed['side']]} ({package} {version})"
    error = failed["error"].replace("|", "\\|")
    return (f"`{row['strategy']}`", "–", title, f"does not run: {error}", "–", "–", "–", "–")


def _accuracy(score: dict[str, float] | None) -> str:
    if score is None:
        return "–"
    value, low, high = (100 * score[end] for end in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}" if seconds < 100 else f"{seconds:,.0f}"


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:,.1f} times"
