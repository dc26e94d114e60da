"""Heads of Thawline become the own heads of families, with the same logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModel

from tests.support.toys import toy_config, toy_tokenizer
from thawline import TextClassifier
from thawline.artifact.native import as_native
from thawline.backbones.tokenizer import configure_tokenizer
from thawline.config import ComputeConfig
from thawline.data import Labels, Text
from thawline.errors import ThawlineError
from thawline.inference.fitted import Fitted, own_classifier
from thawline.inference.predictor import Predictor
from thawline.inference.reading import Reading
from thawline.models.heads import build_head
from thawline.models.specs import parse_head

Trained = Callable[..., TextClassifier]
TEXTS = ["a good film", "bad , bad , bad", "", "very " * 90 + "dull", "this was so funny"]
NAMES = ("neg", "so so", "pos")


def logits(fitted: Fitted, texts: Sequence[Text] = TEXTS) -> NDArray[np.float32]:
    return Predictor(fitted, ComputeConfig(dtype="float32"), use_store=False).logits(texts)


def classifier(
    family: str, head: str, pooling: str, stages: tuple[int, ...] = (4,), *, n_labels: int = 3
) -> Fitted:
    """Return a classifier with random weights, whose logits differ as those of a fitted one do."""
    torch.manual_seed(0)
    base = AutoModel.from_config(toy_config(family)).eval()
    tokenizer = toy_tokenizer(causal=family == "qwen3")
    configure_tokenizer(base, tokenizer)
    spec, width = parse_head(head), base.config.hidden_size * len(stages)
    module = build_head(spec, width, n_labels, 0.0)
    for layer in module:
        if isinstance(layer, torch.nn.Linear):
            layer.weight.data *= 10
    names = NAMES if n_labels == 3 else tuple(map(str, range(n_labels)))
    labels = Labels(names, tuple(range(n_labels)))
    model = own_classifier(base, module, spec, 0.0, labels, pooling=pooling, stages=stages)
    reading = Reading(40, "right", pooling, stages)
    return Fitted(
        model=model,
        tokenizer=tokenizer,
        labels=labels,
        reading=reading,
        head=spec,
        strategy="head",
        backbone="toy",
    )


@pytest.mark.parametrize(
    ("family", "head", "pooling", "stages"),
    [
        ("bert", "linear", "first", (4,)),
        ("bert", "linear", "first", (2,)),
        ("roberta", "linear", "first", (3,)),
        ("distilbert", "linear", "first", (4,)),
        ("distilbert", "mlp:8", "first", (2,)),
        ("modernbert", "linear", "first", (4,)),
        ("modernbert", "linear", "mean", (4,)),
    ],
)
def test_the_logits_are_equal(
    family: str, head: str, pooling: str, stages: tuple[int, ...]
) -> None:
    own = classifier(family, head, pooling, stages)
    native = as_native(own)
    expected = logits(own)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(logits(native), expected, rtol=0, atol=2e-5 * scale)
    assert expected.std(0).min() > 1e-2
    assert native.model.config.model_type == family
    assert native.model.config.num_hidden_layers == native.reading.stages[0] == stages[0]
    assert native.model.config.id2label == dict(enumerate(NAMES))


def test_a_saved_copy_has_the_same_logits(tmp_path: Path) -> None:
    native = as_native(classifier("modernbert", "linear", "mean"))
    native.model.save_pretrained(tmp_path)
    from transformers import AutoModelForSequenceClassification

    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    np.testing.assert_allclose(
        logits(replace(native, model=loaded)), logits(native), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    ("family", "head", "pooling", "stages"),
    [
        ("bert", "linear", "mean", (4,)),
        ("bert", "mlp:8", "first", (4,)),
        ("bert", "linear", "first", (3, 4)),
        ("distilbert", "linear", "mean", (4,)),
        ("modernbert", "linear", "mean", (2,)),
        ("modernbert", "mlp:8", "mean", (4,)),
        ("qwen3", "linear", "last", (4,)),
    ],
)
def test_other_heads_are_refused(
    family: str, head: str, pooling: str, stages: tuple[int, ...]
) -> None:
    with pytest.raises(ThawlineError) as refused:
        as_native(classifier(family, head, pooling, stages))
    assert refused.value.setting == "to"


def test_blocks_above_the_head_are_kept_if_they_were_trained() -> None:
    own = classifier("bert", "linear", "first", (2,))
    with pytest.raises(ThawlineError):
        as_native(replace(own, strategy="full"))


def test_too_many_labels_for_the_width_are_refused() -> None:
    assert as_native(classifier("distilbert", "linear", "first", n_labels=16))
    with pytest.raises(ThawlineError):
        as_native(classifier("distilbert", "linear", "first", n_labels=17))


def test_a_native_head_stays_as_it_is(trained_toy: Trained) -> None:
    fitted = trained_toy("qwen3", "native").fitted_
    assert as_native(fitted) is fitted


@pytest.mark.parametrize("head", ["linear", "native"])
def test_the_glove_encoder_is_refused(trained_toy: Trained, head: str) -> None:
    with pytest.raises(ThawlineError):
        as_native(trained_toy("thawline-glove", head).fitted_)
