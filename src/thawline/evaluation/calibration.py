"""Compute the loss and the calibration of predictions, and resample them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thawline.evaluation.clusters import effective_rows, text_of_rows
from thawline.evaluation.confusion import Floats, Integers
from thawline.evaluation.intervals import Interval, wilson


class Calibration(NamedTuple):
    """The values of each row that are needed for the loss and the calibration error."""

    losses: Floats  # (rows,), nats
    gaps: Floats  # (rows,), confidence minus correctness (0 or 1)
    bins: Integers  # (rows,), from 0


def measure_calibration(
    scores: Floats, truth: Integers, predictions: Integers, bins: int
) -> Calibration:
    """Return the loss of each row, its confidence minus its correctness, and its bin."""
    from scipy.special import log_softmax

    logs = log_softmax(scores, axis=1)
    row = np.arange(len(truth))
    confidences = np.exp(logs[row, predictions])
    # Bins are closed above, as in Guo et al.: bin m holds ((m - 1) / M, m / M].
    numbers = np.clip(np.ceil(confidences * bins).astype(np.int64) - 1, 0, bins - 1)
    return Calibration(-logs[row, truth], confidences - (predictions == truth), numbers)


def row_means(rows: Calibration) -> dict[str, float]:
    """Return the loss and the expected calibration error.

    The calibration error weights the gap between mean confidence and accuracy of each bin by the
    share of rows in that bin. The product equals the sum of gaps in the bin over all rows.
    """
    sums = np.bincount(rows.bins, weights=rows.gaps)
    return {
        "loss": float(rows.losses.mean()),
        "calibration_error": float(np.abs(sums).sum() / len(rows.gaps)),
    }


def resample_row_means(
    rows: Calibration,
    resamples: int,
    generator: np.random.Generator,
    text: Integers | None = None,
) -> dict[str, Floats]:
    """Bootstrap the loss and the calibration error, each of shape (resamples,).

    Args:
        rows: The values of the rows.
        resamples: The number of bootstrap samples.
        generator: The source of randomness.
        text: The position of the text of each row among the different texts, ``(rows,)``. Each
            sample then has the effective number of rows of `clusters.effective_rows`: the smaller
            of those of the two scores. Smaller samples have the greater variance that copies give
            to a mean (P. J. Bickel et al., "Resampling fewer than n observations: gains, losses,
            and remedies for losses", Statistica Sinica 7 (1), 1997). If None, there are no copies,
            and a sample has as many rows as there are.
    """
    order = np.argsort(rows.bins, kind="stable")
    losses, gaps = rows.losses[order], rows.gaps[order]
    starts = np.flatnonzero(np.diff(rows.bins[order], prepend=-1))
    n = size = len(order)
    if text is not None:
        size = round(min(effective_rows(one, text)[0] for one in (rows.losses, rows.gaps)))
    loss_draws, error_draws = np.empty(resamples), np.empty(resamples)
    for draw in range(resamples):
        times = np.bincount(generator.integers(n, size=size, dtype=np.int32), minlength=n)
        # A BLAS product would be slower, because its threads cost more than they save here.
        loss_draws[draw] = (times * losses).sum() / size
        error_draws[draw] = np.abs(np.add.reduceat(times * gaps, starts)).sum() / size
    return {"loss": loss_draws, "calibration_error": error_draws}


@dataclass(frozen=True)
class ReliabilityBin:
    """The predictions whose confidence lies in one interval.

    Attributes:
        low: The lower end of the interval, which does not belong to it.
        high: The upper end of the interval.
        rows: The number of rows, at least 1.
        confidence: The mean confidence.
        accuracy: The share of correct predictions.
        interval: Wilson's interval of the accuracy.
    """

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float
    interval: Interval


def reliability(
    scores: NDArray[np.floating[Any]],
    truth: Integers,
    bins: int,
    confidence: float,
    copies: ArrayLike | None = None,
) -> list[ReliabilityBin]:
    """Return accuracy and mean confidence in bins of confidence, which have equal width.

    These are the bins of the calibration error, which is the mean absolute difference between both,
    weighted by rows. Bins without rows are left out.

    Args:
        scores: Logits, ``(rows, classes)``.
        truth: The ids of the true classes, ``(rows,)``.
        bins: The number of bins between 0 and 1.
        confidence: The level of the intervals of accuracy.
        copies: The number of the text of each row, which is the same for copies, ``(rows,)``. The
            intervals then count the copies in a bin as one text. If None, all texts are different.

    Raises:
        ValueError: If ``copies`` has another shape.
    """
    predictions = scores.argmax(axis=1)
    rows = measure_calibration(scores.astype(np.float64), truth, predictions, bins)
    right, text = predictions == truth, text_of_rows(copies, len(truth))
    effective = None if text is None else effective_rows(right, text, rows.bins)
    found = []
    for number in np.unique(rows.bins):
        inside = rows.bins == number
        correct, total = int(right[inside].sum()), int(inside.sum())
        found.append(
            ReliabilityBin(
                low=float(number / bins),
                high=float((number + 1) / bins),
                rows=total,
                confidence=float((rows.gaps + right)[inside].mean()),
                accuracy=correct / total,
                interval=wilson(
                    correct,
                    total,
                    confidence,
                    None if effective is None else float(effective[number]),
                ),
            )
        )
    return found
