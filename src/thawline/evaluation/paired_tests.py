"""Whether two classifiers differ on the same rows, and how sure that is for several of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom


def paired_p(differences: ArrayLike) -> float:
    """Return the exact two-sided p-value of paired differences, by flipping their signs.

    Where neither of two classifiers is better, a row on which one was right more often than the
    other might as well have been the other's. With one seed each that is McNemar's exact test
    (Q. McNemar, Psychometrika 12 (2), 1947; by the binomial distribution, on the rows that only one
    of the two got right); with several seeds a row counts by how many of them it was right in.

    Args:
        differences: shape ``(rows,)``, whole numbers: in how many seeds one classifier got the row
            right, less in how many the other did.

    Raises:
        ValueError: a difference is no whole number.
    """
    given = np.asarray(differences)
    whole = given.astype(np.int64)
    if (whole != given).any():
        raise ValueError("differences are whole numbers of seeds")
    sizes, counts = np.unique(np.abs(whole[whole != 0]), return_counts=True)
    # Each size's sum is size * (2 B - count) with B binomial; position i is the sum 2 i - total.
    chances = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        steps = np.zeros(size * count + 1)
        steps[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, steps)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(int(whole.sum()))].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for being several, so that one false alarm among them stays as unlikely.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (2), 1979: the smallest is multiplied by their number, the next by one less, and
    none falls below a smaller one's.
    """
    corrected, lowest = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, index in enumerate(order):
        lowest = max(lowest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = lowest
    return corrected


def against_best(
    wrong: Sequence[Sequence[Sequence[int]]], best: int
) -> list[dict[str, Any] | None]:
    """Compare what several classifiers got wrong with what the best one did, row by row.

    Args:
        wrong: for each classifier and each of its seeds, as many for all, the rows that it got
            wrong, counting from 0.
        best: the position of the one that the others are compared with.

    Returns:
        For each classifier None where it is the best, else ``only_this_right`` and
        ``only_best_right``, rows a seed on average; ``p``, by `paired_p`; and ``p_corrected``, by
        `holm`, for as many comparisons as there are.

    Raises:
        ValueError: one has more seeds than another.
    """
    if len({len(seeds) for seeds in wrong}) != 1:
        raise ValueError("classifiers are compared over the same seeds")
    rows = 1 + max((row for seeds in wrong for own in seeds for row in own), default=-1)
    times = [_times_wrong(seeds, rows) for seeds in wrong]
    seeds = len(wrong[best])
    found: list[dict[str, Any] | None] = []
    for index, own in enumerate(times):
        differences = times[best] - own
        pairs = [_only(wrong[index][seed], wrong[best][seed]) for seed in range(seeds)]
        found.append(
            None
            if index == best
            else {
                "only_this_right": sum(this for this, _ in pairs) / seeds,
                "only_best_right": sum(other for _, other in pairs) / seeds,
                "p": paired_p(differences),
            }
        )
    compared = [one for one in found if one is not None]
    corrected = holm([one["p"] for one in compared])
    for one, p in zip(compared, corrected, strict=True):
        one["p_corrected"] = p
    return found


def _times_wrong(seeds: Sequence[Sequence[int]], rows: int) -> NDArray[np.int64]:
    """Return in how many seeds each row was wrong, ``(rows,)``."""
    times = np.zeros(rows, dtype=np.int64)
    for wrong in seeds:
        times[list(wrong)] += 1
    return times


def _only(wrong: Sequence[int], wrong_of_best: Sequence[int]) -> tuple[int, int]:
    """Return how many rows only this one, and only the best, got right."""
    this, best = set(wrong), set(wrong_of_best)
    return len(best - this), len(this - best)
