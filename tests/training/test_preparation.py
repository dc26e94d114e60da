"""A fit is prepared with or without a backbone, behind the same methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.tasks import FP32, LABELS, part
from thawline import ThawlineError
from thawline.backbones.loading import load_backbone
from thawline.config import ArtifactConfig, Config
from thawline.data.lengths import Tokenization, WordCount
from thawline.runtime.progress import Reporter
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
