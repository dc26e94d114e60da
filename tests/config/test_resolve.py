"""A config is built from files, options, overrides and records, and wrong values are refused."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from thawline import __version__
from thawline.config import (
    ArtifactConfig,
    ComputeConfig,
    Config,
    DataConfig,
    ExactConfig,
    HeadConfig,
    LadderConfig,
    MetricsConfig,
    ReportConfig,
    TokensConfig,
    TrainingConfig,
)
from thawline.config.annotations import flatten_settings
from thawline.config.resolve import (
    GivenSetting,
    build_config,
    check_config,
    config_from_record,
    config_to_toml,
    resolve_config,
)
from thawline.errors import ThawlineError

FILE = Path("own.toml")


def read(text: str, *overrides: str, options: tuple[GivenSetting, ...] = ()) -> Config:
    FILE.write_text(text, encoding="utf-8")
    return resolve_config(options, file=FILE, overrides=overrides)


def refusal(
    text: str | None, *overrides: str, options: tuple[GivenSetting, ...] = ()
) -> ThawlineError:
    if text is not None:
        FILE.write_text(text, encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        resolve_config(options, file=None if text is None else FILE, overrides=overrides)
    return caught.value


EVERYTHING = Config(
    backbone="toy",
    strategy="last:2",
    seed=3,
    data=DataConfig("set", "a", "b", ("neg", "pös"), (40, 20), 0.25, 0.5),
    tokens=TokensConfig(64, "left", True, False, True),
    compute=ComputeConfig("cpu", "float32", 512, 0.9, 64),
    head=HeadConfig("mlp:8", "last", "layers", False, 0.0),
    exact=ExactConfig((1.0, 0.0), 3, 50, 1e-4, 512, 0),
    training=TrainingConfig(
        epochs=4,
        batch_size=8,
        pass_overhead=8,
        lr=1e-5,
        schedule="cosine",
        warmup_share=0.1,
        weight_decay=0.0,
        max_grad_norm=2.5,
        attention_dropout=0.2,
        class_weights="balanced",
        label_smoothing=0.3,
        evaluate_every=7,
        keep="loss",
        patience=3,
        checkpoint_every=11,
    ),
    artifact=ArtifactConfig(merge=True),
    metrics=MetricsConfig(0.9, 10, 5, 1),
    report=ReportConfig(30, 4, 5, 80, 6),
)


# -- from a file --------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [Config(), EVERYTHING], ids=["defaults", "everything"])
def test_a_config_is_written_as_toml_and_read_back_the_same(config: Config) -> None:
    assert read(config_to_toml(config)) == config


def test_the_toml_holds_every_value_but_none() -> None:
    written = tomllib.loads(config_to_toml(Config()))
    for table in (field.name for field in fields(Config)):
        value = Config().to_dict()[table]
        if isinstance(value, dict):
            known = {key: one for key, one in value.items() if one is not None}
            assert json.loads(json.dumps(known)) == written[table], table
        else:
            assert written[table] == value
    assert "lr" not in written["training"]


def test_a_file_holds_differences_only() -> None:
    config = read("seed = 4\n[exact]\npenalties = [1, 0.5]\n[head]\nhead = 'mlp:4'\n")
    exact, head = replace(Config().exact, penalties=(1.0, 0.5)), HeadConfig(head="mlp:4")
    assert config == Config(seed=4, exact=exact, head=head)
    assert read("") == Config() == resolve_config()


def test_a_set_and_a_backbone_that_are_paths_here_become_absolute() -> None:
    Path("reviews").mkdir()
    Path("toy").mkdir()
    config = read("backbone = 'toy'\n[data]\ndata = 'reviews'")
    assert (config.backbone, config.data.data) == (
        str(Path("toy").absolute()),
        str(Path("reviews").absolute()),
    )
    config = read("backbone = 'minilm'\n[data]\ndata = 'imdb'")
    assert (config.backbone, config.data.data) == ("minilm", "imdb")


def test_vectors_in_an_archive_and_of_a_ladder_become_absolute() -> None:
    Path("glove.zip").touch()
    found = resolve_config([GivenSetting("encoder.vectors", "glove.zip/100d.txt", "--vectors")])
    assert found.encoder.vectors == str(Path("glove.zip/100d.txt").absolute())
    given = [GivenSetting("fit.encoder.vectors", "glove.zip", "--vectors")]
    assert resolve_config(given, config_type=LadderConfig).fit.encoder.vectors == str(
        Path("glove.zip").absolute()
    )
    given = [GivenSetting("encoder.vectors", "other.zip/100d.txt", "--vectors")]
    assert resolve_config(given).encoder.vectors == "other.zip/100d.txt"


WRONG_FILES = [
    ("[training]\nlearning_rate = 0.1", "training.learning_rate", "", "'training.lr'"),
    ("[trainig]\nlr = 0.1", "trainig.lr", "", "'training.lr'"),
    ("lr = 0.1", "lr", "", "'training.lr'"),
    ("[training]\ndropout = 0.1", "training.dropout", "", "'encoder.dropout'"),
    ("[tokens]\nmax_seq_length = 3", "tokens.max_seq_length", "", "'tokens.max_length'"),
    ("[wheels]\nsize = 3", "wheels.size", "", ", ".join(Config().to_dict())),
    ("[training]\nepochs = 3.5", "training.epochs", "3.5", ""),
    ("[training]\nlr = '1e-3'", "training.lr", "'1e-3'", "quotation marks"),
    ("seed = true", "seed", "true", "(0)"),
    ("backbone = 7", "backbone", "7", "('thawline/qwen3-mini')"),
    ("[training]\nkeep = 'f1'", "training.keep", "'f1'", "'f1_macro'"),
    ("[training]\nschedule = 'cosin'", "training.schedule", "'cosin'", "'cosine'"),
    ("[tokens]\ntruncation_side = 1", "tokens.truncation_side", "1", "('right')"),
    ("[head]\nstandardise = 1", "head.standardise", "1", "(true)"),
    ("[data]\nlabels = 'neg,pos'", "data.labels", "'neg,pos'", "square brackets"),
    ("[data]\nlabels = [0, 1]", "data.labels", "[0, 1]", ""),
    ("[data]\nlimit = [5]", "data.limit", "[5]", ""),
    ("training = 3", "training", "3", "training.optimizer"),
    ("seed = 2026-01-01", "seed", "'2026-01-01'", "(0)"),
]
"""A file, the wrong setting, its value ("" for an unknown setting), and a datum of the fix."""


@pytest.mark.parametrize(("text", "setting", "value", "fix"), WRONG_FILES)
def test_a_wrong_value_in_a_file_is_reported_with_its_place(
    text: str, setting: str, value: str, fix: str
) -> None:
    error = refusal(text)
    assert error.setting == setting
    if value:
        assert error.found == value
        assert f"{setting} in 'own.toml'" in error.expected
    else:
        assert error.found == f"'{setting}' in 'own.toml'"
    assert fix in error.fix


def test_the_range_of_a_setting_is_shown() -> None:
    for number in ("1", "2,147,483,647"):
        assert number in refusal("[data]\nlimit = [5]").expected.split()
        assert number in refusal("[training]\nepochs = 3.5").expected.split()


OUT_OF_RANGE = [
    *("seed=-1", "seed=4294967296", "data.validation_share=0", "data.test_share=1.0"),
    *("data.limit=[0,5]", "compute.tokens_per_batch=0", "compute.rows_per_chunk=0"),
    *("compute.density=0.0", "compute.density=1.01", "head.dropout=1.0", "head.dropout=-0.1"),
    *("exact.penalties=[]", "exact.penalties=[1,-0.1]", "exact.penalties=[nan]"),
    *("exact.patience=0", "exact.max_iterations=0", "exact.tolerance=0.0", "exact.tolerance=1.0"),
    *("exact.rows_per_block=0", "exact.cache_bytes=-1", "training.epochs=0"),
    *("training.batch_size=0", "training.batch_size=9223372036854775808"),
    *("training.lr=0.0", "training.lr=-1.0", "training.lr=nan", "training.lr=inf"),
    *("training.lr=1e39", "training.weight_decay=-0.1", "training.max_grad_norm=0.0"),
    *("training.warmup_share=1.0", "training.warmup_share=-0.1", "metrics.confidence=1.0"),
    *("training.pass_overhead=-1", "training.pass_overhead=0.5", "training.attention_dropout=1.0"),
    *("training.label_smoothing=1.0", "training.label_smoothing=-0.1"),
    *("training.evaluate_every=0", "training.patience=0", "training.checkpoint_every=0"),
    *("metrics.confidence=95", "metrics.resamples=0", "metrics.bins=0", "metrics.seed=-1"),
]


@pytest.mark.parametrize("written", OUT_OF_RANGE)
def test_a_value_out_of_its_range_is_refused_wherever_it_comes_from(written: str) -> None:
    key, _, value = written.partition("=")
    for error, name in (
        (refusal(None, written), f"--set {key}"),
        (refusal(f"{key} = {value}"), f"{key} in 'own.toml'"),
    ):
        assert error.setting == key
        assert error.expected.endswith(name)


LIMITS = {
    "seed": [0, 2**32 - 1],
    "compute.density": [1e-9, 1],
    "head.dropout": [0, 0.99],
    "training.lr": [1e-12, 1e6],
    "training.warmup_share": [0.0, 0.99],
    "training.epochs": [1, 2**31 - 1],
    "exact.penalties": [[0], [1e6]],
}


@pytest.mark.parametrize("key", LIMITS)
def test_the_ends_of_a_range_are_in_it(key: str) -> None:
    for value in LIMITS[key]:
        config: Any = read(f"{key} = {value}").to_dict()
        for part in key.split("."):
            config = config[part]
        assert list(config) == value if isinstance(value, list) else config == value


def test_a_file_that_is_none_is_refused() -> None:
    folder = Path("run")
    folder.mkdir()
    for place in ("none.toml", "run"):
        with pytest.raises(ThawlineError) as caught:
            resolve_config(file=Path(place))
        assert f"'{place}'" in caught.value.found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"seed = = 1", "Invalid value (at line 1, column 8)"),
        (b"seed = 1\nseed = 2", "Cannot overwrite a value (at end of document)"),
        (b'{"seed": 1}', "Invalid statement (at line 1, column 1)"),
        (b"seed = 1\nbackbone = '\xff'", "0xff in line 2"),
        (b"x = " + b"[" * 50_000, "line 1"),
        (b"seed = 1\n[" + b"a." * 50_000 + b"a]", "line 2"),
        (b"x = " + b"{a=" * 50_000, "line 1"),
        (b"x = " + b"[" * 30 + b"]" * 30, "line 1"),
    ],
)
def test_a_file_that_is_no_toml_says_where(content: bytes, found: str) -> None:
    FILE.write_bytes(content)
    with pytest.raises(ThawlineError) as caught:
        resolve_config(file=FILE)
    assert "'own.toml'" in caught.value.expected
    assert found in caught.value.found
    assert len(caught.value.found) < 300


def test_a_file_may_start_with_a_byte_order_mark() -> None:
    FILE.write_bytes(b"\xef\xbb\xbfseed = 3")
    assert resolve_config(file=FILE).seed == 3


def test_backslashes_in_quotation_marks_lead_to_single_quotes() -> None:
    error = refusal('[data]\ndata = "C:\\Users\\x.csv"')
    assert "line 2" in error.found
    assert "single quotes" in error.fix


def test_only_a_regular_file_is_read() -> None:
    os.mkfifo(FILE)
    with pytest.raises(ThawlineError) as caught:
        resolve_config(file=FILE)
    assert "'own.toml'" in caught.value.found


@pytest.mark.parametrize("key", ["backbone", "data.data"])
def test_the_home_directory_is_expanded(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config = resolve_config(overrides=[f"{key}=~/x"])
    assert dict(flatten_settings(config.to_dict()))[key] == "/home/someone/x"


@pytest.mark.parametrize(
    "override",
    [
        "x=" + "[" * 50_000,
        "x=" + "[" * 30 + "]" * 30,
        "a." * 30_000 + "a=1",
        "x={" + "a." * 99 + "a=1}",
    ],
)
def test_deeply_nested_overrides_are_refused(override: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        resolve_config(overrides=[override])
    assert len(str(caught.value)) < 600


def test_an_override_of_several_lines_is_one_value() -> None:
    with pytest.raises(ThawlineError) as caught:
        resolve_config(overrides=["seed=1\nx=2"])
    assert caught.value.setting == "seed"


# -- from the command line ----------------------------------------------------------------------


def test_options_and_overrides_win_over_the_file_and_the_file_over_the_default() -> None:
    options = (
        GivenSetting("training.batch_size", 16, "--batch-size"),
        GivenSetting("seed", 1, "--seed"),
    )
    file = "seed = 9\n[training]\nbatch_size = 8\nepochs = 5\nlr = 0.1"
    config = read(file, "training.lr=1e-3", options=options)
    assert config == Config(
        seed=1, training=replace(Config().training, epochs=5, batch_size=16, lr=1e-3)
    )


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("training.lr=1e-3", "training.lr", 1e-3),
        ("training.lr=1", "training.lr", 1.0),
        ("exact.penalties=[1,0.1]", "exact.penalties", (1.0, 0.1)),
        (" data.labels = ['neg', \"pos\"] ", "data.labels", ("neg", "pos")),
        ("head.standardise=false", "head.standardise", False),
        ("head.head=mlp:8", "head.head", "mlp:8"),
        ("head.head='mlp:8'", "head.head", "mlp:8"),
        ("head.features=4", "head.features", "4"),
        ("training.keep=loss", "training.keep", "loss"),
        ("strategy=lora:r=4,alpha=32", "strategy", "lora:r=4,alpha=32"),
        ("data.data=true", "data.data", "true"),
        ("training={lr=0.5}", "training.lr", 0.5),
    ],
)
def test_an_override_is_toml_or_otherwise_a_string(override: str, key: str, value: Any) -> None:
    found: Any = resolve_config(overrides=[override])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)


LR = GivenSetting("training.lr", 0.1, "--lr")
WRONG_OVERRIDES: list[tuple[str | None, tuple[str, ...], tuple[GivenSetting, ...], str, str]] = [
    (None, ("training.lrr=1",), (), "training.lrr", "--set 'training.lrr'"),
    (None, ("training.epochs=three",), (), "training.epochs", "'three'"),
    (None, ("training={lr=-1}",), (), "training.lr", "-1"),
    ("[training]\nepochs = 3", ("training=1",), (), "training", "1"),
    ("training = 1", ("training.epochs=3",), (), "training", "1"),
    (None, (), (GivenSetting("training.lr", -1.0, "--lr"),), "training.lr", "-1.0"),
]


@pytest.mark.parametrize(("text", "overrides", "options", "setting", "found"), WRONG_OVERRIDES)
def test_a_wrong_override_is_refused(
    text: str | None,
    overrides: tuple[str, ...],
    options: tuple[GivenSetting, ...],
    setting: str,
    found: str,
) -> None:
    error = refusal(text, *overrides, options=options)
    assert (error.setting, error.found) == (setting, found)


@pytest.mark.parametrize("override", ["training.lr", "=1"])
def test_an_override_without_key_or_value_is_refused(override: str) -> None:
    error = refusal(None, override)
    assert (error.setting, error.found) == (None, f"'{override}'")


@pytest.mark.parametrize(
    ("overrides", "options", "names"),
    [
        (("training.lr=1",), (LR,), ("--lr", "--set training.lr")),
        (("training={lr=1}",), (LR,), ("--lr", "--set training.lr")),
        (("training.lr=1", "training.lr=2"), (), ("--set training.lr",)),
    ],
)
def test_a_setting_given_twice_is_refused(
    overrides: tuple[str, ...], options: tuple[GivenSetting, ...], names: tuple[str, ...]
) -> None:
    error = refusal(None, *overrides, options=options)
    assert error.setting == "training.lr"
    assert all(name in error.expected for name in names)


def test_half_a_character_is_refused() -> None:
    error = refusal(None, options=(GivenSetting("data.data", "\udcff", "--data"),))
    assert "UTF-8" in error.expected


def test_the_config_of_a_saved_run_replaces_the_defaults() -> None:
    saved = Path("saved.toml")
    saved.write_text(config_to_toml(EVERYTHING), encoding="utf-8")
    assert resolve_config(saved=saved) == EVERYTHING
    FILE.write_text("seed = 9\n[training]\nepochs = 5", encoding="utf-8")
    config = resolve_config(file=FILE, overrides=["training.epochs=6"], saved=saved)
    assert config == replace(EVERYTHING, seed=9, training=replace(EVERYTHING.training, epochs=6))
    saved.write_text("[training]\nlrr = 1", encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        resolve_config(saved=saved)
    assert caught.value.setting == "training.lrr"
    assert "'saved.toml'" in caught.value.found


# -- from Python and from a record --------------------------------------------------------------


def test_a_config_made_in_python_is_checked_too() -> None:
    check_config(EVERYTHING)
    check_config(
        Config(seed=np.int64(3), data=DataConfig(data=Path("set"), labels=np.array(["a", "b"])))
    )  # type: ignore[arg-type]
    wrong: Any = Config(training=TrainingConfig(batch_size="16"))  # type: ignore[arg-type]
    with pytest.raises(ThawlineError) as caught:
        check_config(wrong)
    assert (caught.value.setting, caught.value.found) == ("training.batch_size", "'16'")


@pytest.fixture
def validations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configs that pydantic has validated."""
    validated: list[Any] = []
    original = TypeAdapter.validate_json

    def validate_json(adapter: Any, *values: Any, **options: Any) -> Any:
        found = original(adapter, *values, **options)
        validated.append(found)
        return found

    monkeypatch.setattr(TypeAdapter, "validate_json", validate_json)
    return validated


def test_a_resolved_config_is_not_checked_again(validations: list[Any]) -> None:
    Path("reviews").mkdir()
    config = resolve_config([GivenSetting("data.data", "reviews", "--data")])
    assert config.data.data == str(Path("reviews").absolute())
    check_config(config)
    assert len(validations) == 1
    check_config(build_config({"seed": 3}))
    assert len(validations) == 2


def test_a_changed_config_is_checked_again(validations: list[Any]) -> None:
    config = replace(resolve_config(), seed=-1)
    with pytest.raises(ThawlineError) as caught:
        check_config(config)
    assert caught.value.setting == "seed"
    check_config(replace(config, seed=4))
    assert len(validations) == 2


def test_a_config_made_in_python_is_validated_each_time(validations: list[Any]) -> None:
    config = Config()
    check_config(config)
    check_config(config)
    assert len(validations) == 2


@pytest.mark.parametrize("config", [Config(), EVERYTHING], ids=["defaults", "everything"])
def test_a_config_survives_its_record(config: Config) -> None:
    record = {"config": json.loads(json.dumps(config.to_dict()))}
    assert build_config(record["config"]) == config
    taken = config_from_record(record, Path("record.json"), "data", "metrics")
    assert taken == Config(data=config.data, metrics=config.metrics)


def test_a_record_with_fewer_tables_has_their_defaults() -> None:
    record = {"config": {"data": {"data": "set"}}}
    taken = config_from_record(record, Path("record.json"), "data", "metrics")
    assert taken == Config(data=DataConfig(data="set"))


OTHER_RECORDS: list[tuple[Any, str | None, str]] = [
    ({"data": {"column": "a"}}, "data.column", "'data.column' in 'run/record.json'"),
    ({"data": {"limit": 5}}, "data.limit", "5"),
    ({"data": "set"}, "data", "'set'"),
    ([], None, "[]"),
]


@pytest.mark.parametrize(("settings", "setting", "found"), OTHER_RECORDS)
@pytest.mark.parametrize("version", ["0.0.9", None])
def test_a_record_of_another_version_is_refused_with_both_versions(
    settings: Any, setting: str | None, found: str, version: Any
) -> None:
    record = {"config": settings} | ({"versions": {"thawline": version}} if version else {})
    with pytest.raises(ThawlineError) as caught:
        config_from_record(record, Path("run/record.json"), "data")
    error = caught.value
    assert (error.setting, error.found) == (setting, found)
    assert "'run/record.json'" in f"{error.expected} {error.found}"
    assert __version__ in error.fix
    assert version is None or version in error.fix
