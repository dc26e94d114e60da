"""Logits from the store equal those of the whole model; predictions become records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from tests.support.toys import DEPTH, FAMILIES, WIDTH, enlarge_head
from thawline import TextClassifier, store
from thawline.config import ComputeConfig
from thawline.errors import ThawlineError
from thawline.evaluation.metrics import probabilities
from thawline.inference.fitted import Fitted
from thawline.inference.prediction import text_predictions
from thawline.inference.predictor import Predictor, head_logits
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.report import PassReport
from thawline.runtime.progress import Reporter
from thawline.store import Features

Trained = Callable[..., TextClassifier]
Reviews = Callable[..., tuple[list[str], list[int]]]
HEADS = ("linear", "mlp:8", "native")
FP32 = ComputeConfig(dtype="float32")
ODD = ["", "film", "unheard-of words only", "very " * 90 + "good", "film"]
"""An empty text, one word, unknown words, a text far above the limit and a duplicate."""


def from_store(
    fitted: Fitted, texts: list[str], config: ComputeConfig = FP32
) -> NDArray[np.float32]:
    return with_report(fitted, texts, config)[0]


def with_report(
    fitted: Fitted, texts: list[str], config: ComputeConfig = FP32
) -> tuple[NDArray[np.float32], PassReport]:
    predictor = Predictor(fitted, config, use_store=True)
    return predictor.logits(texts), predictor.report


def from_texts(
    fitted: Fitted, texts: list[str], config: ComputeConfig = FP32
) -> NDArray[np.float32]:
    return Predictor(fitted, config, use_store=False).logits(texts)


class TestParity:
    @pytest.mark.parametrize("head", HEADS)
    @pytest.mark.parametrize("family", FAMILIES)
    def test_stored_states_give_the_whole_model_s_logits(
        self, trained_toy: Trained, toy_reviews: Reviews, family: str, head: str
    ) -> None:
        fitted = trained_toy(family, head).fitted_
        texts = toy_reviews(40, seed=1)[0] + ODD
        whole = from_texts(fitted, texts)
        assert whole.shape == (45, 2)
        assert whole.std(0).min() > 3e-4  # the texts differ, so that equality says something
        stored = from_store(fitted, texts)
        # Logits of a head at its optimum are tens in size: 1e-5 is relative to that.
        scale = max(1.0, float(np.abs(whole).max()))
        np.testing.assert_allclose(stored, whole, rtol=0, atol=1e-5 * scale)
        np.testing.assert_allclose(probabilities(stored), probabilities(whole), rtol=0, atol=1e-5)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_bf16_states_give_the_labels_of_the_whole_fp32_model(
        self, toy_backbone: Callable[[str], Path], toy_reviews: Reviews, family: str
    ) -> None:
        classifier = TextClassifier(toy_backbone(family), features="layers", dtype="bfloat16")
        fitted = classifier.fit(*toy_reviews(200)).fitted_
        texts, labels = toy_reviews(400, seed=1)
        whole = from_texts(fitted, texts).argmax(1)
        assert (whole == labels).mean() > 0.9  # a task it has learnt
        stored = from_store(fitted, texts, ComputeConfig(dtype="bfloat16")).argmax(1)
        assert (stored == whole).mean() >= 0.995

    def test_bf16_autocast_gives_the_labels_of_fp32(
        self, trained_toy: Trained, toy_reviews: Reviews
    ) -> None:
        fitted, texts = trained_toy().fitted_, toy_reviews(100, seed=1)[0]
        full = from_texts(fitted, texts)
        low = from_texts(fitted, texts, ComputeConfig(dtype="bfloat16"))
        assert low.dtype == np.float32
        assert np.abs(full - low).max() > 0  # it did run in another precision
        assert (full.argmax(1) == low.argmax(1)).mean() >= 0.99


class TestTexts:
    @pytest.mark.parametrize("head", HEADS)
    def test_batches_of_any_size_and_order_give_each_text_its_logits(
        self, trained_toy: Trained, toy_reviews: Reviews, head: str
    ) -> None:
        fitted, texts = trained_toy("bert", head).fitted_, [*toy_reviews(20, seed=1)[0], *ODD]
        together = from_texts(fitted, texts)
        alone = np.concatenate([from_texts(fitted, [text]) for text in texts])
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-4)
        order = np.random.default_rng(0).permutation(len(texts))
        shuffled = from_texts(fitted, [texts[i] for i in order], replace(FP32, density=0.3))
        np.testing.assert_allclose(shuffled, together[order], rtol=0, atol=1e-4)

    def test_no_text_gives_no_row(self, trained_toy: Trained) -> None:
        assert from_texts(trained_toy().fitted_, []).shape == (0, 2)

    def test_the_side_that_is_cut_off_matters(
        self, toy_backbone: Callable[[str], Path], toy_reviews: Reviews
    ) -> None:
        made = {
            side: TextClassifier(
                toy_backbone("bert"), truncation_side=side, max_length=8, dtype="float32"
            )
            .fit(*toy_reviews(64))
            .fitted_
            for side in ("right", "left")
        }
        start, end = "good great warm funny lovely brilliant", "bad dull awful boring silly poor"
        for side, seen, unseen in (("right", start, end), ("left", end, start)):
            texts = [f"{start} {end}", f"{seen} {seen}", f"{unseen} {unseen}"]
            both, like, unlike = from_texts(made[side], texts)
            np.testing.assert_allclose(both, like, atol=1e-4)
            assert np.abs(both - unlike).max() > 0.1

    def test_an_unknown_dtype_is_refused(self, trained_toy: Trained) -> None:
        with pytest.raises(ThawlineError) as caught:
            from_texts(trained_toy().fitted_, ["film"], ComputeConfig(dtype="fp16"))
        assert "'fp16'" in caught.value.found

    def test_progress_counts_the_texts(self, trained_toy: Trained, toy_reviews: Reviews) -> None:
        told: dict[str, int] = {}

        class Telling(Reporter):
            def task(self, description: str, total: int) -> Any:
                told[description] = total
                return super().task(description, total)

        fitted = trained_toy().fitted_
        predictor = Predictor(fitted, FP32, use_store=False, reporter=Telling())
        predictor.logits(toy_reviews(9)[0])
        assert told == {"tokenising": 9, "predicting": 9}


class TestStore:
    def test_what_the_store_holds_is_not_computed_again(
        self, trained_toy: Trained, toy_reviews: Reviews
    ) -> None:
        fitted, texts = trained_toy().fitted_, toy_reviews(12)[0]
        logits, first = with_report(fitted, texts)
        assert first.texts == 12
        backwards, again = with_report(fitted, texts[::-1])
        np.testing.assert_array_equal(backwards[::-1], logits)
        assert again.texts == 0
        assert with_report(fitted, [*texts, "film"])[1].texts == 1

    @pytest.mark.parametrize("family", FAMILIES)
    def test_every_head_shares_the_states_of_its_backbone(
        self, trained_toy: Trained, toy_reviews: Reviews, family: str
    ) -> None:
        texts = toy_reviews(6)[0]
        computed = []
        for head in HEADS:
            report = with_report(trained_toy(family, head).fitted_, texts)[1]
            computed.append(report.texts)
        assert computed == [6, 0, 0]

    def test_a_head_sees_stored_features_in_evaluation_mode_block_by_block(self) -> None:
        rows = torch.arange(5_000)
        states = torch.randn(5_000, 1, 3, WIDTH)
        features = Features(
            [states], chunks=torch.zeros_like(rows), rows=rows, stages=(0,), pooling=1
        )
        head = nn.Sequential(nn.Dropout(0.9), nn.Linear(WIDTH, 3)).train()
        with torch.inference_mode():
            expected = head[1](states[:, 0, 1])
        np.testing.assert_allclose(head_logits(head, features), expected, atol=1e-5)


class TestRecords:
    def records(
        self, trained_toy: Trained, names: tuple[str, ...], rows: list[list[float]]
    ) -> list[dict[str, Any]]:
        from dataclasses import replace

        from thawline.data import Labels

        labels = Labels(names, tuple(range(len(names))))
        fitted = replace(trained_toy().fitted_, labels=labels)
        texts = [f"text {i}" for i in range(len(rows))]
        return [one.to_dict() for one in text_predictions(fitted, texts, np.array(rows))]

    def test_two_classes_named_neg_and_pos(self, trained_toy: Trained) -> None:
        found = self.records(trained_toy, ("neg", "pos"), [[0.75, 0.25], [0.1, 0.9]])
        assert found == [
            {"text": "text 0", "neg_prob": 0.75, "pos_prob": 0.25, "label": "neg"},
            {"text": "text 1", "neg_prob": 0.1, "pos_prob": 0.9, "label": "pos"},
        ]
        assert list(found[0]) == ["text", "neg_prob", "pos_prob", "label"]

    def test_neg_and_pos_in_the_other_order(self, trained_toy: Trained) -> None:
        assert self.records(trained_toy, ("pos", "neg"), [[0.75, 0.25]]) == [
            {"text": "text 0", "neg_prob": 0.25, "pos_prob": 0.75, "label": "pos"}
        ]

    @pytest.mark.parametrize(
        ("names", "row"),
        [(("ham", "spam"), [0.25, 0.75]), (("a", "b", "c"), [0.1, 0.6, 0.3])],
    )
    def test_any_other_classes(
        self, trained_toy: Trained, names: tuple[str, ...], row: list[float]
    ) -> None:
        assert self.records(trained_toy, names, [row]) == [
            {
                "text": "text 0",
                "label": names[1],
                "confidence": row[1],
                "probs": dict(zip(names, row, strict=True)),
            }
        ]

    def test_predictions_are_json(self, trained_toy: Trained) -> None:
        import json

        classifier = trained_toy()
        texts = ["a good film", "a bad film"]
        shares = probabilities(from_texts(classifier.fitted_, texts))
        predictions = text_predictions(classifier.fitted_, texts, shares)
        records = [prediction.to_dict() for prediction in predictions]
        assert json.loads(json.dumps(records)) == records
        assert all(r["neg_prob"] + r["pos_prob"] == pytest.approx(1) for r in records)


def test_the_toys_read_several_stages_and_the_native_head_one(trained_toy: Trained) -> None:
    """The parity tests assume that linear and MLP heads read all stages."""
    assert trained_toy("bert", "linear").fitted_.reading.stages == tuple(range(DEPTH + 1))
    assert trained_toy("bert", "mlp:8").fitted_.reading.stages == tuple(range(DEPTH + 1))
    assert trained_toy("bert", "native").fitted_.reading.stages == (DEPTH,)


PAIRS = [("the film was good", "a dull plot"), ("the film", "was good a dull plot"), ("a", "film")]


@pytest.mark.parametrize("family", FAMILIES)
def test_pairs_are_read_as_transformers_reads_them(toy_backbone, toy_reviews, family):
    texts, labels = toy_reviews(24)
    pairs = [(text, text[:20]) for text in texts]
    classifier = TextClassifier(
        toy_backbone(family), head="native", epochs=1, dtype="float32", labels=("neg", "pos")
    ).fit(pairs, labels)
    enlarge_head(classifier.fitted_.head_module())
    shares = classifier.predict_proba(PAIRS)
    fitted = classifier.fitted_
    for pair, share in zip(PAIRS, shares, strict=True):
        causal = family in ("qwen3", "llama")
        encoded = fitted.tokenizer(*(["\n".join(pair)] if causal else pair), return_tensors="pt")
        with torch.inference_mode():
            logits = fitted.model(**encoded).logits
        torch.testing.assert_close(torch.from_numpy(share).float(), logits[0].softmax(0))
    stored = classifier.evaluate(PAIRS, [0, 1, 0])
    assert stored.rows == 3


def test_a_classifier_of_our_own_type_tells_the_texts_of_a_pair_apart(toy_backbone, toy_reviews):
    texts, labels = toy_reviews(24)
    pairs = [(text, text[:20]) for text in texts]
    classifier = TextClassifier(
        toy_backbone("bert"), features="layers", dtype="float32", labels=("neg", "pos")
    ).fit(pairs, labels)
    swapped = classifier.predict_proba([pair[::-1] for pair in PAIRS])
    assert np.abs(classifier.predict_proba(PAIRS) - swapped).max() > 1e-3


class TestTrainedBackbones:
    """A classifier with trained blocks does not use the stored states of its backbone."""

    @pytest.mark.parametrize("head", ["linear", "native"])
    @pytest.mark.parametrize("strategy", ["last:1", "full", "lora:r=2,from=3,targets=query+value"])
    def test_the_whole_model_runs_and_the_store_stays_as_it_is(
        self, toy_backbone: Callable[[str], Path], toy_reviews: Reviews, strategy: str, head: str
    ) -> None:
        given = {"head": head, "epochs": 2, "lr": 1e-2, "dtype": "float32"}
        texts, labels = toy_reviews(40)
        frozen = TextClassifier(toy_backbone("bert"), "head", **given).fit(texts, labels).fitted_
        fitted = TextClassifier(toy_backbone("bert"), strategy, **given).fit(texts, labels).fitted_
        held = store.entries()
        assert held
        logits, report = with_report(fitted, texts)
        np.testing.assert_array_equal(logits, from_texts(fitted, texts))
        assert store.entries() == held
        assert (fitted.is_frozen(), report.texts) == (False, 0)
        # The stored states of these texts would give other logits.
        stale = store_of(frozen).features(texts, (DEPTH,), fitted.reading.pooling)
        assert (
            np.abs(head_logits(fitted.head_module(), stale) - from_texts(fitted, texts)).max()
            > 1e-4
        )

    @pytest.mark.parametrize("head", HEADS)
    def test_below_a_head_alone_it_does_not(self, trained_toy: Trained, head: str) -> None:
        fitted = trained_toy("bert", head).fitted_
        assert fitted.is_frozen()
        assert with_report(fitted, ODD)[1].texts == len(set(ODD))


def store_of(fitted: Fitted) -> store.Entry:
    reading = fitted.reading
    settings = reading.max_length, reading.truncation_side, FP32
    return FrozenPass(fitted.as_backbone(), *settings).open_entry()
