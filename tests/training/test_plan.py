"""The plan resolves omitted settings and rejects settings that do not fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import DEPTH, FAMILIES, LIMIT
from thawline.backbones.loading import Backbone, load_backbone
from thawline.config import (
    EPOCHS,
    LEARNING_RATES,
    ArtifactConfig,
    ComputeConfig,
    Config,
    HeadConfig,
    TokensConfig,
    TrainingConfig,
)
from thawline.errors import ThawlineError
from thawline.models.specs import HeadSpec
from thawline.strategies import Head, HeadFirst
from thawline.training.plan import Plan, make_plan

EVERY = tuple(range(DEPTH + 1))
SINGLES = tuple((stage,) for stage in EVERY)


@pytest.fixture(scope="module")
def backbone(toy_backbone: Callable[[str], Path]) -> Callable[[str], Backbone]:
    """Return a function that loads a toy backbone, which the tests share."""
    loaded: dict[str, Backbone] = {}

    def load(family: str = "bert") -> Backbone:
        if family not in loaded:
            loaded[family] = load_backbone(str(toy_backbone(family)))
        return loaded[family]

    return load


PARTS: dict[str, type] = {
    "head": HeadConfig,
    "pooling": HeadConfig,
    "features": HeadConfig,
    "device": ComputeConfig,
    "dtype": ComputeConfig,
    "epochs": TrainingConfig,
    "head_first_epochs": TrainingConfig,
    "lr": TrainingConfig,
    "batch_size": TrainingConfig,
    "max_length": TokensConfig,
    "truncation_side": TokensConfig,
    "patience": TrainingConfig,
    "schedule": TrainingConfig,
    "class_weights": TrainingConfig,
    "keep": TrainingConfig,
    "merge": ArtifactConfig,
}


def config(**settings: Any) -> Config:
    """Return a config with each setting in the part that it belongs to."""
    made = Config()
    for name, value in settings.items():
        if name in PARTS:
            part = PARTS[name].__name__.removesuffix("Config").lower()
            made = replace(made, **{part: replace(getattr(made, part), **{name: value})})
        else:
            made = replace(made, **{name: value})
    return made


@pytest.fixture
def plan(backbone: Callable[[str], Backbone]) -> Callable[..., Plan]:
    return lambda family="bert", **settings: make_plan(backbone(family), config(**settings))


def test_the_default_is_an_exact_linear_head_on_means(plan: Callable[..., Plan]) -> None:
    assert plan() == Plan(
        strategy=Head(),
        line=DEPTH + 1,
        head=HeadSpec("linear"),
        exact=True,
        pooling="mean",
        candidates=(*SINGLES, EVERY),
        max_length=LIMIT,
        epochs=None,
        lr=None,
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_default_pooling_is_the_mean(plan: Callable[..., Plan], family: str) -> None:
    assert plan(family).pooling == "mean"
    assert plan(family, head="mlp:4").pooling == "mean"


@pytest.mark.parametrize(
    ("family", "pooling"),
    [
        ("bert", "first"),
        ("roberta", "first"),
        ("distilbert", "first"),
        ("modernbert", "first"),
        ("qwen3", "last"),
        ("llama", "last"),
    ],
)
def test_a_native_head_pools_as_its_family_does(
    plan: Callable[..., Plan], family: str, pooling: str
) -> None:
    assert plan(family, head="native").pooling == pooling
    assert plan(family, head="native", pooling=pooling).pooling == pooling


@pytest.mark.parametrize("pooling", ["first", "last", "mean"])
def test_a_given_pooling_is_used(plan: Callable[..., Plan], pooling: str) -> None:
    assert plan(pooling=pooling).pooling == pooling


@pytest.mark.parametrize("head", ["mlp:8", "native"])
def test_other_heads_train_by_epochs_on_the_last_stage(
    plan: Callable[..., Plan], head: str
) -> None:
    made = plan(head=head)
    assert (made.exact, made.epochs, made.lr) == (False, EPOCHS, LEARNING_RATES["head"])
    assert made.candidates == ((DEPTH,),)


def test_a_linear_head_with_epochs_trains_on_the_last_stage(
    plan: Callable[..., Plan],
) -> None:
    made = plan(epochs=5, lr=0.5)
    assert (made.exact, made.epochs, made.lr) == (False, 5, 0.5)
    assert made.candidates == ((DEPTH,),)
    assert plan(epochs=5).lr == LEARNING_RATES["head"]


@pytest.mark.parametrize(
    ("strategy", "line"),
    [("last:1", DEPTH), ("last:3", DEPTH - 2), ("lora:r=2", 1), ("lora:from=3", 3), ("full", 0)],
)
@pytest.mark.parametrize("head", ["linear", "mlp:8", "native"])
def test_trained_blocks_have_epochs_and_the_rate_of_their_strategy(
    plan: Callable[..., Plan], strategy: str, line: int, head: str
) -> None:
    made = plan(strategy=strategy, head=head)
    assert made.line == line
    assert made.head.kind == head.partition(":")[0]
    assert (made.exact, made.epochs) == (False, EPOCHS)
    assert made.lr == LEARNING_RATES[made.strategy.name]
    assert made.candidates == ((DEPTH,),)
    assert plan(strategy=strategy, lr=0.5, epochs=7).lr == 0.5


def test_adapters_may_be_merged(plan: Callable[..., Plan]) -> None:
    assert plan(strategy="lora", merge=True).strategy.adapters is not None
    assert plan(strategy="lp+lora", merge=True).strategy.adapters is not None


@pytest.mark.parametrize(
    ("strategy", "rate"), [("last:2", "last"), ("lora:from=3", "lora"), ("full", "full")]
)
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_head_that_is_trained_first_has_the_plan_of_the_head_alone(
    plan: Callable[..., Plan], strategy: str, rate: str, pooling: str
) -> None:
    made = plan(strategy=f"lp+{strategy}", pooling=pooling)
    alone = plan(strategy="head", features="last", pooling=pooling)
    assert made.first == alone
    assert alone.exact
    then = plan(strategy=strategy, pooling=pooling)
    assert made == replace(then, strategy=HeadFirst(then.strategy), first=alone)
    assert (then.first, alone.first) == (None, None)
    assert made.lr == LEARNING_RATES[rate]


@pytest.mark.parametrize("head", ["mlp:8", "native"])
def test_without_an_exact_fit_the_first_head_has_its_own_epochs_and_rate(
    plan: Callable[..., Plan], head: str
) -> None:
    epochs = TrainingConfig.head_first_epochs
    made = plan(strategy="lp+full", head=head, epochs=2, lr=1e-5)
    assert (made.epochs, made.lr) == (2, 1e-5)
    assert made.first == plan(head=head, epochs=epochs)
    assert made.first.lr == LEARNING_RATES["head"]
    more = plan(strategy="lp+full", head=head, head_first_epochs=epochs + 1)
    assert more.first is not None
    assert (more.first.epochs, more.epochs) == (epochs + 1, EPOCHS)


@pytest.mark.parametrize(
    ("features", "stages"),
    [("last", (DEPTH,)), ("0", (0,)), ("2", (2,)), (str(DEPTH), (DEPTH,)), ("layers", EVERY)],
)
@pytest.mark.parametrize("epochs", [None, 2])
def test_given_features_are_the_only_candidate(
    plan: Callable[..., Plan], features: str, stages: tuple[int, ...], epochs: int | None
) -> None:
    assert plan(features=features, epochs=epochs).candidates == (stages,)


@pytest.mark.parametrize("features", ["last", str(DEPTH)])
def test_a_native_head_accepts_the_last_stage_by_name_or_number(
    plan: Callable[..., Plan], features: str
) -> None:
    assert plan(head="native", features=features).candidates == ((DEPTH,),)


def test_a_length_within_the_limit_is_used(plan: Callable[..., Plan]) -> None:
    assert plan(max_length=16).max_length == 16


# The settings, the setting that the error is about, and a part of what it must show as found.
ERRORS: list[tuple[dict[str, Any], str, str]] = [
    ({"head": "native", "pooling": "mean"}, "head.pooling", "mean"),
    ({"family": "qwen3", "head": "native", "pooling": "first"}, "head.pooling", "first"),
    ({"pooling": "maen"}, "head.pooling", "maen"),
    ({"pooling": "max"}, "head.pooling", "max"),
    ({"head": "native", "features": "layers"}, "head.features", "layers"),
    ({"head": "native", "features": "1"}, "head.features", "1"),
    ({"features": "5"}, "head.features", "5"),
    ({"features": "layer"}, "head.features", "'layer'"),
    ({"features": "-1"}, "head.features", "-1"),
    ({"strategy": "full", "features": "layers"}, "head.features", "layers"),
    ({"strategy": "full", "head": "native", "features": "layers"}, "head.features", "layers"),
    ({"strategy": "lp+full", "features": "layers"}, "head.features", "layers"),
    ({"lr": 0.1}, "training.lr", "0.1"),
    ({"strategy": "last:2", "keep": "last", "patience": 2}, "training.patience", "2"),
    ({"strategy": "last:2", "merge": True}, "artifact.merge", "last:2"),
    ({"strategy": "lp+full", "merge": True}, "artifact.merge", "lp+full"),
]

# The same for errors that other modules raise while the plan is made.
ERRORS_ELSEWHERE: list[tuple[dict[str, Any], str, str]] = [
    ({"epochs": 0}, "training.epochs", "0"),
    ({"epochs": 2, "lr": float("nan")}, "training.lr", "NaN"),
    ({"seed": None}, "seed", "none"),
    ({"truncation_side": "middle"}, "tokens.truncation_side", "middle"),
    ({"schedule": "cosin"}, "training.schedule", "cosin"),
    ({"class_weights": "equal"}, "training.class_weights", "equal"),
    ({"keep": "f1"}, "training.keep", "f1"),
    (
        {"strategy": "lp+full", "head": "mlp:8", "head_first_epochs": 0},
        "training.head_first_epochs",
        "0",
    ),
    ({"device": "gpu"}, "compute.device", "gpu"),
    ({"dtype": "half"}, "compute.dtype", "half"),
    ({"head": "liner"}, "head.head", "liner"),
    ({"strategy": "hed"}, "strategy", "hed"),
    ({"strategy": "last:5"}, "strategy", "5"),
    ({"strategy": "lp+last:5"}, "strategy", "5"),
    ({"strategy": "gradual:stages=6"}, "strategy", "6"),
    ({"strategy": "gradual:stages=3", "epochs": 2}, "strategy", "3"),
    ({"strategy": "lora:targets=query+valeu"}, "strategy", "valeu"),
]


def refusal(plan: Callable[..., Plan], **settings: Any) -> ThawlineError:
    with pytest.raises(ThawlineError) as caught:
        plan(**settings)
    return caught.value


@pytest.mark.parametrize(("settings", "setting", "found"), ERRORS, ids=str)
def test_a_setting_that_does_not_fit_is_refused(
    plan: Callable[..., Plan], settings: dict[str, Any], setting: str, found: str
) -> None:
    error = refusal(plan, **settings)
    assert error.setting == setting
    assert found in error.found


@pytest.mark.parametrize(("settings", "setting", "found"), ERRORS_ELSEWHERE, ids=str)
def test_an_invalid_value_is_refused(
    plan: Callable[..., Plan], settings: dict[str, Any], setting: str, found: str
) -> None:
    error = refusal(plan, **settings)
    assert error.setting in (setting, None)
    assert found in error.found


@pytest.mark.parametrize(
    ("settings", "suggested"),
    [
        ({"pooling": "maen"}, ["mean"]),
        ({"pooling": "max"}, ["first", "last", "mean"]),
        ({"features": "5"}, [str(DEPTH)]),
        ({"features": "layer"}, ["layers"]),
        ({"features": "-1"}, ["last", "layers"]),
        ({"device": "gpu"}, ["cpu"]),
        ({"schedule": "cosin"}, ["cosine"]),
        ({"strategy": "lora:targets=query+valeu"}, ["value"]),
        ({"strategy": "hed"}, ["head"]),
        ({"strategy": "last:5"}, [str(DEPTH)]),
        ({"head": "liner"}, ["linear"]),
        ({"head": "native", "features": "layers"}, ["`head.features`", "`head.head=linear`"]),
    ],
    ids=str,
)
def test_the_fix_suggests_a_value_that_fits(
    plan: Callable[..., Plan], settings: dict[str, Any], suggested: list[str]
) -> None:
    error = refusal(plan, **settings)
    assert all(value in error.fix for value in suggested)


@pytest.mark.parametrize("strategy", ["full", "lp+full", "last:1"])
def test_above_trained_blocks_no_other_head_is_suggested(
    plan: Callable[..., Plan], strategy: str
) -> None:
    error = refusal(plan, strategy=strategy, features="layers")
    assert "`head.features`" in error.fix
    assert "head.head" not in error.fix


@pytest.mark.parametrize("length", [0, 3, LIMIT + 1])
def test_a_length_beyond_the_backbone_s_limits_is_refused(
    plan: Callable[..., Plan], length: int
) -> None:
    error = refusal(plan, max_length=length)
    assert error.setting in ("tokens.max_length", None)
    assert str(LIMIT) in error.expected
    assert str(length) in error.found


@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_pooling_the_first_token_of_a_causal_backbone_warns(
    plan: Callable[..., Plan], family: str
) -> None:
    with pytest.warns(UserWarning, match="'first'.*'mean'") as caught:
        assert plan(family, pooling="first").pooling == "first"
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("family", "pooling"),
    [("bert", "first"), ("qwen3", "last"), ("qwen3", "mean"), ("qwen3", None)],
)
def test_no_other_pooling_warns(
    plan: Callable[..., Plan], family: str, pooling: str | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan(family, pooling=pooling)
