"""The settings of a language model's pretraining."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Lt

from thawline.config.loop import LoopConfig
from thawline.config.ranges import Count, Rate, Seed, Share

CPU_WINDOWS = 4
"""Windows in a pass on a CPU: as many as its caches hold."""

WORTH_COMPILING = 10_000_000
"""Tokens from which on a CPU the minute of the compiler is won back."""


@dataclass(frozen=True)
class CorpusConfig:
    """The texts that a language model learns from."""

    data: tuple[str, ...] = ()  # files, folders, sets' names or hub ids; their test splits stay out
    text: str | None = None  # the text column; None: found by the common names
    without: tuple[str, ...] = ()  # sources whose texts, all splits, are left out wherever they are
    held_out: Share = 0.01  # of the distinct texts, to measure on
    limit: Count | None = None  # texts in all, drawn at random; None: every one


@dataclass(frozen=True)
class VocabularyConfig:
    """The byte-level BPE tokenizer."""

    size: Annotated[int, Ge(300), Le(2**17)] = 32_768  # special tokens and the 256 bytes counted
    min_frequency: Count = 2  # of a pair of tokens that is merged


@dataclass(frozen=True)
class ArchitectureConfig:
    """A Qwen3; names and meanings are those of `transformers.Qwen3Config`."""

    hidden_size: Count = 128
    num_hidden_layers: Count = 3
    num_attention_heads: Count = 4
    num_key_value_heads: Count = 2
    head_dim: Count = 32
    intermediate_size: Count = 512


@dataclass(frozen=True)
class PretrainingConfig(LoopConfig):
    """The training loop over windows of tokens."""

    epochs: Count = 6
    window: Annotated[int, Ge(8), Le(32_768)] = 512  # tokens, and the most that the model takes
    batch_size: Count = 32  # windows in a step
    windows_per_pass: Count | None = None  # None: `CPU_WINDOWS` on a CPU, else the whole step
    lr: Rate = 3e-3  # AdamW's: of embeddings and norms
    optimizer: Literal["adamw", "muon"] = "muon"
    warmup_share: Annotated[float, Ge(0), Lt(1)] = 0.02
    evaluate_every: Count | None = 500
    keep: Literal["accuracy", "loss", "last"] = "loss"
    checkpoint_every: Count = 250
    compile: Literal["auto", "on", "off"] = "auto"  # auto: from `WORTH_COMPILING` tokens on


@dataclass(frozen=True)
class PretrainConfig:
    """A whole `pretrain`, resolved; it is saved with the run."""

    seed: Seed = 0
    device: str = "auto"  # cuda, mps, cpu; auto: the first of these that this machine has
    dtype: str = "auto"  # of matrix products; auto: bfloat16 where this machine is faster with it
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    architecture: ArchitectureConfig = field(default_factory=ArchitectureConfig)
    training: PretrainingConfig = field(default_factory=PretrainingConfig)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values (tuples become lists there)."""
        return asdict(self)
