"""Estimate the difference between strategies, and its parts that come from texts and from seeds.

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
`clusters.py` counts copies of a text as one.
`contrasts.py` has the interval of a difference. `benchmarks/verdicts.py` simulates the coverage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thawline.evaluation.clusters import merge_copies
from thawline.evaluation.confusion import Floats, Integers
from thawline.evaluation.contrasts import Contrast
from thawline.evaluation.draws import DrawEffects, Draws, measure_draws


class Effects(NamedTuple):
    """The scores of several strategies and the variances of the effects of texts and seeds.

    Attributes:
        scores: The score of each strategy, averaged over its seeds, of shape ``(strategies,)``.
        texts: The number of texts, of which copies of each other count as one.
        covariance: The covariance over texts of the values of two strategies, each averaged over
            its seeds, of shape ``(strategies, strategies)``.
        seeds: The number of seeds of each strategy, of shape ``(strategies,)``.
        seed_variances: The variance of the pure effect of the seed, of the same shape. All are 0
            if a strategy has a single seed, so that all differences are those of the fitted models.
        residuals: The variance of the rest, of the same shape. 0 if there is a single seed.
        identical: Whether two strategies have the same values for all seeds and texts, of shape
            ``(strategies, strategies)``.
        draws: The effects of the training rows, which contain those of the seeds. The covariance
            over texts is then that of means over draws, and the fields for seeds are not used. None
            if the training rows are the same for all runs.
        third_moments: The third central moments over texts of the differences of two strategies,
            each averaged over its seeds, of shape ``(strategies, strategies)``. None if they are
            unknown.
        limit: The largest possible difference of two scores: 1 for macro F1 and for shares of the
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
    third_moments: Floats | None = None
    limit: float = math.inf

    @property
    def about_strategies(self) -> bool:
        """Whether the differences are valid for new seeds, or for new training rows and seeds.

        False if a strategy has a single seed. If only its own differences ignored the seeds, its
        bounds would be the narrowest ones.
        """
        return self.draws is not None or bool((self.seeds > 1).all())

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
            about_strategies=self.about_strategies,
            draws=None if self.draws is None else self.draws.draws,
            third_moment=0.0
            if self.third_moments is None
            else float(self.third_moments[first, second]),
            limit=self.limit,
        )


def measure_effects(
    values: Sequence[ArrayLike], draws: Draws | None = None, copies: ArrayLike | None = None
) -> Effects:
    """Estimate the effects of texts and seeds on a score that is a mean over texts.

    Args:
        values: The values of each strategy, of shape ``(seeds, texts)``: whether each text was
            classified correctly (0 or 1), or its loss in nats. The texts are the same and in the
            same order for all strategies. Their numbers of seeds may differ. The losses of better
            strategies are lower, so negate them before strategies are compared with the best one.
        draws: The draw of the training rows of each run. If None, all runs were fitted on the same
            rows, and differ in their seeds only.
        copies: The number of the text of each position, which is the same for copies, of shape
            ``(texts,)``. Copies then count as one text. If None, all texts are different.

    Raises:
        ValueError: If there are fewer than two different texts, or if the shapes do not match.
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
    scores, identical = np.array([arm.mean() for arm in arms]), same_values(arms)
    arms = merge_copies(arms, copies)
    texts = arms[0].shape[1]
    if texts < 2:
        raise ValueError("all texts are copies of one text")
    residuals = np.array([_residual_variance(arm) for arm in arms])
    between = np.array([arm.mean(axis=1).var(ddof=1) if len(arm) > 1 else 0.0 for arm in arms])
    means = np.array([arm.mean(axis=0) for arm in arms])
    return Effects(
        scores=scores,
        texts=texts,
        covariance=np.atleast_2d(np.cov(means)),
        seeds=np.array([len(arm) for arm in arms]),
        seed_variances=pure_seed_variances(arms, between, residuals / texts),
        residuals=residuals,
        identical=identical,
        draws=None if draws is None else measure_draws(arms, draws),
        third_moments=_third_moments(means),
        limit=1.0 if is_share else math.inf,
    )


def pure_seed_variances(arms: Sequence[Floats], between: Floats, explained: Floats) -> Floats:
    """Return the variance of the pure effect of the seed in each strategy.

    Args:
        arms: The values of each strategy, of shape ``(seeds, texts)`` or ``(seeds, 1)``.
        between: The variance of the score over seeds, of shape ``(strategies,)``.
        explained: The part of it that a finite number of texts explains, of the same shape.

    Returns:
        The variances, at least 0. All are 0 if a strategy has a single seed.
    """
    has_seeds = all(len(arm) > 1 for arm in arms)
    return np.maximum(between - explained, 0) * has_seeds


def _third_moments(values: Floats) -> Floats:
    """Return the third central moments of the differences of every two rows."""
    centred = values - values.mean(axis=1, keepdims=True)
    moments: Floats = np.array([((one - centred) ** 3).mean(axis=1) for one in centred])
    return moments


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
