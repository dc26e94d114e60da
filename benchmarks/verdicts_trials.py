"""Simulate verdicts: the coverage of the interval, and verdicts on resampled texts and seeds.

This module has no command of its own; `benchmarks.verdicts` uses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import t as student

from thawline.evaluation.choosing import cheapest_within_one_error
from thawline.evaluation.differences import measure_effects
from thawline.evaluation.paired_tests import holm, paired_p
from thawline.evaluation.standings import decide_standings

Row = dict[str, Any]
Flags = NDArray[np.bool_]
Judge = Callable[[Sequence[Flags]], int | None]

MARGIN = 0.01
"""The margin, as a share: the default of `thawline compare`."""

ACCURACY = 0.85
"""The accuracy of the first strategy in the simulation of the coverage."""

SHARED = 0.9
"""The share of the variance of a text's difficulty that all seeds of a strategy have in common."""

ALIKE = 0.8
"""The correlation of the difficulty of a text for two strategies."""


class CoverageCase(NamedTuple):
    """One case of the simulated coverage.

    Attributes:
        seeds: The number of seeds of each strategy.
        texts: The number of test texts.
        ratio: The part of the variance of the difference that comes from the pure effect of the
            seeds, divided by the part that comes from the texts.
        noisy: How many of the two strategies depend on the seed.
        difference: The true difference of the accuracies.
    """

    seeds: int
    texts: int
    ratio: float
    noisy: int
    difference: float


def simulate_coverage(case: CoverageCase, runs: int) -> Row:
    """Return how often three intervals contain the true difference.

    A text is classified correctly if its difficulty, an effect of the seed and a rest of its own
    have a sum above a threshold. All three are normal, so that the true accuracy is known.
    """
    generator = np.random.default_rng([case.seeds, case.texts, round(100 * case.ratio), case.noisy])
    effects = seed_effects(case)
    means = [ACCURACY, ACCURACY - case.difference]
    thresholds = [
        float(ndtri(1 - mean)) * np.sqrt(1 + effect**2)
        for mean, effect in zip(means, effects, strict=True)
    ]
    inside = {"interval": 0, "texts": 0, "seeds": 0}
    for _ in range(runs):
        arms = draw_arms(case, effects, thresholds, generator)
        contrast = measure_effects(arms).contrast(0, 1)
        found = contrast.interval()
        inside["interval"] += found.low <= case.difference <= found.high
        error = abs(contrast.value - case.difference)
        inside["texts"] += bool(error <= 1.96 * np.sqrt(contrast.text_variance / case.texts))
        inside["seeds"] += bool(error <= _seeds_only(arms))
    return {
        "case": case._asdict(),
        "runs": runs,
        "coverage": {name: count / runs for name, count in inside.items()},
    }


def seed_effects(case: CoverageCase) -> list[float]:
    """Return the standard deviation of the seed's effect on the threshold, for both strategies."""
    if case.ratio == 0:
        return [0.0, 0.0]
    pilot = draw_arms(
        case._replace(texts=200_000),
        [0.0, 0.0],
        [float(ndtri(1 - ACCURACY)), float(ndtri(1 - ACCURACY + case.difference))],
        np.random.default_rng(0),
    )
    by_text = measure_effects(pilot).contrast(0, 1).text_variance / case.texts
    deviation = np.sqrt(case.ratio * by_text * case.seeds / case.noisy)
    density = np.exp(-(ndtri(ACCURACY) ** 2) / 2) / np.sqrt(2 * np.pi)
    return [float(deviation / density) if arm < case.noisy else 0.0 for arm in range(2)]


def draw_arms(
    case: CoverageCase,
    effects: Sequence[float],
    thresholds: Sequence[float],
    generator: np.random.Generator,
) -> list[Flags]:
    """Return which texts both strategies classify correctly, each ``(seeds, texts)``."""
    shape = (case.seeds, case.texts)
    first = generator.standard_normal(case.texts, dtype=np.float32)
    other = generator.standard_normal(case.texts, dtype=np.float32)
    second = ALIKE * first + np.sqrt(1 - ALIKE**2) * other
    arms = []
    for text, effect, threshold in zip((first, second), effects, thresholds, strict=True):
        of_seed = effect * generator.standard_normal((case.seeds, 1))
        rest = np.sqrt(1 - SHARED) * generator.standard_normal(shape, dtype=np.float32)
        arms.append(np.sqrt(SHARED) * text + rest > (threshold - of_seed).astype(np.float32))
    return arms


def _seeds_only(arms: Sequence[Flags]) -> float:
    """Return the half width of Welch's interval of the means over seeds."""
    parts = np.array([arm.mean(axis=1).var(ddof=1) / len(arm) for arm in arms])
    if parts.sum() == 0:
        return 0.0
    freedom = parts.sum() ** 2 / (parts**2 / [len(arm) - 1 for arm in arms]).sum()
    return float(student.ppf(0.975, freedom) * np.sqrt(parts.sum()))


class RareCase(NamedTuple):
    """Two fitted models that differ on few texts.

    Attributes:
        texts: The number of test texts.
        differing: The expected number of texts that only one of them classifies correctly.
        one_way: Whether it is always the first one. Otherwise each of the two is as likely.
    """

    texts: int
    differing: float
    one_way: bool


def simulate_rare(case: RareCase, runs: int) -> Row:
    """Return how often intervals contain the true difference of models that hardly differ.

    ``plain`` is the interval without its smallest width and without skewness. ``within`` is how
    often the second model is called within the margin, which is wrong if the true difference is at
    least the margin.
    """
    generator = np.random.default_rng([case.texts, round(100 * case.differing), case.one_way])
    share = case.differing / case.texts
    true = share if case.one_way else 0.0
    inside, within = {"interval": 0, "plain": 0}, 0
    for _ in range(runs):
        number = generator.binomial(case.texts, share)
        first = number if case.one_way else generator.binomial(number, 0.5)
        arms = [np.ones((1, case.texts), dtype=bool) for _ in range(2)]
        arms[1][0, :first] = False
        arms[0][0, first:number] = False
        effects = measure_effects(arms)
        contrast = effects.contrast(0, 1)
        plain = contrast._replace(limit=math.inf, third_moment=0.0)
        for name, one in (("interval", contrast), ("plain", plain)):
            found = one.interval()
            inside[name] += found.low <= true <= found.high
        within += decide_standings(effects, MARGIN)[1].decision == "within"
    return {
        "case": case._asdict(),
        "runs": runs,
        "coverage": {name: count / runs for name, count in inside.items()},
        "within": within / runs,
    }


Pool = dict[str, Flags]
"""The fits that stand for all seeds, and the texts that stand for all texts.

For each strategy, from cheap to expensive, it contains whether each fit classifies each test text
correctly, ``(seeds, texts)``.
"""


def true_accuracies(pool: Pool) -> NDArray[np.float64]:
    """Return the accuracy of each strategy over all seeds and texts."""
    return np.array([flags.mean() for flags in pool.values()])


def judge_as_before(arms: Sequence[Flags]) -> int:
    """Return the strategy that the verdict of earlier versions names.

    It is the cheapest that is not significantly worse than the one with the highest accuracy on
    test, by McNemar's test with Holm's correction.
    """
    times = [arm.sum(axis=0) for arm in arms]
    best = max(range(len(arms)), key=lambda index: times[index].sum())
    others = [index for index in range(len(arms)) if index != best]
    corrected = holm([paired_p(times[index] - times[best]) for index in others])
    equal = [index for index, p in zip(others, corrected, strict=True) if p >= 0.05]
    return min([best, *equal])


def judge(arms: Sequence[Flags]) -> int | None:
    """Return the cheapest strategy within the margin of the best one, or None if undecided."""
    standings = decide_standings(measure_effects(arms), MARGIN)
    within = [index for index, one in enumerate(standings) if one.decision == "within"]
    return within[0] if within else None


def choose_highest(arms: Sequence[Flags]) -> int:
    """Return the strategy with the highest accuracy, as earlier versions do on validation."""
    return max(range(len(arms)), key=lambda index: arms[index].mean())


def choose_cheapest(arms: Sequence[Flags]) -> int:
    """Return the cheapest strategy within one standard error of the highest accuracy."""
    return cheapest_within_one_error(measure_effects(arms), range(len(arms)))


def choose_within_half(arms: Sequence[Flags]) -> int:
    """Return the cheapest strategy within half a standard error of the highest accuracy."""
    effects = measure_effects(arms)
    best = int(effects.scores.argmax())
    lowest = effects.scores[best] - effects.standard_error(best) / 2
    return next(index for index, score in enumerate(effects.scores) if score >= lowest)


JUDGES: dict[str, Judge] = {"before": judge_as_before, "now": judge}
CHOOSERS: dict[str, Judge] = {
    "before": choose_highest,
    "half": choose_within_half,
    "now": choose_cheapest,
}


def resample_verdicts(pool: Pool, texts: int, seeds: int, runs: int) -> Row:
    """Return how often both verdicts are wrong or undecided, on resampled texts and seeds."""
    return {"texts": texts, "seeds": seeds} | _resample(pool, JUDGES, texts, seeds, runs)


def resample_choices(pool: Pool, texts: int, seeds: int, runs: int) -> Row:
    """Return how much accuracy the choices give away, on texts that stand for validation."""
    return {"texts": texts, "seeds": seeds} | _resample(pool, CHOOSERS, texts, seeds, runs)


def _resample(pool: Pool, judges: Mapping[str, Judge], texts: int, seeds: int, runs: int) -> Row:
    """Let judges name a strategy on resampled texts and seeds.

    Texts and seeds are drawn with replacement, so that the accuracy of all texts and seeds is
    exactly the true one.
    """
    generator = np.random.default_rng([texts, seeds])
    truth, flags = true_accuracies(pool), list(pool.values())
    named: dict[str, list[int | None]] = {name: [] for name in judges}
    for _ in range(runs):
        rows = generator.integers(flags[0].shape[1], size=texts)
        arms = [arm[generator.integers(len(arm), size=seeds)][:, rows] for arm in flags]
        for name, judged in judges.items():
            named[name].append(judged(arms))
    rates = {name: _rate(found, truth, list(pool)) for name, found in named.items()}
    return {"runs": runs, **rates}


def _rate(named: Sequence[int | None], truth: NDArray[np.float64], names: Sequence[str]) -> Row:
    """Summarise the strategies that a verdict named."""
    chosen = [index for index in named if index is not None]
    lost = truth.max() - truth[chosen]
    return {
        "wrong": float((lost > MARGIN).sum() / len(named)),
        "undecided": 1 - len(chosen) / len(named),
        "given_away": float(lost.mean()) if chosen else None,
        "named": {name: chosen.count(index) / len(named) for index, name in enumerate(names)},
    }


def resample_itself(pool: Pool, strategy: str, texts: int, seeds: int, runs: int) -> Row:
    """Return how often a strategy is called worse than itself, over disjoint seeds."""
    generator = np.random.default_rng([texts, seeds])
    flags = pool[strategy]
    called = {"before": 0, "now": 0}
    for _ in range(runs):
        rows = generator.integers(flags.shape[1], size=texts)
        drawn = generator.permutation(len(flags))[: 2 * seeds]
        arms = [flags[part][:, rows] for part in (drawn[:seeds], drawn[seeds:])]
        called["before"] += paired_p(arms[0].sum(axis=0) - arms[1].sum(axis=0)) < 0.05
        standings = decide_standings(measure_effects(arms), MARGIN)
        called["now"] += any(standing.decision == "worse" for standing in standings)
    return {
        "strategy": strategy,
        "texts": texts,
        "seeds": seeds,
        "runs": runs,
        **{name: count / runs for name, count in called.items()},
    }


def describe_pool(pool: Pool) -> list[Row]:
    """Return the true accuracy of each strategy, and the spread over its seeds."""
    disagreement = {
        name: [float((one != other).mean()) for one, other in combinations(flags[:6], 2)]
        for name, flags in pool.items()
    }
    return [
        {
            "strategy": name,
            "seeds": len(flags),
            "texts": flags.shape[1],
            "accuracy": float(flags.mean()),
            "deviation": float(flags.mean(axis=1).std(ddof=1)) if len(flags) > 1 else None,
            "disagreement": float(np.mean(disagreement[name])) if len(flags) > 1 else None,
        }
        for name, flags in pool.items()
    ]
