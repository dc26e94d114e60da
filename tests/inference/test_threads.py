"""Any number of threads must get the answers that one thread gets."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.support.toys import FAMILIES
from thawline import TextClassifier, artifact

THREADS = 8
STRATEGIES = {
    "head": {},
    "last:1": {"epochs": 1},
    "lora:r=2": {"epochs": 1, "lr": 1e-2},
}


def requests_of(texts: list[str]) -> list[list[str]]:
    """Return single texts and batches of several sizes, whose texts differ in length."""
    return [[text] for text in texts[:8]] + [texts[:3], texts[5:16], texts[2:9], texts]


def assert_threads_agree(answer, requests, rounds: int = 6) -> None:
    """Assert that 8 threads get exactly the answers that one thread gets."""
    expected = [answer(request) for request in requests]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(answer, requests * rounds))
    for number, one in enumerate(found):
        assert np.array_equal(one, expected[number % len(requests)])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_threads_get_the_answers_of_one_thread(
    toy_backbone, toy_reviews, tmp_path, family, strategy
):
    settings = STRATEGIES[strategy] | ({"features": "layers"} if strategy == "head" else {})
    classifier = TextClassifier(
        toy_backbone(family), strategy, dtype="float32", max_length=20, **settings
    ).fit(*toy_reviews(48))
    requests = requests_of(toy_reviews(16, seed=1)[0])
    assert_threads_agree(classifier.predict_proba, requests)
    artifact.save(classifier.fitted_, tmp_path / "saved")
    loaded = TextClassifier.load(tmp_path / "saved")
    assert_threads_agree(loaded.predict_proba, requests, rounds=2)
    if strategy == "lora:r=2":
        return  # plain transformers cannot load adapters
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    options = {"truncation": True, "padding": True, "return_tensors": "pt"}
    batches = [tokenizer(request, **options) for request in requests]

    @torch.inference_mode()
    def logits(batch):
        ids, mask = batch["input_ids"], batch["attention_mask"]
        return model(input_ids=ids, attention_mask=mask).logits.numpy()

    assert_threads_agree(logits, batches, rounds=2)


def test_threads_that_read_the_store_get_the_answers_of_one_thread(toy_backbone, toy_reviews):
    classifier = TextClassifier(
        toy_backbone(), dtype="float32", features="layers", predict_from_store=True
    ).fit(*toy_reviews(48))
    requests = requests_of(toy_reviews(16, seed=1)[0])
    with ThreadPoolExecutor(THREADS) as pool:  # the threads compute the states themselves
        found = list(pool.map(classifier.predict_proba, requests * 2))
    expected = [classifier.predict_proba(request) for request in requests] * 2
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


def test_classifiers_with_different_limits_share_a_tokenizer_in_threads(toy_backbone, toy_reviews):
    limits = [(8, "right"), (8, "left"), (20, "right"), (31, "left")]
    classifiers = [
        TextClassifier(
            toy_backbone(), dtype="float32", max_length=length, truncation_side=side
        ).fit(*toy_reviews(48))
        for length, side in limits
    ]
    backends = {id(each.fitted_.tokenizer.backend_tokenizer) for each in classifiers}
    assert len(backends) == 1
    texts = toy_reviews(16, seed=1)[0]
    cases = [(each, [text]) for each in classifiers for text in texts]
    assert_threads_agree(lambda case: case[0].predict_proba(case[1]), cases)


FITS = {
    "mlp": {"head": "mlp:8", "epochs": 2},
    "last": {"strategy": "last:1", "epochs": 1},
    "lora": {"strategy": "lora:r=2,dropout=0.1", "epochs": 1, "lr": 1e-2},
    "native": {"head": "native", "epochs": 1},
    "lp": {"strategy": "lp+last:1", "epochs": 1},
    "exact": {},
}


def weights_of(classifier: TextClassifier) -> bytes:
    """Return all weights of a classifier as bytes."""
    state = sorted(classifier.fitted_.model.state_dict().items())
    return b"".join(tensor.numpy().tobytes() for _, tensor in state)


@pytest.mark.parametrize("name", FITS)
def test_fits_in_threads_give_the_models_of_fits_one_after_the_other(
    toy_backbone, toy_reviews, name
):
    texts, labels = toy_reviews(48)

    def fit(seed: int) -> bytes:
        classifier = TextClassifier(
            toy_backbone(), dtype="float32", random_state=seed, **FITS[name]
        )
        return weights_of(classifier.fit(texts, labels))

    expected = [fit(seed) for seed in range(3)]
    assert name == "exact" or len(set(expected)) == 3
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(fit, [0, 1, 2] * 2)) == expected * 2


@pytest.mark.parametrize("name", FITS)
def test_a_fit_leaves_the_global_random_states_unchanged(toy_backbone, toy_reviews, tmp_path, name):
    def states() -> tuple:
        return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()

    before = states()
    classifier = TextClassifier(toy_backbone(), dtype="float32", **FITS[name])
    classifier.fit(*toy_reviews(48))
    artifact.save(classifier.fitted_, tmp_path / "saved")
    TextClassifier.load(tmp_path / "saved").predict(["a film"])
    assert states() == before


def test_the_global_random_state_does_not_change_a_fit(toy_backbone, toy_reviews):
    def fit() -> bytes:
        classifier = TextClassifier(toy_backbone(), dtype="float32", **FITS["last"])
        return weights_of(classifier.fit(*toy_reviews(48)))

    torch.manual_seed(1)
    first = fit()
    torch.manual_seed(2)
    torch.rand(3)
    assert fit() == first
