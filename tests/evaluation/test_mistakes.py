"""Mistakes, error rates and sample texts, computed from arrays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.data import LabelledTexts, Labels, Text
from thawline.evaluation.intervals import wilson
from thawline.evaluation.mistakes import (
    Scored,
    before_after,
    confident_mistakes,
    error_rates,
    pick_samples,
)

LABELS = Labels(("neg", "pos", "mixed"), (0, 1, 2))


def scored(
    labels: list[int],
    logits: Any,
    tokens: list[int] | None = None,
    texts: list[Text] | None = None,
    max_length: int = 10,
) -> Scored:
    rows = len(labels)
    given_texts = texts if texts is not None else [f"text {row}" for row in range(rows)]
    # Row numbers of the source differ from positions, so that a test can tell them apart.
    part = LabelledTexts(given_texts, np.array(labels), 100 + np.arange(rows), "test")
    lengths = np.array(tokens if tokens is not None else [5] * rows, dtype=np.int64)
    return Scored(part, LABELS, np.array(logits, dtype=np.float32), lengths, max_length)


def leaning(*predictions: int, by: float = 2.0) -> np.ndarray:
    return by * np.eye(3)[list(predictions)]


# Mistakes


def test_a_mistake_has_its_text_label_and_probability() -> None:
    found = scored([0, 1], [[0, 0, 0.5], [0, 3, 0]], tokens=[11, 4], texts=["fine", "good"])
    (mistake,) = confident_mistakes(found, 20)
    share = np.exp(0.5) / (2 + np.exp(0.5))
    assert mistake.to_dict() == {
        "row": 100,
        "label": "neg",
        "predicted": "mixed",
        "probability": pytest.approx(share),
        "tokens": 11,
        "truncated": True,
        "text": "fine",
    }


def test_mistakes_are_sorted_by_confidence_and_ties_keep_their_order() -> None:
    logits = leaning(1, 1, 1, 1, 0) * np.array([[1.0], [3.0], [2.0], [3.0], [9.0]])
    found = scored([0, 0, 0, 0, 0], logits)
    assert [mistake.row for mistake in confident_mistakes(found, 20)] == [101, 103, 102, 100]
    assert [mistake.row for mistake in confident_mistakes(found, 2)] == [101, 103]


def test_a_text_of_exactly_the_limit_is_not_truncated() -> None:
    found = scored([0, 0], leaning(1, 1), tokens=[10, 11])
    assert [mistake.truncated for mistake in confident_mistakes(found, 20)] == [False, True]


def test_correct_predictions_are_no_mistakes() -> None:
    found = scored([0, 1, 2], leaning(0, 1, 2))
    assert confident_mistakes(found, 20) == []
    assert not found.wrong.any()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_all_mistakes_and_nothing_else_are_listed(rows: list[tuple[int, int]]) -> None:
    labels, predictions = map(list, zip(*rows, strict=True))
    listed = confident_mistakes(scored(labels, leaning(*predictions)), len(rows))
    expected = [100 + row for row, (label, said) in enumerate(rows) if label != said]
    assert sorted(mistake.row for mistake in listed) == expected


# Error rates


def test_whole_and_truncated_texts_have_separate_rates_with_wilson_intervals() -> None:
    found = scored([0] * 6, leaning(1, 0, 0, 1, 1, 0), tokens=[3, 4, 5, 12, 13, 14])
    rates = error_rates(found, 0.9).to_dict()
    for name, mistakes in (("whole", 1), ("truncated", 2)):
        low, high = wilson(mistakes, 3, 0.9)
        assert rates[name] == {
            "rows": 3,
            "mistakes": mistakes,
            "error_rate": {"value": mistakes / 3, "low": low, "high": high},
        }


def test_without_truncated_texts_their_rate_is_none() -> None:
    rates = error_rates(scored([0, 0], leaning(0, 1))).to_dict()
    assert rates["truncated"] == {"rows": 0, "mistakes": 0, "error_rate": None}
    assert rates["whole"]["rows"] == 2


def test_quarters_go_from_the_shortest_to_the_longest() -> None:
    tokens = [8, 1, 7, 2, 6, 3, 5, 4]
    wrong = [1, 0, 1, 0, 1, 0, 0, 0]
    quarters = error_rates(scored([0] * 8, leaning(*wrong), tokens)).by_length
    assert [(part.shortest, part.longest) for part in quarters] == [
        *((1, 2), (3, 4), (5, 6), (7, 8))
    ]
    assert [part.mistakes for part in quarters] == [0, 0, 1, 2]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40))
def test_each_text_is_in_one_quarter_with_texts_of_equal_length(tokens: list[int]) -> None:
    quarters = error_rates(scored([0] * len(tokens), leaning(*[0] * len(tokens)), tokens))
    parts = quarters.by_length
    assert 1 <= len(parts) <= 4
    assert sum(part.rows for part in parts) == len(tokens)
    ends = [end for part in parts for end in (part.shortest, part.longest)]
    assert ends == sorted(ends)
    for earlier, later in pairwise(parts):
        assert earlier.longest < later.shortest


# Samples


def test_samples_take_the_shortest_text_of_every_class_first() -> None:
    found = scored([0, 0, 0, 1, 2], leaning(0, 0, 0, 1, 2), tokens=[3, 2, 4, 9, 5])
    assert pick_samples(found, 3) == [1, 4, 3]
    assert pick_samples(found, 4) == [1, 4, 3, 0]
    assert pick_samples(found, 9) == [1, 4, 3, 0, 2]


def test_truncated_and_blank_samples_come_last() -> None:
    texts: list[Text] = ["  ", "long", ("a", "b"), "whole"]
    found = scored([0, 0, 1, 1], leaning(0, 0, 0, 0), tokens=[2, 50, 6, 7], texts=texts)
    assert pick_samples(found, 4) == [2, 3, 1, 0]


@given(st.permutations([0, 1, 2, 0, 1, 2]))
def test_predictions_do_not_change_the_samples(predictions: list[int]) -> None:
    labels, tokens = [0, 1, 2, 0, 1, 2], [4, 4, 4, 3, 3, 3]
    assert pick_samples(scored(labels, leaning(*predictions), tokens), 3) == [3, 4, 5]


def test_a_sample_holds_both_predictions_and_their_probabilities() -> None:
    untrained = scored([1], [[0.0, 0.0, 0.0]])
    adapted = scored([1], leaning(1, by=4.0))
    assert before_after(untrained, adapted, 0).to_dict() == {
        "row": 100,
        "text": "text 0",
        "label": "pos",
        "tokens": 5,
        "untrained": {"predicted": "neg", "probability": pytest.approx(1 / 3)},
        "adapted": {
            "predicted": "pos",
            "probability": pytest.approx(np.exp(4) / (2 + np.exp(4))),
        },
    }
