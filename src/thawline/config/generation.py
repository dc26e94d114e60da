"""The settings of a language model that writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from thawline.config.ranges import Count, Seed


@dataclass(frozen=True)
class WritingConfig:
    """A whole `generate`: the model, and how each next token is drawn.

    The three ways to narrow the draw act in the order temperature, top_k, top_p.
    """

    model: str = "thawline/qwen3-mini"
    tokens: Count = 128  # written at most; fewer where the text ends, or the model's limit is met
    temperature: Annotated[float, Ge(0), Le(100)] = 0.8  # of the logits; 0: always the likeliest
    top_k: Count = 50  # the likeliest tokens, drawn from; as many as there are: all of them
    top_p: Annotated[float, Gt(0), Le(1)] = 0.95  # the share that the likeliest tokens make up
    seed: Seed = 0
    samples: Count = 1  # sample i of them, from 0, is drawn with seed + i
    device: str = "auto"  # cuda, mps, cpu; auto: the first of these that this machine has

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dict of JSON values."""
        return asdict(self)
