"""The settings of ``thawline pretrain``, which trains a language model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Le

from thawline.config.base import AnyConfig
from thawline.config.data import TextColumn
from thawline.config.help import Help
from thawline.config.loop import CheckpointEvery, LoopConfig, Optimizer, WarmupShare
from thawline.config.ranges import Count, Device, Rate, Seed, Share

CPU_WINDOWS = 4
"""Number of windows in a pass on a CPU. More windows do not fit into its caches."""

WORTH_COMPILING = 10_000_000
"""Minimum number of tokens for which compiling, which takes a minute on a CPU, saves time."""


@dataclass(frozen=True)
class CorpusConfig:
    """Settings of the texts that a language model learns from."""

    data: Annotated[
        tuple[str, ...],
        Help(
            "Texts: a file, a folder, a data set's name or a hub id. Labels are ignored, and the "
            "test split of a folder or of a hub data set is left out.",
            metavar="SET",
            repeatable=True,
        ),
    ] = ()
    text: TextColumn = None
    without: Annotated[
        tuple[str, ...],
        Help(
            "Texts to exclude from the corpus, for example a test set. All splits are excluded.",
            metavar="SET",
            repeatable=True,
        ),
    ] = ()
    held_out: Annotated[Share, Help("Share of the distinct texts that is used for validation.")] = (
        0.01
    )
    limit: Annotated[
        Count | None, Help("Maximum number of texts, sampled at random.", "all texts")
    ] = None


@dataclass(frozen=True)
class VocabularyConfig:
    """Settings of the byte-level BPE tokenizer."""

    size: Annotated[
        int,
        Ge(300),
        Le(2**17),
        Help(
            "Number of tokens in the vocabulary, including 3 special tokens and 256 bytes.",
            metavar="N",
            option="--vocabulary",
        ),
    ] = 32_768
    min_frequency: Annotated[
        Count,
        Help("Minimum number of times that a pair of tokens must occur to be merged into one."),
    ] = 2


@dataclass(frozen=True)
class ArchitectureConfig:
    """Settings of a Qwen3 model, with the names and meanings of `transformers.Qwen3Config`."""

    hidden_size: Annotated[Count, Help("Width of a token's state.")] = 128
    num_hidden_layers: Annotated[Count, Help("Number of blocks.")] = 3
    num_attention_heads: Annotated[Count, Help("Number of attention heads in a block.")] = 4
    num_key_value_heads: Annotated[
        Count,
        Help("Number of key and value heads. It must divide the number of attention heads."),
    ] = 2
    head_dim: Annotated[Count, Help("Width of an attention head, an even number.")] = 32
    intermediate_size: Annotated[Count, Help("Width of the feed-forward layer.")] = 512


@dataclass(frozen=True)
class PretrainingConfig(LoopConfig):
    """Settings of the training on windows of tokens."""

    epochs: Annotated[Count, Help("Number of times that each text is read.", metavar="N")] = 6
    window: Annotated[
        int,
        Ge(8),
        Le(32_768),
        Help("Number of tokens in a window. The model cannot read longer texts."),
    ] = 512
    batch_size: Annotated[Count, Help("Number of windows in a step.", metavar="N")] = 32
    windows_per_pass: Annotated[
        Count | None,
        Help(
            "Maximum number of windows in one pass. The gradients of a step's passes are summed.",
            f"{CPU_WINDOWS} on a CPU, otherwise all windows of a step",
        ),
    ] = None
    lr: Annotated[Rate, Help("Maximum learning rate of AdamW or SGD.", metavar="RATE")] = 3e-3
    optimizer: Optimizer = "muon"
    warmup_share: WarmupShare = 0.02
    evaluate_every: Annotated[
        Count | None,
        Help("Number of steps between two evaluations, in addition to the one after each epoch."),
    ] = 500
    keep: Annotated[
        Literal["accuracy", "loss", "last"],
        Help(
            "Score on the held-out texts that selects the evaluation whose weights are kept, or "
            "`last` for the last weights."
        ),
    ] = "loss"
    checkpoint_every: CheckpointEvery = 250
    compile: Annotated[
        Literal["auto", "on", "off"],
        Help(
            "Whether torch compiles the passes. `auto` compiles on CUDA, and on a CPU with a C++ "
            f"compiler if training reads at least {WORTH_COMPILING:,} tokens."
        ),
    ] = "auto"


@dataclass(frozen=True)
class PretrainConfig(AnyConfig):
    """All settings of `pretrain`. They are saved with the run."""

    seed: Annotated[
        Seed,
        Help(
            "Random seed for weight initialisation and the order of windows. The held-out texts do "
            "not depend on it.",
            metavar="N",
        ),
    ] = 0
    device: Device = "auto"
    dtype: Annotated[
        str,
        Help(
            "Number format of matrix products: `float32`, `bfloat16`, or `auto` for the faster one "
            "on this machine. Weights are always float32."
        ),
    ] = "auto"
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    architecture: ArchitectureConfig = field(default_factory=ArchitectureConfig)
    training: PretrainingConfig = field(default_factory=PretrainingConfig)
