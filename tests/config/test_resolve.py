"""Settings from files, options, overrides and records: one way to a config, one line of error."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
from thawline.config.resolve import (
    Given,
    build_config,
    check_config,
    config_from_record,
    config_to_toml,
    resolve_config,
)
from thawline.errors import ThawlineError

FILE = Path("own.toml")


def read(text: str, *overrides: str, options: tuple[Given, ...] = ()) -> Config:
    FILE.write_text(text, encoding="utf-8")
    return resolve_config(options, file=FILE, overrides=overrides)


def refusal(text: str | None, *overrides: str, options: tuple[Given, ...] = ()) -> str:
    if text is not None:
        FILE.write_text(text, encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        resolve_config(options, file=None if text is None else FILE, overrides=overrides)
    return str(caught.value)


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


def test_so_do_vectors_in_an_archive_and_those_of_a_ladder() -> None:
    Path("glove.zip").touch()
    found = resolve_config([Given("encoder.vectors", "glove.zip/100d.txt", "--vectors")])
    assert found.encoder.vectors == str(Path("glove.zip/100d.txt").absolute())
    given = [Given("fit.encoder.vectors", "glove.zip", "--vectors")]
    assert resolve_config(given, job=LadderConfig).fit.encoder.vectors == str(
        Path("glove.zip").absolute()
    )
    given = [Given("encoder.vectors", "other.zip/100d.txt", "--vectors")]
    assert resolve_config(given).encoder.vectors == "other.zip/100d.txt"


WRONG_FILES = [
    (
        "[training]\nlearning_rate = 0.1",
        "expected a setting that there is, found training.learning_rate in 'own.toml'; "
        "did you mean 'training.lr'?",
    ),
    (
        "[trainig]\nlr = 0.1",
        "expected a setting that there is, found trainig.lr in 'own.toml'; "
        "did you mean 'training.lr'?",
    ),
    (
        "lr = 0.1",
        "expected a setting that there is, found lr in 'own.toml'; did you mean 'training.lr'?",
    ),
    (
        "[training]\ndropout = 0.1",
        "expected a setting that there is, found training.dropout in 'own.toml'; "
        "did you mean 'encoder.dropout'?",
    ),
    (
        "[tokens]\nmax_seq_length = 3",
        "expected a setting that there is, found tokens.max_seq_length in 'own.toml'; "
        "did you mean 'tokens.max_length'?",
    ),
    (
        "[wheels]\nsize = 3",
        "expected a setting that there is, found wheels.size in 'own.toml'; "
        "choose from backbone, strategy, seed, data, encoder, tokens, compute, head, exact, "
        "training, artifact, metrics, report",
    ),
    (
        "[training]\nepochs = 3.5",
        "expected training.epochs in 'own.toml' to be a whole number from 1 to 2,147,483,647, "
        "found 3.5; fix it, or leave it out",
    ),
    (
        "[training]\nlr = '1e-3'",
        "expected training.lr in 'own.toml' to be a number above 0 and at most 1,000,000, "
        'found "1e-3"; take the quotation marks away',
    ),
    (
        "seed = true",
        "expected seed in 'own.toml' to be a whole number from 0 to 4,294,967,295, found true; "
        "fix it, or leave it out for 0",
    ),
    (
        "backbone = 7",
        "expected backbone in 'own.toml' to be a text, found 7; "
        'fix it, or leave it out for "thawline/qwen3-mini"',
    ),
    (
        "[training]\nkeep = 'f1'",
        "expected training.keep in 'own.toml' to be accuracy, f1_macro, loss or last, "
        'found "f1"; '
        "choose from accuracy, f1_macro, loss, last",
    ),
    (
        "[training]\nschedule = 'cosin'",
        "expected training.schedule in 'own.toml' to be linear or cosine, found \"cosin\"; "
        "did you mean 'cosine'?",
    ),
    (
        "[tokens]\ntruncation_side = 1",
        "expected tokens.truncation_side in 'own.toml' to be right or left, found 1; "
        'fix it, or leave it out for "right"',
    ),
    (
        "[head]\nstandardise = 1",
        "expected head.standardise in 'own.toml' to be true or false, found 1; "
        "fix it, or leave it out for true",
    ),
    (
        "[data]\nlabels = 'neg,pos'",
        "expected data.labels in 'own.toml' to be a list of texts, found \"neg,pos\"; "
        "write it as a list, in square brackets with commas between",
    ),
    (
        "[data]\nlabels = [0, 1]",
        "expected data.labels in 'own.toml' to be a list of texts, found [0, 1]; "
        "fix it, or leave it out",
    ),
    (
        "[data]\nlimit = [5]",
        "expected data.limit in 'own.toml' to be a list of 2 whole numbers, "
        "each from 1 to 2,147,483,647, found [5]; fix it, or leave it out",
    ),
    (
        "training = 3",
        "expected training in 'own.toml' to be a table of settings, found 3; "
        "write training.optimizer = … for one in it",
    ),
    (
        "seed = 2026-01-01",
        "expected seed in 'own.toml' to be a whole number from 0 to 4,294,967,295, "
        'found "2026-01-01"; fix it, or leave it out for 0',
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG_FILES)
def test_a_value_that_does_not_fit_is_one_line_with_its_place(text: str, message: str) -> None:
    assert refusal(text) == message


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
    message = refusal(None, written)
    assert message.startswith(f"expected --set {key} to be a ")
    assert refusal(f"{key} = {value}").startswith(f"expected {key} in 'own.toml' to be a ")


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
    for place, found in {"none.toml": "no file 'none.toml'", "run": "the folder 'run'"}.items():
        with pytest.raises(ThawlineError) as caught:
            resolve_config(file=Path(place))
        assert str(caught.value) == (
            f"expected --config as a TOML file, found {found}; "
            "give a file such as the config.toml of a run"
        )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"seed = = 1", "Invalid value (at line 1, column 8)"),
        (b"seed = 1\nseed = 2", "Cannot overwrite a value (at end of document)"),
        (b'{"seed": 1}', "Invalid statement (at line 1, column 1)"),
        (b"backbone = '\xff'", "'utf-8' codec can't decode byte 0xff in position 12"),
    ],
)
def test_a_file_that_is_no_toml_says_where(content: bytes, found: str) -> None:
    FILE.write_bytes(content)
    with pytest.raises(ThawlineError) as caught:
        resolve_config(file=FILE)
    assert caught.value.expected == "TOML in 'own.toml'"
    assert caught.value.found.startswith(found)
    assert caught.value.fix == "fix it there; a run's config.toml shows how it is written"


# -- from the command line ----------------------------------------------------------------------


def test_options_and_overrides_win_over_the_file_and_the_file_over_the_default() -> None:
    options = (Given("training.batch_size", 16, "--batch-size"), Given("seed", 1, "--seed"))
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
def test_an_override_is_toml_or_else_a_text(override: str, key: str, value: Any) -> None:
    found: Any = resolve_config(overrides=[override])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)


LR = Given("training.lr", 0.1, "--lr")
WRONG_OVERRIDES: list[tuple[str | None, tuple[str, ...], tuple[Given, ...], str]] = [
    (
        None,
        ("training.lrr=1",),
        (),
        "expected a setting that there is, found --set training.lrr; did you mean 'training.lr'?",
    ),
    (
        None,
        ("training.epochs=three",),
        (),
        "expected --set training.epochs to be a whole number from 1 to 2,147,483,647, "
        'found "three"; fix it, or leave it out',
    ),
    (
        None,
        ("training.lr",),
        (),
        "expected --set with key=value, found 'training.lr'; write --set training.lr=1e-3",
    ),
    (None, ("=1",), (), "expected --set with key=value, found '=1'; write --set training.lr=1e-3"),
    (
        None,
        ("training.lr=1",),
        (LR,),
        "expected --lr or --set training.lr, found both; leave one of them out",
    ),
    (
        None,
        ("training={lr=1}",),
        (LR,),
        "expected --lr or --set training.lr, found both; leave one of them out",
    ),
    (
        None,
        ("seed=1", "seed=2"),
        (),
        "expected --set seed once, found it twice; leave one of them out",
    ),
    (
        "[training]\nepochs = 3",
        ("training=1",),
        (),
        "expected --set training to be a table of settings, found 1; "
        "write training.optimizer = … for one in it",
    ),
    (
        "training = 1",
        ("training.epochs=3",),
        (),
        "expected training in 'own.toml' to be a table of settings, found 1; "
        "write training.optimizer = … for one in it",
    ),
    (
        None,
        (),
        (Given("training.lr", -1.0, "--lr"),),
        "expected --lr to be a number above 0 and at most 1,000,000, found -1.0; "
        "fix it, or leave it out",
    ),
]


@pytest.mark.parametrize(("text", "overrides", "options", "message"), WRONG_OVERRIDES)
def test_a_wrong_override_is_one_line(
    text: str | None, overrides: tuple[str, ...], options: tuple[Given, ...], message: str
) -> None:
    assert refusal(text, *overrides, options=options) == message


def test_half_a_character_is_one_line() -> None:
    assert refusal(None, options=(Given("data.data", "\udcff", "--data"),)).startswith(
        "expected settings in UTF-8, found Invalid JSON: lone leading surrogate"
    )


def test_a_run_to_go_on_with_takes_the_place_of_the_defaults() -> None:
    begun = Path("begun.toml")
    begun.write_text(config_to_toml(EVERYTHING), encoding="utf-8")
    assert resolve_config(begun=begun) == EVERYTHING
    FILE.write_text("seed = 9\n[training]\nepochs = 5", encoding="utf-8")
    config = resolve_config(file=FILE, overrides=["training.epochs=6"], begun=begun)
    assert config == replace(EVERYTHING, seed=9, training=replace(EVERYTHING.training, epochs=6))
    begun.write_text("[training]\nlrr = 1", encoding="utf-8")
    with pytest.raises(ThawlineError, match=r"found training\.lrr in 'begun\.toml'"):
        resolve_config(begun=begun)


# -- from Python and from a record --------------------------------------------------------------


def test_a_config_made_in_python_is_checked_too() -> None:
    check_config(EVERYTHING)
    check_config(
        Config(seed=np.int64(3), data=DataConfig(data=Path("set"), labels=np.array(["a", "b"])))
    )  # type: ignore[arg-type]
    wrong: Any = Config(training=TrainingConfig(batch_size="16"))  # type: ignore[arg-type]
    message = (
        "expected training.batch_size to be a whole number from 1 to 2,147,483,647, "
        'found "16"; take the quotation marks away'
    )
    with pytest.raises(ThawlineError, match=f"^{re.escape(message)}$"):
        check_config(wrong)


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


OTHER_RECORDS = [
    ({"data": {"column": "a"}}, "a setting that there is, found data.column in 'run/record.json'"),
    (
        {"data": {"limit": 5}},
        "data.limit in 'run/record.json' to be a list of 2 whole numbers, "
        "each from 1 to 2,147,483,647, found 5",
    ),
    (
        {"data": "set"},
        "data in 'run/record.json' to be a table of settings, found \"set\"",
    ),
    ([], "the config in 'run/record.json' to be a table of settings, found []"),
]


@pytest.mark.parametrize(("settings", "found"), OTHER_RECORDS)
@pytest.mark.parametrize("version", ["0.0.9", None])
def test_a_record_of_another_version_says_so(settings: Any, found: str, version: Any) -> None:
    record = {"config": settings} | ({"versions": {"thawline": version}} if version else {})
    with pytest.raises(ThawlineError) as caught:
        config_from_record(record, Path("run/record.json"), "data")
    made_by = "another" if version is None else version
    assert str(caught.value) == (
        f"expected {found}; this is Thawline {__version__}: "
        f"use version {made_by}, which made the run"
    )
