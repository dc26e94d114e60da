"""What a fit tells of its settings on this set, before it begins."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoModel, PreTrainedTokenizerFast

from tests.support.command_line import ProverHere, write_set
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
from thawline.training.advice import notes_on
from thawline.training.plan import make_plan

Backbones = Callable[..., Path]
Reviews = Callable[..., tuple[list[str], list[int]]]
NoteOf = Callable[..., list[str]]


def of_first_tokens(config: Config, backbone: Backbone) -> list[str]:
    dataset = load(config.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the plan's own, of a pooling that sees one token
        plan = make_plan(backbone, config)
    return [note for note in notes_on(dataset, backbone, plan, config) if "pooling" in note]


@pytest.fixture
def causal(tmp_path: Path, toy_backbone: Backbones) -> Path:
    """Save a causal toy whose tokenizer begins every text with the same token."""
    folder = tmp_path / "with-bos"
    AutoModel.from_config(toy_config("qwen3")).save_pretrained(folder)
    tokenizer = load_backbone(str(toy_backbone("bert"))).tokenizer
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def reviews(toy_reviews: Reviews) -> Callable[[list[str] | None], Config]:
    """Return what gives a config of 40 train reviews, each under a first word."""

    def give(firsts: list[str] | None = None) -> Config:
        texts, labels = toy_reviews(40, 1)
        if firsts is not None:
            texts = [f"{firsts[row % len(firsts)]} {text}" for row, text in enumerate(texts)]
        folder = write_set(Path("reviews"), {"train": (texts, labels), "test": toy_reviews(8, 2)})
        head = HeadConfig(pooling="first")
        return Config(data=DataConfig(str(folder), validation_share=0.25), head=head, compute=FP32)

    return give


FP32 = ComputeConfig(dtype="float32", device="cpu")
LINE = (
    "pooling first: each of the 30 train texts looked at starts with '{}', so the head sees the "
    "same features for every text and learns nothing from them (--pooling mean)"
)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_first_token_that_every_text_has_is_told_of(
    causal: Path, reviews: Callable[..., Config], side: str
) -> None:
    config = replace(reviews(), tokens=TokensConfig(8, truncation_side=side))
    assert of_first_tokens(config, load_backbone(str(causal))) == [LINE.format("[CLS]")]


def test_so_is_a_first_word_that_every_text_has(
    toy_backbone: Backbones, reviews: Callable[..., Config]
) -> None:
    backbone = load_backbone(str(toy_backbone("llama")))
    assert of_first_tokens(reviews(["the"]), backbone) == [LINE.format("the")]


def test_texts_that_start_unlike_draw_no_note(
    toy_backbone: Backbones, reviews: Callable[..., Config]
) -> None:
    backbone = load_backbone(str(toy_backbone("llama")))
    assert of_first_tokens(reviews(["the"] * 7 + ["a"]), backbone) == []


@pytest.mark.parametrize("pooling", ["mean", "last", None])
def test_other_poolings_draw_none(
    causal: Path, reviews: Callable[..., Config], pooling: str | None
) -> None:
    config = replace(reviews(), head=HeadConfig(pooling=pooling))
    assert of_first_tokens(config, load_backbone(str(causal))) == []


def test_a_first_token_that_sees_the_others_draws_none(
    toy_backbone: Backbones, reviews: Callable[..., Config]
) -> None:
    assert of_first_tokens(reviews(), load_backbone(str(toy_backbone("bert")))) == []


def test_no_more_texts_are_looked_at_than_fit_counts_the_tokens_of(
    causal: Path, reviews: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PreflightConfig, "sample", 12)
    (note,) = of_first_tokens(reviews(), load_backbone(str(causal)))
    assert "each of the 12 train texts looked at" in note


def test_fit_tells_it_and_the_head_learns_nothing(
    causal: Path, reviews: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []

    class Notebook(Reporter):
        def message(self, text: str) -> None:
            notes.append(text)

    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    config = replace(reviews(), backbone=str(causal))
    with pytest.warns(UserWarning, match="its first token has seen nothing but itself"):
        record = fit_run(config, Path("run"), Notebook())
    assert notes.count(LINE.format("[CLS]")) == 1
    assert record["test"]["accuracy"]["value"] == 0.5
