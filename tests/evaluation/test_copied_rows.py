"""The intervals of a single run count the copies of a text among the rows as one text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from thawline.data import LabelledTexts, Labels
from thawline.data.copies import number_copies
from thawline.evaluation import metrics
from thawline.evaluation.calibration import measure_calibration, reliability
from thawline.evaluation.clusters import effective_rows, text_of_rows
from thawline.evaluation.confusion import averages
from thawline.evaluation.intervals import average_intervals, wilson
from thawline.evaluation.mistakes import Scored, error_rates
from thawline.runs.records import Score

AVERAGES = [
    f"{name}_{kind}" for name in ("precision", "recall", "f1") for kind in ("macro", "weighted")
]


def random_rows(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, rows)
    logits = generator.normal(size=(rows, classes))
    logits[np.arange(rows), labels] += 1.5
    return logits, labels


def width(score: Score) -> float:
    return score.high - score.low


# Rows without copies


@pytest.mark.parametrize(("rows", "classes"), [(1, 2), (9, 3), (150, 2), (200, 12)])
def test_intervals_of_different_texts_are_those_of_rows(rows: int, classes: int) -> None:
    logits, labels = random_rows(rows, classes)
    found = metrics.evaluate(logits, labels, resamples=60).to_dict()
    numbers = np.random.default_rng(1).permutation(rows)
    assert metrics.evaluate(logits, labels, resamples=60, copies=numbers).to_dict() == found
    low, high = wilson(round(found["accuracy"]["value"] * rows), rows)
    assert (found["accuracy"]["low"], found["accuracy"]["high"]) == (low, high)


# The effective number of rows


def test_texts_with_equal_numbers_of_rows_count_once() -> None:
    values = np.array([1.0, 0.0, 1.0, 1.0])
    for times in (1, 2, 7):
        text = np.repeat(np.arange(4), times)
        assert effective_rows(values[text], text) == pytest.approx([4.0])


def test_the_effective_number_is_the_smaller_of_two() -> None:
    text = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6])
    by_size = 10**2 / (4**2 + 6)
    for values in ([1, 1, 1, 1, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1, 1, 1], [1] * 10):
        rest = np.array(values) - np.mean(values)
        squared_sums = np.square(np.bincount(text, rest)).sum()
        by_values = 10 * np.square(rest).sum() / squared_sums if squared_sums else np.inf
        found = effective_rows(values, text)
        assert found == pytest.approx([max(1.0, min(by_size, by_values))])
    assert effective_rows([1, 1, 0], np.zeros(3, dtype=np.int64)) == pytest.approx([1.0])


def test_groups_have_effective_numbers_of_their_own() -> None:
    generator = np.random.default_rng(0)
    text, group = generator.integers(0, 12, 60), generator.choice([0, 1, 3], 60)
    values = generator.random(60)
    found = effective_rows(values, text, group)
    for number in (0, 1, 3):
        inside = group == number
        assert found[number] == pytest.approx(effective_rows(values[inside], text[inside])[0])
    assert found[2] == 0


def test_copies_are_numbered_by_position_or_absent() -> None:
    found = text_of_rows([7, 3, 7], 3)
    assert found is not None
    assert found.tolist() == [1, 0, 1]
    assert text_of_rows([7, 3, 1], 3) is None
    assert text_of_rows(None, 3) is None
    with pytest.raises(ValueError, match="shape"):
        text_of_rows([7, 3], 3)
    with pytest.raises(ValueError, match="copies"):
        metrics.evaluate(*random_rows(3, 2), copies=[0, 0])


# Intervals of scores


def test_twice_the_same_rows_have_the_same_intervals() -> None:
    logits, labels = random_rows(80, 3)
    twice = np.repeat(np.arange(80), 2)
    alone = metrics.evaluate(logits, labels, resamples=400)
    doubled = metrics.evaluate(logits[twice], labels[twice], resamples=400, copies=twice)
    ignored = metrics.evaluate(logits[twice], labels[twice], resamples=400)
    for name in ("accuracy", *AVERAGES):
        one, other = getattr(alone, name), getattr(doubled, name)
        assert other.value == pytest.approx(one.value)
        assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=1e-6)
        assert width(getattr(ignored, name)) < 0.85 * width(one)
    for name in ("loss", "calibration_error"):
        one, other = getattr(alone, name), getattr(doubled, name)
        assert other.value == pytest.approx(one.value)
        assert width(other) == pytest.approx(width(one), rel=0.2)


@pytest.mark.parametrize("labels", [[0] * 30, [1] * 30, [0, 0, 1] * 10])
def test_rows_of_one_text_have_wide_intervals(labels: list[int]) -> None:
    logits = np.tile([[2.0, 0.0]], (30, 1))
    scores = metrics.evaluate(logits, labels, resamples=200, copies=np.full(30, 5))
    without = metrics.evaluate(logits, labels, resamples=200)
    for name in ("accuracy", "f1_macro", "recall_macro", "loss", "calibration_error"):
        score = getattr(scores, name)
        assert score.value == getattr(without, name).value
        assert 0 <= score.low <= score.value <= score.high
        assert width(score) > 0.2
    assert width(scores.accuracy) > 0.6
    assert (scores.calibration_error.low, scores.calibration_error.high) == (0, 1)
    assert scores.loss.high == pytest.approx(2 + np.log1p(np.exp(-2)))


def test_copies_in_one_class_do_not_widen_the_recall_of_the_other() -> None:
    # Class 0 has 10 texts of 10 rows, class 1 has 100 different texts, and a tenth are errors.
    labels = np.repeat([0, 1], 100)
    wrong = np.concatenate([np.arange(100) < 10, np.arange(100) < 10])
    logits = np.eye(2)[np.where(wrong, 1 - labels, labels)]
    copies = np.concatenate([np.arange(100) // 10, np.arange(100, 200)])
    effective = effective_rows(~wrong, copies, labels)
    assert effective == pytest.approx([10, 100])
    some = metrics.evaluate(logits, labels, copies=copies).recall_macro
    every = metrics.evaluate(logits, labels, copies=np.arange(200) // 10).recall_macro
    none = metrics.evaluate(logits, labels).recall_macro
    assert 1.3 * width(none) < width(some) < 0.9 * width(every)


class Case(NamedTuple):
    """A population of texts of two classes, some of which have ten rows.

    Attributes:
        copied: The share of the rows that are copies, in each class.
        accuracy: The accuracy of texts with one row and of texts with ten.
        other_label: The share of rows that have the other label than their text.
    """

    copied: tuple[float, float] = (0.4, 0.4)
    accuracy: tuple[float, float] = (0.9, 0.9)
    other_label: float = 0.0


CASES = {
    "equal labels": Case(),
    "labels that differ": Case(other_label=0.1),
    "harder copies": Case(accuracy=(0.95, 0.8)),
    "copies in one class": Case(copied=(0.8, 0.0)),
}
ROWS = 600


def sample(case: Case, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return the logits, the labels and the numbers of the texts of rows."""
    label, times = [], []
    for name, share in enumerate(case.copied):
        copied = round(share * ROWS / 20)
        single = ROWS // 2 - 10 * copied
        label += [name] * (copied + single)
        times += [10] * copied + [1] * single
    text = np.repeat(np.arange(len(label)), times)
    accuracy = np.where(np.array(times) == 1, *case.accuracy)
    right = generator.random(len(label)) < accuracy
    margin = generator.normal(1.5, 0.5, len(label)).clip(0.1) * np.where(right, 1, -1)
    logits = np.where(np.array(label)[:, None] == [0, 1], margin[:, None] / 2, -margin[:, None] / 2)
    labels = np.array(label)[text]
    other = generator.random(len(text)) < case.other_label
    return logits[text], np.where(other, 1 - labels, labels), text


@pytest.mark.parametrize("name", CASES)
def test_intervals_contain_the_true_value_as_often_as_they_claim(name: str) -> None:
    case, generator = CASES[name], np.random.default_rng(0)
    samples = [sample(case, generator) for _ in range(150)]
    names = ("accuracy", "f1_macro", "precision_macro", "loss")
    # The true scores are those of many samples, in which the shares of all rows are the same.
    more = [sample(case, generator) for _ in range(300)]
    logits, labels = (np.concatenate([one[part] for one in more]) for part in (0, 1))
    truth = metrics.evaluate(logits, labels, resamples=1)

    def coverage(trials: int, counts_texts: bool) -> dict[str, float]:
        inside = dict.fromkeys(names, 0)
        for seed, (logits, labels, text) in enumerate(samples[:trials]):
            copies = text if counts_texts else None
            scores = metrics.evaluate(logits, labels, resamples=200, seed=seed, copies=copies)
            for score in names:
                interval = getattr(scores, score)
                inside[score] += interval.low <= getattr(truth, score).value <= interval.high
        return {score: number / trials for score, number in inside.items()}

    by_row, by_text = coverage(50, counts_texts=False), coverage(150, counts_texts=True)
    # With 150 samples, the standard deviation of a coverage of 95 % is 2 points.
    assert max(by_row.values()) < 0.8, by_row
    assert min(by_text.values()) > 0.85, by_text


def test_rare_errors_among_copies_leave_a_wide_interval() -> None:
    # The estimated variance would be that of the rows with one text alone.
    copies = np.concatenate([np.zeros(100, dtype=np.int64), np.arange(1, 101)])
    correct = np.arange(200) != 150
    logits = np.eye(2)[np.where(correct, 0, 1)]
    accuracy = metrics.evaluate(logits, np.zeros(200, dtype=np.int64), copies=copies).accuracy
    assert accuracy.low < 0.6


# Error rates and bins of confidence


def test_error_rates_count_the_copies_within_their_rows() -> None:
    texts = [("a", "b"), ("A", "b "), ("b", "a"), ("c", "d"), ("c", "D"), ("c", "d")]
    labels = np.array([0, 0, 1, 1, 1, 1])
    part = LabelledTexts(texts, labels, np.arange(6), "test")
    logits = np.eye(2)[[1, 1, 1, 1, 1, 0]].astype(np.float32)
    tokens = np.array([3, 3, 3, 30, 30, 30])
    rates = error_rates(Scored(part, Labels(("no", "yes"), (0, 1)), logits, tokens, 10))
    wrong = logits.argmax(1) != labels
    for rate, rows in ((rates.whole, [0, 1, 2]), (rates.truncated, [3, 4, 5])):
        copies = number_copies([texts[row] for row in rows])
        effective = float(effective_rows(wrong[rows], copies)[0])
        expected = wilson(int(wrong[rows].sum()), 3, effective=effective)
        assert rate.rows == 3
        assert rate.error_rate is not None
        assert (rate.error_rate.low, rate.error_rate.high) == pytest.approx(expected)
        assert effective < 2


def test_bins_of_confidence_count_the_copies_within_them() -> None:
    logits, labels = random_rows(60, 2)
    copies = np.arange(60) // 3
    logits = logits[copies]
    alone, counted = (reliability(logits, labels, 5, 0.95, one) for one in (None, copies))
    right = logits.argmax(1) == labels
    bins = measure_calibration(logits, labels, logits.argmax(1), 5).bins
    effective = effective_rows(right, copies, bins)
    for one, other, number in zip(alone, counted, np.unique(bins), strict=True):
        assert one.accuracy == other.accuracy
        expected = wilson(round(one.accuracy * one.rows), one.rows, 0.95, float(effective[number]))
        assert other.interval == expected
        assert other.interval.high - other.interval.low > one.interval.high - one.interval.low
    assert reliability(logits, labels, 5, 0.95, np.arange(60)) == alone


def test_thousands_of_classes_with_copies_need_no_complete_matrix() -> None:
    classes = 3_000
    truth = np.repeat(np.arange(classes), 2)
    predicted = np.where(np.arange(2 * classes) % 4 == 0, (truth + 1) % classes, truth)
    confusion = metrics.count_confusion(truth, predicted, classes)
    effective = effective_rows(truth == predicted, np.arange(2 * classes) // 2, truth)
    interval = average_intervals(confusion, 0.95, 10, 0, effective)["recall_macro"]
    assert interval.low <= averages(confusion.margins())["recall_macro"] <= interval.high
