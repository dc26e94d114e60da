"""Compute the interval of a difference between two strategies over new texts and new seeds.

The quantiles are those of Student's t with the degrees of freedom of F. E. Satterthwaite, "An
approximate distribution of estimates of variance components", Biometrics Bulletin 2 (6), 1946.
The same model with readers instead of seeds is used to compare diagnostic tests: S. L. Hillis, "A
comparison of denominator degrees of freedom methods for multiple observer ROC analysis",
Statistics in Medicine 26 (3), 2007.

Two corrections matter if two strategies differ on few texts, so that the difference is far from
normally distributed. No bound of a share, or of macro F1, is nearer than the exact one for texts on
which nothing differs. And if one strategy is better on nearly all texts on which the two differ,
the bound on that side is farther, as in the interval of E. B. Wilson, "Probable inference, the law
of succession, and statistical inference", Journal of the American Statistical Association 22
(158), 1927. No bound lies beyond -1 or 1, which no such difference exceeds.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from thawline.config import MetricsConfig
from thawline.evaluation.confusion import Floats, Integers
from thawline.evaluation.draws import Draws, variance_factor
from thawline.evaluation.intervals import check_confidence

Side = Literal["below", "above"]
"""A side of a difference on which a bound of it lies."""


class DifferenceInterval(NamedTuple):
    """A difference between two strategies with its confidence interval, in the unit of the score.

    Attributes:
        value: The score of the first strategy minus that of the second.
        low: The lower end of the interval.
        high: The upper end of the interval.
        degrees_of_freedom: The degrees of freedom of Student's t. None if the difference has no
            variance, because both made the same predictions.
        about_strategies: Whether the interval is valid for new seeds, or for new training rows and
            seeds. False if any of the compared strategies has a single seed: the interval is then
            valid for new texts and these fitted models only.
    """

    value: float
    low: float
    high: float
    degrees_of_freedom: float | None
    about_strategies: bool


class Contrast(NamedTuple):
    """A difference of two strategies and the parts of its variance.

    Attributes:
        value: The score of the first strategy minus that of the second.
        texts: The number of texts, of which copies of each other count as one.
        seeds: The number of seeds of each of the two, of shape ``(2,)``. With draws, the number of
            draws, of shape ``(1,)``, because draws are paired.
        text_variance: The variance over texts of the difference of the means over seeds or draws.
        seed_variances: The variance of the pure effect of the seed in each of the two. With draws,
            that of the draw on the difference.
        residuals: The variance of the rest in each of the two, or of the difference.
        about_strategies: Whether the variance of the seeds is part of the variance. False if any of
            the compared strategies has a single seed.
        draws: The draws of the training rows. None if there is only one.
        third_moment: The third central moment over texts of the difference of the means. 0 if it
            is unknown.
        limit: The largest possible difference, as in `Effects`.
    """

    value: float
    texts: int
    seeds: Integers
    text_variance: float
    seed_variances: Floats
    residuals: Floats
    about_strategies: bool
    draws: Draws | None = None
    third_moment: float = 0.0
    limit: float = math.inf

    def spread(
        self, texts: ArrayLike | None = None, seeds: ArrayLike | None = None
    ) -> tuple[Floats, Floats]:
        """Return the standard error of the difference and its degrees of freedom.

        Args:
            texts: The number of texts, or several numbers of shape ``(cases,)``. If None, that of
                the measurement.
            seeds: The number of seeds of each of the two strategies, or of draws with the same
                overlap, or several numbers of shape ``(cases,)``. If None, those of the
                measurement.

        Returns:
            The standard error and the degrees of freedom, of shape ``(cases,)`` or ``()``. The
            degrees of freedom are infinite if the variance is 0. With draws, their reciprocal is
            the mean of those of texts and draws, weighted by the variances. Satterthwaite's
            weights are the squares, with which the interval of three draws is too short.
        """
        n = np.asarray(self.texts if texts is None else texts, dtype=np.float64)
        m = [
            np.asarray(own if seeds is None else seeds, dtype=np.float64)
            for own in self.seeds.tolist()
        ]
        more_rest = sum(
            rest * (1 / count - 1 / own)
            for rest, count, own in zip(self.residuals, m, self.seeds, strict=True)
        )
        from_texts = np.maximum(self.text_variance + more_rest, 0) / n
        variance = from_texts
        squares = from_texts**2 / np.maximum(n - 1, 1)
        fewest = n
        overlap = 0.0 if self.draws is None else self.draws.overlap
        for of_seed, rest, count in zip(self.seed_variances, self.residuals, m, strict=True):
            if self.about_strategies and of_seed > 0:
                factor = variance_factor(count, overlap)
                measured = (of_seed + rest / n) * factor
                variance = variance + of_seed * factor
                squares = squares + measured**2 / (count - 1)
                fewest = np.minimum(fewest, count)
                if self.draws is not None:
                    share = np.minimum(measured / variance, 1)
                    reciprocal = (1 - share) / np.maximum(n - 1, 1) + share / (count - 1)
                    return np.sqrt(variance), 1 / reciprocal
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = np.where(squares > 0, variance**2 / squares, np.inf)
        # The approximation can be below the freedom of every part, because rests are subtracted.
        return np.sqrt(variance), np.maximum(freedom, fewest - 1)

    def interval(self, confidence: float = MetricsConfig.confidence) -> DifferenceInterval:
        """Return the two-sided confidence interval of the difference."""
        check_confidence(confidence)
        level = (1 - confidence) / 2
        return DifferenceInterval(
            value=self.value,
            low=self.lower_bound(level),
            high=self.upper_bound(level),
            degrees_of_freedom=self.distance("below", level)[1],
            about_strategies=self.about_strategies,
        )

    def lower_bound(self, level: float) -> float:
        """Return the one-sided lower bound of the difference.

        Args:
            level: The probability that the true difference lies below the bound, below 0.5.
        """
        return max(self.value - self.distance("below", level)[0], -self.limit)

    def upper_bound(self, level: float) -> float:
        """Return the one-sided upper bound of the difference.

        Args:
            level: The probability that the true difference lies above the bound, below 0.5.
        """
        return min(self.value + self.distance("above", level)[0], self.limit)

    def distance(self, side: Side, level: float) -> tuple[float, float | None]:
        """Return the distance of a one-sided bound from the difference, and its freedom.

        On the side to which the differences of the texts are skewed, the distance is that of
        Wilson's interval, generalised from a share to any skewness g: ``g z**2 / 2`` plus ``z``
        times the root of the variance plus ``(g z / 2)**2``, with the quantile z of Student's t.
        The skewness g is the third central moment of the difference, divided by its variance. It
        is 0 if both strategies are better on equally many texts. If one of them is better on all
        texts on which they differ, and these are a small share of all texts, the distance is that
        of Wilson. On the other side Wilson's bound is too near, so that Student's t remains.

        Args:
            side: The side of the bound.
            level: The probability that the true difference lies beyond the bound, below 0.5.

        Returns:
            The distance in the unit of the score, and the degrees of freedom, or None if the
            variance is 0.
        """
        from scipy.special import stdtrit

        error, freedom = (float(part) for part in self.spread())
        least = float(self.least_half_width(level))
        if error == 0:
            return least, None
        quantile = float(-stdtrit(freedom, level))
        skewness = self.third_moment / self.texts**2 / error**2
        shift = max(skewness if side == "above" else -skewness, 0.0) * quantile / 2
        return max(quantile * (shift + float(np.hypot(error, shift))), least), freedom

    def least_half_width(self, level: float, texts: ArrayLike | None = None) -> Floats:
        """Return the half-width that remains even if the two agree on every text.

        The variance of a share is estimated as 0 if no text differs, but few texts do not show
        that none ever would. The exact bound of Clopper and Pearson for 0 of n texts is
        ``1 - level ** (1 / n)``, about 3.7 / n for a level of 2.5 %. It also serves for macro F1.

        Args:
            level: The probability that the true difference lies beyond the bound, below 0.5.
            texts: The number of texts, or several numbers of shape ``(cases,)``. If None, that of
                the measurement.

        Returns:
            The half-width, of shape ``(cases,)`` or ``()``. 0 if differences have no limit.
        """
        n = np.asarray(self.texts if texts is None else texts, dtype=np.float64)
        least: Floats = -np.expm1(np.log(level) / n)
        return least if math.isfinite(self.limit) else np.zeros_like(n)
