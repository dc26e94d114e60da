"""Count the copies of a text among the test rows as one observation.

A classifier predicts the same for all copies of a text, so that they are not independent. A score
remains the mean over rows. Its variance is that of a cluster sample, as in E. Miller, "Adding Error
Bars to Evals: A Statistical Approach to Language Model Evaluations", 2024, arXiv 2411.00640. With
the values x of n rows, their mean m, and G different texts, it is

    G / (G - 1) * sum over texts of (sum over its rows of (x - m)) ** 2 / n ** 2

`merge_copies` gives each text the value ``m + G / n * sum over its rows of (x - m)``. The mean and
the variance of the mean of these G values are those above, so that the formulas for independent
texts apply to them. Without copies, the values are those of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thawline.evaluation.confusion import Floats


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
    numbers = np.asarray(copies)
    if any(one.shape[1:] != numbers.shape for one in values):
        raise ValueError(f"copies of shape {numbers.shape} do not match the rows of the values")
    texts, text = np.unique(numbers, return_inverse=True)
    if len(texts) == len(text):
        return list(values)
    return [_merge(one, text, len(texts)) for one in values]


def _merge(values: Floats, text: NDArray[np.int64], texts: int) -> Floats:
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
