"""The linear layer on TF-IDF features, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from thawline import ThawlineError
from thawline.config import ComputeConfig
from thawline.data import Labels
from thawline.inference.prediction import text_predictions
from thawline.inference.predictor import Predictor
from thawline.inference.words import FittedWords, Words

TERMS = ("bad", "good", "good film")
WORDS = Words(
    TERMS,
    idf=np.array([2.0, 1.0, 3.0]),
    weights=np.array([[4.0, -1.0, 0.0], [0.0, 2.0, 5.0]], dtype=np.float32),
    bias=np.array([0.25, -0.25], dtype=np.float32),
)
FITTED = FittedWords(Labels(("neg", "pos"), (0, 1)), WORDS, "tfidf")


def test_features_and_logits_by_hand() -> None:
    texts = ["Good good film, good!", "so bad"]
    # "good" occurs three times: 1 + log(3). The first text has no pair "good film" but one.
    counts = np.array([[0, (1 + np.log(3)) * 1.0, 3.0], [2.0, 0, 0]])
    expected = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    np.testing.assert_allclose(WORDS.features(texts).toarray(), expected, rtol=1e-12)
    logits = expected @ WORDS.weights.T + WORDS.bias
    np.testing.assert_allclose(WORDS.logits(texts), logits, rtol=1e-6)


@pytest.mark.parametrize("text", ["", "unheard of", "!"])
def test_texts_without_known_terms_have_the_logits_of_the_biases(text: str) -> None:
    np.testing.assert_array_equal(WORDS.logits([text])[0], WORDS.bias)


def test_predictor_reads_no_model_and_no_store() -> None:
    predictor = Predictor(FITTED, ComputeConfig(), use_store=True)
    texts = ["a good film", "bad", ""]
    logits = predictor.logits(texts)
    np.testing.assert_array_equal(logits, WORDS.logits(texts))
    assert predictor.logits([]).shape == (0, 2)
    assert predictor.report.texts == 0
    assert predictor.features(texts).shape == (3, 3)
    shares = np.array([[0.2, 0.8]])
    assert text_predictions(FITTED, texts[:1], shares)[0].label == "pos"


def test_pairs_are_refused_unless_trained_on_them() -> None:
    with pytest.raises(ThawlineError):
        Predictor(FITTED, ComputeConfig(), use_store=False).logits([("a", "b")])


def test_parameters_are_weights_and_biases() -> None:
    assert WORDS.parameters == 8
    assert FITTED.backbone is None
    assert FITTED.is_frozen()
