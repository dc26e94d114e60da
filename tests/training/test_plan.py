"""The plan: each setting that was left open is resolved, and each that does not fit is refused."""

from __future__ import annotations

import re
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
from thawline.models.heads import HeadSpec
from thawline.strategies import Head, HeadFirst
from thawline.training.plan import Plan, make_plan

EVERY = tuple(range(DEPTH + 1))
SINGLES = tuple((stage,) for stage in EVERY)


@pytest.fixture(scope="module")
def backbone(toy_backbone: Callable[[str], Path]) -> Callable[[str], Backbone]:
    """Return what gives a loaded toy backbone; a plan does not change it."""
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
    """Return a config with settings put in the parts that they belong to."""
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


def test_what_is_left_open_becomes_an_exact_linear_head_on_means(plan: Callable[..., Plan]) -> None:
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
def test_a_named_pooling_is_taken(plan: Callable[..., Plan], pooling: str) -> None:
    assert plan(pooling=pooling).pooling == pooling


@pytest.mark.parametrize("head", ["mlp:8", "native"])
def test_other_heads_train_by_epochs_on_the_last_stage(
    plan: Callable[..., Plan], head: str
) -> None:
    made = plan(head=head)
    assert (made.exact, made.epochs, made.lr) == (False, EPOCHS, LEARNING_RATES["head"])
    assert made.candidates == ((DEPTH,),)


def test_a_linear_head_with_epochs_trains_by_them_on_the_last_stage(
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
def test_above_the_line_everything_trains_by_epochs_at_the_strategy_s_own_rate(
    plan: Callable[..., Plan], strategy: str, line: int, head: str
) -> None:
    made = plan(strategy=strategy, head=head)
    assert made.line == line
    assert made.head.kind == head.partition(":")[0]
    assert (made.exact, made.epochs) == (False, EPOCHS)
    assert made.lr == LEARNING_RATES[made.strategy.name]
    assert made.candidates == ((DEPTH,),)
    assert plan(strategy=strategy, lr=0.5, epochs=7).lr == 0.5


def test_adapters_may_be_folded_in(plan: Callable[..., Plan]) -> None:
    assert plan(strategy="lora", merge=True).strategy.adapters is not None
    assert plan(strategy="lp+lora", merge=True).strategy.adapters is not None


@pytest.mark.parametrize(
    ("strategy", "rate"), [("last:2", "last"), ("lora:from=3", "lora"), ("full", "full")]
)
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_head_that_is_fitted_first_is_planned_as_the_head_alone(
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
def test_one_without_an_exact_fit_has_epochs_and_a_rate_of_its_own(
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
def test_named_features_are_the_only_candidate(
    plan: Callable[..., Plan], features: str, stages: tuple[int, ...], epochs: int | None
) -> None:
    assert plan(features=features, epochs=epochs).candidates == (stages,)


@pytest.mark.parametrize("features", ["last", str(DEPTH)])
def test_a_native_head_takes_the_last_stage_by_either_name(
    plan: Callable[..., Plan], features: str
) -> None:
    assert plan(head="native", features=features).candidates == ((DEPTH,),)


def test_a_length_within_the_limit_is_taken(plan: Callable[..., Plan]) -> None:
    assert plan(max_length=16).max_length == 16


ERRORS: list[tuple[dict[str, Any], str]] = [
    (
        {"head": "native", "pooling": "mean"},
        "expected --pooling first, what the native head of bert does, found --pooling mean; "
        "leave --pooling out or use --head linear",
    ),
    (
        {"family": "qwen3", "head": "native", "pooling": "first"},
        "expected --pooling last, what the native head of qwen3 does, found --pooling first; "
        "leave --pooling out or use --head linear",
    ),
    ({"pooling": "maen"}, "expected a pooling, found 'maen'; did you mean 'mean'?"),
    ({"pooling": "max"}, "expected a pooling, found 'max'; choose from first, last, mean"),
    (
        {"head": "native", "features": "layers"},
        "expected --features last: a native head reads the last stage, found --features layers; "
        "leave --features out or use --head linear",
    ),
    (
        {"head": "native", "features": "1"},
        "expected --features last: a native head reads the last stage, found --features 1; "
        "leave --features out or use --head linear",
    ),
    (
        {"features": "5"},
        "expected --features last, layers or a stage from 0 to 4, found '5'; give at most 4",
    ),
    (
        {"features": "layer"},
        "expected --features last, layers or a stage from 0 to 4, found 'layer'; "
        "did you mean 'layers'?",
    ),
    (
        {"features": "-1"},
        "expected --features last, layers or a stage from 0 to 4, found '-1'; "
        "choose from last, layers",
    ),
    (
        {"lr": 0.1},
        "expected --epochs beside --lr: the exact fit of a linear head has no learning rate, "
        "found --lr 0.1 alone; add --epochs 3, or leave --lr out",
    ),
    (
        {"epochs": 0},
        "expected training.epochs to be a whole number from 1 to 2,147,483,647, found 0; "
        "fix it, or leave it out",
    ),
    (
        {"epochs": 2, "lr": float("nan")},
        "expected training.lr to be a number above 0 and at most 1,000,000, found NaN; "
        "fix it, or leave it out",
    ),
    (
        {"seed": None},
        "expected seed to be a whole number from 0 to 4,294,967,295, found null; "
        "fix it, or leave it out for 0",
    ),
    ({"device": "gpu"}, "expected a device, found 'gpu'; did you mean 'cpu'?"),
    (
        {"truncation_side": "middle"},
        'expected tokens.truncation_side to be right or left, found "middle"; '
        "choose from right, left",
    ),
    (
        {"schedule": "cosin"},
        'expected training.schedule to be linear or cosine, found "cosin"; '
        "did you mean 'cosine'?",
    ),
    (
        {"class_weights": "equal"},
        'expected training.class_weights to be none or balanced, found "equal"; '
        "choose from none, balanced",
    ),
    (
        {"keep": "f1"},
        'expected training.keep to be accuracy, f1_macro, loss or last, found "f1"; '
        "choose from accuracy, f1_macro, loss, last",
    ),
    (
        {"strategy": "last:2", "keep": "last", "patience": 2},
        "expected training.patience beside what tells a better evaluation, "
        "found training.keep = last; leave one of the two out",
    ),
    (
        {"strategy": "last:2", "merge": True},
        "expected --merge beside --strategy lora, "
        "found --strategy last:2, which makes no adapters to fold in; leave --merge out",
    ),
    (
        {"strategy": "full", "head": "native", "features": "layers"},
        "expected --features last: a native head reads the last stage, "
        "found --features layers; leave --features out",
    ),
    (
        {"strategy": "lp+last:5"},
        "expected k to be from 1 to 4, as many as this backbone has blocks, found 'last:5'; "
        "give k of at most 4",
    ),
    (
        {"strategy": "lp+full", "merge": True},
        "expected --merge beside --strategy lora, "
        "found --strategy lp+full, which makes no adapters to fold in; leave --merge out",
    ),
    (
        {"strategy": "lp+full", "features": "layers"},
        "expected --features last: a head above trained blocks reads the last stage, "
        "found --features layers; leave --features out",
    ),
    (
        {"strategy": "lp+full", "head": "mlp:8", "head_first_epochs": 0},
        "expected training.head_first_epochs to be a whole number from 1 to 2,147,483,647, "
        "found 0; fix it, or leave it out for 10",
    ),
    (
        {"strategy": "full", "features": "layers"},
        "expected --features last: a head above trained blocks reads the last stage, "
        "found --features layers; leave --features out",
    ),
    ({"dtype": "half"}, "expected a dtype, found 'half'; choose from auto, float32, bfloat16"),
    (
        {"strategy": "lora:targets=query+valeu"},
        "expected a linear layer in the blocks (query, key, value, dense), found 'valeu'; "
        "did you mean 'value'?",
    ),
    ({"head": "liner"}, "expected a head, found 'liner'; did you mean 'linear'?"),
    (
        {"strategy": "hed"},
        "expected a strategy (head, last:1, lora:r=4,alpha=32, full, gradual, lp+full), "
        "found 'hed'; did you mean 'head'?",
    ),
    (
        {"strategy": "last:5"},
        "expected k to be from 1 to 4, as many as this backbone has blocks, found 'last:5'; "
        "give k of at most 4",
    ),
    (
        {"strategy": "gradual"},
        "expected a strategy that this version can run (head, last, lora, full, lp+full), "
        "found 'gradual', which is not built yet; use --strategy head",
    ),
]


@pytest.mark.parametrize(("settings", "message"), ERRORS, ids=lambda value: str(value)[:50])
def test_a_setting_that_does_not_fit_is_refused(
    plan: Callable[..., Plan], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ThawlineError, match=f"^{re.escape(message)}$"):
        plan(**settings)


@pytest.mark.parametrize("length", [0, 3, LIMIT + 1])
def test_a_length_beyond_the_backbone_s_limits_is_refused(
    plan: Callable[..., Plan], length: int
) -> None:
    with pytest.raises(ThawlineError, match=f"--max-length from 4 to {LIMIT} tokens.*{length}"):
        plan(max_length=length)


@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_the_first_token_of_a_causal_backbone_draws_a_warning(
    plan: Callable[..., Plan], family: str
) -> None:
    message = (
        "pooling 'first' on a causal backbone: its first token has seen nothing but itself, "
        "so texts that start alike look alike; 'mean' or 'last' sees the whole text"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        assert plan(family, pooling="first").pooling == "first"


@pytest.mark.parametrize(
    ("family", "pooling"),
    [("bert", "first"), ("qwen3", "last"), ("qwen3", "mean"), ("qwen3", None)],
)
def test_nothing_else_draws_one(
    plan: Callable[..., Plan], family: str, pooling: str | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan(family, pooling=pooling)
