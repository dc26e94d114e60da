"""The settings of a ladder, several strategies on identical splits, and of the demonstration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from annotated_types import Gt, Lt, MinLen

from thawline.config.fit import ComputeConfig, Config
from thawline.config.ranges import Count, Seed, Share


@dataclass(frozen=True)
class LadderConfig:
    """A whole ladder; it is saved with it.

    A rung is written as a strategy, with the settings behind it in which it differs from the
    others: ``last:2 training.lr=2e-5 training.epochs=5``.
    """

    rungs: Annotated[tuple[str, ...], MinLen(1)] = ("head", "last:1", "lora", "full")
    seeds: Annotated[tuple[Seed, ...], MinLen(1)] = (0,)  # each rung is fitted with each of them
    significance: Annotated[float, Gt(0), Lt(1)] = 0.05  # from there on two rungs are alike
    fit: Config = field(default_factory=Config)  # of all rungs, but for strategy and seed

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class DemoConfig:
    """The demonstration: a ladder on few rows of the embedded reviews, and three predictions."""

    backbone: str = "thawline/qwen3-mini"  # a folder, a packaged name or a hub id
    data: str = "thawline/reviews"  # a set of film reviews
    rungs: Annotated[tuple[str, ...], MinLen(1)] = (
        "head",
        "last:1 training.epochs=2",
        "lora training.epochs=2",
        "full training.epochs=2",
    )
    limit: tuple[Count, Count] = (1_200, 500)  # rows of train, validation counted, and of test
    validation_share: Share = 0.25  # of train: of so few rows a tenth would choose by chance
    max_length: int = 128  # tokens kept of each text
    seed: Seed = 0
    device: str = ComputeConfig.device
    texts: Annotated[tuple[str, ...], MinLen(1)] = (
        "A warm and funny film. I would watch it again tomorrow.",
        "The story goes nowhere, and the acting is even worse.",
        "Some scenes are lovely, but most of it is far too long.",
    )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values."""
        return asdict(self)
