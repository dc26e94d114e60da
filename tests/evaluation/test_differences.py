"""Intervals of the difference of two strategies over new texts and new seeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, binomtest
from scipy.stats import t as student

from thawline.evaluation.contrasts import Contrast
from thawline.evaluation.differences import measure_effects
from thawline.evaluation.f1_differences import measure_f1_effects
from thawline.evaluation.standings import decide_standings


def correct(seeds: int, texts: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.int64, (seeds, texts), elements=st.integers(0, 1))


def test_one_seed_is_the_paired_t_interval_over_texts():
    # The differences are 0 and 1, with a variance of 1/4 times 40/39.
    first, second = [[1, 1, 0, 1] * 10], [[1, 0, 0, 0] * 10]
    found = measure_effects([first, second]).contrast(0, 1).interval(0.95)
    half = student.ppf(0.975, 39) * np.sqrt(1 / 4 / 39)
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half))
    assert found.degrees_of_freedom == pytest.approx(39)
    assert not found.about_strategies


def test_additive_effects_of_texts_and_seeds_are_separated():
    texts, others = np.array([0.0, 1.0, 2.0, 5.0]), np.array([1.0, 0.0, 3.0, 4.0])
    seeds, other_seeds = np.array([0.0, 0.3, 0.9]), np.array([0.1, 0.2])
    effects = measure_effects([texts + seeds[:, None], others + other_seeds[:, None]])
    assert effects.residuals == pytest.approx([0, 0])
    assert effects.seed_variances == pytest.approx([seeds.var(ddof=1), other_seeds.var(ddof=1)])
    found = effects.contrast(0, 1).interval(0.9)
    parts = np.array([(texts - others).var(ddof=1) / 4, 0.21 / 3, 0.005 / 2])
    freedom = parts.sum() ** 2 / (parts**2 / [3, 2, 1]).sum()
    assert found.value == pytest.approx(texts.mean() + 0.4 - others.mean() - 0.15)
    assert found.degrees_of_freedom == pytest.approx(freedom)
    half = student.ppf(0.95, freedom) * np.sqrt(parts.sum())
    assert (found.high - found.low) / 2 == pytest.approx(half)
    assert found.about_strategies


def test_the_part_of_the_seeds_that_texts_explain_is_not_added_twice():
    # The seeds differ by text only: their means are equal, so that the pure effect is 0.
    first = np.array([[1, 0, 1, 1], [0, 1, 1, 1]])
    second = np.array([[0, 0, 1, 0], [0, 0, 0, 1]])
    effects = measure_effects([first, second])
    assert (effects.seed_variances == 0).all()
    # Differences 0.5, 0.5, 0.5, 0.5: the variance over texts already contains the rest.
    contrast = effects.contrast(0, 1)
    assert (contrast.value, float(contrast.spread()[0])) == pytest.approx((0.5, 0))
    # Rests of the first: (1/2, -1/2, 0, 0) and the opposite.
    assert effects.residuals[0] == pytest.approx(4 * 0.25 / 3)


@settings(max_examples=30, deadline=None)
@given(correct(3, 20), correct(2, 20), correct(1, 20))
def test_the_difference_is_antisymmetric(first, second, third):
    effects = measure_effects([first, second, third])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        there, back = (effects.contrast(*pair).interval() for pair in ((one, other), (other, one)))
        assert (there.value, there.low, there.high) == pytest.approx(
            (-back.value, -back.high, -back.low), rel=1e-9, abs=1e-12
        )
        # Satterthwaite's approximation can be below the freedom of two seeds.
        assert there.degrees_of_freedom is None or there.degrees_of_freedom >= 1
        assert not there.about_strategies


def test_one_single_seed_makes_all_differences_those_of_the_fitted_models():
    """Otherwise the strategy with a single seed would have the narrowest bounds of all."""
    generator = np.random.default_rng(0)
    easy = generator.random(500)
    levels = [0.7, 0.8, 0.9, 0.72, 0.79, 0.88, 0.8]
    runs = np.array([easy < level for level in levels], dtype=int)
    several, single = (runs[:3], runs[3:6]), runs[6:]
    mixed, alone = measure_effects([*several, single]), measure_effects(several)
    assert alone.about_strategies
    assert not mixed.about_strategies
    assert (alone.seed_variances > 0.005).all()
    # The variance of a difference of two fitted models: that of the means over seeds for each text.
    for first, second in ((0, 1), (0, 2), (1, 2)):
        means = [arm.mean(axis=0) for arm in (*several, single)]
        expected = (means[first] - means[second]).var(ddof=1) / 500
        error, freedom = mixed.contrast(first, second).spread()
        assert (error**2, freedom) == pytest.approx((expected, 499))
    assert alone.contrast(0, 1).spread()[0] > 2 * mixed.contrast(0, 1).spread()[0]
    decided = decide_standings(mixed, 0.01)
    assert {one.seeds_to_decide for one in decided} == {None}


@settings(max_examples=30, deadline=None)
@given(correct(3, 20))
def test_equal_predictions_have_the_exact_interval_for_no_difference(values):
    found = measure_effects([values, values.copy()]).contrast(0, 1).interval()
    exact = binomtest(0, 20).proportion_ci(method="exact").high
    assert found == pytest.approx((0.0, -exact, exact, None, True))


def one_sided(differing: int, texts: int) -> Contrast:
    """Return the difference of two models, of which the first is better on each differing text."""
    second = np.ones((1, texts), dtype=int)
    second[:, :differing] = 0
    return measure_effects([np.ones_like(second), second]).contrast(0, 1)


@pytest.mark.parametrize("differing", [1, 2, 5, 20])
def test_a_bound_is_that_of_wilson_if_one_model_is_always_better(differing):
    found = one_sided(differing, 2_000).interval()
    wilson = binomtest(differing, 2_000).proportion_ci(method="wilson").high
    assert found.high == pytest.approx(wilson, rel=0.01)
    assert found.value - found.low == pytest.approx(
        max(
            student.ppf(0.975, 1_999) * np.sqrt(found.value * (1 - found.value) / 1_999),
            binomtest(0, 2_000).proportion_ci(method="exact").high,
        )
    )


@pytest.mark.parametrize("texts", [500, 600, 1_000, 2_000, 5_000])
def test_each_bound_is_wrong_at_most_as_often_as_it_says(texts):
    """The number of texts that differ is binomial, and the true difference is 1 point."""
    numbers = np.arange(4 * texts // 100)  # more are practically impossible
    intervals = [one_sided(int(number), texts).interval() for number in numbers]
    probability = binom.pmf(numbers, texts, 0.01)
    too_low = sum(probability[[found.high < 0.01 for found in intervals]])
    too_high = sum(probability[[found.low > 0.01 for found in intervals]])
    assert 0.005 < too_low < 0.025
    assert too_high < 0.025


def test_the_interval_is_symmetric_if_both_models_are_better_equally_often():
    first, second = np.ones((1, 500), dtype=int), np.ones((1, 500), dtype=int)
    first[:, :10], second[:, 10:20] = 0, 0
    found = measure_effects([first, second]).contrast(0, 1).interval()
    half = student.ppf(0.975, 499) * np.sqrt(20 / 499 / 500)
    assert found[:3] == pytest.approx((0, -half, half))


def test_no_bound_of_a_share_is_impossible():
    first, second = [[1, 1, 1, 1], [0, 0, 0, 0]], [[0, 0, 1, 1], [1, 1, 1, 0]]
    contrast = measure_effects([first, second]).contrast(0, 1)
    assert contrast.distance("above", 0.025)[0] > 2
    found = contrast.interval()
    assert (found.low, found.high) == (-1, 1)
    losses = measure_effects([[[9.0, 1], [0, 0]], [[0, 0.5], [0, 1]]]).contrast(0, 1).interval()
    assert losses.high > 1
    effects = measure_f1_effects([0, 0, 1, 1], [np.array(first), np.array(second)], 2, 50, 0)
    assert abs(effects.contrast(0, 1).interval().low) <= 1


def test_equal_losses_have_no_interval():
    losses = np.random.default_rng(0).random((3, 20))
    found = measure_effects([losses, losses.copy()]).contrast(0, 1).interval()
    assert found == (0.0, 0.0, 0.0, None, True)


def test_a_third_strategy_does_not_change_a_difference():
    generator = np.random.default_rng(0)
    arms = [generator.integers(0, 2, (3, 50)) for _ in range(3)]
    alone, together = measure_effects(arms[:2]), measure_effects(arms)
    assert alone.contrast(0, 1).interval() == pytest.approx(together.contrast(0, 1).interval())


def test_more_texts_and_seeds_narrow_the_interval():
    generator = np.random.default_rng(0)
    text = generator.normal(size=200)
    arms = [
        text + 0.3 * generator.normal(size=(3, 1)) + generator.normal(size=(3, 200))
        for _ in range(2)
    ]
    contrast = measure_effects(arms).contrast(0, 1)
    assert contrast.spread(texts=200, seeds=3)[0] == pytest.approx(contrast.spread()[0])
    errors, freedom = contrast.spread(texts=[200, 2_000, 10**9])
    pure = np.sqrt(contrast.seed_variances.sum() / 3)
    assert errors[0] > errors[1] > errors[2] == pytest.approx(pure, rel=1e-3)
    assert freedom[2] <= 4.001
    errors, _ = contrast.spread(seeds=[3, 30, 10**9])
    # With all seeds, neither their effect nor the rest remains.
    shared = contrast.text_variance - contrast.residuals.sum() / 3
    assert errors[0] > errors[1] > errors[2] == pytest.approx(np.sqrt(max(shared, 0) / 200))


@pytest.mark.parametrize("values", [[], [[[1], [0]]], [[[1, 0]], [[1, 0, 1]]], [[1, 0]]])
def test_wrong_shapes_are_programming_errors(values):
    with pytest.raises(ValueError, match=r"texts"):
        measure_effects(values)


@pytest.mark.parametrize(
    ("texts", "of_seeds", "difference"), [(300, 0.5, 0.0), (300, 0.0, 0.3), (2_000, 0.1, 0.1)]
)
def test_the_interval_covers_the_difference_over_texts_and_seeds(texts, of_seeds, difference):
    """The interval of 3 seeds covers, and an interval of texts or of seeds alone does not.

    In the first case the effects of the seeds are large, in the second there are none.
    """
    generator = np.random.default_rng(7)
    runs, counts = 400, {"both": 0, "texts": 0, "seeds": 0}
    for _ in range(runs):
        # The second strategy reads half of the texts differently.
        text = generator.normal(size=texts)
        second_text = 0.5 * text + np.sqrt(0.75) * generator.normal(size=texts)
        arms = [
            one
            + mean
            + of_seeds * generator.normal(size=(3, 1))
            + 0.5 * generator.normal(size=(3, texts))
            for one, mean in ((text, difference), (second_text, 0.0))
        ]
        contrast = measure_effects(arms).contrast(0, 1)
        found = contrast.interval()
        counts["both"] += found.low <= difference <= found.high
        by_text = 1.96 * np.sqrt(contrast.text_variance / texts)
        counts["texts"] += abs(contrast.value - difference) <= by_text
        by_seed = np.sqrt(sum(arm.mean(axis=1).var(ddof=1) / 3 for arm in arms))
        counts["seeds"] += abs(contrast.value - difference) <= student.ppf(0.975, 4) * by_seed
    assert 0.915 <= counts["both"] / runs <= 0.99
    assert min(counts["texts"], counts["seeds"]) / runs < 0.9
