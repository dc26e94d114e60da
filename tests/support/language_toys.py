"""A toy corpus, its tokenizer and a toy language model, for tests of pretraining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from tests.support.toys import WORDS
from thawline.config import (
    ArchitectureConfig,
    CorpusConfig,
    PretrainConfig,
    PretrainingConfig,
    VocabularyConfig,
)
from thawline.pretraining.model import NextToken, new_model
from thawline.pretraining.vocabulary import train_tokenizer
from thawline.runtime.progress import Reporter

WINDOW = 32
SHAPE = ArchitectureConfig(
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=8,
    intermediate_size=32,
)


def toy_texts(count: int, seed: int = 0) -> list[str]:
    """Return distinct texts of 3 to 30 words."""
    random = np.random.default_rng(seed)
    return [
        " ".join([f"film {seed}.{n}", *random.choice(WORDS, size=random.integers(3, 30))])
        for n in range(count)
    ]


@cache
def toy_vocabulary(size: int = 300) -> PreTrainedTokenizerFast:
    return train_tokenizer(toy_texts(60), VocabularyConfig(size=size), WINDOW)


def toy_module(
    *, seed: int = 0, window: int = WINDOW, low: bool = False, compiled: bool = False
) -> NextToken:
    model = new_model(SHAPE, toy_vocabulary(), window, seed)
    return NextToken(model, use_bf16=low, compiled=compiled)


def document(text: str) -> list[int]:
    """Return the tokens of a text as they are packed: bos, the tokens of the text, eos."""
    tokenizer = toy_vocabulary()
    return [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]


def row_of(texts: Sequence[str]) -> NDArray[np.uint16]:
    return np.array([token for text in texts for token in document(text)], dtype=np.uint16)


def toy_job(data: Path, **training: Any) -> PretrainConfig:
    """Return the config of a pretraining on the CPU in fp32 that takes one second."""
    settings = {"epochs": 2, "window": WINDOW, "batch_size": 8, "windows_per_pass": 4}
    settings |= {"evaluate_every": 5, "checkpoint_every": 3}
    return PretrainConfig(
        device="cpu",
        dtype="float32",
        corpus=CorpusConfig(data=(str(data),), held_out=0.2),
        vocabulary=VocabularyConfig(size=300),
        architecture=SHAPE,
        training=replace(PretrainingConfig(), **settings | training),
    )


class Notes(Reporter):
    """A reporter that collects the lines it receives."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)
