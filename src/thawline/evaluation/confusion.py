"""Count pairs of true and predicted classes, and average scores over the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from thawline.runs.records import ClassScores

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Margins(NamedTuple):
    """The counts or shares of each class from which all averages are computed.

    Attributes:
        right: The rows of each class that were predicted correctly, of shape ``(…, classes)``.
        predicted: The rows that were predicted as each class, of the same shape.
        support: The rows whose label is each class, of the same shape.
    """

    right: Floats | Integers
    predicted: Floats | Integers
    support: Floats | Integers


class Confusion(NamedTuple):
    """A confusion matrix as a list of its non-zero cells.

    A complete matrix of 5,000 classes would take 200 MB, although most of its cells are zero.

    Attributes:
        truth: The true class of each cell, of shape ``(cells,)``. The cells are sorted by this
            class and then by the predicted class.
        predicted: The predicted class of each cell, of the same shape.
        counts: The number of rows in each cell, at least 1, of the same shape.
        classes: The number of classes.
    """

    truth: Integers
    predicted: Integers
    counts: Integers
    classes: int

    def margins(self) -> Margins:
        """Return the counts of each class, of shape ``(classes,)``."""
        hit = self.truth == self.predicted
        return Margins(
            self._sums(self.truth[hit], self.counts[hit]),
            self._sums(self.predicted, self.counts),
            self._sums(self.truth, self.counts),
        )

    def matrix(self) -> Integers:
        """Return the complete matrix, ``matrix[true, predicted]``."""
        matrix = np.zeros((self.classes, self.classes), dtype=np.int64)
        matrix[self.truth, self.predicted] = self.counts
        return matrix

    def cells(self) -> list[list[int]]:
        """Return the non-zero cells, each as its true class, predicted class and row count."""
        columns = (self.truth.tolist(), self.predicted.tolist(), self.counts.tolist())
        return [list(cell) for cell in zip(*columns, strict=True)]

    def _sums(self, classes: Integers, counts: Integers) -> Integers:
        return np.bincount(classes, weights=counts, minlength=self.classes).astype(np.int64)


def count_confusion(truth: Integers, predictions: Integers, classes: int) -> Confusion:
    """Return the confusion matrix of predictions.

    Args:
        truth: The true class of each row, of shape ``(rows,)``.
        predictions: The predicted class of each row, of the same shape.
        classes: The number of classes.
    """
    cells, counts = np.unique(truth * classes + predictions, return_counts=True)
    return Confusion(cells // classes, cells % classes, counts.astype(np.int64), classes)


def precision_recall_f1(margins: Margins) -> dict[str, Floats]:
    """Return scores of shape (…, classes): 0 for a division by zero, NaN for an absent class."""
    right, predicted, support = margins
    total = predicted + support
    parts = {
        "precision": (right, predicted),
        "recall": (right, support),
        "f1": (2 * right, total),
    }
    return {
        name: np.where(
            total == 0,
            np.nan,
            np.divide(numerator, denominator, where=denominator > 0, out=np.zeros(total.shape)),
        )
        for name, (numerator, denominator) in parts.items()
    }


def f1_macro(truth: Integers, predictions: Integers, classes: int) -> float:
    """Return the macro F1 of predictions, over the classes that occur in either.

    Args:
        truth: The true class of each row, of shape ``(rows,)``.
        predictions: The predicted class of each row, of the same shape.
        classes: The number of classes.
    """
    margins = count_confusion(truth, predictions, classes).margins()
    return float(averages(margins)["f1_macro"])


def averages(margins: Margins) -> dict[str, Floats]:
    """Return macro and weighted averages over the last axis, of shape (…)."""
    _, predicted, support = margins
    present = (predicted + support) > 0
    found = {}
    for name, scores in precision_recall_f1(margins).items():
        known = np.where(present, scores, 0.0)
        found[f"{name}_macro"] = known.sum(axis=-1) / present.sum(axis=-1)
        found[f"{name}_weighted"] = (known * support).sum(axis=-1) / support.sum(axis=-1)
    return found


def class_scores(margins: Margins) -> list[ClassScores]:
    """Return precision, recall, F1 (None for an absent class) and support of each class."""
    from thawline.runs.records import ClassScores

    table = precision_recall_f1(margins)
    return [
        ClassScores(
            **{
                name: None if np.isnan(scores[index]) else float(scores[index])
                for name, scores in table.items()
            },
            support=int(support),
        )
        for index, support in enumerate(margins.support)
    ]
