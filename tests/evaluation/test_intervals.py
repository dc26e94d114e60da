"""Test the coverage of the intervals of averages over classes, and their limits."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.evaluation.confusion import Confusion, averages
from thawline.evaluation.intervals import average_intervals


def population(frequencies: list[float], recalls: list[float]) -> np.ndarray:
    """Return a confusion matrix of shares whose errors are spread by the classes' frequencies."""
    shares = np.array(frequencies) / sum(frequencies)
    errors = np.tile(shares, (len(shares), 1))
    np.fill_diagonal(errors, 0)
    errors /= errors.sum(axis=1, keepdims=True)
    rows = errors * (1 - np.array(recalls))[:, None] + np.diag(recalls)
    return rows * shares[:, None]


def confusion_of(matrix: np.ndarray) -> Confusion:
    truth, predicted = np.nonzero(matrix)
    return Confusion(truth, predicted, matrix[truth, predicted], len(matrix))


POPULATIONS = {
    # Percentiles of a bootstrap of the rows cover the true value in 58, 85, 43 and 94 per cent.
    "two classes, 1 % errors": (population([1, 1], [0.99, 0.99]), 100),
    "five classes, of which two are rare": (
        population([0.6, 0.25, 0.1, 0.03, 0.02], [0.97, 0.95, 0.95, 0.9, 0.9]),
        200,
    ),
    "fifty classes of three rows": (population([1] * 50, [0.7] * 50), 150),
    "two classes of a hundred rows": (population([1, 1], [0.85, 0.85]), 200),
}


@pytest.mark.parametrize("name", POPULATIONS)
def test_intervals_of_macro_f1_contain_the_true_value_as_often_as_they_claim(name):
    shares, rows = POPULATIONS[name]
    everywhere = confusion_of((shares * 1e15).astype(np.int64))
    truth = averages(everywhere.margins())["f1_macro"]
    generator = np.random.default_rng(3)
    trials, covered = 200, 0
    for _ in range(trials):
        matrix = generator.multinomial(rows, shares.ravel()).reshape(shares.shape)
        interval = average_intervals(confusion_of(matrix), 0.95, 300, seed=0)["f1_macro"]
        covered += interval.low <= truth <= interval.high
    assert covered / trials >= 0.85


def test_perfect_predictions_have_an_interval_with_a_width():
    few, many = (
        average_intervals(confusion_of(np.diag([n, n])), 0.95, 500, seed=0) for n in (3, 300)
    )
    for name in ("precision_macro", "recall_macro", "f1_macro", "f1_weighted"):
        assert few[name].high == many[name].high == 1
        assert few[name].low < 0.95 < many[name].low < 1


def test_a_rare_class_widens_the_interval_of_the_macro_average_only():
    matrix = np.array([[900, 100, 0], [100, 900, 0], [0, 0, 2]])
    intervals = average_intervals(confusion_of(matrix), 0.95, 500, seed=0)
    macro, weighted = (
        intervals[name].high - intervals[name].low for name in ("f1_macro", "f1_weighted")
    )
    assert macro > 4 * weighted


def test_thousands_of_classes_need_no_complete_matrix():
    classes = 5_000
    truth = np.repeat(np.arange(classes), 2)
    predicted = np.where(np.arange(2 * classes) % 2, truth, (truth + 1) % classes)
    confusion = Confusion(truth, predicted, np.ones(2 * classes, dtype=np.int64), classes)
    interval = average_intervals(confusion, 0.95, 20, seed=0)["recall_macro"]
    assert interval.low <= 0.5 < interval.high
    assert confusion.margins().support.tolist() == [2] * classes
