"""Test the language model in the package: its size, its record and its training texts."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from transformers import AutoConfig, AutoTokenizer, Qwen3Config

import thawline
from thawline.config import CorpusConfig, HeadConfig
from thawline.models.heads import build_head
from thawline.models.specs import HeadSpec

FOLDER = Path(thawline.__file__).parent / "embedded" / "qwen3-mini"
IMDB = os.environ.get("THAWLINE_IMDB")
"""Folder with IMDb as train.parquet, unsup.parquet and test.parquet, for the slow test."""


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """Return the record of the run that trained the model."""
    return json.loads((FOLDER / "pretraining.json").read_text("utf-8"))


def test_size_is_at_most_16_mb():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "pretraining.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert sum(path.stat().st_size for path in files) <= 16_000_000


def test_qwen3_with_4_932_672_parameters_in_half_precision():
    config = AutoConfig.from_pretrained(FOLDER)
    assert isinstance(config, Qwen3Config)
    shape = (config.hidden_size, config.num_hidden_layers, config.num_attention_heads)
    assert shape == (128, 3, 4)
    assert (config.num_key_value_heads, config.head_dim, config.intermediate_size) == (2, 32, 512)
    assert (config.vocab_size, config.max_position_embeddings) == (32_768, 512)
    assert config.tie_word_embeddings
    with safe_open(FOLDER / "model.safetensors", "np") as file:
        slices = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118
    assert {one.get_dtype() for one in slices} == {"F16"}
    sizes = []
    for one in slices:
        count = 1
        for length in one.get_shape():
            count *= length
        sizes.append(count)
    assert sum(sizes) == 4_932_672


def test_special_tokens_of_tokenizer_and_model_agree():
    learnt, config = AutoTokenizer.from_pretrained(FOLDER), AutoConfig.from_pretrained(FOLDER)
    ids = (learnt.pad_token_id, learnt.bos_token_id, learnt.eos_token_id)
    assert ids == (0, 1, 2)
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == ids
    assert (len(learnt), learnt.model_max_length) == (32_768, 512)
    text = "A film<br />about 🎬 and naïveté."
    read = learnt(text)["input_ids"]
    assert read[0] == 1
    assert learnt.decode(read[1:]) == text.replace("<br />", "\n")


def test_mlp_head_of_64_has_8_386_parameters():
    spec = HeadSpec("mlp", 64)
    head = build_head(spec, 128, 2, spec.dropout(HeadConfig.dropout))
    assert sum(parameter.numel() for parameter in head.parameters()) == 8_386
    assert [type(part).__name__ for part in head.modules() if not list(part.children())] == [
        "Dropout",
        "Linear",
        "ReLU",
        "Dropout",
        "Linear",
    ]


def test_model_card_agrees_with_the_record(record):
    card = (FOLDER / "README.md").read_text("utf-8")
    assert re.search(r"\bIMDb\b", card)
    assert re.search(r"\blicen[cs]e", card, re.IGNORECASE)
    assert f"| epochs, steps | 30, {record['steps']:,} |" in card
    assert f"| seconds of training | {record['seconds']['training']:,.0f} |" in card
    assert f"| bits per byte | {record['kept']['validation_bits_per_byte']:.4f} |" in card
    assert "4,932,672 parameters" in card


def test_record(record):
    assert (record["status"], record["verb"]) == ("finished", "pretrain")
    assert record["parameters"] == 4_932_672
    assert record["kept"]["validation_bits_per_byte"] == pytest.approx(1.3997, abs=5e-5)
    assert not re.search(r'"/|[A-Z]:\\\\', json.dumps(record)), "the record has an absolute path"


def test_test_set_was_left_out(record):
    config, counts = record["config"]["corpus"], record["corpus"]["counts"]
    assert [Path(name).stem for name in config["data"]] == ["train", "unsup"]
    assert [Path(name).stem for name in config["without"]] == ["test"]
    assert counts == {
        "read": 75_000,
        "copies": 943,
        "left_out": 389,  # 266 in unsup and 123 in train
        "train": 72_931,
        "held_out": 737,
    }
    kept = ("copies", "left_out", "train", "held_out")
    assert sum(counts[key] for key in kept) == counts["read"]
    assert re.fullmatch("[0-9a-f]{64}", record["corpus"]["sha256"])


@pytest.mark.slow
@pytest.mark.skipif(IMDB is None, reason="THAWLINE_IMDB is not set")
def test_training_texts_agree_with_the_record(record):
    from thawline.data.sources.open import open_source
    from thawline.pretraining.corpus import read_corpus

    folder = Path(str(IMDB))
    test = str(folder / "test.parquet")
    data = tuple(str(folder / name) for name in ("train.parquet", "unsup.parquet"))
    corpus = read_corpus(CorpusConfig(data=data, without=(test,)))
    assert corpus.counts == record["corpus"]["counts"]
    assert corpus.digest() == record["corpus"]["sha256"]
    (part,) = open_source(test).parts.values()
    assert len(part.texts) == 25_000
    assert not {*corpus.train, *corpus.held_out} & set(part.texts)
