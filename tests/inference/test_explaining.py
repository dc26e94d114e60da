"""Words that decide a prediction get the highest scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from thawline import TextClassifier
from thawline.errors import ThawlineError
from thawline.inference.explaining import explain, explain_several, find_parts

TEXT = "A good, good film -- isn't it?"


def count_good(texts):
    share = np.array([min(text.count("good"), 9) / 10 for text in texts])
    return np.stack([1 - share, share], axis=1)


def test_several_classifiers_are_explained_with_the_same_texts() -> None:
    asked: list[list[str]] = []

    def both(texts):
        asked.append(list(texts))
        return [count_good(texts), 1 - count_good(texts)]

    assert explain_several(TEXT, both, [1, 0]) == [
        explain(TEXT, count_good, 1),
        explain(TEXT, lambda texts: 1 - count_good(texts), 0),
    ]
    assert [len(texts) for texts in asked] == [10]
    assert explain_several(" ", both, [1, 0]) == [[], []]


def test_the_score_is_what_the_probability_loses() -> None:
    parts = explain(TEXT, count_good, 1)
    assert [TEXT[part.start : part.end] for part in parts] == [part.text for part in parts]
    assert [part.text for part in parts] == [
        "A",
        "good",
        ",",
        "good",
        "film",
        "--",
        "isn't",
        "it",
        "?",
    ]
    scores = {part.start: part.score for part in parts}
    assert [scores.pop(start) for start in (2, 8)] == pytest.approx([0.1, 0.1])
    assert not any(scores.values())
    assert explain(TEXT, count_good, 0)[1].score == pytest.approx(-0.1)


def test_parts_of_a_long_text_have_several_words() -> None:
    text = "word " * 1000
    spans = find_parts(text, 30)
    assert len(spans) == 30
    assert sum(text[start:end].count("word") for start, end in spans) == 1000


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_text_without_words(text: str) -> None:
    with pytest.raises(ThawlineError):
        explain(text, count_good, 1)


def test_a_classifier_explains_its_prediction(
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
) -> None:
    classifier = TextClassifier(strategy="tfidf", labels=("bad", "good")).fit(*toy_reviews(200))
    parts = classifier.explain("the film was wonderful and the plot")
    assert max(parts, key=lambda part: part.score).text == "wonderful"
    opposite = classifier.explain("the film was wonderful and the plot", label=0)
    assert min(opposite, key=lambda part: part.score).text == "wonderful"
    with pytest.raises(ThawlineError):
        classifier.explain("a film", label="none")
