"""The settings of a ladder, which compares strategies on identical splits, and of the demo."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Gt, Lt, MinLen

from thawline.config.fit import LIMIT_HELP, Config
from thawline.config.help import Help
from thawline.config.ranges import Count, Device, Seed, Share


@dataclass(frozen=True)
class LadderConfig:
    """All settings of a ladder. They are saved with it.

    A rung is written as a strategy, followed by the settings in which the rung differs from the
    others: ``last:2 training.lr=2e-5 training.epochs=5``.
    """

    rungs: Annotated[
        tuple[str, ...],
        MinLen(1),
        Help("Rungs. Each is a strategy, optionally followed by settings of this rung."),
    ] = ("head", "last:1", "lora", "full")
    seeds: Annotated[
        tuple[Seed, ...], MinLen(1), Help("Random seeds. Every rung is fitted with each of them.")
    ] = (0,)
    margin: Annotated[
        float,
        Gt(0),
        Lt(100),
        Help(
            "Margin in points of accuracy (percentage points). A rung that is less than this below "
            "the best one is as good for your purpose. Set it before you see test scores.",
            metavar="POINTS",
        ),
    ] = 1.0
    cost: Annotated[
        Literal["seconds", "parameters", "latency"],
        Help(
            "Cost by which the verdict chooses among rungs: `seconds` of a run, trained "
            "`parameters`, or `latency` of one prediction."
        ),
    ] = "seconds"
    fit: Config = field(default_factory=Config)
    """The settings of all rungs, except strategy and seed."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class DemoConfig:
    """All settings of `demo`: a ladder on a few of the embedded reviews, and three predictions."""

    backbone: Annotated[
        str, Help("Pretrained model: a folder, a packaged name or a hub id.", metavar="MODEL")
    ] = "thawline/qwen3-mini"
    data: Annotated[
        str,
        Help("Film reviews: a file, a folder, a data set's name or a hub id.", metavar="SET"),
    ] = "thawline/reviews"
    rungs: Annotated[
        tuple[str, ...],
        MinLen(1),
        Help("Rungs. Each is a strategy, optionally followed by settings of this rung."),
    ] = (
        "head",
        "last:1 training.epochs=2",
        "lora training.epochs=2",
        "full training.epochs=2",
    )
    limit: Annotated[tuple[Count, Count], replace(LIMIT_HELP, default=None)] = (1_200, 500)
    validation_share: Annotated[
        Share, Help("Share of train that is used for validation. With few rows it must be large.")
    ] = 0.25
    max_length: Annotated[
        int,
        Help("Maximum number of tokens per text. Longer texts are truncated.", metavar="TOKENS"),
    ] = 128
    seed: Annotated[
        Seed, Help("Random seed for weight initialisation and shuffling.", metavar="N")
    ] = 0
    device: Device = "auto"
    texts: Annotated[
        tuple[str, ...], MinLen(1), Help("Texts that the best classifier is asked to classify.")
    ] = (
        "A warm and funny film. I would watch it again tomorrow.",
        "The story goes nowhere, and the acting is even worse.",
        "Some scenes are lovely, but most of it is far too long.",
    )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values."""
        return asdict(self)
