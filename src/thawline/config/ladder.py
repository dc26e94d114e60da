"""The settings of a ladder, which compares strategies on identical splits, and of the demo."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from thawline.config.base import AnyConfig
from thawline.config.data import LIMIT_HELP
from thawline.config.fit import Config
from thawline.config.help import Help
from thawline.config.ranges import Count, Device, Duration, Seed, Seeds, Share, Sizes


@dataclass(frozen=True)
class LadderConfig(AnyConfig):
    """All settings of a ladder, which `thawline compare` runs. They are saved with it.

    A rung is written as a strategy, followed by the settings in which the rung differs from the
    others: ``last:2 training.lr=2e-5 training.epochs=5``.
    """

    rungs: Annotated[
        tuple[str, ...],
        MinLen(1),
        Help(
            "Strategy to compare, optionally followed by settings of its own, for example "
            "`last:2 training.lr=2e-5`.",
            metavar="RUNG",
            option="--strategy",
            short="-s",
            repeatable=True,
        ),
    ] = ("tfidf", "head", "head+tfidf", "last:1", "lora", "full")
    backbones: Annotated[
        tuple[str, ...],
        Help(
            "Pretrained model: a folder, a run, a packaged name or a hub id. Every strategy is "
            "compared on each of them.",
            "thawline/qwen3-mini",
            metavar="MODEL",
            option="--backbone",
            repeatable=True,
        ),
    ] = ()
    seeds: Annotated[
        Seeds,
        MinLen(1),
        Help(
            "Number of random seeds, where N stands for the seeds 0 to N - 1, or a list of seeds "
            "such as 0,7. Every strategy is fitted with each of them.",
            metavar="N",
        ),
    ] = (0, 1, 2)
    margin: Annotated[
        float,
        Gt(0),
        Lt(100),
        Help(
            "Difference in accuracy that does not matter for your purpose, in percentage points. "
            "Choose it before you see test scores.",
            metavar="POINTS",
        ),
    ] = 1.0
    cost: Annotated[
        Literal["seconds", "parameters", "latency"],
        Help(
            "Cost by which strategies are compared: the `seconds` of a fit, the trained "
            "`parameters`, or the `latency` of the prediction for one text.",
            metavar="COST",
        ),
    ] = "seconds"
    budget: Annotated[
        Duration,
        Help(
            "Time for all fits together, for example `90s`, `10m` or `1h30m`. A fit that is "
            "predicted to exceed it is left out. 0 runs everything.",
            metavar="TIME",
        ),
    ] = 600.0
    sizes: Annotated[
        Sizes,
        Help(
            "Numbers of labelled rows (train and validation) on which everything is compared in "
            "addition to all rows, for example `100,500,2000,all`.",
            "all rows only",
            metavar="N,M,…",
        ),
    ] = ()
    refit: Annotated[
        bool,
        Help(
            "Fit the strategy of the run to use once more, on train and validation together, with "
            "the epochs or the penalty that were chosen."
        ),
    ] = False
    draws: Annotated[
        int,
        Ge(1),
        Le(100),
        Help(
            "Number of samples of training and validation rows. Every strategy is fitted on each, "
            "with seeds of its own. More than one needs a `--limit` below the number of labelled "
            "rows.",
            metavar="N",
        ),
    ] = 1
    fit: Config = field(default_factory=Config)
    """The settings of all rungs, except strategy and seed."""


@dataclass(frozen=True)
class DemoConfig(AnyConfig):
    """All settings of `demo`: a ladder on a few of the packaged reviews, and three predictions."""

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
        "tfidf",
        "head",
        "last:1 training.epochs=2",
        "full training.epochs=2",
    )
    limit: Annotated[tuple[Count, Count], replace(LIMIT_HELP, default=None)] = (1_200, 2_000)
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
        tuple[str, ...], MinLen(1), Help("Texts that the chosen classifier is asked to classify.")
    ] = (
        "A warm and funny film. I would watch it again tomorrow.",
        "The story goes nowhere, and the acting is even worse.",
        "Some scenes are lovely, but most of it is far too long.",
    )
