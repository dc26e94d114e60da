"""A fit is prepared with or without a backbone, behind the same methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.tasks import FP32, LABELS, part
from thawline import ThawlineError
from thawline.backbones.loading import load_backbone
from thawline.config import ArtifactConfig, Config, TrainingConfig
from thawline.data.lengths import Tokenization, WordCount
from thawline.runtime.progress import Reporter
from thawline.training.adapt import adapt
from thawline.training.preparation import Prepared, PreparedWords, prepare
from thawline.training.task import Task, WordsTask

Reviews = Callable[..., tuple[list[str], list[int]]]


def refuse() -> None:
    raise AssertionError("no backbone is needed")


def test_tfidf_opens_no_backbone(toy_reviews: Reviews) -> None:
    prepared = prepare(Config(strategy="tfidf"), refuse)  # type: ignore[arg-type]
    assert isinstance(prepared, PreparedWords)
    assert isinstance(prepared.tokenization(), WordCount)
    assert prepared.backbone is None
    parts = {"train": part(*toy_reviews(20)), "validation": part(*toy_reviews(10, 1))}
    task, frozen = prepared.task(LABELS, parts, Reporter())
    assert isinstance(task, WordsTask)
    assert frozen.describe() is None
    assert frozen.report.texts == 0
    words = [len(text.split()) for text in parts["validation"].texts]
    assert (task.lengths("validation") <= np.array(words)).all()


@pytest.mark.parametrize("strategy", ["head", "last:1", "head+tfidf"])
def test_other_strategies_open_one(
    toy_backbone: Callable[[str], Path], toy_reviews: Reviews, strategy: str
) -> None:
    folder = str(toy_backbone("bert"))
    config = Config(folder, strategy, compute=FP32)
    prepared = prepare(config, lambda: load_backbone(folder))
    assert isinstance(prepared, Prepared)
    assert isinstance(prepared.tokenization(), Tokenization)
    parts = {"train": part(*toy_reviews(20)), "validation": part(*toy_reviews(10, 1))}
    task, _ = prepared.task(LABELS, parts, Reporter())
    assert isinstance(task, Task)


@pytest.mark.parametrize("strategy", ["tfidf", "head+tfidf"])
def test_merging_is_refused(toy_backbone: Callable[[str], Path], strategy: str) -> None:
    config = Config(strategy=strategy, artifact=ArtifactConfig(merge=True))
    with pytest.raises(ThawlineError) as caught:
        prepare(config, lambda: load_backbone(str(toy_backbone("bert"))))
    assert caught.value.setting == "artifact.merge"


AUGMENTED = TrainingConfig(augment="word_dropout=0.3,swap=0.3,copies=2")


@pytest.mark.parametrize("strategy", ["tfidf", "head", "last:1", "lora", "full", "head+tfidf"])
def test_copies_are_trained_on_and_nothing_else_is_altered(
    toy_backbone: Callable[[str], Path], toy_reviews: Reviews, strategy: str
) -> None:
    folder = str(toy_backbone("bert"))
    training = replace(AUGMENTED, epochs=1 if strategy in ("last:1", "lora", "full") else None)
    config = Config(folder, strategy, compute=FP32, training=training)
    if strategy == "tfidf":
        config = Config(strategy=strategy, training=training)
    prepared = prepare(config, lambda: load_backbone(folder))
    parts = {"train": part(*toy_reviews(20)), "validation": part(*toy_reviews(10, 1))}
    weights = torch.arange(1.0, 21.0)
    task, frozen = prepared.task(LABELS, parts, Reporter(), weights)
    assert len(task.parts["train"]) == len(frozen.texts["train"]) == 60
    assert task.original_texts == parts["train"].texts
    assert task.parts["train"].labels.tolist() == parts["train"].labels.tolist() * 3
    assert task.parts["validation"] is parts["validation"]
    assert task.weighting().rows.tolist() == weights.tolist() * 3
    adapted = adapt(task, Reporter())
    assert adapted.logits("validation").shape == (10, 2)
    assert (adapted.logits("validation") != adapted.untrained("validation")).any()


def test_the_classes_keep_their_weights(toy_reviews: Reviews) -> None:
    texts, labels = toy_reviews(30)
    train = part(texts, [0] * 5 + [1] * 25)
    parts = {"train": train, "validation": part(texts, labels)}
    found = []
    for training in (
        TrainingConfig(class_weights="balanced"),
        replace(AUGMENTED, class_weights="balanced"),
    ):
        prepared = prepare(Config(strategy="tfidf", training=training), refuse)  # type: ignore[arg-type]
        task, _ = prepared.task(LABELS, parts, Reporter())
        found.append(task.weighting().classes)
    torch.testing.assert_close(*found)


def test_the_terms_of_tfidf_are_those_of_the_texts(toy_reviews: Reviews) -> None:
    parts = {"train": part(*toy_reviews(20)), "validation": part(*toy_reviews(10, 1))}
    found = []
    for training in (TrainingConfig(), AUGMENTED):
        prepared = prepare(Config(strategy="tfidf", training=training), refuse)  # type: ignore[arg-type]
        task, _ = prepared.task(LABELS, parts, Reporter())
        found.append(adapt(task, Reporter()).fitted.words)
    assert found[0].terms == found[1].terms
    assert (found[0].idf == found[1].idf).all()
    assert (found[0].weights != found[1].weights).any()


def test_the_seed_gives_other_copies(toy_reviews: Reviews) -> None:
    parts = {"train": part(*toy_reviews(20)), "validation": part(*toy_reviews(10, 1))}
    found = []
    for seed in (0, 1, 0):
        prepared = prepare(Config(strategy="tfidf", seed=seed, training=AUGMENTED), refuse)  # type: ignore[arg-type]
        task, _ = prepared.task(LABELS, parts, Reporter())
        found.append(task.parts["train"].texts)
    assert found[0] == found[2] != found[1]


def test_an_invalid_augmentation_opens_no_backbone() -> None:
    config = Config(training=TrainingConfig(augment="swop=0.1"))
    with pytest.raises(ThawlineError) as caught:
        prepare(config, refuse)  # type: ignore[arg-type]
    assert caught.value.setting == "training.augment"
