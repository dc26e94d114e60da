"""Several classifiers compute what each computes alone, and run shared stages once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.counting import counting
from tests.support.toys import DEPTH, FAMILIES
from thawline import TextClassifier
from thawline.config import ComputeConfig
from thawline.errors import ThawlineError
from thawline.evaluation.metrics import probabilities
from thawline.inference.fitted import AnyFitted
from thawline.inference.predictor import Predictor
from thawline.inference.shared import SharedPredictor
from thawline.inference.sharing import Stretch, find_stretches

Reviews = Callable[..., tuple[list[str], list[int]]]
Trained = Callable[..., TextClassifier]
FP32 = ComputeConfig(dtype="float32")


def check_equal_to_each_alone(classifiers: list[AnyFitted], texts: list[str]) -> None:
    together = SharedPredictor(classifiers, FP32).logits(texts)
    assert len(together) == len(classifiers)
    for fitted, logits in zip(classifiers, together, strict=True):
        alone = Predictor(fitted, FP32, use_store=False).logits(texts)
        np.testing.assert_allclose(
            probabilities(logits), probabilities(alone), rtol=0, atol=1e-5, err_msg=fitted.strategy
        )


class TestFindStretches:
    def test_equal_beginnings_occur_once(self) -> None:
        chains = ["eab", "eab", "eax", "ea", "", "fab"]
        first, second = find_stretches(chains)
        ends = Stretch(2, 2, (0, 1), (0, 1), ()), Stretch(2, 2, (2,), (2,), ())
        assert first == Stretch(0, 1, (0, 1, 2, 3), (3,), ends)
        assert second == Stretch(0, 2, (5,), (5,), ())

    def test_the_last_one_goes_on_alone(self) -> None:
        (only,) = find_stretches(["ea", "eabc"])
        assert only == Stretch(0, 1, (0, 1), (0,), (Stretch(2, 3, (1,), (1,), ()),))

    def test_a_classifier_that_stops_early_does_not_split_the_others(self) -> None:
        (only,) = find_stretches(["ea", "eabcd", "eabcd"])
        assert (only.first, only.last, only.branches) == (0, 4, ())
        assert only.classifiers == only.finished == (0, 1, 2)


class TestSharedPredictor:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_heads_on_one_backbone(
        self, trained_toy: Trained, toy_reviews: Reviews, family: str
    ) -> None:
        heads = [trained_toy(family, head).fitted_ for head in ("linear", "mlp:8", "native")]
        check_equal_to_each_alone(heads, toy_reviews(30, seed=3)[0])

    @pytest.mark.parametrize("family", ["bert", "distilbert", "qwen3"])
    def test_strategies_with_different_lines(
        self,
        toy_backbone: Callable[[str], Path],
        trained_toy: Trained,
        toy_reviews: Reviews,
        tmp_path: Path,
        family: str,
    ) -> None:
        texts, labels = toy_reviews(48)
        common = {"epochs": 1, "lr": 1e-2, "keep": "last", "dtype": "float32"}
        classifiers = [trained_toy(family, "linear").fitted_]
        for strategy, pooling in [
            ("last:1", "first"),
            ("last:2", "mean"),
            (f"lora:r=2,from={DEPTH}", "last"),
            ("full", "mean"),
        ]:
            classifier = TextClassifier(
                toy_backbone(family), strategy=strategy, pooling=pooling, **common
            )
            classifiers.append(classifier.fit(texts, labels).fitted_)
        classifiers.append(TextClassifier(strategy="tfidf").fit(texts, labels).fitted_)
        texts = toy_reviews(30, seed=3)[0]
        check_equal_to_each_alone(classifiers, texts)
        with counting(tmp_path) as work:
            SharedPredictor(classifiers, FP32).logits(texts)
        # The head reads all stages and last:1 and lora the states below the last one, which last:2
        # shares up to the one below that. Only full runs everything again.
        passes = {block: count / 30 for block, count in work.texts["prediction"].items()}
        # The last block of last:1 runs for the first token alone, where the family allows it.
        assert passes == {1: 2, 2: 2, 3: 3, 4: 5 if family == "qwen3" else 4}

    def test_other_tokens_are_another_group(
        self, trained_toy: Trained, toy_backbone: Callable[[str], Path], toy_reviews: Reviews
    ) -> None:
        short = TextClassifier(toy_backbone("bert"), max_length=8, dtype="float32")
        short.fit(*toy_reviews(40))
        classifiers = [trained_toy("bert", "linear").fitted_, short.fitted_]
        check_equal_to_each_alone(classifiers, toy_reviews(30, seed=3)[0])
        assert len(SharedPredictor(classifiers, FP32).groups) == 2

    def test_tokens_without_types_are_another_group(self, trained_toy: Trained) -> None:
        fitted = trained_toy("bert", "linear").fitted_
        tokenizer = copy.deepcopy(fitted.tokenizer)
        tokenizer.model_input_names = ["input_ids", "attention_mask"]
        other = replace(fitted, tokenizer=tokenizer)
        assert len(SharedPredictor([fitted, other], FP32).groups) == 2

    def test_no_text_gives_no_row(self, trained_toy: Trained) -> None:
        fitted = trained_toy("bert", "linear").fitted_
        shapes = [logits.shape for logits in SharedPredictor([fitted, fitted], FP32).logits([])]
        assert shapes == [(0, 2), (0, 2)]

    def test_refuses_pairs_for_single_texts(self, trained_toy: Trained) -> None:
        predictor = SharedPredictor([trained_toy("bert", "linear").fitted_], FP32)
        with pytest.raises(ThawlineError):
            predictor.logits([("a film", "good")])
