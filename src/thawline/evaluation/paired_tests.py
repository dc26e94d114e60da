"""Test whether classifiers differ on the same rows, with correction for several comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from thawline.runs.records import PairedTest


def paired_p(differences: ArrayLike) -> float:
    """Return the exact two-sided p-value of a sign-flip test on paired differences.

    Under the null hypothesis that neither classifier is better, each difference is equally likely
    to have the opposite sign. With one seed for each classifier, this is McNemar's exact test
    (Q. McNemar, Psychometrika 12 (2), 1947): a binomial test on the rows that only one of the two
    predicted correctly. With several seeds, or several copies of a text, each text is weighted by
    its difference in the number of correct predictions.

    Args:
        differences: Integers of shape ``(texts,)``: the number of correct predictions of the first
            classifier over the seeds and the copies, minus that of the second one.

    Raises:
        ValueError: If a difference is not an integer.
    """
    given = np.asarray(differences)
    integers = given.astype(np.int64)
    if (integers != given).any():
        raise ValueError("differences must be integers")
    sizes, counts = np.unique(np.abs(integers[integers != 0]), return_counts=True)
    # The differences of one size have the sum size * (2 B - count), where B is a binomial variable.
    # `chances[i]` is the probability that all differences have the sum 2 i - total.
    chances = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        steps = np.zeros(size * count + 1)
        steps[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, steps)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(int(integers.sum()))].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple comparisons, to control the family-wise error rate.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (2), 1979. The smallest p-value is multiplied by the number of p-values, the next
    by one less, and so on. No corrected value is below that of a smaller p-value.

    Args:
        p_values: The p-values.

    Returns:
        The corrected p-values, in the given order.
    """
    corrected, lowest = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, index in enumerate(order):
        lowest = max(lowest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = lowest
    return corrected


def paired_tests(
    correct: Sequence[ArrayLike],
    pairs: Sequence[tuple[int, int]],
    copies: ArrayLike | None = None,
) -> list[PairedTest]:
    """Compare the predictions of pairs of classifiers on the same rows.

    Args:
        correct: For each classifier, whether each row is predicted correctly, of shape
            ``(seeds, rows)``.
        pairs: The positions of the first and of the second classifier of each pair.
        copies: The number of the text of each row, which is the same for copies, of shape
            ``(rows,)``. The differences of copies are then added up, because they are not
            independent. If None, all texts are different.

    Returns:
        The comparison of each pair. The counts are those of rows, as means over the seeds. The
        p-values are computed by `paired_p` and corrected by `holm` for all pairs.

    Raises:
        ValueError: If the classifiers of a pair have different numbers of seeds.
    """
    arms = [np.asarray(one, dtype=bool) for one in correct]
    if any(len(arms[first]) != len(arms[second]) for first, second in pairs):
        raise ValueError("both classifiers of a pair must have the same number of seeds")
    times = [_times_correct(one, copies) for one in arms]
    p_values = [paired_p(times[first] - times[second]) for first, second in pairs]
    return [
        PairedTest(
            only_first_right=float((arms[first] & ~arms[second]).sum(axis=1).mean()),
            only_second_right=float((arms[second] & ~arms[first]).sum(axis=1).mean()),
            p=p,
            p_corrected=corrected,
        )
        for (first, second), p, corrected in zip(pairs, p_values, holm(p_values), strict=True)
    ]


def _times_correct(correct: NDArray[np.bool_], copies: ArrayLike | None) -> NDArray[np.int64]:
    """Return how often each text is predicted correctly, over its seeds and copies, ``(texts,)``.

    Args:
        correct: Whether each row is predicted correctly, of shape ``(seeds, rows)``.
        copies: The number of the text of each row, of shape ``(rows,)``. If None, all texts are
            different.
    """
    times: NDArray[np.int64] = correct.sum(axis=0, dtype=np.int64)
    if copies is None:
        return times
    texts, text = np.unique(copies, return_inverse=True)
    merged = np.zeros(len(texts), dtype=np.int64)
    np.add.at(merged, text, times)
    return merged
