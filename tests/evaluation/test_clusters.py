"""Copies of a text count as one text in the variance of a score."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.evaluation.clusters import count_texts, merge_copies
from thawline.evaluation.differences import Effects, measure_effects
from thawline.evaluation.draws import Draws
from thawline.evaluation.f1_differences import measure_f1_effects
from thawline.evaluation.standings import decide_standings

TEXTS = 60


def measured(
    arms: list[np.ndarray], copies: np.ndarray | None, draws: Draws | None = None
) -> list[Effects]:
    """Return the effects on accuracy and on macro F1."""
    truth = np.arange(TEXTS * 2)[: arms[0].shape[1]] // 2 % 3
    predicted = [(truth + 1 - arm) % 3 for arm in arms]
    return [
        measure_effects(arms, draws, copies),
        measure_f1_effects(truth, predicted, 3, resamples=50, draws=draws, copies=copies),
    ]


def correct(rows: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [
        (generator.random((seeds, rows)) < share).astype(int)
        for seeds, share in ((3, 0.9), (2, 0.8), (1, 0.7))
    ]


def same_parts(one: object, other: object, **tolerance: float) -> bool:
    """Return whether two results have the same numbers."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return all(same_parts(*pair, **tolerance) for pair in zip(one, other, strict=True))
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one, other, **{"rtol": 0, "atol": 0, **tolerance}))  # type: ignore[arg-type]


@pytest.mark.parametrize("with_draws", [False, True])
def test_rows_without_copies_give_the_same_bits(with_draws: bool) -> None:
    arms = correct(TEXTS)
    draws = None
    if with_draws:
        arms, draws = arms[:1] * 2, Draws([[0, 1, 2], [0, 1, 2]])
        arms[1] = arms[1][:, ::-1]
    numbers = np.random.default_rng(1).permutation(TEXTS)
    assert merge_copies(arms, numbers)[0] is arms[0]
    for one, other in zip(measured(arms, None, draws), measured(arms, numbers, draws), strict=True):
        assert same_parts(one, other)


@pytest.mark.parametrize("with_draws", [False, True])
def test_twice_the_same_rows_are_no_more_texts(with_draws: bool) -> None:
    arms = correct(TEXTS)
    draws = None
    if with_draws:
        arms, draws = [arms[0], 1 - arms[0]], Draws([[0, 1, 2], [0, 1, 2]])
    truth = np.arange(TEXTS) % 3
    predicted = [(truth + 1 - arm) % 3 for arm in arms]
    twice = np.repeat(np.arange(TEXTS), 2)
    alone = (
        measure_effects(arms, draws),
        measure_f1_effects(truth, predicted, 3, resamples=50, draws=draws),
    )
    doubled = (
        measure_effects([arm[:, twice] for arm in arms], draws, twice),
        measure_f1_effects(
            truth[twice],
            [one[:, twice] for one in predicted],
            3,
            resamples=50,
            draws=draws,
            copies=twice,
        ),
    )
    for one, other in zip(alone, doubled, strict=True):
        assert same_parts(one, other, rtol=1e-9, atol=1e-12)
        assert same_parts(
            one.contrast(0, 1).interval()[:3], other.contrast(0, 1).interval()[:3], rtol=1e-9
        )
    found, expected = (decide_standings(one, 0.02) for one in (doubled[0], alone[0]))
    assert [one.lower_bound for one in found] == pytest.approx(
        [one.lower_bound for one in expected]
    )


def test_the_variance_is_that_of_a_cluster_sample() -> None:
    difference = np.array([1.0, 1.0, 1.0, 0.0, -1.0, 0.0, 1.0, 0.0])
    numbers = np.array([5, 5, 5, 2, 9, 9, 7, 1])
    arms = [difference[None] + 0.25, np.full((1, 8), 0.25)]
    contrast = measure_effects(arms, copies=numbers).contrast(0, 1)
    rest = difference - difference.mean()
    sums = [rest[numbers == number].sum() for number in np.unique(numbers)]
    assert contrast.value == difference.mean()
    assert contrast.texts == count_texts(numbers) == 5
    expected = 5 / 4 * np.square(sums).sum() / 8**2
    assert contrast.spread()[0] ** 2 == pytest.approx(expected)


def test_the_seeds_of_a_strategy_keep_their_scores() -> None:
    (arm, *_), numbers = correct(TEXTS), np.arange(TEXTS) // 4
    (merged,) = merge_copies([arm.astype(float)], numbers)
    assert merged.shape == (3, 15)
    assert merged.mean(axis=1) == pytest.approx(arm.mean(axis=1))


def test_copies_with_different_labels_are_drawn_with_their_label() -> None:
    truth = np.array([0, 0, 1, 1, 1, 0])
    predicted = np.array([[0, 0, 0, 1, 1, 1]])
    numbers = np.array([0, 1, 1, 2, 2, 3])
    effects = measure_f1_effects(truth, [predicted, truth[None]], 2, resamples=20, copies=numbers)
    assert effects.texts == 4
    assert effects.scores[1] == 1


def test_one_text_has_no_variance() -> None:
    ones = np.ones(4, dtype=int)
    with pytest.raises(ValueError, match="copies"):
        measure_effects([ones[None]], copies=ones)
    with pytest.raises(ValueError, match="copies"):
        measure_f1_effects(ones, [ones[None]], 2, copies=ones)
    with pytest.raises(ValueError, match="shape"):
        measure_effects([ones[None]], copies=ones[:3])
