"""The settings are frozen, have defaults and help, and both front ends are built from them."""

import inspect
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass
from types import NoneType
from typing import Annotated, Any

import pytest
import typer
from annotated_types import Ge
from typer.testing import CliRunner

from tests.support.command_line import thawline
from thawline import TextClassifier, config
from thawline.cli import verbs
from thawline.cli.commands import SMALL, verb_with_settings
from thawline.cli.options import SettingOption
from thawline.config import (
    AnyConfig,
    ComputeConfig,
    Config,
    DataConfig,
    DemoConfig,
    EncoderConfig,
    EstimatorConfig,
    ExactConfig,
    HeadConfig,
    Help,
    LoraConfig,
    PredictConfig,
    PretrainConfig,
    TaptConfig,
    TokensConfig,
    TrainingConfig,
    VectorsConfig,
    WritingConfig,
)
from thawline.config.annotations import flatten_settings, settings_of
from thawline.errors import ThawlineError
from thawline.strategies import Lora

CLASSES = [
    kind
    for kind in vars(config).values()
    if is_dataclass(kind) and kind.__module__.startswith(config.__name__)
    if kind not in (AnyConfig, Help)
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
    "augment": (TrainingConfig, "augment"),
    "device": (ComputeConfig, "device"),
    "labels": (DataConfig, "labels"),
}
"""What the command line and `TextClassifier` call a setting, and where its default lives."""

PYTHON = SHARED | {
    "validation_share": (DataConfig, "validation_share"),
    "random_state": (Config, "seed"),
    "predict_from_store": (EstimatorConfig, "predict_from_store"),
    "dropout": (HeadConfig, "dropout"),
    "penalties": (ExactConfig, "penalties"),
    "penalty_patience": (ExactConfig, "patience"),
    "max_iterations": (ExactConfig, "max_iterations"),
    "tolerance": (ExactConfig, "tolerance"),
    "words_penalties": (ExactConfig, "words_penalties"),
    "unlabelled": (TaptConfig, "unlabelled"),
    "tapt_epochs": (TaptConfig, "epochs"),
    "tapt_lr": (TaptConfig, "lr"),
    "tapt_head_first_epochs": (TaptConfig, "head_first_epochs"),
    "mask_share": (TaptConfig, "mask_share"),
    **{
        name: (TrainingConfig, name)
        for name in (
            *("label_smoothing", "optimizer", "muon_lr", "momentum", "schedule"),
            *("step_epochs", "step_factor", "warmup_share"),
            *("weight_decay", "max_grad_norm", "evaluate_every", "keep", "patience"),
            *("head_first_epochs", "attention_dropout", "length_pool", "pass_overhead"),
        )
    },
}
COMMANDS: dict[str, type] = {
    "demo": DemoConfig,
    "evaluate": Config,
    "fit": Config,
    "generate": WritingConfig,
    "info": Config,
    "predict": PredictConfig,
    "preflight": Config,
    "pretrain": PretrainConfig,
    "vectors": VectorsConfig,
}
"""The config of each verb that has options for settings."""


def default(place: tuple[Any, str]) -> Any:
    return getattr(*place)


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
    # As in scikit-learn, None stands for equal weights.
    assert taken.pop("class_weight") is None
    assert taken == {name: default(place) for name, place in PYTHON.items()}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_field_has_a_help_that_is_a_sentence(kind: Any) -> None:
    for setting in settings_of(kind).values():
        assert setting.help.text.endswith("."), setting.key
        assert setting.help.text[0].isupper(), setting.key
        words = setting.help.default
        assert words is None or (setting.default in (None, ()) and not words.endswith(".")), (
            setting.key
        )


def test_every_public_setting_is_read_with_its_default() -> None:
    found = {key: setting.default for key, setting in settings_of(Config).items()}
    assert found == dict(flatten_settings(Config().to_dict()))


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


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_help_of_a_verb_shows_each_setting_with_its_text_and_default(verb: str) -> None:
    known = settings_of(COMMANDS[verb])
    keys = setting_keys(verb)
    shown = "".join(thawline(verb, "--help").out.split())
    assert keys
    for key in keys:
        setting = known[key]
        option = SettingOption(setting)
        assert option.option in shown
        assert setting.help.text.replace("`", "") in option.help_text
        if not isinstance(setting.default, bool | NoneType) and setting.default != ():
            values = setting.default if isinstance(setting.default, tuple) else (setting.default,)
            assert f"Default: {','.join(map(str, values))}." in option.help_text
        assert option.help_text.replace(" ", "") in shown


def setting_keys(verb: str) -> list[str]:
    settings = getattr(verbs, verb).SETTINGS
    groups = settings.values() if isinstance(settings, dict) else [settings]
    return [key for group in groups for key in group if key != SMALL]


def test_the_function_of_a_verb_takes_the_config_and_no_setting() -> None:
    for verb in COMMANDS:
        config, *own = inspect.signature(getattr(getattr(verbs, verb), verb)).parameters
        assert config == "config"
        known = {SettingOption(setting).name for setting in settings_of(COMMANDS[verb]).values()}
        assert not known & set(own), verb


def test_a_new_field_with_a_help_becomes_an_option() -> None:
    @dataclass(frozen=True)
    class Orchard(AnyConfig):
        trees: Annotated[int, Ge(1), Help("Number of trees.", metavar="N")] = 3
        kinds: Annotated[tuple[str, ...] | None, Help("Kinds of fruit.", "all kinds")] = None
        fence: Annotated[bool, Help("Build a fence.")] = True

    app, seen = typer.Typer(rich_markup_mode=None), []

    @verb_with_settings(app, Orchard, {"Plants": ("trees", "kinds"), "Other": ("fence",)})
    def plant(config: Orchard) -> None:
        seen.append(config)

    runner = CliRunner()
    shown = runner.invoke(app, ["--help"]).output
    for words in ("Plants:", "Other:", "--trees N", "Default: 3.", "Default: all kinds."):
        assert words in shown
    done = runner.invoke(app, ["--trees", "5", "--kinds", "apple, pear", "--no-fence"])
    assert done.exit_code == 0, done.output
    assert seen == [Orchard(5, ("apple", "pear"), fence=False)]
    refused = runner.invoke(app, ["--trees", "0"])
    assert isinstance(refused.exception, ThawlineError)
    assert (refused.exception.setting, refused.exception.found) == ("trees", "0")
