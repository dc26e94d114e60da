"""Describe and measure the effect of the training rows on the difference between strategies.

In a draw, train and validation are sampled anew from the labelled rows, and all strategies are
fitted on the same sample. The differences between two strategies are therefore paired by draw. The
mean ``d[k, i]`` over the runs on draw k, for text i, follows a crossed model with random effects:
``d[k, i] = difference + text[i] + draw[k] + rest[k, i]``. Each draw has seeds of its own, so that
the effects of draws and the rests contain those of the seeds.

Two draws may have rows in common. To first order, the correlation of their effects is the share
``r`` of common rows (the first term of Hoeffding's decomposition), and the other terms are smaller.
The variance over draws is then too small by the factor ``1 - r``, and the mean of m draws has the
variance

    variance over draws * (1 / m + r / (1 - r))

C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52, 2003, use
the same correction for samples that overlap.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thawline.evaluation.confusion import Floats


class Draws(NamedTuple):
    """The draws on which the runs of several strategies were fitted.

    Attributes:
        of_runs: For each strategy, the number of the draw of each run. All strategies have runs on
            the same draws, at least two.
        overlap: The share of rows that two draws have in common, as the mean over all pairs, below
            1.
        most: The largest number of draws without common rows. 0 if draws already have common rows.
    """

    of_runs: Sequence[Sequence[int]]
    overlap: float = 0.0
    most: int = 1_000

    @property
    def number(self) -> int:
        """The number of draws."""
        return len(set(self.of_runs[0]))

    def average(self, runs: Sequence[NDArray[np.generic]]) -> list[Floats]:
        """Average the values of each strategy over the runs of each draw.

        Args:
            runs: The values of each strategy, of shape ``(runs, …)``.

        Returns:
            The means, of shape ``(draws, …)``, in ascending order of the draws.

        Raises:
            ValueError: If the strategies have different draws, or fewer than two.
        """
        numbers = sorted(set(self.of_runs[0]))
        if len(numbers) < 2 or any(sorted(set(one)) != numbers for one in self.of_runs):
            raise ValueError("all strategies need runs on the same draws, at least two")
        if [len(one) for one in self.of_runs] != [len(one) for one in runs]:
            raise ValueError("each run needs the number of its draw")
        return [
            np.stack([one[np.equal(own, number)].mean(axis=0) for number in numbers])
            for one, own in zip(runs, self.of_runs, strict=True)
        ]


class DrawEffects(NamedTuple):
    """The variances of the effects of draws on the scores of several strategies.

    Attributes:
        draws: The draws.
        between: The covariance over draws of the scores of two strategies, of shape
            ``(strategies, strategies)``.
        residuals: The covariance of the rests of two strategies, of the same shape.
        texts: The number of texts.
    """

    draws: Draws
    between: Floats
    residuals: Floats
    texts: int

    def of_difference(self, weights: Floats) -> tuple[float, float]:
        """Return the variances of the effects of draws and of the rests of a weighted sum.

        Args:
            weights: The weight of the score of each strategy, of shape ``(strategies,)``. The
                weights 1 and -1 give a difference.

        Returns:
            The variance of the pure effect of draws, at least 0, and that of the rests.
        """
        rest = max(float(weights @ self.residuals @ weights), 0.0)
        return max(float(weights @ self.between @ weights) - rest / self.texts, 0.0), rest

    @property
    def covariance(self) -> Floats:
        """The covariance of the mean scores that the pure effects of draws cause."""
        pure = self.between - self.residuals / self.texts
        return pure * float(variance_factor(self.draws.number, self.draws.overlap))


def variance_factor(draws: Floats | int, overlap: float) -> Floats:
    """Return the variance of a mean over draws, divided by the variance over draws.

    Args:
        draws: The number of draws, or several numbers.
        overlap: The share of rows that two draws have in common, below 1.
    """
    return np.asarray(1 / np.asarray(draws, dtype=np.float64) + overlap / (1 - overlap))


def mean_overlap(rows: Sequence[Set[int]]) -> float:
    """Return the share of rows that two samples have in common, as the mean over all pairs.

    Args:
        rows: The rows of each sample, at least two samples. Of samples with different numbers of
            rows, the share is that of the smaller one.
    """
    pairs = list(combinations(rows, 2))
    shares = [len(one & other) / min(len(one), len(other)) for one, other in pairs]
    return sum(shares) / len(shares)


def measure_draws(means: Sequence[Floats], draws: Draws) -> DrawEffects:
    """Estimate the effects of draws on a score that is a mean over texts.

    Args:
        means: The values of each strategy averaged over the runs of each draw, of shape
            ``(draws, texts)``.
        draws: The draws.
    """
    count, texts = means[0].shape
    stacked = np.stack(means)
    rests = stacked - stacked.mean(axis=1, keepdims=True) - stacked.mean(axis=2, keepdims=True)
    rests += stacked.mean(axis=(1, 2), keepdims=True)
    flat = rests.reshape(len(stacked), -1)
    return DrawEffects(
        draws=draws,
        between=np.atleast_2d(np.cov(stacked.mean(axis=2))),
        residuals=flat @ flat.T / ((count - 1) * (texts - 1)),
        texts=texts,
    )
