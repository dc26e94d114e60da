"""The space of a search: the settings of a trial, from values of the settings that vary."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from thawline.config import Config
from thawline.config.annotations import flat_settings, settings_of
from thawline.config.resolve import change_config
from thawline.strategies import parse_strategy
from thawline.training.effects import has_effect, settings_without_effect
from thawline.training.situation import Situation
from thawline.tuning.dimensions import STRATEGY, Dimension, Value, with_fields

DECIDING = ("head.head", "training.optimizer", "training.epochs")
"""Settings on which the effect of others depends. They are sampled first."""

_NOT_IN_RUNG = ("data", "seed", "strategy", "compute", "metrics", "report", "artifact")
"""Settings that the rung of a trial leaves out, because they do not change the classifier."""

Choose = Callable[[str, Dimension], Value]
"""A function from the name of a parameter and its dimension to a value."""


@dataclass(frozen=True)
class Arm:
    """A strategy with the settings that are searched for it.

    Attributes:
        name: The strategy as the user wrote it.
        base: The settings that all its trials share.
        dimensions: The searched settings, in the order in which they are sampled.
        depth: The number of blocks of the backbone. None without one.
    """

    name: str
    base: Config
    dimensions: tuple[Dimension, ...]
    depth: int | None

    def config(self, choose: Choose, prefix: str = "") -> Config:
        """Return the settings of a trial.

        A setting is only sampled if it has an effect with those that were sampled before it.

        Args:
            choose: Returns the value of each parameter.
            prefix: The text before the name of each parameter.
        """
        config, fields = self.base, dict[str, Value]()
        for dimension in self.dimensions:
            if dimension.field is None and not self._varies(dimension, config):
                continue
            value = dimension.rounded(choose(f"{prefix}{dimension.key}", dimension))
            if dimension.field is None:
                config = with_value(config, dimension.key, value)
            else:
                fields[dimension.field] = value
        if fields:
            strategy = with_fields(parse_strategy(config.strategy), fields)
            config = replace(config, strategy=str(strategy))
        return change_config(_without_unused(config, self.depth), ())

    def _varies(self, dimension: Dimension, config: Config) -> bool:
        situation = Situation.of(config, self.depth)
        if dimension.key == "training.epochs" and not dimension.given and situation.is_exact:
            return False  # with epochs, the head would no longer be solved exactly
        return has_effect(dimension.key, situation)

    def corners(self) -> Iterator[Config]:
        """Yield settings with every combination of those on which effects depend.

        All other settings and the fields of the strategy are at their first and at their last
        value.
        """
        deciding = [one for one in self.dimensions if one.key in DECIDING]
        for values in product(*(one.ends() for one in deciding)):
            fixed = {one.key: value for one, value in zip(deciding, values, strict=True)}
            for end in (0, -1):

                def choose(
                    name: str, one: Dimension, fixed: dict[str, Value] = fixed, end: int = end
                ) -> Value:
                    return fixed.get(one.key, one.ends()[end])

                yield self.config(choose)


@dataclass(frozen=True)
class Space:
    """The strategies of a search and their searched settings.

    Attributes:
        arms: One for each strategy.
    """

    arms: tuple[Arm, ...]

    def config(self, choose: Choose) -> tuple[Arm, Config]:
        """Return the strategy and the settings of a trial.

        Args:
            choose: Returns the value of each parameter. With several strategies, the first
                parameter is the strategy, and its name precedes those of the others.
        """
        if len(self.arms) == 1:
            return self.arms[0], self.arms[0].config(choose)
        names = tuple(arm.name for arm in self.arms)
        name = choose(STRATEGY, Dimension(STRATEGY, choices=names))
        arm = self.arms[names.index(str(name))]
        return arm, arm.config(choose, f"{name} ")

    def config_of(self, values: dict[str, Any]) -> tuple[Arm, Config]:
        """Return the strategy and the settings of a trial with known values of its parameters."""
        return self.config(lambda name, dimension: values[name])

    def described(self) -> list[list[str]]:
        """Return the strategies and the dimensions as JSON values, which identify the space."""
        return [[arm.name, *map(str, arm.dimensions)] for arm in self.arms]


def _without_unused(config: Config, depth: int | None) -> Config:
    """Return settings in which those without an effect have their defaults."""
    for key, _ in list(settings_without_effect(config, depth)):
        config = with_value(config, key, settings_of(Config)[key].default)
    return config


def with_value(config: Config, key: str, value: Any) -> Config:
    """Return settings with another value for the setting with a dotted key."""
    table, _, name = key.rpartition(".")
    if not table:
        return replace(config, **{name: value})
    return replace(config, **{table: replace(getattr(config, table), **{name: value})})


def as_rung(config: Config) -> str:
    """Return the settings of a fit as a rung, which `thawline compare -s` reads.

    The data, the seed and what does not change the classifier are left out.
    """
    words = [config.strategy]
    for key, value in flat_settings(config).items():
        if key.partition(".")[0] in _NOT_IN_RUNG or value == settings_of(Config)[key].default:
            continue
        plain = value if isinstance(value, str) else json.dumps(value)
        words.append(shlex.quote(f"{key}={plain}"))
    return " ".join(words)
