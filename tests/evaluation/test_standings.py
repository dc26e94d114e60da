"""Which strategies are within a margin of the best one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from thawline.evaluation.differences import Effects, measure_effects
from thawline.evaluation.standings import comparison_levels, decide_standings


def effects_of(
    scores: list[float],
    *,
    texts: int = 2_000,
    variance: float = 0.04,
    seeds: int = 3,
    of_seeds: float = 0.0,
    residual: float = 0.03,
) -> Effects:
    """Strategies with independent effects of equal variance."""
    count = len(scores)
    return Effects(
        scores=np.array(scores),
        texts=texts,
        covariance=variance * np.eye(count),
        seeds=np.full(count, seeds),
        seed_variances=np.full(count, of_seeds),
        residuals=np.full(count, residual if seeds > 1 else 0.0),
        identical=np.eye(count, dtype=bool),
    )


def simulated(shifts: list[float], texts: int, seed: int = 0, seeds: int = 3) -> list[np.ndarray]:
    """Return the correctness of strategies that agree on most texts."""
    generator = np.random.default_rng(seed)
    text = generator.normal(size=texts)
    return [
        (0.9 * text + 0.4 * generator.normal(size=(seeds, texts)) + shift > -1).astype(int)
        for shift in shifts
    ]


def decisions(effects: Effects, margin: float = 0.01) -> list[str]:
    return [standing.decision for standing in decide_standings(effects, margin)]


def test_clear_differences_are_decided():
    effects = effects_of([0.80, 0.90, 0.899], texts=100_000)
    standings = decide_standings(effects, 0.01)
    assert [standing.decision for standing in standings] == ["worse", "within", "within"]
    assert [standing.best_other for standing in standings] == [1, 2, 1]
    assert standings[0].below_best.value == pytest.approx(-0.1)
    assert standings[0].upper_bound < -0.09
    assert [standing.better for standing in standings] == [(1, 2), (), ()]
    assert all(s.texts_to_decide is None and s.seeds_to_decide is None for s in standings)


def test_no_significance_is_not_equality():
    assert decisions(effects_of([0.88, 0.90], texts=500)) == ["undecided", "within"]
    assert decisions(effects_of([0.90, 0.90], texts=500)) == ["undecided", "undecided"]
    # The same scores decide when the texts are many.
    assert decisions(effects_of([0.88, 0.90], texts=5_000)) == ["worse", "within"]


def test_a_difference_below_the_margin_is_within_even_if_it_is_significant():
    effects = effects_of([0.899, 0.900], texts=1_000_000)
    first = decide_standings(effects, 0.01)[0]
    assert first.upper_bound < 0
    assert first.decision == "within"


def test_the_bounds_of_two_strategies_are_those_of_their_interval():
    effects = effects_of([0.88, 0.90], of_seeds=1e-5)
    standing = decide_standings(effects, 0.01, 0.9)[0]
    interval = effects.contrast(0, 1).interval(0.9)
    assert (standing.lower_bound, standing.upper_bound) == pytest.approx(interval[1:3])


def test_equal_predictions_on_few_texts_decide_nothing():
    (values,) = simulated([0.0], 20)
    for standing in decide_standings(measure_effects([values, values]), 0.01):
        assert standing.decision == "undecided"
        # 1 - 0.025 ** (1 / n) is below 0.01 from n = 368.
        assert standing.texts_to_decide == pytest.approx(368, rel=0.02)
        assert standing.seeds_to_decide is None


def test_equal_predictions_on_many_texts_are_within():
    (values,) = simulated([0.0], 400)
    standings = decide_standings(measure_effects([values, values]), 0.01)
    assert [standing.decision for standing in standings] == ["within", "within"]


def test_a_single_strategy_is_within():
    (standing,) = decide_standings(effects_of([0.9]), 0.01)
    assert standing == ("within", None, None, 0.0, 0.0, (), None, None, None)


@pytest.mark.parametrize("margin", [0.0, -0.01, float("nan")])
def test_a_margin_must_be_positive(margin):
    with pytest.raises(ValueError, match=r"^margin "):
        decide_standings(effects_of([0.9, 0.8]), margin)


def test_levels_lie_between_bonferroni_and_a_single_comparison():
    levels = comparison_levels(effects_of([0.9] * 5), 0.025)
    # Dunnett's table for four comparisons with a control and many texts: 2.44.
    assert -ndtri(levels) == pytest.approx([2.44] * 5, abs=0.03)
    assert comparison_levels(effects_of([0.9, 0.8]), 0.025) == pytest.approx([0.025, 0.025])


def test_copies_of_a_strategy_change_no_decision_about_the_others():
    arms = simulated([-0.16, 0.0, 0.01], 2_000)
    alone, copied = measure_effects(arms), measure_effects([*arms, arms[2], arms[2], arms[2]])
    levels = comparison_levels(alone, 0.025)
    assert comparison_levels(copied, 0.025) == pytest.approx([*levels, *[levels[2]] * 3])
    assert decisions(copied) == [*decisions(alone), *[decisions(alone)[2]] * 3]
    assert decisions(alone)[0] == "worse"


def test_similar_predictions_count_as_little_more_than_one_comparison():
    arms = simulated([-0.16, 0.0], 5_000, seeds=1)
    near = [np.where(np.arange(5_000) // 5 == part, 1 - arms[1], arms[1]) for part in range(3)]
    found = comparison_levels(measure_effects([*arms, *near]), 0.025)
    assert found[0] > 0.02  # Bonferroni: 0.00625


@pytest.mark.parametrize(("scores", "decided"), [([0.897, 0.9], "within"), ([0.88, 0.9], "worse")])
def test_the_number_of_texts_decides(scores, decided):
    effects = effects_of(scores, texts=500, of_seeds=1e-7)
    first = decide_standings(effects, 0.01)[0]
    assert first.decision == "undecided"
    more = first.texts_to_decide
    assert decisions(effects._replace(texts=more))[0] == decided
    assert decisions(effects._replace(texts=more // 3))[0] == "undecided"


def test_seeds_decide_what_texts_cannot():
    effects = effects_of([0.88, 0.90], texts=100_000, of_seeds=1e-4)
    first = decide_standings(effects, 0.01)[0]
    assert (first.decision, first.texts_to_decide) == ("undecided", None)
    seeds = np.full(2, first.seeds_to_decide)
    assert decisions(effects._replace(seeds=seeds))[0] == "worse"
    assert decisions(effects._replace(seeds=seeds // 2))[0] == "undecided"


def test_one_seed_says_nothing_about_the_number_of_seeds():
    first = decide_standings(effects_of([0.897, 0.90], texts=500, seeds=1), 0.01)[0]
    assert first.decision == "undecided"
    assert first.texts_to_decide > 500
    assert first.seeds_to_decide is None


def test_a_strategy_below_the_margin_is_rarely_within():
    """At a true difference of exactly the margin, at most 2.5 % of the decisions are ``within``."""
    runs, within = 400, 0
    generator = np.random.default_rng(3)
    for _ in range(runs):
        text = generator.normal(size=1_000)
        arms = [
            mean
            + 0.05 * text
            + 0.02 * generator.normal(size=(3, 1))
            + 0.1 * generator.normal(size=(3, 1_000))
            for mean in (0.85, 0.90)
        ]
        within += decisions(measure_effects(arms), 0.05)[0] == "within"
    assert within / runs <= 0.045
