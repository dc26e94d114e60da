from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.toys import DEPTH, FAMILIES, LIMIT, WIDTH
from thawline.backbones.loading import load_backbone
from thawline.backbones.operations import forward_operations
from thawline.config import Config, HeadConfig, TrainingConfig
from thawline.errors import ThawlineError
from thawline.jobs.info import describe
from thawline.runs.records import CHOSEN_LATER, Parameters

DISTILBERT = 66_362_880
DISTILBERT_NATIVE_HEAD = 592_130


def config(backbone, head: str = HeadConfig.head, **settings) -> Config:
    return Config(backbone=str(backbone), head=HeadConfig(head=head, **settings))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_stages_hold_every_parameter_of_the_backbone(toy_backbone, family):
    described = describe(config(toy_backbone(family)), n_labels=2)
    names = [stage.name for stage in described.stages]
    assert names == ["embeddings", *(f"block {block}" for block in range(1, DEPTH + 1))]
    assert [stage.stage for stage in described.stages] == list(range(DEPTH + 1))
    model = load_backbone(str(toy_backbone(family))).stack.model
    whole = sum(parameter.numel() for parameter in model.parameters())
    assert sum(stage.parameters for stage in described.stages) == whole
    assert described.family == family
    assert (described.hidden_size, described.max_length) == (WIDTH, LIMIT)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", ["linear", "mlp:8", "native"])
def test_under_head_the_whole_backbone_is_frozen(toy_backbone, family, head):
    described = describe(config(toy_backbone(family), head), n_labels=3)
    parameters = described.parameters
    assert (described.strategy, described.line) == ("head", DEPTH + 1)
    assert all(stage.trainable == 0 for stage in described.stages)
    assert parameters.frozen == sum(stage.parameters for stage in described.stages)
    assert parameters.total == parameters.frozen + parameters.trainable
    assert parameters.trainable > 0


@pytest.mark.parametrize(
    ("head", "features", "trainable"),
    [
        ("linear", None, WIDTH * 3 + 3),
        ("linear", "0", WIDTH * 3 + 3),
        ("linear", "layers", WIDTH * (DEPTH + 1) * 3 + 3),
        ("mlp:8", "last", WIDTH * 8 + 8 + 8 * 3 + 3),
        ("native", None, WIDTH * 3 + 3),
    ],
)
def test_the_head_s_parameters_are_counted(toy_backbone, head, features, trainable):
    described = describe(config(toy_backbone(), head, features=features), n_labels=3)
    assert described.parameters.trainable == trainable


def test_info_reports_resolved_settings(toy_backbone):
    exact = describe(config(toy_backbone()), n_labels=2)
    assert (exact.head, exact.pooling) == ("linear", "mean")
    assert exact.features == CHOSEN_LATER
    native = describe(config(toy_backbone(), "native"), n_labels=2)
    assert (native.pooling, native.features) == ("first", [DEPTH])


def test_info_reports_the_values_that_a_fit_records(toy_backbone, toy_reviews):
    from thawline import TextClassifier

    described = describe(config(toy_backbone(), "native"), n_labels=2)
    classifier = TextClassifier(toy_backbone(), head="native", epochs=1).fit(*toy_reviews(24))
    assert classifier.parameters_ == described.parameters.to_dict()


@pytest.mark.parametrize(
    ("strategy", "prefix", "training"),
    [
        ("head", (0, 1, 2, 3, 4), ()),
        ("last:1", (0, 1, 2, 3), (4,)),
        ("lora", (), (1, 2, 3, 4)),
        ("full", (), (0, 1, 2, 3, 4)),
        ("lp+last:1", (0, 1, 2, 3, 4), (4,)),
    ],
)
def test_the_operations_are_those_of_a_text_of_the_maximum_length(
    toy_backbone, strategy, prefix, training
):
    operations = describe(replace(config(toy_backbone()), strategy=strategy), n_labels=2).operations
    stack, longest = load_backbone(str(toy_backbone())).stack, np.array([LIMIT])
    assert operations.tokens == LIMIT
    assert operations.prefix == forward_operations(stack, longest, prefix)
    forward = forward_operations(stack, longest, training)
    assert 1.8 * forward <= operations.training <= 3 * forward


def test_wrong_settings_are_refused(toy_backbone):
    with pytest.raises(ThawlineError) as caught:
        describe(config(toy_backbone()), n_labels=1)
    assert caught.value.found == "1"
    assert "`data.labels=" in caught.value.fix
    with pytest.raises(ThawlineError) as caught:
        describe(Config(backbone=str(toy_backbone()), strategy="gradual:stages=6"), n_labels=2)
    assert caught.value.found == "6"


def test_gradual_says_when_each_stage_thaws_and_counts_the_mean_epoch(toy_backbone):
    given = replace(config(toy_backbone()), strategy="gradual", training=TrainingConfig(epochs=2))
    described = describe(given, n_labels=2)
    assert (described.strategy, described.line) == ("gradual:stages=2", 3)
    assert [stage.first_epoch for stage in described.stages] == [None, None, None, 2, 1]
    assert [bool(stage.trainable) for stage in described.stages] == [False] * 3 + [True] * 2
    as_last = replace(given, strategy="last:2", training=TrainingConfig())
    last = describe(as_last, n_labels=2)
    assert described.parameters == last.parameters
    assert described.operations.prefix == last.operations.prefix
    assert 0.5 < described.operations.training / last.operations.training < 1


def test_distilbert_has_the_published_size_and_its_native_head_trains(distilbert):
    described = describe(config(distilbert, "native"), n_labels=2)
    assert sum(stage.parameters for stage in described.stages) == DISTILBERT
    assert described.parameters == Parameters(
        trainable=DISTILBERT_NATIVE_HEAD,
        frozen=DISTILBERT,
        total=DISTILBERT + DISTILBERT_NATIVE_HEAD,
    )
    assert (described.line, described.pooling) == (7, "first")
