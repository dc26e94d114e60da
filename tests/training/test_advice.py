"""The warnings about settings that are unlikely to help on a data set."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoModel, PreTrainedTokenizerFast

from tests.support.command_line import ProverHere, write_set
from tests.support.tasks import make_task
from tests.support.toys import toy_config
from thawline.backbones.loading import Backbone, load_backbone
from thawline.config import (
    ComputeConfig,
    Config,
    DataConfig,
    HeadConfig,
    PreflightConfig,
    TokensConfig,
)
from thawline.data import load
from thawline.jobs.fit import fit_run
from thawline.runtime.progress import Reporter
from thawline.training.advice import fit_warnings, result_warnings
from thawline.training.plan import make_plan

Backbones = Callable[..., Path]
Reviews = Callable[..., tuple[list[str], list[int]]]


def first_token_warnings(config: Config, backbone: Backbone) -> list[str]:
    dataset = load(config.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the plan itself warns about pooling the first token
        plan = make_plan(backbone, config)
    return [line for line in fit_warnings(dataset, backbone, plan, config) if "pooling" in line]


def is_about(warning: str, token: str, texts: int) -> bool:
    """Return whether a warning names the shared first token, the number of texts and a remedy."""
    return all(part in warning for part in (f"'{token}'", f" {texts} ", "`head.pooling=mean`"))


@pytest.fixture
def causal(tmp_path: Path, toy_backbone: Backbones) -> Path:
    """Save a causal toy whose tokenizer puts the same token before every text."""
    folder = tmp_path / "with-bos"
    AutoModel.from_config(toy_config("qwen3")).save_pretrained(folder)
    tokenizer = load_backbone(str(toy_backbone("bert"))).tokenizer
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def reviews(toy_reviews: Reviews) -> Callable[[list[str] | None], Config]:
    """Return a function that makes a config with 40 training reviews, with given first words."""

    def give(firsts: list[str] | None = None) -> Config:
        texts, labels = toy_reviews(40, 1)
        if firsts is not None:
            texts = [f"{firsts[row % len(firsts)]} {text}" for row, text in enumerate(texts)]
        folder = write_set(Path("reviews"), {"train": (texts, labels), "test": toy_reviews(8, 2)})
        head = HeadConfig(pooling="first")
        return Config(data=DataConfig(str(folder), validation_share=0.25), head=head, compute=FP32)

    return give


FP32 = ComputeConfig(dtype="float32", device="cpu")
INSPECTED = 30
"""The training texts that remain after the validation split, all of which are inspected."""


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_first_token_in_every_text_warns(
    causal: Path, reviews: Callable[..., Config], side: str
) -> None:
    config = replace(reviews(), tokens=TokensConfig(8, truncation_side=side))
    (warning,) = first_token_warnings(config, load_backbone(str(causal)))
    assert is_about(warning, "[CLS]", INSPECTED)


def test_a_first_word_in_every_text_warns(
    toy_backbone: Backbones, reviews: Callable[..., Config]
) -> None:
    backbone = load_backbone(str(toy_backbone("llama")))
    (warning,) = first_token_warnings(reviews(["the"]), backbone)
    assert is_about(warning, "the", INSPECTED)


def test_different_first_words_do_not_warn(
    toy_backbone: Backbones, reviews: Callable[..., Config]
) -> None:
    backbone = load_backbone(str(toy_backbone("llama")))
    assert first_token_warnings(reviews(["the"] * 7 + ["a"]), backbone) == []


@pytest.mark.parametrize("pooling", ["mean", "last", None])
def test_other_poolings_do_not_warn(
    causal: Path, reviews: Callable[..., Config], pooling: str | None
) -> None:
    config = replace(reviews(), head=HeadConfig(pooling=pooling))
    assert first_token_warnings(config, load_backbone(str(causal))) == []


def test_a_first_token_that_sees_the_others_does_not_warn(
    toy_backbone: Backbones, reviews: Callable[..., Config]
) -> None:
    assert first_token_warnings(reviews(), load_backbone(str(toy_backbone("bert")))) == []


def test_at_most_the_preflight_sample_is_inspected(
    causal: Path, reviews: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PreflightConfig, "sample", 12)
    (warning,) = first_token_warnings(reviews(), load_backbone(str(causal)))
    assert is_about(warning, "[CLS]", 12)


def test_fit_warns_and_the_head_learns_nothing(
    causal: Path, reviews: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []

    class Notebook(Reporter):
        def message(self, text: str) -> None:
            notes.append(text)

    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    config = replace(reviews(), backbone=str(causal))
    with pytest.warns(UserWarning, match="'first'.*'mean'"):
        record = fit_run(config, Path("run"), Notebook()).to_dict()
    assert sum(is_about(note, "[CLS]", INSPECTED) for note in notes) == 1
    assert record["test"]["accuracy"]["value"] == 0.5


@pytest.mark.parametrize(
    ("positives", "strategy", "datum"),
    [(2, "head", "class_weights"), (10, "full", " 0.25"), (10, "head", "preflight")],
    ids=["imbalance", "learning rate", "exact fit"],
)
def test_one_predicted_class_warns_and_names_a_cause(
    toy_backbone: Backbones, positives: int, strategy: str, datum: str
) -> None:
    texts = [f"the film {row}" for row in range(20)]
    labels = [int(row < positives) for row in range(20)]
    lr = 0.25 if strategy == "full" else None
    parts = dict.fromkeys(("train", "validation", "test"), (texts, labels))
    task = make_task(toy_backbone("bert"), parts, strategy, lr=lr, epochs=None)
    (warning,) = result_warnings(task, np.zeros(20, dtype=np.int64))
    assert all(part in warning for part in ("'neg'", " 20 ", datum))
    assert list(result_warnings(task, np.array(labels))) == []


def test_one_predicted_class_is_right_if_the_test_split_has_no_other(
    toy_backbone: Backbones,
) -> None:
    both, one = (["good film", "bad film"] * 4, [1, 0] * 4), (["good film"] * 4, [1] * 4)
    task = make_task(toy_backbone("bert"), {"train": both, "validation": both, "test": one})
    assert list(result_warnings(task, np.ones(4, dtype=np.int64))) == []


def test_classes_with_hardly_any_rows_warn(toy_backbone: Backbones) -> None:
    def lines(rows_per_class: int) -> list[str]:
        labels = np.repeat(np.arange(60), rows_per_class).tolist()
        texts = [f"text {row}" for row in range(len(labels))]
        folder = write_set(Path(f"many{rows_per_class}"), {"train": (texts, labels)})
        config = Config(data=DataConfig(str(folder), test_share=0.1), compute=FP32)
        dataset, backbone = load(config.data), load_backbone(str(toy_backbone("bert")))
        found = fit_warnings(dataset, backbone, make_plan(backbone, config), config)
        return [line for line in found if "`data.label`" in line]

    assert len(lines(3)) == 1
    assert lines(6) == []
