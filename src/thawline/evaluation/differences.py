"""Compute intervals of the difference between two strategies over new texts and new seeds.

The estimand is the difference in the expected score of two strategies over new texts and new
random seeds, given the training rows. A score is a mean over texts, such as accuracy or loss, or
macro F1.

The values ``x[j, i]`` of a strategy, for seed j of m and text i of n, follow a crossed model with
random effects: ``x[j, i] = mean + text[i] + seed[j] + rest[j, i]``. Two strategies read the same
texts, but their seeds are independent. For the difference of their means, this gives

    variance = Var_i(d[i]) / n + sum over both strategies of Var(seed) / m

where ``d[i]`` is the difference of the means over seeds for text i. The variance of ``d`` already
contains the rests, so only the pure effect of the seeds is added. It is estimated from the two
mean squares of the model: the variance over seeds of the mean over texts, minus the variance of
the rests divided by n, and at least 0.

If the training rows were drawn several times, the estimand is the difference over new training rows
of this number, too. `draws.py` describes the model: draws are paired, and take the place of seeds.

No interval of a share, or of macro F1, is narrower than the exact one for texts on which nothing
differs, and none reaches beyond -1 or 1, which no such difference exceeds.

The quantiles are those of Student's t with the degrees of freedom of F. E. Satterthwaite, "An
approximate distribution of estimates of variance components", Biometrics Bulletin 2 (6), 1946.
The same model with readers instead of seeds is used to compare diagnostic tests: S. L. Hillis, "A
comparison of denominator degrees of freedom methods for multiple observer ROC analysis",
Statistics in Medicine 26 (3), 2007. `benchmarks/verdicts.py` simulates the coverage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thawline.config import MetricsConfig
from thawline.evaluation.confusion import Floats, Integers
from thawline.evaluation.draws import DrawEffects, Draws, measure_draws, variance_factor
from thawline.evaluation.intervals import check_confidence


class DifferenceInterval(NamedTuple):
    """A difference between two strategies with its confidence interval, in the unit of the score.

    Attributes:
        value: The score of the first strategy minus that of the second.
        low: The lower end of the interval.
        high: The upper end of the interval.
        degrees_of_freedom: The degrees of freedom of Student's t. None if the difference has no
            variance, because both made the same predictions.
        about_strategies: Whether the interval is valid for new seeds, or for new training rows and
            seeds. False if one of the two has a single seed: the interval is then valid for new
            texts and these fitted models only.
    """

    value: float
    low: float
    high: float
    degrees_of_freedom: float | None
    about_strategies: bool


class Effects(NamedTuple):
    """The scores of several strategies and the variances of the effects of texts and seeds.

    Attributes:
        scores: The score of each strategy, averaged over its seeds, of shape ``(strategies,)``.
        texts: The number of texts.
        covariance: The covariance over texts of the values of two strategies, each averaged over
            its seeds, of shape ``(strategies, strategies)``.
        seeds: The number of seeds of each strategy, of shape ``(strategies,)``.
        seed_variances: The variance of the pure effect of the seed, of the same shape. 0 if there
            is a single seed.
        residuals: The variance of the rest, of the same shape. 0 if there is a single seed.
        identical: Whether two strategies have the same values for all seeds and texts, of shape
            ``(strategies, strategies)``.
        draws: The effects of the training rows, which contain those of the seeds. The covariance
            over texts is then that of means over draws, and the fields for seeds are not used. None
            if the training rows are the same for all runs.
        most: The largest possible difference of two scores: 1 for macro F1 and for shares of the
            texts, whose values are all 0 or 1, otherwise infinite.
    """

    scores: Floats
    texts: int
    covariance: Floats
    seeds: Integers
    seed_variances: Floats
    residuals: Floats
    identical: NDArray[np.bool_]
    draws: DrawEffects | None = None
    most: float = math.inf

    def standard_error(self, strategy: int) -> float:
        """Return the standard error of the score of one strategy."""
        from_texts = self.covariance[strategy, strategy] / self.texts
        from_seeds = self.seed_variances[strategy] / self.seeds[strategy]
        if self.draws is not None:
            from_seeds = max(float(self.draws.covariance[strategy, strategy]), 0.0)
        return float(np.sqrt(from_texts + from_seeds))

    def contrast(self, first: int, second: int) -> Contrast:
        """Return the difference of two strategies, given by their positions."""
        pair = [first, second]
        same = bool(self.identical[first, second])
        variance = self.covariance[pair, pair].sum() - 2 * self.covariance[first, second]
        seeds, seed_variances = self.seeds[pair], self.seed_variances[pair]
        residuals = self.residuals[pair]
        if self.draws is not None:
            weights = np.zeros(len(self.scores))
            weights[pair] = 1, -1
            effect, rest = self.draws.of_difference(weights)
            seeds = np.array([self.draws.draws.number])
            seed_variances, residuals = np.array([effect]), np.array([rest])
        return Contrast(
            value=0.0 if same else float(self.scores[first] - self.scores[second]),
            texts=self.texts,
            seeds=seeds,
            text_variance=0.0 if same else max(float(variance), 0.0),
            seed_variances=0 * seed_variances if same else seed_variances,
            residuals=0 * residuals if same else residuals,
            about_strategies=bool((seeds > 1).all()),
            draws=None if self.draws is None else self.draws.draws,
            most=self.most,
        )


class Contrast(NamedTuple):
    """A difference of two strategies and the parts of its variance.

    Attributes:
        value: The score of the first strategy minus that of the second.
        texts: The number of texts.
        seeds: The number of seeds of each of the two, of shape ``(2,)``. With draws, the number of
            draws, of shape ``(1,)``, because draws are paired.
        text_variance: The variance over texts of the difference of the means over seeds or draws.
        seed_variances: The variance of the pure effect of the seed in each of the two. With draws,
            that of the draw on the difference.
        residuals: The variance of the rest in each of the two, or of the difference.
        about_strategies: Whether the variance of the seeds is part of the variance. False if one of
            the two has a single seed.
        draws: The draws of the training rows. None if there is only one.
        most: The largest possible difference, as in `Effects`.
    """

    value: float
    texts: int
    seeds: Integers
    text_variance: float
    seed_variances: Floats
    residuals: Floats
    about_strategies: bool
    draws: Draws | None = None
    most: float = math.inf

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
        overlap = 0.0 if self.draws is None else self.draws.overlap
        for of_seed, rest, count in zip(self.seed_variances, self.residuals, m, strict=True):
            if self.about_strategies and of_seed > 0:
                factor = variance_factor(count, overlap)
                measured = (of_seed + rest / n) * factor
                variance = variance + of_seed * factor
                squares = squares + measured**2 / (count - 1)
                if self.draws is not None:
                    share = np.minimum(measured / variance, 1)
                    reciprocal = (1 - share) / np.maximum(n - 1, 1) + share / (count - 1)
                    return np.sqrt(variance), 1 / reciprocal
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = np.where(squares > 0, variance**2 / squares, np.inf)
        return np.sqrt(variance), freedom

    def interval(self, confidence: float = MetricsConfig.confidence) -> DifferenceInterval:
        """Return the two-sided confidence interval of the difference."""
        check_confidence(confidence)
        level = (1 - confidence) / 2
        return DifferenceInterval(
            value=self.value,
            low=self.lower_bound(level),
            high=self.upper_bound(level),
            degrees_of_freedom=self.half_width(level)[1],
            about_strategies=self.about_strategies,
        )

    def lower_bound(self, level: float) -> float:
        """Return the one-sided lower bound of the difference.

        Args:
            level: The probability that the true difference lies below the bound, below 0.5.
        """
        return max(self.value - self.half_width(level)[0], -self.most)

    def upper_bound(self, level: float) -> float:
        """Return the one-sided upper bound of the difference.

        Args:
            level: The probability that the true difference lies above the bound, below 0.5.
        """
        return min(self.value + self.half_width(level)[0], self.most)

    def half_width(self, level: float) -> tuple[float, float | None]:
        """Return the distance of a one-sided bound from the difference, and its freedom.

        Args:
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
        return max(float(-stdtrit(freedom, level)) * error, least), freedom

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
        return least if math.isfinite(self.most) else np.zeros_like(n)


def measure_effects(values: Sequence[ArrayLike], draws: Draws | None = None) -> Effects:
    """Estimate the effects of texts and seeds on a score that is a mean over texts.

    Args:
        values: The values of each strategy, of shape ``(seeds, texts)``: whether each text was
            classified correctly (0 or 1), or its loss in nats. The texts are the same and in the
            same order for all strategies. Their numbers of seeds may differ. The losses of better
            strategies are lower, so negate them before strategies are compared with the best one.
        draws: The draw of the training rows of each run. If None, all runs were fitted on the same
            rows, and differ in their seeds only.

    Raises:
        ValueError: If there are fewer than two texts, or if the shapes do not match.
    """
    arms = [np.asarray(one, dtype=np.float64) for one in values]
    if not arms or any(arm.ndim != 2 or arm.shape[0] == 0 for arm in arms):
        raise ValueError("each strategy needs values of shape (seeds, texts)")
    texts = arms[0].shape[1]
    if texts < 2 or any(arm.shape[1] != texts for arm in arms):
        raise ValueError(
            f"all strategies need the same number of texts, at least 2, not "
            f"{[arm.shape[1] for arm in arms]}"
        )
    is_share = all(bool(np.isin(arm, (0, 1)).all()) for arm in arms)
    if draws is not None:
        arms = draws.average(arms)
    residuals = np.array([_residual_variance(arm) for arm in arms])
    between = np.array([arm.mean(axis=1).var(ddof=1) if len(arm) > 1 else 0.0 for arm in arms])
    return Effects(
        scores=np.array([arm.mean() for arm in arms]),
        texts=texts,
        covariance=np.atleast_2d(np.cov([arm.mean(axis=0) for arm in arms])),
        seeds=np.array([len(arm) for arm in arms]),
        seed_variances=np.maximum(between - residuals / texts, 0),
        residuals=residuals,
        identical=same_values(arms),
        draws=None if draws is None else measure_draws(arms, draws),
        most=1.0 if is_share else math.inf,
    )


def same_values(arms: Sequence[NDArray[np.generic]]) -> NDArray[np.bool_]:
    """Return whether each two of several arrays are equal, of shape ``(arrays, arrays)``."""
    return np.array([[np.array_equal(one, other) for other in arms] for one in arms])


def _residual_variance(values: Floats) -> float:
    """Return the mean square of the rest of a crossed model, or 0 with a single seed."""
    seeds, texts = values.shape
    if seeds == 1:
        return 0.0
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    return float((rest**2).sum() / ((seeds - 1) * (texts - 1)))
