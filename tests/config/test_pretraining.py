"""The settings of a pretraining: files, overrides, a round trip through TOML, absolute paths."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from thawline.config import (
    ArchitectureConfig,
    CorpusConfig,
    PretrainConfig,
    PretrainingConfig,
    VocabularyConfig,
)
from thawline.config.resolve import check_config, config_to_toml, resolve_config
from thawline.errors import ThawlineError

FILE = Path("own.toml")
EVERYTHING = PretrainConfig(
    seed=3,
    device="cpu",
    dtype="float32",
    corpus=CorpusConfig(("a", "b"), "review", ("c",), 0.1, 50),
    vocabulary=VocabularyConfig(400, 3),
    architecture=ArchitectureConfig(16, 2, 4, 1, 8, 24),
    training=PretrainingConfig(
        optimizer="adamw",
        muon_lr=0.01,
        schedule="cosine",
        warmup_share=0.1,
        weight_decay=0.0,
        max_grad_norm=0.5,
        evaluate_every=7,
        keep="last",
        patience=2,
        checkpoint_every=11,
        epochs=2,
        window=64,
        batch_size=8,
        windows_per_pass=2,
        lr=1e-3,
        compile="off",
    ),
)


def read(text: str, *overrides: str) -> PretrainConfig:
    FILE.write_text(text, encoding="utf-8")
    return resolve_config(config_type=PretrainConfig, file=FILE, overrides=overrides)


@pytest.mark.parametrize("config", [PretrainConfig(), EVERYTHING], ids=["defaults", "everything"])
def test_a_config_is_written_as_toml_and_read_back_the_same(config):
    text = config_to_toml(config, "pretrain")
    assert "thawline pretrain --config FILE" in text.partition("\n\n")[0]
    assert read(text) == config
    assert "windows_per_pass" in tomllib.loads(text)["training"] or config != EVERYTHING


def test_an_override_wins_over_the_file_and_the_file_over_the_default():
    config = read("[training]\nwindow = 64\nepochs = 3\n", "training.window=128")
    training = replace(PretrainingConfig(), window=128, epochs=3)
    assert config == PretrainConfig(training=training)


def test_sources_that_are_paths_here_become_absolute():
    Path("reviews").mkdir()
    Path("test.csv").touch()
    config = read("[corpus]\ndata = ['reviews', 'imdb', 'no/such']\nwithout = ['test.csv']")
    assert config.corpus.data == (str(Path("reviews").absolute()), "imdb", "no/such")
    assert config.corpus.without == (str(Path("test.csv").absolute()),)


@pytest.mark.parametrize(
    ("override", "found", "fix"),
    [
        ("training.windw=64", "--set 'training.windw'", "'training.window'"),
        (
            "architecture.num_layers=2",
            "--set 'architecture.num_layers'",
            "'architecture.num_hidden_layers'",
        ),
        ("training.window=7", "7", "(512)"),
        ("training.keep=f1_macro", "'f1_macro'", "accuracy, loss or last"),
        ("corpus.data=reviews", "'reviews'", "square brackets"),
        ("corpus.held_out=1", "1", "(0.01)"),
    ],
)
def test_a_wrong_value_is_refused(override, found, fix):
    with pytest.raises(ThawlineError) as caught:
        resolve_config(config_type=PretrainConfig, overrides=[override])
    error = caught.value
    assert (error.setting, error.found) == (override.partition("=")[0], found)
    assert fix in error.fix


def test_a_config_made_in_python_is_checked_against_the_same_ranges():
    check_config(EVERYTHING)
    wrong = replace(EVERYTHING, vocabulary=VocabularyConfig(size=256))
    with pytest.raises(ThawlineError) as caught:
        check_config(wrong)
    assert (caught.value.setting, caught.value.found) == ("vocabulary.size", "256")
