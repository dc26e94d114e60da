"""Nested scores on validation, and the one-standard-error rule."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.evaluation.choosing import cheapest_within_one_error, halve_rows, nested_values
from thawline.evaluation.differences import measure_effects


def logits_of(predictions: np.ndarray, size: float = 1.0) -> np.ndarray:
    """Return logits of shape (…, 2) that predict these classes."""
    return size * np.stack([1 - predictions, predictions], axis=-1).astype(float)


def test_copies_are_in_one_half_and_classes_are_balanced():
    labels = np.repeat([0, 1], [60, 20])
    groups = np.arange(80)
    groups[[5, 6, 7]] = 5
    for seed in range(20):
        first = halve_rows(labels, groups, seed)
        assert len(set(first[[5, 6, 7]])) == 1
        assert abs(first[labels == 0].sum() - 30) <= 2
        assert abs(first[labels == 1].sum() - 10) <= 1


def test_halvings_differ_and_are_reproducible():
    labels, groups = np.tile([0, 1], 20), np.arange(40)
    assert (halve_rows(labels, groups, 0) == halve_rows(labels, groups, 0)).all()
    assert (halve_rows(labels, groups, 0) != halve_rows(labels, groups, 1)).any()


@pytest.mark.parametrize("keep", ["accuracy", "loss", "f1_macro"])
def test_the_best_of_many_guesses_is_not_better_than_a_guess(keep):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 200)
    logits = generator.normal(size=(50, 200, 2))
    found = nested_values(logits, labels, np.arange(200), keep)
    assert (logits.argmax(2) == labels).mean(axis=1).max() > 0.56
    assert found.correct.mean() == pytest.approx(0.5, abs=0.04)


def test_a_copy_does_not_leak_the_selection():
    """Each candidate knows the label of some texts. With copies apart, it would be selected."""
    generator = np.random.default_rng(0)
    labels = np.repeat(generator.integers(0, 2, 50), 2)
    logits = np.repeat(generator.normal(size=(200, 50, 2)), 2, axis=1)
    together = nested_values(logits, labels, np.repeat(np.arange(50), 2)).correct.mean()
    apart = nested_values(logits, labels, np.arange(100)).correct.mean()
    assert together == pytest.approx(0.5, abs=0.06)
    assert apart > together + 0.05


def test_the_better_candidate_is_selected():
    labels = np.tile([0, 1], 50)
    wrong = labels.copy()
    wrong[::5] = 1 - wrong[::5]
    found = nested_values(logits_of(np.stack([wrong, labels, wrong])), labels, np.arange(100))
    assert found.correct == pytest.approx(np.ones(100))
    assert found.losses == pytest.approx(np.full(100, np.log1p(np.exp(-1))))


def test_in_a_tie_the_later_candidate_is_selected():
    labels = np.tile([0, 1], 10)
    logits = np.stack([logits_of(labels, 1.0), logits_of(labels, 2.0)])
    found = nested_values(logits, labels, np.arange(20), "accuracy")
    assert found.losses == pytest.approx(np.full(20, np.log1p(np.exp(-2))))


@pytest.mark.parametrize("keep", ["accuracy", "last"])
def test_without_a_choice_the_values_are_those_of_the_only_candidate(keep):
    labels = np.array([0, 1, 1])
    logits = np.array([[[2.0, 0.0], [2.0, 0.0], [0.0, 2.0]]])
    candidates = logits if keep == "accuracy" else np.concatenate([-logits, logits])
    found = nested_values(candidates, labels, np.arange(3), keep)
    assert found.correct.tolist() == [1.0, 0.0, 1.0]


def test_copies_of_one_text_select_and_score():
    labels = np.array([1, 1])
    found = nested_values(logits_of(np.array([[1, 1], [0, 0]])), labels, np.zeros(2))
    assert found.correct == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    "shapes", [((3, 2), (3,), (3,)), ((1, 3, 2), (2,), (2,)), ((1, 3, 2), (3,), (2,))]
)
def test_wrong_shapes_are_programming_errors(shapes):
    logits, labels, groups = (np.zeros(shape, int) for shape in shapes)
    with pytest.raises(ValueError, match=r"^logits "):
        nested_values(logits, labels, groups)


def test_the_cheapest_within_one_standard_error_is_chosen():
    best = np.tile([1, 1, 1, 0], 25)  # 0.75, standard error about 0.0435
    near, far = best.copy(), best.copy()
    near[:4], far[:8] = 0, 0  # 0.72 and 0.69
    effects = measure_effects([far[None], near[None], best[None]])
    assert cheapest_within_one_error(effects, [1.0, 2.0, 3.0]) == 1
    assert cheapest_within_one_error(effects, [1.0, 3.0, 3.0]) == 2
    assert cheapest_within_one_error(effects, [3.0, 2.0, 1.0]) == 2
