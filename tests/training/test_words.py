"""Logistic regression on TF-IDF: parity with scikit-learn, weights, classes and odd texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from tests.support.tasks import LABELS, part
from thawline import TextClassifier, ThawlineError
from thawline.config import Config, TrainingConfig
from thawline.data import Labels
from thawline.evaluation.metrics import log_probabilities, probabilities
from thawline.inference.words import Words
from thawline.runtime.progress import Reporter
from thawline.training.plan import make_words_plan
from thawline.training.task import WordsTask
from thawline.training.words import WordsFit, adapt_words, fit_words

Reviews = Callable[..., tuple[list[str], list[int]]]
TOPICS = ("plot", "cast", "music")


def task(
    reviews: tuple[list[str], list[int]],
    validation: tuple[list[str], list[int]],
    labels: Labels = LABELS,
    *,
    class_weights: str = "none",
    **weights: Any,
) -> WordsTask:
    training = TrainingConfig(class_weights=class_weights)  # type: ignore[arg-type]
    config = Config(strategy="tfidf", training=training)
    parts = {"train": part(*reviews), "validation": part(*validation)}
    return WordsTask(make_words_plan(config), config, labels, parts, **weights)


def topics(rows: int, seed: int = 0) -> tuple[list[str], list[int]]:
    """Return texts of three classes, some of which do not name their topic."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, rows)
    names = [TOPICS[i if random.random() < 0.8 else 0] for i in labels]
    return [f"the {n} was {w}" for n, w in zip(names, random.permutation(rows), strict=True)], [
        *labels.tolist()
    ]


def reference(
    fit: WordsFit, reviews: tuple[list[str], list[int]], **options: Any
) -> tuple[TfidfVectorizer, LogisticRegression]:
    """Return scikit-learn's own fit with the chosen penalty, from a cold start."""
    texts, labels = reviews
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    two = len(set(labels)) == 2
    strength = (2 if two else 1) / (fit.penalty * len(texts))
    model = LogisticRegression(C=strength, tol=1e-9, max_iter=10_000)
    return vectorizer, model.fit(vectorizer.fit_transform(texts), labels, **options)


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_those_of_scikit_learn(toy_reviews: Reviews, classes: int) -> None:
    make = toy_reviews if classes == 2 else topics
    labels = LABELS if classes == 2 else Labels(TOPICS, (0, 1, 2))
    train, validation = make(120, 0), make(60, 1)
    fit = fit_words(task(train, validation, labels))
    vectorizer, model = reference(fit, train)
    assert list(fit.words.terms) == vectorizer.get_feature_names_out().tolist()
    np.testing.assert_allclose(fit.words.idf, vectorizer.idf_, rtol=1e-12)
    expected = model.predict_proba(vectorizer.transform(validation[0]))
    found = probabilities(fit.words.logits(validation[0]))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(_gradient(fit, train[1])).max() < 1e-7


def _gradient(fit: WordsFit, labels: list[int]) -> np.ndarray:
    """Return the gradient of the penalised mean loss by the weights of all classes."""
    shares = probabilities(fit.words.logits_of(fit.train))
    errors = shares - np.eye(shares.shape[1])[labels]
    return np.asarray((fit.train.T @ errors).T / len(labels) + fit.penalty * fit.words.weights)


def test_the_penalty_has_the_lowest_validation_loss(toy_reviews: Reviews) -> None:
    train, validation = toy_reviews(120, 0), toy_reviews(60, 1)
    fit = fit_words(task(train, validation))
    losses = [step["loss"] for step in fit.path]
    best = int(np.argmin(losses))
    assert fit.path[best]["words_penalty"] == fit.penalty
    logs = log_probabilities(fit.words.logits(validation[0]))
    loss = -logs[np.arange(60), validation[1]].mean()
    assert loss == pytest.approx(losses[best], abs=1e-5)
    assert [step["words_penalty"] for step in fit.path] == sorted(fit.penalties, reverse=True)[
        : len(fit.path)
    ]


def test_weights_of_rows_and_classes(toy_reviews: Reviews) -> None:
    texts, labels = toy_reviews(90, 0)
    validation = toy_reviews(60, 1)
    kept = [i for i in range(90) if labels[i] == 1 or i % 3 == 0]  # neg is rare
    train = [texts[i] for i in kept], [labels[i] for i in kept]
    balanced = fit_words(task(train, validation, class_weights="balanced"))
    counts = np.bincount(train[1])
    rows = len(kept) / (2 * counts[train[1]])
    by_rows = fit_words(task(train, validation, row_weights=torch.from_numpy(rows)))
    np.testing.assert_allclose(by_rows.words.weights, balanced.words.weights, atol=2e-4)
    plain = fit_words(task(train, validation))
    assert np.abs(plain.words.bias - balanced.words.bias).max() > 0.05
    by_class = torch.tensor([4.0, 1.0])
    weighted = fit_words(task(train, validation, class_weights="none", row_weights=None))
    heavier = fit_words(
        WordsTask(
            make_words_plan(Config(strategy="tfidf")),
            Config(strategy="tfidf"),
            LABELS,
            {"train": part(*train), "validation": part(*validation)},
            class_weights=by_class,
        )
    )
    assert heavier.words.bias[0] > weighted.words.bias[0]


def test_a_class_without_train_texts_is_improbable() -> None:
    labels = Labels((*TOPICS, "sound"), (0, 1, 2, 3))
    fit = fit_words(task(topics(60, 0), topics(30, 1), labels))
    shares = probabilities(fit.words.logits(["the plot was 7", ""]))
    assert (shares[:, 3] <= 1 / 60).all()
    two = task(([f"the {name}" for name in TOPICS[:2]] * 10, [0, 2] * 10), topics(30, 1), labels)
    shares = probabilities(fit_words(two).words.logits(["the plot", "the cast"]))
    assert shares.argmax(1).tolist() == [0, 2]


def test_the_untrained_classifier_predicts_the_shares_of_the_classes(toy_reviews: Reviews) -> None:
    texts, labels = toy_reviews(90, 0)
    kept = [i for i in range(90) if labels[i] == 1 or i % 3 == 0]
    small = [texts[i] for i in kept], [labels[i] for i in kept]
    adapted = adapt_words(task(small, toy_reviews(20, 1)), Reporter())
    counts = np.bincount(small[1]) + 1
    shares = probabilities(adapted.untrained("validation"))
    np.testing.assert_allclose(shares, np.tile(counts / counts.sum(), (20, 1)), atol=1e-6)
    assert adapted.history == []
    assert adapted.parameters["frozen"] == 0
    np.testing.assert_array_equal(
        adapted.logits("validation"), adapted.fitted.words.logits(toy_reviews(20, 1)[0])
    )


def test_rare_terms_are_used_if_there_are_no_others() -> None:
    texts = ["one", "two", "three", "four"]
    fit = fit_words(task((texts, [0, 1, 0, 1]), (texts, [0, 1, 0, 1])))
    assert fit.words.terms == ("four", "one", "three", "two")


def test_with_many_classes_only_the_most_frequent_terms_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("thawline.training.words.MAX_WEIGHTS", 3 * 4 + 2)
    labels = Labels(TOPICS, (0, 1, 2))
    fit = fit_words(task(topics(60, 0), topics(30, 1), labels))
    assert len(fit.words.terms) == 4
    assert {"the", "was"} < set(fit.words.terms)  # in every text


def test_texts_without_words_are_an_error() -> None:
    with pytest.raises(ThawlineError) as caught:
        fit_words(task((["!", "?"] * 5, [0, 1] * 5), (["a"], [0])))
    assert caught.value.setting == "strategy"


def test_the_estimator_takes_pairs_and_weights(toy_reviews: Reviews) -> None:
    texts, labels = toy_reviews(80)
    pairs = [("film " * 3, text) for text in texts]
    classifier = TextClassifier(strategy="tfidf").fit(
        pairs, labels, sample_weight=np.linspace(0.5, 1.5, 80), validation=(pairs, labels)
    )
    assert classifier.score(pairs, labels) > 0.9
    words = classifier.fitted_.words
    assert isinstance(words, Words)
    assert "film film" in words.terms
    assert any(term.startswith("2:") for term in words.terms)
    with pytest.raises(ThawlineError):
        classifier.predict(texts)
    names = classifier.get_feature_names_out()
    assert classifier.transform(pairs).shape == (80, len(names))


@pytest.mark.parametrize(
    "settings",
    [
        {"backbone": "minilm"},
        {"epochs": 3},
        {"head": "mlp:4"},
        {"lr": 0.1},
        {"max_length": 64},
        {"penalties": (0.1,)},
        {"label_smoothing": 0.1},
        {"pooling": "first"},
    ],
)
def test_settings_without_effect_are_refused(toy_reviews: Reviews, settings: dict) -> None:
    with pytest.raises(ThawlineError) as caught:
        TextClassifier(strategy="tfidf", **settings).fit(*toy_reviews(40))
    assert next(iter(settings)) in str(caught.value.setting)
