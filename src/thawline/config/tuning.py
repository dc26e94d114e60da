"""The settings of a search for the best settings of a fit, which `thawline tune` makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import MinLen

from thawline.config.base import AnyConfig
from thawline.config.fit import Config
from thawline.config.help import Help
from thawline.config.ranges import Count, Duration


@dataclass(frozen=True)
class TuneConfig(AnyConfig):
    """All settings of a search over the settings of a fit. They are saved with it.

    A strategy may be followed by settings of its own, as a rung of a ladder. Settings that are
    given there or in ``fit`` are fixed, and the others of the default space are searched.
    """

    strategies: Annotated[
        tuple[str, ...],
        MinLen(1),
        Help(
            "Strategy to tune, optionally followed by settings of its own, for example "
            "`last:2 training.epochs=3`. Fields that are not given, such as k of `last`, are "
            "searched.",
            metavar="STRATEGY",
            option="--strategy",
            short="-s",
            repeatable=True,
        ),
    ] = ("head",)
    search: Annotated[
        tuple[str, ...],
        Help(
            "Values of a setting to search, for example `lr=1e-5..1e-3:log`, `epochs=1..5` or "
            "`pooling=mean,first`.",
            "a space for each strategy",
            metavar="KEY=VALUES",
            repeatable=True,
        ),
    ] = ()
    trials: Annotated[
        Count,
        Help(
            "Number of trials of the study, including those of earlier starts and of other "
            "processes.",
            metavar="N",
        ),
    ] = 100
    budget: Annotated[
        Duration,
        Help(
            "Time for this start, for example `90s`, `10m` or `1h30m`. A trial that has started "
            "is finished. 0 sets no limit.",
            metavar="TIME",
        ),
    ] = 600.0
    fit: Config = field(default_factory=Config)
    """The settings that are fixed in all trials, except the strategy."""
