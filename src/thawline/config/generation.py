"""The settings of ``thawline generate``, which writes text with a language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from thawline.config.base import AnyConfig
from thawline.config.help import Help
from thawline.config.ranges import Count, Device, Seed


@dataclass(frozen=True)
class WritingConfig(AnyConfig):
    """All settings of `generate`: the model, and how each next token is sampled.

    The temperature is applied first, then top_k, then top_p.
    """

    model: Annotated[
        str,
        Help(
            "Causal language model: a folder, a pretraining run, a packaged name or a hub id.",
            metavar="MODEL",
        ),
    ] = "thawline/qwen3-mini"
    tokens: Annotated[
        Count,
        Help(
            "Maximum number of tokens to write. A text is shorter if it ends or reaches the "
            "model's limit.",
            metavar="N",
        ),
    ] = 128
    temperature: Annotated[
        float,
        Ge(0),
        Le(100),
        Help(
            "Sampling temperature. Higher values give more surprising text; 0 always takes the "
            "most likely token.",
            metavar="T",
        ),
    ] = 0.8
    top_k: Annotated[Count, Help("Sample from the K most likely tokens.", metavar="K")] = 50
    top_p: Annotated[
        float,
        Gt(0),
        Le(1),
        Help("Sample from the most likely tokens whose probabilities sum to P.", metavar="P"),
    ] = 0.95
    seed: Annotated[Seed, Help("Random seed of the first text.", metavar="S")] = 0
    samples: Annotated[
        Count, Help("Number of texts. They use the seeds S, S + 1 and so on.", metavar="N")
    ] = 1
    device: Device = "auto"
