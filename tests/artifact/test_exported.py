"""Classifiers that were exported to ONNX give the logits of their torch models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")

from tests.support.toys import FAMILIES
from thawline import TextClassifier, artifact
from thawline.artifact.exported import quantise, save_exported
from thawline.config import ComputeConfig
from thawline.errors import ThawlineError
from thawline.inference.exported import FittedOnnx
from thawline.inference.predictor import Predictor

Reviews = Callable[..., tuple[list[str], list[int]]]
Trained = Callable[..., TextClassifier]
ODD = ["", "film", "very " * 90 + "good"]
HEADS = ("linear", "mlp:8", "native")
ONE = ("thawline-glove", "linear")
"""The case that is always tested; `tests/e2e/verbs/test_export.py` tests a BERT."""


@pytest.mark.parametrize(
    ("family", "head"),
    [
        pytest.param(family, head, marks=() if (family, head) == ONE else pytest.mark.slow)
        for family in FAMILIES
        for head in HEADS
    ],
)
def test_an_export_gives_the_same_logits(
    trained_toy: Trained, toy_reviews: Reviews, tmp_path: Path, family: str, head: str
) -> None:
    fitted, folder = trained_toy(family, head).fitted_, tmp_path / "exported"
    folder.mkdir()
    save_exported(fitted, folder)
    loaded = artifact.load(folder)
    assert isinstance(loaded, FittedOnnx)
    compute = ComputeConfig(dtype="float32", tokens_per_batch=256)
    texts = toy_reviews(20, seed=5)[0] + ODD
    expected = Predictor(fitted, compute, use_store=False).logits(texts)
    found = Predictor(loaded, compute, use_store=False)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found.logits(texts), expected, rtol=0, atol=1e-4 * scale)
    alone = np.concatenate([found.logits([text]) for text in ODD])
    np.testing.assert_allclose(alone, expected[-3:], rtol=0, atol=1e-4 * scale)
    assert expected.std(0).min() > 3e-4
    quantise(folder)
    quantised = artifact.load(folder)
    assert isinstance(quantised, FittedOnnx)
    assert quantised.precision == "int8"
    coarse = Predictor(quantised, compute, use_store=False)
    alone = np.concatenate([coarse.logits([text]) for text in ODD])
    np.testing.assert_allclose(coarse.logits(texts)[-3:], alone, rtol=0, atol=1e-5 * scale)
    assert np.isfinite(alone).all()


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt, ThawlineError])
def test_errors_of_the_exporter(
    trained_toy: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[BaseException],
) -> None:
    causes = {
        OSError: OSError(27, "File too large"),
        # This is how torch converts Ctrl-C inside of its C++ code.
        KeyboardInterrupt: TypeError(
            "failed to unpack the object with error 'KeyboardInterrupt: '"
        ),
        ThawlineError: ValueError("no such operator"),
    }

    def export(*_: object, **__: object) -> None:
        if kind is OSError:
            raise causes[kind]
        raise RuntimeError("step 2 of 3 failed") from causes[kind]

    monkeypatch.setattr("torch.onnx.export", export)
    with pytest.raises(kind) as found:
        save_exported(trained_toy(*ONE).fitted_, tmp_path)
    if isinstance(found.value, ThawlineError):
        assert found.value.found == str(causes[ThawlineError])
