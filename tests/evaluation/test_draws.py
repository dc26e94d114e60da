"""Intervals of the difference of two strategies over new texts and new training rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import t as student

from thawline.evaluation.differences import Effects, measure_effects
from thawline.evaluation.draws import Draws, mean_overlap
from thawline.evaluation.f1_differences import measure_f1_effects
from thawline.evaluation.standings import comparison_levels, decide_standings


def one_run_each(draws: int, strategies: int = 2, **more: float) -> Draws:
    return Draws([range(draws)] * strategies, **more)


def simulated(
    draws: int,
    texts: int = 2_000,
    *,
    of_draws: float,
    overlap: float = 0.0,
    generator: np.random.Generator,
) -> list[np.ndarray]:
    """Return the values of two equally good strategies on correlated draws.

    The effect of a draw on the difference has the standard deviation ``of_draws``. The effects of
    texts and the rests have a total variance of 1 in the mean over draws, of which rests are 30 %.
    """
    shared, own = generator.normal(size=1), generator.normal(size=(draws, 1))
    effect = of_draws * (np.sqrt(overlap) * shared + np.sqrt(1 - overlap) * own)
    text = np.sqrt(0.7) * generator.normal(size=texts)
    rest = np.sqrt(0.3 * draws) * generator.normal(size=(draws, texts))
    second = generator.normal(size=(draws, 1)) + generator.normal(size=(draws, texts))
    return [second + text + effect + rest, second]


def test_draws_are_paired():
    texts, others = np.array([0.0, 1.0, 2.0, 5.0]), np.array([1.0, 0.0, 3.0, 4.0])
    rows, difference = np.array([0.0, 5.0, -2.0]), np.array([0.1, 0.4, 0.1])
    arms = [texts + (rows + difference)[:, None], others + rows[:, None]]
    effects = measure_effects(arms, one_run_each(3))
    contrast = effects.contrast(0, 1)
    # The effect of the rows that both have in common does not count.
    assert contrast.seed_variances == pytest.approx([0.03])
    assert contrast.residuals == pytest.approx([0], abs=1e-12)
    of_texts, of_draws = (texts - others).var(ddof=1) / 4, 0.03 / 3
    share = of_draws / (of_texts + of_draws)
    freedom = 1 / ((1 - share) / 3 + share / 2)
    found = contrast.interval(0.9)
    assert found.value == pytest.approx(texts.mean() - others.mean() + 0.2)
    assert found.degrees_of_freedom == pytest.approx(freedom)
    half = student.ppf(0.95, freedom) * np.sqrt(of_texts + of_draws)
    assert (found.high - found.low) / 2 == pytest.approx(half)
    assert found.about_strategies
    alone = effects.standard_error(1)
    assert alone == pytest.approx(np.sqrt(others.var(ddof=1) / 4 + rows.var(ddof=1) / 3))


def test_the_runs_of_a_draw_are_averaged_and_draws_have_equal_weights():
    generator = np.random.default_rng(0)
    runs, other = generator.normal(size=(4, 50)), generator.normal(size=(3, 50))
    uneven = Draws([[0, 2, 0, 1], [2, 1, 0]])
    found = measure_effects([runs, other], uneven)
    means = np.stack([runs[[0, 2]].mean(axis=0), runs[3], runs[1]])
    expected = measure_effects([means, other[::-1]], one_run_each(3))
    assert found.contrast(0, 1).interval() == pytest.approx(expected.contrast(0, 1).interval())
    assert found.scores == pytest.approx([means.mean(), other.mean()])


def test_common_rows_widen_the_interval():
    arms = simulated(3, of_draws=0.1, generator=np.random.default_rng(1))
    errors = [
        float(measure_effects(arms, one_run_each(3, overlap=r)).contrast(0, 1).spread()[0])
        for r in (0.0, 0.5, 0.9)
    ]
    contrast = measure_effects(arms, one_run_each(3)).contrast(0, 1)
    of_texts = contrast.text_variance / 2_000
    assert errors == pytest.approx(
        [np.sqrt(of_texts + contrast.seed_variances[0] * f) for f in (1 / 3, 1 / 3 + 1, 1 / 3 + 9)]
    )


def test_the_share_of_common_rows_is_the_mean_over_pairs():
    assert mean_overlap([{1, 2}, {3, 4}]) == 0
    assert mean_overlap([{1, 2}, {2, 3}, {3, 1}]) == pytest.approx(0.5)
    assert mean_overlap([{1, 2, 3, 4}, {4, 5}]) == 0.5


def test_more_draws_decide_as_long_as_there_are_rows():
    generator = np.random.default_rng(5)
    arms = simulated(4, 20_000, of_draws=0.1, generator=generator)
    arms[0] = arms[0] - 0.1
    enough = decide_standings(measure_effects(arms, one_run_each(4)), 0.05)
    assert [standing.seeds_to_decide for standing in enough] == [None, None]
    needed = max(standing.draws_to_decide or 0 for standing in enough)
    assert needed > 4
    few = decide_standings(measure_effects(arms, one_run_each(4, most=4)), 0.05)
    assert [standing.draws_to_decide for standing in few] == [None, None]


def test_levels_depend_on_the_effects_that_strategies_have_in_common():
    generator = np.random.default_rng(2)
    text, rows = generator.normal(size=3_000), generator.normal(size=(5, 1))
    arms = [
        text + rows + 0.05 * generator.normal(size=(5, 1)) + generator.normal(size=(5, 3_000))
        for _ in range(3)
    ]
    effects = measure_effects([*arms, arms[0]], one_run_each(5, 4))
    levels = comparison_levels(effects, 0.025)
    assert levels[3] == levels[0]  # a copy changes nothing
    assert (levels >= 0.0125).all()
    assert (levels <= 0.025).all()


@pytest.mark.parametrize("of_runs", [[[0, 1], [0, 2]], [[0, 0], [0, 0]], [[0, 1, 2], [0, 1]]])
def test_strategies_need_the_same_draws(of_runs):
    with pytest.raises(ValueError, match="draw"):
        measure_effects([np.zeros((2, 5)), np.zeros((2, 5))], Draws(of_runs))


def test_macro_f1_of_balanced_classes_has_nearly_the_effects_of_accuracy():
    generator = np.random.default_rng(3)
    truth = np.arange(600) % 2
    text = generator.normal(size=600)
    right = [
        text + shift + 0.5 * generator.normal(size=(3, 600)) + 0.2 * generator.normal(size=(3, 1))
        > -1
        for shift in (0.0, 0.2)
    ]
    draws = one_run_each(3)
    accuracy = measure_effects(right, draws)
    f1 = measure_f1_effects(
        truth, [np.where(one, truth, 1 - truth) for one in right], 2, 400, 0, draws
    )
    for found in (accuracy, f1):
        assert found.draws is not None
    first, second = accuracy.contrast(0, 1), f1.contrast(0, 1)
    assert first.value == pytest.approx(second.value, abs=0.005)
    assert first.text_variance == pytest.approx(second.text_variance, rel=0.15)
    assert first.residuals == pytest.approx(second.residuals, rel=0.15)
    assert first.seed_variances == pytest.approx(second.seed_variances, rel=0.3, abs=1e-5)


def coverage(effects: Iterator[Effects], difference: float = 0.0) -> tuple[float, float]:
    """Return how often the interval contains the difference, and how often one of texts does."""
    inside, by_text = [], []
    for one in effects:
        contrast = one.contrast(0, 1)
        found = contrast.interval()
        inside.append(found.low <= difference <= found.high)
        half = 1.96 * np.sqrt(contrast.text_variance / contrast.texts)
        by_text.append(abs(contrast.value - difference) <= half)
    return float(np.mean(inside)), float(np.mean(by_text))


@pytest.mark.parametrize(
    ("draws", "ratio", "overlap"), [(3, 1.0, 0.0), (5, 1.0, 0.0), (5, 4.0, 0.0), (5, 1.0, 0.5)]
)
def test_the_interval_covers_the_difference_over_new_training_rows(draws, ratio, overlap):
    """An interval that ignores the draws covers much less.

    The ratio is the variance of the mean that comes from draws, divided by that from texts.
    """
    generator, texts = np.random.default_rng(11), 300
    of_draws = np.sqrt(ratio / texts / (1 / draws + overlap * (draws - 1) / draws))
    both, by_text = coverage(
        measure_effects(
            simulated(draws, texts, of_draws=of_draws, overlap=overlap, generator=generator),
            one_run_each(draws, overlap=overlap),
        )
        for _ in range(400)
    )
    assert 0.915 <= both <= 0.99
    assert by_text < 0.88
