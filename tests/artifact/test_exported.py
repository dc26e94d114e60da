"""Classifiers that were exported to ONNX give the probabilities of their torch models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")

from tests.support.toys import FAMILIES
from thawline import TextClassifier
from thawline.artifact.exported import save_exported

Reviews = Callable[..., tuple[list[str], list[int]]]
Trained = Callable[..., TextClassifier]
ODD = ["", "film", "very " * 90 + "good"]


@pytest.mark.parametrize("head", ["linear", "native"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_export_gives_the_same_probabilities(
    trained_toy: Trained, toy_reviews: Reviews, tmp_path: Path, family: str, head: str
) -> None:
    classifier = trained_toy(family, head)
    (tmp_path / "exported").mkdir()
    save_exported(classifier.fitted_, tmp_path / "exported")
    loaded = TextClassifier.load(tmp_path / "exported")
    texts = toy_reviews(20, seed=5)[0] + ODD
    expected = classifier.predict_proba(texts)
    np.testing.assert_allclose(loaded.predict_proba(texts), expected, rtol=0, atol=1e-4)
    assert expected.std(0).min() > 1e-4
