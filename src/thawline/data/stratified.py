"""Draw random rows, stratified by class, exactly as scikit-learn's `train_test_split` does.

Importing scikit-learn takes about half a second, which every fit would spend only for this.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def draw_rows(rows: int, wanted: int, seed: int) -> IntArray:
    """Draw rows without stratification.

    Args:
        rows: The number of rows.
        wanted: The number of rows to draw, above 0 and below ``rows``.
        seed: The random seed.

    Returns:
        The positions of the drawn rows, ``(wanted,)``.
    """
    drawn: IntArray = np.random.RandomState(seed).permutation(rows)[:wanted]
    return drawn


def draw_stratified(labels: npt.NDArray[np.int64], wanted: int, seed: int) -> IntArray:
    """Draw rows so that each class has nearly the same share of them as of all rows.

    Args:
        labels: The class of each row, ``(rows,)``. Each class has at least two rows.
        wanted: The number of rows to draw. At least as many rows as classes are drawn, and at least
            as many are not.
        seed: The random seed.

    Returns:
        The positions of the drawn rows, ``(wanted,)``.
    """
    random = np.random.RandomState(seed)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    of_class = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
    # The rows that stay are counted first, because the random numbers are drawn in this order.
    staying = _share_out(counts, len(labels) - wanted, random)
    drawn = _share_out(counts - staying, wanted, random)
    return np.concatenate(
        [
            rows[random.permutation(len(rows))[stay : stay + draw]]
            for rows, stay, draw in zip(of_class, staying, drawn, strict=True)
        ]
    )


def nested_order(labels: npt.NDArray[np.int64], seed: int) -> IntArray:
    """Return an order of rows whose beginnings are all stratified.

    The first n rows contain the first m for every m below n, and each class has nearly the same
    share of them as of all rows.

    Args:
        labels: The class of each row, ``(rows,)``.
        seed: The random seed.

    Returns:
        The positions of the rows, ``(rows,)``.
    """
    random = np.random.RandomState(seed)
    shuffled = random.permutation(len(labels))
    _, classes, counts = np.unique(labels[shuffled], return_inverse=True, return_counts=True)
    within = np.empty(len(labels))  # the position of each row in its class, as a share
    for number, count in enumerate(counts):
        within[classes == number] = (np.arange(count) + 0.5) / count
    order: IntArray = shuffled[np.argsort(within, kind="stable")]
    return order


def _share_out(counts: IntArray, wanted: int, random: np.random.RandomState) -> IntArray:
    """Share out a number of rows among the classes, in proportion to their counts.

    Shares are rounded down. The rows that are then missing go to the classes with the largest
    remainders, one row each, and ties are broken at random.

    Args:
        counts: The number of rows of each class, ``(classes,)``.
        wanted: The number of rows to share out.
        random: The source of random numbers.

    Returns:
        The number of rows from each class, ``(classes,)``.
    """
    exact = counts / counts.sum() * wanted
    shares = np.floor(exact)
    missing = int(wanted - shares.sum())
    remainders = exact - shares
    for remainder in np.unique(remainders)[::-1]:
        if not missing:
            break
        tied = np.flatnonzero(remainders == remainder)
        chosen = random.choice(tied, size=min(len(tied), missing), replace=False)
        shares[chosen] += 1
        missing -= len(chosen)
    whole: IntArray = shares.astype(np.int64)
    return whole
