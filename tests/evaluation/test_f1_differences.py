"""The effects of texts and seeds on macro F1."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from thawline.evaluation.differences import measure_effects
from thawline.evaluation.f1_differences import measure_f1_effects


def predictions(seeds: int, truth: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return predictions of which a share is replaced by random classes."""
    generator = np.random.default_rng(seed)
    guesses = generator.integers(0, truth.max() + 1, (seeds, len(truth)))
    return np.where(generator.random((seeds, len(truth))) < share, guesses, truth)


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return macro F1 over the classes of the truth."""
    classes = np.unique(truth)[:, None]
    right = ((truth == classes) & (predicted == classes)).sum(axis=1)
    return float((2 * right / ((truth == classes).sum(1) + (predicted == classes).sum(1))).mean())


def test_scores_are_macro_f1():
    truth = np.random.default_rng(0).integers(0, 3, 60)
    arms = [predictions(3, truth, 0.3, 1), predictions(2, truth, 0.6, 2)]
    effects = measure_f1_effects(truth, arms, 3, resamples=10)
    expected = [np.mean([f1_score(truth, one, average="macro") for one in arm]) for arm in arms]
    assert effects.scores == pytest.approx(expected)
    assert effects.seeds.tolist() == [3, 2]


def test_variances_are_those_of_resampled_rows():
    generator = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [150, 40, 10])
    arms = [predictions(2, truth, 0.3, 1), predictions(2, truth, 0.5, 2)]
    effects = measure_f1_effects(truth, arms, 3)
    draws = []
    for _ in range(1_000):
        rows = np.concatenate(
            [generator.choice(np.flatnonzero(truth == label), (truth == label).sum())
             for label in range(3)]
        )  # fmt: skip
        draws.append([[macro_f1(truth[rows], one[rows]) for one in arm] for arm in arms])
    drawn = np.array(draws).mean(axis=2)
    difference = np.std(drawn[:, 0] - drawn[:, 1], ddof=1)
    found = np.sqrt(effects.contrast(0, 1).text_variance / len(truth))
    assert found == pytest.approx(difference, rel=0.1)


def test_two_balanced_classes_are_like_accuracy():
    truth = np.tile([0, 1], 1_000)
    arms = [predictions(3, truth, share, seed) for seed, share in enumerate((0.3, 0.4))]
    of_f1 = measure_f1_effects(truth, arms, 2)
    of_accuracy = measure_effects([arm == truth for arm in arms])
    assert of_f1.residuals == pytest.approx(of_accuracy.residuals, rel=0.15)
    found, expected = (one.contrast(0, 1).interval() for one in (of_f1, of_accuracy))
    assert found[:3] == pytest.approx(expected[:3], abs=0.005)


def test_a_seed_with_another_score_adds_its_variance():
    truth = np.tile([0, 1], 2_000)
    arm = np.concatenate([predictions(1, truth, share, 1) for share in (0.1, 0.4, 0.7)])
    effects = measure_f1_effects(truth, [arm, arm[[0, 0]]], 2, resamples=200)
    scores = [f1_score(truth, one, average="macro") for one in arm]
    assert effects.seed_variances == pytest.approx([np.var(scores, ddof=1), 0], rel=0.05)
    with_single = measure_f1_effects(truth, [arm, arm[:1]], 2, resamples=200)
    assert (with_single.seed_variances == 0).all()


def test_equal_predictions_have_the_interval_of_equal_shares():
    truth = np.tile([0, 1], 20)
    arm = predictions(2, truth, 0.3, 0)
    found = measure_f1_effects(truth, [arm, arm], 2, resamples=50).contrast(0, 1).interval()
    least = 1 - 0.025 ** (1 / len(truth))  # few texts do not show that none ever differs
    assert found == (0.0, pytest.approx(-least), pytest.approx(least), None, True)


def test_an_absent_class_is_left_out():
    truth = np.tile([0, 1], 20)
    arm = predictions(1, truth, 0.3, 0)
    two, three = (measure_f1_effects(truth, [arm], classes, resamples=20) for classes in (2, 3))
    assert two.scores == pytest.approx(three.scores)
    assert two.covariance == pytest.approx(three.covariance)


@pytest.mark.parametrize("wrong", [np.zeros(4, int), np.zeros((2, 3), int)])
def test_wrong_shapes_are_programming_errors(wrong):
    with pytest.raises(ValueError, match=r"predictions"):
        measure_f1_effects([0, 1, 0, 1], [wrong], 2)
