"""Every default lives in config/: the settings are frozen, JSON, and taken by both front ends."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest
import typer.main

from thawline import TextClassifier, config
from thawline.cli import app, options
from thawline.cli.verbs import pretrain as verb_pretrain
from thawline.config import (
    ArtifactConfig,
    ComputeConfig,
    Config,
    CorpusConfig,
    DataConfig,
    EncoderConfig,
    EstimatorConfig,
    HeadConfig,
    LoraConfig,
    PretrainConfig,
    PretrainingConfig,
    TokensConfig,
    TrainingConfig,
    VocabularyConfig,
)
from thawline.strategies import Lora

CLASSES = [
    kind
    for kind in vars(config).values()
    if is_dataclass(kind) and kind.__module__.startswith(config.__name__)
]

SHARED: dict[str, tuple[Any, str]] = {
    "backbone": (Config, "backbone"),
    "strategy": (Config, "strategy"),
    "vectors": (EncoderConfig, "vectors"),
    "head": (HeadConfig, "head"),
    "pooling": (HeadConfig, "pooling"),
    "features": (HeadConfig, "features"),
    "standardise": (HeadConfig, "standardise"),
    "max_length": (TokensConfig, "max_length"),
    "truncation_side": (TokensConfig, "truncation_side"),
    "epochs": (TrainingConfig, "epochs"),
    "batch_size": (TrainingConfig, "batch_size"),
    "lr": (TrainingConfig, "lr"),
    "dtype": (ComputeConfig, "dtype"),
    "device": (ComputeConfig, "device"),
    "labels": (DataConfig, "labels"),
}
"""What the command line and `TextClassifier` call a setting, and where its default lives."""

PYTHON = SHARED | {
    "validation_share": (DataConfig, "validation_share"),
    "random_state": (Config, "seed"),
    "predict_from_store": (EstimatorConfig, "predict_from_store"),
}
FIT = SHARED | {
    "seed": (Config, "seed"),
    "data": (DataConfig, "data"),
    "text": (DataConfig, "text"),
    "label": (DataConfig, "label"),
    "limit": (DataConfig, "limit"),
    "store_limit": (ComputeConfig, "store_limit"),
    "merge": (ArtifactConfig, "merge"),
}
PRETRAIN: dict[str, tuple[Any, str]] = {
    "data": (CorpusConfig, "data"),
    "without": (CorpusConfig, "without"),
    "text": (CorpusConfig, "text"),
    "vocabulary": (VocabularyConfig, "size"),
    "epochs": (PretrainingConfig, "epochs"),
    "batch_size": (PretrainingConfig, "batch_size"),
    "lr": (PretrainingConfig, "lr"),
    "seed": (PretrainConfig, "seed"),
    "device": (PretrainConfig, "device"),
    "dtype": (PretrainConfig, "dtype"),
}
SEVERAL = {"data", "without"}
"""Options of `pretrain` that can stand several times; typer has None for none of them."""

NO_SETTING = {"small", "config_file", "overrides", "out", "resume", "as_json"}
"""Options of `fit` that say what to do, not how."""


def default(place: tuple[Any, str]) -> Any:
    return getattr(*place)


def at(settings: Any, key: str) -> Any:
    for part in key.split("."):
        settings = getattr(settings, part)
    return settings


def options_of(verb: str) -> dict[str, Any]:
    command = typer.main.get_command(app).commands[verb]
    return {option.name: option.default for option in command.params}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_config_is_frozen(kind: Any) -> None:
    settings = kind()
    name = fields(kind)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(settings, name, getattr(settings, name))


def test_the_whole_config_holds_each_part_with_its_settings() -> None:
    settings = Config(seed=7, head=HeadConfig(head="mlp:64"), data=DataConfig(limit=(4, 2)))
    written = settings.to_dict()
    assert set(written) == {field.name for field in fields(Config)}
    assert (written["seed"], written["head"]["head"], written["data"]["limit"]) == (
        7,
        "mlp:64",
        (4, 2),
    )
    assert written["training"] == {
        field.name: getattr(TrainingConfig, field.name) for field in fields(TrainingConfig)
    }


def test_the_classifier_takes_every_default_from_the_config() -> None:
    parameters = inspect.signature(TextClassifier.__init__).parameters
    taken = {name: p.default for name, p in parameters.items() if name != "self"}
    assert taken == {name: default(place) for name, place in PYTHON.items()}


def test_fit_takes_every_default_from_the_config() -> None:
    taken = {name: value for name, value in options_of("fit").items() if name not in NO_SETTING}
    assert taken == {name: default(place) for name, place in FIT.items()}


@pytest.mark.parametrize("verb", ["info", "evaluate", "preflight"])
def test_the_other_verbs_name_and_default_their_settings_as_fit_does(verb: str) -> None:
    shared = {name: value for name, value in options_of(verb).items() if name in FIT}
    assert shared
    assert shared == {name: default(FIT[name]) for name in shared}


def test_each_option_names_the_setting_that_it_has_its_default_from() -> None:
    for name, place in FIT.items():
        assert at(Config(), options.SETTINGS[name]) == default(place), name


def test_every_option_of_fit_gives_a_value_to_a_setting_or_says_what_to_do() -> None:
    assert set(options_of("fit")) - set(options.SETTINGS) == NO_SETTING - {"small"}
    assert set(options.SETTINGS) <= set(options_of("fit"))


def test_an_unnamed_setting_of_lora_is_the_config_s() -> None:
    assert Lora() == Lora(
        LoraConfig.r,
        LoraConfig.alpha,
        LoraConfig.dropout,
        LoraConfig.targets,
        LoraConfig.from_block,
    )


def test_a_changed_default_reaches_a_new_classifier_s_config() -> None:
    changed = TextClassifier(epochs=9, batch_size=3, lr=0.5, random_state=4, features=2)._config()
    assert (changed.training.epochs, changed.training.batch_size) == (9, 3)
    assert (changed.training.lr, changed.seed, changed.head.features) == (0.5, 4, "2")
    assert TextClassifier()._config() == Config()


def test_pretrain_takes_every_default_from_the_config() -> None:
    taken = {name: value for name, value in options_of("pretrain").items() if name in PRETRAIN}
    assert taken.keys() == PRETRAIN.keys()
    assert {name for name, value in taken.items() if name in SEVERAL and value is None} == SEVERAL
    assert {name: () if name in SEVERAL else value for name, value in taken.items()} == {
        name: default(place) for name, place in PRETRAIN.items()
    }


def test_each_option_of_pretrain_names_the_setting_that_it_has_its_default_from() -> None:
    for name, place in PRETRAIN.items():
        assert at(PretrainConfig(), verb_pretrain.SETTINGS[name]) == default(place), name
    assert set(verb_pretrain.SETTINGS) == set(PRETRAIN)
    assert set(options_of("pretrain")) - set(PRETRAIN) == NO_SETTING - {"small"}
