"""Decide which strategies are within a margin of the best one, without choosing a reference.

J. C. Hsu, "Simultaneous confidence intervals for all distances from the 'best'", Annals of
Statistics 9 (5), 1981, compares each strategy with the best of the others. Nothing is picked by the
data that it is tested on: the best strategy remains unknown, and the bounds hold whichever it is.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from thawline.config import MetricsConfig
from thawline.evaluation.confusion import Floats
from thawline.evaluation.contrasts import Contrast, DifferenceInterval
from thawline.evaluation.differences import Effects
from thawline.evaluation.intervals import check_confidence

Decision = Literal["within", "worse", "undecided"]

POWER = 0.8
"""The probability with which the recommended numbers of texts and seeds lead to a decision."""

MAX_TIMES = 10_000
"""The recommended number of texts is at most so many times the number of the measurement."""

MAX_SEEDS = 50
"""The largest number of seeds that is recommended."""

_DRAWS = 20_000


class Standing(NamedTuple):
    """The position of a strategy relative to the best of the others.

    Attributes:
        decision: ``within`` if it is at most the margin below every other strategy, ``worse`` if it
            is below some other one, otherwise ``undecided``. A strategy that is below another one,
            but by less than the margin, is ``within``.
        best_other: The position of the other strategy with the highest score. None if there is no
            other one.
        below_best: The difference to that strategy. None if there is no other one.
        lower_bound: The simultaneous lower bound of the difference to the best of the others.
        upper_bound: The simultaneous upper bound of that difference.
        better: The positions of the strategies that are shown to be better, that is, to which the
            simultaneous upper bound of the difference is below 0.
        texts_to_decide: About how many test texts would decide it, with the same seeds. None if it
            is decided, or if no number would.
        seeds_to_decide: About how many seeds of each strategy would decide it, with the same texts.
            None if it is decided, if no number would, if the variance of seeds is unknown, or with
            several draws of the training rows.
        draws_to_decide: About how many draws of the training rows would decide it, without common
            rows. None if it is decided, if no number would, or with a single draw.
    """

    decision: Decision
    best_other: int | None
    below_best: DifferenceInterval | None
    lower_bound: float
    upper_bound: float
    better: tuple[int, ...]
    texts_to_decide: int | None
    seeds_to_decide: int | None
    draws_to_decide: int | None = None


def decide_standings(
    effects: Effects, margin: float, confidence: float = MetricsConfig.confidence
) -> list[Standing]:
    """Decide for each strategy whether it is within a margin of the best one.

    With probability ``confidence``, all decisions are correct: at most ``(1 - confidence) / 2`` is
    the probability that any strategy is falsely ``within``, and the same that the best one is
    ``worse``.

    Args:
        effects: The scores and variances of the strategies. Higher scores are better.
        margin: The largest difference that does not matter, in the unit of the score, above 0.
        confidence: The confidence level, between 0 and 1.

    Returns:
        The standing of each strategy, in the same order.

    Raises:
        ValueError: If ``margin`` is not above 0, or if ``confidence`` is not between 0 and 1.
    """
    check_confidence(confidence)
    if not margin > 0:
        raise ValueError(f"margin must be above 0, not {margin}")
    levels = comparison_levels(effects, (1 - confidence) / 2)
    return [_decide(effects, index, levels, margin, confidence) for index in range(len(levels))]


def comparison_levels(effects: Effects, level: float) -> Floats:
    """Return the level of each comparison with a strategy that keeps the level of all of them.

    Bonferroni's ``level / (strategies - 1)`` ignores that the differences to the same strategy are
    correlated, and that strategies with similar predictions are almost the same comparison. Here
    the level follows from the distribution of the largest of the correlated differences (C. W.
    Dunnett, "A multiple comparison procedure for comparing several treatments with a control",
    Journal of the American Statistical Association 50 (272), 1955), which is drawn from a normal
    distribution with the estimated covariance. A copy of a strategy therefore changes nothing.

    Args:
        effects: The scores and variances of the strategies.
        level: The probability of any error in the comparisons with one strategy.

    Returns:
        The level of a single comparison with each strategy, of shape ``(strategies,)``.
    """
    from scipy.special import ndtr

    # Strategies with the same predictions are one strategy here.
    kept, group = np.unique(effects.identical.argmax(axis=1), return_inverse=True)
    if len(kept) <= 2:
        return np.full(len(group), level)
    generator = np.random.default_rng(0)
    root = _root(effects.covariance[np.ix_(kept, kept)] / effects.texts)
    of_seeds = np.diag(np.sqrt(effects.seed_variances / effects.seeds)[kept])
    if effects.draws is not None:
        of_seeds = _root(effects.draws.covariance[np.ix_(kept, kept)])
    draws = generator.standard_normal((_DRAWS, len(kept))) @ root.T
    draws += generator.standard_normal((_DRAWS, len(kept))) @ of_seeds.T
    levels = np.full(len(kept), level)
    for index in range(len(kept)):
        differences = np.delete(draws, index, axis=1) - draws[:, [index]]
        deviations = differences.std(axis=0)
        known = deviations > 0
        if known.any():
            largest = (differences[:, known] / deviations[known]).max(axis=1)
            levels[index] = ndtr(-np.quantile(largest, 1 - level))
    # The draws have an error of their own, and these are the limits of what is possible.
    limited: Floats = np.clip(levels, level / (len(kept) - 1), level)[group]
    return limited


def _root(covariance: Floats) -> Floats:
    """Return a factor that gives independent normal numbers this covariance."""
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = vectors * np.sqrt(np.maximum(values, 0))
    return root


def _decide(
    effects: Effects, index: int, levels: Floats, margin: float, confidence: float
) -> Standing:
    """Compare one strategy with every other one."""
    others = [other for other in range(len(levels)) if other != index]
    if not others:
        return Standing("within", None, None, 0.0, 0.0, (), None, None)
    contrasts = [effects.contrast(index, other) for other in others]
    # A false "within" concerns the difference to the unknown best, so the level is that of the
    # other one. A false "worse" is possible only if this one is the best.
    lower = [
        contrast.lower_bound(float(levels[other]))
        for contrast, other in zip(contrasts, others, strict=True)
    ]
    upper = [contrast.upper_bound(float(levels[index])) for contrast in contrasts]
    decision: Decision = "undecided"
    if min(lower) > -margin:
        decision = "within"
    elif min(upper) < 0:
        decision = "worse"
    best_other = max(others, key=lambda other: float(effects.scores[other]))
    plan = _Plan(contrasts, levels[others], float(levels[index]), margin)
    undecided = decision == "undecided"
    seeds, of_draws = plan.seeds() if undecided else None, effects.draws is not None
    return Standing(
        decision=decision,
        best_other=best_other,
        below_best=effects.contrast(index, best_other).interval(confidence),
        lower_bound=min(lower),
        upper_bound=min(upper),
        better=tuple(other for other, end in zip(others, upper, strict=True) if end < 0),
        texts_to_decide=plan.texts() if undecided else None,
        seeds_to_decide=None if of_draws else seeds,
        draws_to_decide=seeds if of_draws else None,
    )


class _Plan(NamedTuple):
    """What is needed to plan a larger measurement of one strategy.

    Attributes:
        contrasts: The differences to the other strategies.
        lower_levels: The level of each lower bound.
        upper_level: The level of the upper bounds.
        margin: The margin.
    """

    contrasts: list[Contrast]
    lower_levels: Floats
    upper_level: float
    margin: float

    def texts(self) -> int | None:
        """Return about how many texts would decide, or None if no number would."""
        own = self.contrasts[0].texts
        cases = np.unique(np.ceil(own * np.geomspace(1, MAX_TIMES, 1_000)).astype(np.int64))
        cases = cases[1:]
        return self._first(cases, [c.spread(texts=cases) for c in self.contrasts], cases)

    def seeds(self) -> int | None:
        """Return how many seeds, or draws, would decide, or None if no number would."""
        if not all(contrast.about_strategies for contrast in self.contrasts):
            return None
        own = max(int(contrast.seeds.max()) for contrast in self.contrasts)
        draws = self.contrasts[0].draws
        most = MAX_SEEDS if draws is None else min(MAX_SEEDS, draws.most)
        cases = np.arange(own + 1, most + 1)
        if not len(cases):
            return None
        texts = np.full(len(cases), self.contrasts[0].texts)
        return self._first(cases, [c.spread(seeds=cases) for c in self.contrasts], texts)

    def _first(
        self, cases: np.ndarray, spreads: list[tuple[Floats, Floats]], texts: np.ndarray
    ) -> int | None:
        """Return the first case that would decide with probability `POWER`.

        The observed differences are taken to be the true ones.

        Args:
            cases: The numbers of texts, or of seeds.
            spreads: The standard error and the degrees of freedom of each difference in each case.
            texts: The number of texts in each case.
        """
        from scipy.special import stdtrit

        within, worse = np.ones(len(cases), dtype=bool), np.zeros(len(cases), dtype=bool)
        for contrast, level, (error, freedom) in zip(
            self.contrasts, self.lower_levels, spreads, strict=True
        ):
            power = stdtrit(freedom, POWER)
            lower, upper = (
                np.maximum(
                    (power - stdtrit(freedom, one)) * error, contrast.least_half_width(one, texts)
                )
                for one in (float(level), self.upper_level)
            )
            within &= contrast.value + self.margin > lower
            worse |= -contrast.value > upper
        decided = np.flatnonzero(within | worse)
        return int(cases[decided[0]]) if len(decided) else None
