"""`TextClassifier` with weights of texts and classes, as a transformer, and inside scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import AdaBoostClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from thawline import TextClassifier, ThawlineError
from thawline.classifier.inputs import read_class_weight
from thawline.data import Labels

Reviews = Callable[..., tuple[list[str], list[int]]]
Make = Callable[..., TextClassifier]
WAYS: list[dict[str, Any]] = [
    {},
    {"epochs": 10, "lr": 3e-2, "keep": "last"},
    {"strategy": "last:1", "epochs": 1, "keep": "last"},
]
TRAINING = {
    "label_smoothing": 0.1,
    "optimizer": "muon",
    "muon_lr": 0.01,
    "schedule": "cosine",
    "warmup_share": 0.2,
    "weight_decay": 0.1,
    "max_grad_norm": 2.0,
    "evaluate_every": 2,
    "keep": "loss",
    "patience": 3,
    "attention_dropout": 0.1,
    "length_pool": 2,
    "pass_overhead": 8,
    "class_weight": "balanced",
}

STEPS = {
    "epochs": 3,
    "optimizer": "sgd",
    "lr": 0.5,
    "momentum": 0.5,
    "schedule": "step",
    "step_factor": 0.5,
    "warmup_share": 0.0,
    "dropout": 0.2,
}


@pytest.fixture
def make(toy_backbone: Callable[[str], Path]) -> Make:
    """Return a function that makes an unfitted classifier on a toy BERT."""

    def make_one(**settings: Any) -> TextClassifier:
        quick = {"dtype": "float32", "features": "last"}
        return TextClassifier(toy_backbone("bert"), **(quick | settings))

    return make_one


@pytest.mark.e2e
class TestWeights:
    @pytest.mark.parametrize("way", WAYS, ids=str)
    def test_a_heavy_class_becomes_more_probable(
        self, make: Make, toy_reviews: Reviews, way: dict[str, Any]
    ) -> None:
        texts, labels = toy_reviews(60)
        data = texts, labels
        plain = make(**way).fit(*data).predict_proba(texts)
        by_class = make(class_weight={1: 9.0}, **way).fit(*data).predict_proba(texts)
        rows = np.where(np.array(labels) == 1, 9.0, 1.0)
        by_row = make(**way).fit(*data, rows).predict_proba(texts)
        assert by_class[:, 1].mean() > plain[:, 1].mean()
        assert np.abs(by_row - plain).max() > 1e-3
        if "epochs" not in way:
            # Weights of texts also move the standardised features, which few epochs do not undo.
            assert by_row[:, 1].mean() > plain[:, 1].mean()

    def test_copies_have_the_weight_of_their_text(self, make: Make, toy_reviews: Reviews) -> None:
        texts, labels = toy_reviews(60)
        validation = toy_reviews(20, seed=1)
        way = {"augment": "word_dropout=0.3,copies=2"}
        weights = np.arange(1, 61)
        given = make(**way).fit(texts, labels, weights, validation=validation)
        order = np.random.default_rng(0).permutation(60)
        shuffled = [[values[row] for row in order] for values in (texts, labels)]
        same = make(**way).fit(*shuffled, weights[order], validation=validation)
        other = make(**way).fit(texts, labels, weights[::-1], validation=validation)
        plain = make().fit(texts, labels, weights, validation=validation)
        found = [one.predict_proba(texts) for one in (given, same, other, plain)]
        np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-4)
        assert np.abs(found[0] - found[2]).max() > 1e-3
        assert np.abs(found[0] - found[3]).max() > 1e-3

    def test_balanced_is_a_dict_of_the_weights_of_scikit_learn(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        texts, labels = toy_reviews(60)
        kept = [row for row, label in enumerate(labels) if label or row % 3 == 0]
        train = [texts[row] for row in kept], [labels[row] for row in kept]
        validation = toy_reviews(20, seed=1)
        counts = np.bincount(train[1])
        weights = dict(enumerate(len(kept) / (2 * counts)))
        found = [
            make(class_weight=way).fit(*train, validation=validation).predict_proba(texts)
            for way in ("balanced", weights, None)
        ]
        np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-5)
        assert np.abs(found[0] - found[2]).max() > 1e-3

    def test_an_integer_weight_repeats_a_text_and_0_removes_it(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        texts, labels = toy_reviews(40)
        validation = toy_reviews(20, seed=1)
        weights = np.arange(40) % 3
        rows = np.repeat(np.arange(40), weights)
        weighted = make().fit(texts, labels, weights, validation=validation)
        repeated = make().fit(
            [texts[row] for row in rows], [labels[row] for row in rows], validation=validation
        )
        np.testing.assert_allclose(
            weighted.predict_proba(texts), repeated.predict_proba(texts), rtol=0, atol=1e-4
        )

    @pytest.mark.parametrize(
        "weights", [[1.0], [-1.0] * 40, [float("nan")] * 40, ["heavy"] * 40, [[1.0]] * 40], ids=str
    )
    def test_invalid_weights_of_texts(
        self, make: Make, toy_reviews: Reviews, weights: list[Any]
    ) -> None:
        with pytest.raises(ThawlineError) as caught:
            make().fit(*toy_reviews(40), sample_weight=weights)
        assert caught.value.setting == "sample_weight"

    @pytest.mark.parametrize("weights", [{1: -2}, {1: "heavy"}, {0: 0, 1: 0}], ids=str)
    def test_invalid_weights_of_classes(
        self, make: Make, toy_reviews: Reviews, weights: dict[int, Any]
    ) -> None:
        with pytest.raises(ThawlineError) as caught:
            make(class_weight=weights).fit(*toy_reviews(40))
        assert caught.value.setting == "class_weight"

    @pytest.mark.parametrize("weights", [True, 3, ["balanced"], [1.0, 2.0]], ids=str)
    def test_weights_of_classes_of_another_type(self, make: Make, weights: Any) -> None:
        with pytest.raises(ThawlineError) as caught:
            make(class_weight=weights).fit(["a", "b"] * 4, [0, 1] * 4)
        assert caught.value.setting == "class_weight"
        assert repr(weights) in caught.value.found
        assert "balanced" in caught.value.expected
        assert "none" not in str(caught.value)

    @pytest.mark.parametrize("label", [7, 2.5, "positive", None, (0, 1)], ids=str)
    def test_a_weight_of_an_unknown_class(
        self, make: Make, toy_reviews: Reviews, label: Any
    ) -> None:
        with pytest.raises(ThawlineError) as caught:
            make(class_weight={label: 2.0}).fit(*toy_reviews(40))
        error = caught.value
        assert error.setting == "class_weight"
        assert repr(label) in error.found
        assert "row" not in error.found
        assert "0, 1" in error.expected
        assert "0 or 1" in error.fix

    def test_a_key_that_is_nearly_a_class_has_a_proposal(self) -> None:
        known = Labels.from_raw(["bad", "good"], None)
        for key in ("Good", "goods"):
            with pytest.raises(ThawlineError) as caught:
                read_class_weight({key: 2.0}, known)
            assert repr(key) in caught.value.found
            assert "'good'" in caught.value.fix
            assert "bad" not in caught.value.fix

    @pytest.mark.parametrize("word", ["balance", "balancd", "Balanced"])
    def test_a_misspelled_choice_has_a_proposal(self, make: Make, word: str) -> None:
        with pytest.raises(ThawlineError) as caught:
            make(class_weight=word).fit(["a", "b"] * 4, [0, 1] * 4)
        assert caught.value.found == f"'{word}'"
        assert "'balanced'" in caught.value.fix
        assert "none" not in caught.value.fix


@pytest.mark.e2e
class TestSettings:
    def test_all_settings_of_training_are_parameters(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        classifier = clone(make(strategy="last:1", epochs=2, **TRAINING))
        classifier.fit(*toy_reviews(40))
        assert {name: classifier.get_params()[name] for name in TRAINING} == TRAINING
        assert len(classifier.history_) > 3  # evaluate_every took effect

    @pytest.mark.parametrize("way", [STEPS, {**STEPS, "strategy": "last:1", "epochs": 2}], ids=str)
    def test_sgd_and_a_schedule_of_steps_are_parameters(
        self, make: Make, toy_reviews: Reviews, way: dict[str, Any]
    ) -> None:
        classifier = clone(make(**way)).fit(*toy_reviews(40))
        rates = [row["lr"] for row in classifier.history_[1:]]
        assert rates == pytest.approx([0.5 * 0.5 ** (1 + i) for i in range(len(rates))])

    def test_sgd_requires_a_rate(self, make: Make, toy_reviews: Reviews) -> None:
        with pytest.raises(ThawlineError) as caught:
            make(epochs=1, optimizer="sgd").fit(*toy_reviews(40))
        assert caught.value.setting == "training.lr"

    @pytest.mark.parametrize(
        "name",
        [*TRAINING, "head_first_epochs", "dropout", "momentum", "step_epochs", "step_factor"],
    )
    def test_a_parameter_without_effect_is_refused(
        self, make: Make, toy_reviews: Reviews, name: str
    ) -> None:
        values = TRAINING | {"head_first_epochs": 2, "dropout": 0.5, "optimizer": "muon"}
        values |= {"momentum": 0.5, "step_epochs": 2, "step_factor": 0.5}
        if name in ("label_smoothing", "class_weight"):
            make(**{name: values[name]}).fit(*toy_reviews(40))
            return
        with pytest.raises(ThawlineError) as caught:
            make(**{name: values[name]}).fit(*toy_reviews(40))
        assert caught.value.setting is not None
        assert caught.value.setting.endswith(f".{name}")
        assert name in caught.value.found
        assert caught.value.setting not in str(caught.value).replace(f"{caught.value.setting}=", "")


@pytest.mark.e2e
class TestOutputs:
    @pytest.mark.parametrize("way", [{}, {"predict_from_store": True}, *WAYS[1:]], ids=str)
    def test_logarithms_and_features_give_the_probabilities(
        self, make: Make, toy_reviews: Reviews, way: dict[str, Any]
    ) -> None:
        classifier = make(**way).fit(*toy_reviews(40))
        texts, _ = toy_reviews(30, seed=1)
        shares = classifier.predict_proba(texts)
        np.testing.assert_allclose(np.exp(classifier.predict_log_proba(texts)), shares, atol=1e-6)
        features = classifier.transform(texts)
        assert features.shape == (30, len(classifier.get_feature_names_out()))
        weights = classifier.fitted_.head_module().state_dict()
        logits = features @ weights["0.weight"].numpy().T + weights["0.bias"].numpy()
        powers = np.exp(logits - logits.max(1, keepdims=True))
        np.testing.assert_allclose(powers / powers.sum(1, keepdims=True), shares, atol=1e-4)

    def test_a_pipeline_and_a_union_use_the_features(
        self, make: Make, toy_reviews: Reviews
    ) -> None:
        texts, labels = toy_reviews(80)
        union = FeatureUnion([("states", make()), ("words", TfidfVectorizer())])
        pipeline = make_pipeline(union, LogisticRegression(max_iter=500)).fit(texts, labels)
        others, expected = toy_reviews(60, seed=1)
        assert pipeline.score(others, expected) > 0.7

    def test_a_pipeline_passes_weights_on(self, make: Make, toy_reviews: Reviews) -> None:
        texts, labels = toy_reviews(40)
        weights = np.linspace(0.1, 3, 40)
        pipeline = Pipeline([("classify", make())])
        pipeline.fit(texts, labels, classify__sample_weight=weights)
        alone = make().fit(texts, labels, weights)
        assert np.array_equal(pipeline.predict_proba(texts), alone.predict_proba(texts))

    def test_adaboost(self, make: Make, toy_reviews: Reviews) -> None:
        texts, labels = toy_reviews(60)
        column = np.array(texts, dtype=object)[:, None]
        boosted = AdaBoostClassifier(make(penalties=(1.0,)), n_estimators=2).fit(column, labels)
        assert len(boosted.estimators_) >= 1
        assert boosted.score(column, labels) > 0.6
