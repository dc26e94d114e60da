"""Count the copies of a text among the test rows as one observation.

A classifier predicts the same for all copies of a text, so that they are not independent. A score
remains the mean over rows. Its variance is that of a cluster sample, as in E. Miller, "Adding Error
Bars to Evals: A Statistical Approach to Language Model Evaluations", 2024, arXiv 2411.00640. With
the values x of n rows, their mean m, and G different texts, it is

    G / (G - 1) * sum over texts of (sum over its rows of (x - m)) ** 2 / n ** 2

`merge_copies` gives each text the value ``m + G / n * sum over its rows of (x - m)``. The mean and
the variance of the mean of these G values are those above, so that the formulas for independent
texts apply to them. Without copies, the values are those of the rows.

`effective_rows` returns the number of independent rows that would give a score the same variance.
The intervals of a single run use it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from thawline.evaluation.confusion import Floats, Integers


def count_texts(copies: ArrayLike) -> int:
    """Return the number of different texts.

    Args:
        copies: The number of the text of each row, which is the same for copies, ``(rows,)``.
    """
    return len(np.unique(np.asarray(copies)))


def merge_copies(values: Sequence[Floats], copies: ArrayLike | None) -> list[Floats]:
    """Return one value for each different text.

    Args:
        values: Arrays of shape ``(runs, rows)`` with the values of the same rows.
        copies: The number of the text of each row, which is the same for copies, ``(rows,)``. If
            None, all rows have different texts.

    Returns:
        Arrays of shape ``(runs, texts)``, whose means over texts are those over rows. They are the
        given arrays if there are no copies.

    Raises:
        ValueError: If the shapes do not match.
    """
    if copies is None:
        return list(values)
    shape = np.shape(copies)
    if any(one.shape[1:] != shape for one in values):
        raise ValueError(f"copies of shape {shape} do not match the rows of the values")
    text = text_of_rows(copies, shape[0])
    if text is None:
        return list(values)
    return [_merge(one, text, int(text.max()) + 1) for one in values]


def text_of_rows(copies: ArrayLike | None, rows: int) -> Integers | None:
    """Return the position of the text of each row among the different texts, ``(rows,)``.

    Args:
        copies: The number of the text of each row, which is the same for copies, ``(rows,)``. If
            None, all rows have different texts.
        rows: The number of rows.

    Returns:
        The positions, from 0. None if there are no copies.

    Raises:
        ValueError: If the shapes do not match.
    """
    if copies is None:
        return None
    numbers = np.asarray(copies)
    if numbers.shape != (rows,):
        raise ValueError(f"{rows} rows need copies of shape ({rows},), not {numbers.shape}")
    texts, text = np.unique(numbers, return_inverse=True)
    return None if len(texts) == rows else text.astype(np.int64)


def effective_rows(values: ArrayLike, text: Integers, groups: Integers | None = None) -> Floats:
    """Return the number of independent rows that estimate a mean as precisely as these rows.

    It is the smaller of two numbers:

    - ``(sum of m) ** 2 / (sum of m ** 2)``, where m is the number of rows of a text. This is the
      number of rows divided by the design effect of L. Kish, "Survey sampling", 1965, if copies
      have the same value and if the values of texts do not depend on m. It needs no estimate, and
      so remains valid if few texts have copies or if all predictions are correct.
    - The variance of the values divided by the variance of their mean in a cluster sample. This is
      the number of rows divided by the estimated design effect, as in E. L. Korn and B. I.
      Graubard, "Confidence intervals for proportions with small expected number of positive counts
      estimated from survey data", Survey Methodology 24 (2), 1998. It is the smaller one if texts
      with copies are harder than others, for example.

    Copies with different labels have different values, and the first number is then too small.

    Args:
        values: The value of each row, ``(rows,)``.
        text: The position of the text of each row among the different texts, ``(rows,)``.
        groups: The group of each row, from 0, ``(rows,)``. If None, all rows are one group.

    Returns:
        The number for each group, from 1 to the number of its rows, ``(groups,)``. 0 for a group
        without rows.
    """
    given = np.asarray(values, dtype=np.float64)
    group = np.zeros(len(text), dtype=np.int64) if groups is None else groups
    number = int(group.max()) + 1
    units, unit = np.unique(text * number + group, return_inverse=True)
    owner = units % number
    rows = np.bincount(group, minlength=number)
    sizes = np.bincount(owner, np.bincount(unit).astype(np.float64) ** 2, number)
    means = np.divide(np.bincount(group, given, number), rows, out=np.zeros(number), where=rows > 0)
    rest = given - means[group]
    squares = np.bincount(group, rest**2, number)
    squared_sums = np.bincount(owner, np.bincount(unit, rest) ** 2, number)
    by_size = np.divide(rows.astype(np.float64) ** 2, sizes, out=np.zeros(number), where=rows > 0)
    by_values = np.divide(rows * squares, squared_sums, out=by_size.copy(), where=squared_sums > 0)
    found: Floats = np.clip(np.minimum(by_size, by_values), np.minimum(rows, 1), rows)
    return found


def _merge(values: Floats, text: Integers, texts: int) -> Floats:
    """Return the values of texts.

    Args:
        values: The values of rows, of shape ``(runs, rows)``.
        text: The position of the text of each row, of shape ``(rows,)``.
        texts: The number of different texts.
    """
    means = values.mean(axis=1, keepdims=True)
    sums = np.array([np.bincount(text, one, texts) for one in values - means])
    merged: Floats = means + texts / len(text) * sums
    return merged
