"""Every setting of `fit` has an effect in each combination, or is refused if it is written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest

from tests.support.tasks import FP32, make_task
from tests.support.toys import DEPTH
from thawline import ThawlineError
from thawline.backbones.loading import Backbone, load_backbone
from thawline.config import Config, HeadConfig
from thawline.config.annotations import Setting, settings_of
from thawline.config.resolve import change_config, config_to_toml, resolve_config
from thawline.errors import assignment
from thawline.runtime.progress import Reporter
from thawline.training.adapt import adapt
from thawline.training.effects import (
    check_effects,
    has_effect,
    settings_without_effect,
)
from thawline.training.preparation import prepare
from thawline.training.situation import Situation

Backbones = Callable[..., Path]
Reviews = Callable[..., tuple[list[str], list[int]]]

STRATEGIES = ("head", "last:1", "lora", "full", "gradual", "tapt+last:1")
STRATEGIES += ("lp+last:1", "lp+lora", "lp+full")
HEADS = ("linear", "mlp:4", "native")
COMBINATIONS = [
    (strategy, head, epochs)
    for strategy in STRATEGIES
    for head in HEADS
    for epochs in ((None, 1) if (strategy, head) == ("head", "linear") else (1,))
] + [("tfidf", "linear", None), ("head+tfidf", "linear", None)]
SETTINGS = settings_of(Config)
CHECKED_ELSEWHERE = {
    *("backbone", "strategy", "head.head", "head.features", "head.pooling"),
    *("artifact.merge", "compute.device", "compute.dtype", "training.epochs"),
    *(key for key in SETTINGS if key.startswith(("data.", "encoder.", "tokens."))),
    *("tapt.unlabelled", "training.augment"),
}
"""Settings that define a combination, or that `make_plan` or the data check in another way."""

ALWAYS = {
    *("seed", "training.class_weights"),
    *(key for key in SETTINGS if key.startswith(("metrics.", "report."))),
}
"""Settings that have an effect in every combination."""


def other_value(setting: Setting) -> Any:
    """Return a valid value that is not the default."""
    if get_origin(setting.hint) is Literal:
        return next(value for value in get_args(setting.hint) if value != setting.default)
    if setting.type is bool:
        return not setting.default
    if setting.is_list:
        return ["a text"] if setting.type == tuple[str, ...] else [0.5]
    if setting.type is float:
        return 0.25 if setting.default != 0.25 else 0.5
    return (setting.default or 0) + 1


def combined(strategy: str, head: str, epochs: int | None, *more: str) -> Config:
    words = [f"strategy={strategy}", f"head.head={head}"]
    words += [] if strategy == "tfidf" else ["backbone=toy"]
    words += [] if epochs is None else [f"training.epochs={epochs}"]
    return change_config(Config(), [*words, *more])


@pytest.fixture(scope="module")
def backbone(toy_backbone: Backbones) -> Backbone:
    return load_backbone(str(toy_backbone("bert")))


@pytest.mark.parametrize("key", [key for key in SETTINGS if key not in CHECKED_ELSEWHERE])
def test_a_written_setting_has_an_effect_or_is_refused(backbone: Backbone, key: str) -> None:
    value = other_value(SETTINGS[key])
    effective = []
    for combination in COMBINATIONS:
        config = combined(*combination, f"{key}={value}".replace("False", "false"))
        if has_effect(key, Situation.of(config, DEPTH)):
            prepare(config, lambda: backbone)
            effective.append(combination)
            continue
        with pytest.raises(ThawlineError) as caught:
            prepare(config, lambda: backbone)
        assert caught.value.setting == key
        assert assignment(key, dict(_flat(config))[key]) in caught.value.found
    assert (len(effective) == len(COMBINATIONS)) == (key in ALWAYS)


def proposed(fix: str) -> dict[str, str | None]:
    """Return the settings that the first alternative of a fix proposes. None stands for omitted."""
    first = re.split(r", or | to train ", fix)[0]
    found = dict(re.findall(r"`([\w.]+)=([^`]+)`", first))
    return found | dict.fromkeys(re.findall(r"without `([\w.]+)`", first))


@pytest.mark.parametrize("combination", [*COMBINATIONS, ("last:1", "linear", None)], ids=str)
def test_a_fix_gives_a_setting_its_effect_and_proposes_nothing_that_is_given(
    combination: tuple[str, str, int | None],
) -> None:
    checked = 0
    for key in SETTINGS.keys() - CHECKED_ELSEWHERE - {"head.head", "training.epochs"}:
        value = str(other_value(SETTINGS[key])).replace("False", "false")
        config = combined(*combination, f"{key}={value}")
        if has_effect(key, Situation.of(config, DEPTH)):
            continue
        alone = replace(config, backbone=Config.backbone)  # this has no effect either with words
        with pytest.raises(ThawlineError) as caught:
            check_effects(alone, DEPTH)
        changes = proposed(caught.value.fix)
        assert changes, caught.value.fix
        before = dict(_flat(alone))
        assert all(str(before[name]) != new for name, new in changes.items()), caught.value.fix
        if changes.get("training.epochs") is not None:
            assert before["training.epochs"] is None
            assert Situation.of(alone).is_exact
        words = [f"{name}={new}" for name, new in changes.items() if new is not None]
        fixed = change_config(alone, words)
        if None in changes.values():
            fixed = replace(fixed, training=replace(fixed.training, epochs=None))
        assert has_effect(key, Situation.of(fixed, DEPTH)), caught.value.fix
        checked += 1
    assert checked


def _flat(config: Config) -> list[tuple[str, Any]]:
    from thawline.config.annotations import flatten_settings

    return list(flatten_settings(config.to_dict()))


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_a_complete_file_of_defaults_is_accepted(
    backbone: Backbone, combination: tuple[str, str, int | None], tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(config_to_toml(combined(*combination)), encoding="utf-8")
    config = resolve_config(file=file)
    assert list(settings_without_effect(config)) == []
    prepare(config, lambda: backbone)


def test_a_default_is_written_as_in_toml() -> None:
    for change in ("exact.penalties=[1]", "head.standardise=false"):
        key = change.partition("=")[0]
        with pytest.raises(ThawlineError) as caught:
            check_effects(combined("full", "linear", 1, change), DEPTH)
        assert caught.value.setting == key
        (default,) = re.findall(r"\((.*)\)$", caught.value.fix)
        read = tomllib.loads(f"default = {default}")["default"]
        assert read == [*SETTINGS[key].default] if key == "exact.penalties" else read is True


SAMPLE: dict[tuple[str, str, int | None], dict[str, Any]] = {
    ("head", "linear", None): {
        "class_weights": "balanced",
        "label_smoothing": 0.3,
        "exact.penalties": (0.5,),
        "head.standardise": False,
    },
    ("head", "linear", 2): {
        "class_weights": "balanced",
        "label_smoothing": 0.3,
        "batch_size": 4,
        "weight_decay": 5.0,
        "lr": 1e-4,
        "schedule": "cosine",
        "warmup_share": 0.5,
        "max_grad_norm": 1e-3,
        "optimizer": "muon",
        "keep": "last",
        "head.standardise": False,
        "head.dropout": 0.8,
    },
    ("head", "mlp:4", 1): {"head.dropout": 0.8},
    ("head+tfidf", "linear", None): {
        "class_weights": "balanced",
        "label_smoothing": 0.3,
        "exact.penalties": (0.5,),
        "head.standardise": False,
    },
    ("last:1", "linear", 1): {
        "class_weights": "balanced",
        "label_smoothing": 0.3,
        "length_pool": 1,
        "attention_dropout": 0.5,
        "head.dropout": 0.8,
    },
    ("lp+last:1", "linear", 1): {"exact.penalties": (0.5,), "head.standardise": False},
    ("lp+last:1", "mlp:4", 1): {"head_first_epochs": 1, "head.dropout": 0.8},
}
"""Settings with an effect, by combination, for which results are compared."""


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("combination", "key"), [(way, key) for way, keys in SAMPLE.items() for key in keys], ids=str
)
def test_a_setting_that_is_accepted_changes_the_result(
    toy_backbone: Backbones,
    toy_reviews: Reviews,
    combination: tuple[str, str, int | None],
    key: str,
) -> None:
    strategy, head, epochs = combination
    value = SAMPLE[combination][key]
    texts, labels = toy_reviews(40, 1)
    # Two in three texts of one class are dropped, so that class weights matter.
    kept = [row for row, label in enumerate(labels) if label or row % 3 == 0]
    train = [texts[row] for row in kept], [labels[row] for row in kept]
    parts = {"train": train, "validation": toy_reviews(20, 2)}

    def logits(**changes: Any) -> Any:
        heads = {"head": head, "features": "last"}
        heads |= {k.removeprefix("head."): v for k, v in changes.items() if k.startswith("head.")}
        # The last weights are compared, so that the choice of an epoch hides nothing.
        base = {} if epochs is None else {"epochs": epochs, "keep": "last"}
        base |= {"keep": "accuracy"} if "keep" in changes else {}
        training = {k: v for k, v in changes.items() if "." not in k}
        task = make_task(
            toy_backbone("bert"),
            parts,
            strategy,
            head=HeadConfig(**heads),
            compute=FP32,
            **(base | training),
        )
        exact = {k.removeprefix("exact."): v for k, v in changes.items() if k.startswith("exact.")}
        exact_config = replace(task.config.exact, **exact)
        task = replace(task, config=replace(task.config, exact=exact_config))
        return adapt(task, Reporter()).logits("validation")

    if key == "keep":
        last = logits()
        first = logits(keep="accuracy", lr=100.0)
        assert np.abs(first - last).max() > 1e-6
        return
    assert np.abs(logits(**{key: value}) - logits()).max() > 1e-6
