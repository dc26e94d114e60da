"""Compute the loss and the calibration error of predictions, and resample both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from thawline.evaluation.confusion import Floats, Integers


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
    rows: Calibration, resamples: int, generator: np.random.Generator
) -> dict[str, Floats]:
    """Bootstrap the loss and the calibration error, each of shape (resamples,)."""
    order = np.argsort(rows.bins, kind="stable")
    losses, gaps = rows.losses[order], rows.gaps[order]
    starts = np.flatnonzero(np.diff(rows.bins[order], prepend=-1))
    n = len(order)
    loss_draws, error_draws = np.empty(resamples), np.empty(resamples)
    for draw in range(resamples):
        times = np.bincount(generator.integers(n, size=n, dtype=np.int32), minlength=n)
        # A BLAS product would be slower, because its threads cost more than they save here.
        loss_draws[draw] = (times * losses).sum() / n
        error_draws[draw] = np.abs(np.add.reduceat(times * gaps, starts)).sum() / n
    return {"loss": loss_draws, "calibration_error": error_draws}
