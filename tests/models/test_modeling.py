"""The model that is saved for a linear or MLP head: parts, forward pass and Auto classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    pipeline,
)

import thawline
from tests.support.toys import DEPTH, FAMILIES, WIDTH, as_inputs
from thawline import TextClassifier, artifact
from thawline.backbones.loading import Backbone, load_backbone
from thawline.backbones.pooling import POOLINGS
from thawline.backbones.stack import Stack
from thawline.data.tokens import tokenize
from thawline.models.configuration import ThawlineConfig
from thawline.models.heads import build_head
from thawline.models.modeling import ThawlineForSequenceClassification
from thawline.models.specs import parse_head

TEXTS = ["the film was good", "", "a dull plot and a very weak cast , not funny at all", "warm"]
EVERY = tuple(range(DEPTH + 1))


def assemble(
    backbone: Backbone, head: str, pooling: str, stages: tuple[int, ...], n_labels: int = 3
) -> PreTrainedModel:
    torch.manual_seed(1)
    config = ThawlineConfig(
        backbone=backbone.stack.model.config.to_dict(),
        head=head,
        pooling=pooling,
        stages=stages,
        num_labels=n_labels,
    )
    made = build_head(parse_head(head), WIDTH * len(stages), n_labels, dropout=0.1)
    return ThawlineForSequenceClassification.assemble(config, backbone.stack.model, made)


def batch_of(backbone: Backbone) -> tuple[Tensor, Tensor]:
    tokens = tokenize(backbone.tokenizer, TEXTS, max_length=40, truncation_side="right")
    inputs = tokens.batch(np.arange(len(TEXTS)))
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    return ids, mask


@pytest.mark.parametrize("stages", [(DEPTH,), (0,), (3, 1), EVERY])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_head_reads_the_pooled_stages_in_their_order(
    toy_backbone: Callable[[str], Path], pooling: str, stages: tuple[int, ...]
) -> None:
    backbone = load_backbone(str(toy_backbone("bert")))
    model = assemble(backbone, "mlp:5", pooling, stages)
    ids, mask = batch_of(backbone)
    with torch.inference_mode():
        pooled = backbone.stack.pooled(as_inputs(ids, mask))[:, :, POOLINGS.index(pooling)]
        expected = model.head(torch.cat([pooled[:, stage] for stage in stages], dim=1))
        found = model(input_ids=ids, attention_mask=mask).logits
    assert found.shape == (len(TEXTS), 3)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_text_of_a_padded_batch_gets_what_it_gets_alone(
    toy_backbone: Callable[[str], Path], family: str
) -> None:
    backbone = load_backbone(str(toy_backbone(family)))
    model = assemble(backbone, "linear", "mean", EVERY)
    ids, mask = batch_of(backbone)
    with torch.inference_mode():
        together = model(input_ids=ids, attention_mask=mask).logits
        for row in range(len(TEXTS)):
            alone = model(input_ids=ids[row : row + 1, : int(mask[row].sum())]).logits[0]
            torch.testing.assert_close(together[row], alone, rtol=0, atol=1e-5)
    assert together.std(0).min() > 1e-3


def test_labels_given_it_returns_their_mean_loss(toy_backbone: Callable[[str], Path]) -> None:
    backbone = load_backbone(str(toy_backbone("bert")))
    model = assemble(backbone, "linear", "mean", EVERY)
    ids, mask = batch_of(backbone)
    labels = torch.tensor([0, 2, 1, 0])
    output = model(ids, mask, labels=labels, token_type_ids=torch.zeros_like(ids))
    torch.testing.assert_close(output.loss, cross_entropy(output.logits, labels))
    assert model(ids, mask).loss is None


def test_assembling_keeps_the_very_parts(toy_backbone: Callable[[str], Path]) -> None:
    backbone = load_backbone(str(toy_backbone("bert")))
    model = assemble(backbone, "mlp:5", "mean", (1, 2))
    assert model.backbone is model.base_model is backbone.stack.model
    assert not any(parameter.is_meta for parameter in model.parameters())
    assert not model.training


@pytest.mark.parametrize("head", ["linear", "mlp:5"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_config_alone_makes_a_model_of_the_same_layout(
    toy_backbone: Callable[[str], Path], family: str, head: str
) -> None:
    backbone = load_backbone(str(toy_backbone(family)))
    made = assemble(backbone, head, "mean", (0, DEPTH))
    config = ThawlineConfig.from_dict(json.loads(made.config.to_json_string(use_diff=False)))
    built = ThawlineForSequenceClassification(config)
    assert {name: p.shape for name, p in built.named_parameters()} == {
        name: p.shape for name, p in made.named_parameters()
    }
    assert (config.head, config.pooling, config.stages) == (head, "mean", [0, DEPTH])
    assert config.backbone["model_type"] == family


def test_the_config_has_a_type_of_its_own_and_rests_on_no_shared_value() -> None:
    first, second = ThawlineConfig(), ThawlineConfig(stages=(1, 2), head_dropout=0.3)
    first.stages.append(9)
    assert ThawlineConfig().stages == []
    assert (second.stages, second.head_dropout, second.model_type) == ([1, 2], 0.3, "thawline")


def test_importing_thawline_teaches_the_auto_classes() -> None:
    assert thawline.__version__
    config = AutoConfig.for_model("thawline", head="mlp:5")
    assert isinstance(config, ThawlineConfig)
    assert config.head == "mlp:5"


@pytest.mark.parametrize("head", ["linear", "mlp:8"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_auto_classes_load_a_saved_folder(
    trained_toy: Callable[..., TextClassifier], tmp_path: Path, family: str, head: str
) -> None:
    fitted = trained_toy(family, head).fitted_
    artifact.save(fitted, tmp_path / "saved")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved")
    assert type(model) is ThawlineForSequenceClassification
    assert isinstance(model.head, nn.Sequential)
    assert Stack(model.base_model).depth == DEPTH
    saved, loaded = fitted.model.state_dict(), model.state_dict()
    assert set(saved) == set(loaded)
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)


def test_a_pipeline_gives_the_same_probabilities_once_thawline_is_imported(
    trained_toy: Callable[..., TextClassifier], tmp_path: Path
) -> None:
    classifier = trained_toy()
    artifact.save(classifier.fitted_, tmp_path / "saved")
    texts = ["a good film", "bad , bad", "very " * 90]
    answers = pipeline("text-classification", str(tmp_path / "saved"), top_k=None)(
        texts, truncation=True
    )
    found = [
        [{one["label"]: one["score"] for one in answer}[name] for name in ("neg", "pos")]
        for answer in answers
    ]
    np.testing.assert_allclose(found, classifier.predict_proba(texts), rtol=0, atol=1e-5)
