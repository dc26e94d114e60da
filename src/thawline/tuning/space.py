"""The space of a search: which settings of each strategy vary, and between which values."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from thawline.compare.plan import rung_config
from thawline.config import Config, TuneConfig
from thawline.config.annotations import flatten_settings, settings_of
from thawline.config.resolve import change_config
from thawline.errors import ThawlineError, assignment
from thawline.runs.resume import as_written
from thawline.strategies import Gradual, Head, Last, Lora, Strategy, parse_strategy
from thawline.training.effects import (
    check_effects,
    has_effect,
    settings_without_effect,
)
from thawline.training.situation import Situation
from thawline.tuning.dimensions import (
    SETTING,
    STRATEGY,
    Dimension,
    Value,
    parse_dimension,
    with_fields,
    written_fields,
)

_DECIDING = ("head.head", "training.optimizer", "training.epochs")
"""Settings on which the effect of others depends. They are sampled first."""

_NOT_IN_RUNG = ("data", "seed", "strategy", "compute", "metrics", "report", "artifact")
"""Settings that the rung of a trial leaves out, because they do not change the classifier."""

Choose = Callable[[str, Dimension], Value]
"""A function from the name of a parameter and its dimension to a value."""


@dataclass(frozen=True)
class Known:
    """What the default space of a strategy depends on.

    Attributes:
        rows: The number of training texts.
        family: The ``model_type`` of the backbone. Empty without one.
        depth: The number of blocks of the backbone. 0 without one.
    """

    rows: int
    family: str = ""
    depth: int = 0


def default_dimensions(strategy: Strategy, known: Known) -> list[Dimension]:
    """Return the settings of a strategy that are searched by default. This is their only place.

    Args:
        strategy: The strategy.
        known: The data and the backbone.
    """
    last = strategy.last
    if not strategy.reads_states:
        return []
    pooling = Dimension("head.pooling", choices=("mean", "first", "last"))
    if strategy.reads_words:
        return [pooling]
    rate = strategy.rate(known.family)
    lr = Dimension("training.lr", float(f"{rate / 10:.3g}"), float(f"{rate * 3:.3g}"), log=True)
    if isinstance(last, Head):
        return [
            Dimension("head.head", choices=("linear", "mlp:32", "mlp:128")),
            Dimension("training.epochs", 3, 12),
            pooling,
            lr,
            Dimension("training.batch_size", choices=_head_batches(known.rows)),
            Dimension("head.dropout", 0.0, 0.5),
        ]
    epochs = (2, 6) if isinstance(last, Gradual) else (1, 4)
    found = [
        Dimension("training.epochs", *epochs),
        pooling,
        lr,
        Dimension("training.batch_size", choices=(8, 16, 32)),
    ]
    if isinstance(last, Last) and known.depth > 1:
        found.append(Dimension("strategy.k", 1, min(4, known.depth)))
    if isinstance(last, Lora):
        found += [
            Dimension("strategy.r", 2, 32, log=True),
            Dimension("strategy.alpha", 8.0, 128.0, log=True),
            Dimension("strategy.dropout", 0.0, 0.3),
        ]
    return found


def _head_batches(rows: int) -> tuple[int, ...]:
    """Return sizes of a step for a head on features: about an eighth of the rows and less.

    A step on features takes about the same time for 16 and for 512 texts.
    """
    largest: int = min(512, max(16, 2 ** round(math.log2(max(1, rows / 8)))))
    return (largest // 4, largest // 2, largest)


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
        deciding = [one for one in self.dimensions if one.key in _DECIDING]
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


def plan_space(config: TuneConfig, describe: Callable[[Config], Known]) -> Space:
    """Return the space of a search, after checking it.

    Args:
        config: The settings of the search.
        describe: Returns what the default space of a fit depends on.

    Raises:
        ThawlineError: If a strategy or a searched setting is invalid, if nothing is left to search
            for a strategy, or if a searched setting never has an effect.
    """
    rungs = _rungs(config)
    names = [" ".join(shlex.split(name)) for name in config.strategies]
    if len(set(names)) < len(names):
        found = ", ".join(map(repr, names))
        fix = "remove the duplicate"
        raise ThawlineError("different strategies", found, fix, setting="strategies")
    bases = dict(zip(names, rungs, strict=True))
    parsed = [parse_strategy(base.strategy) for base in bases.values()]
    given: dict[str, Dimension] = {}
    for text in config.search:
        dimension = parse_dimension(text, parsed, config.fit)
        if dimension.key in given:
            found = f"'{given[dimension.key]}' and '{dimension}'"
            fix = "remove one of them"
            raise ThawlineError(f"{dimension.key} once", found, fix, setting=SETTING)
        given[dimension.key] = dimension
    _check_searched_or_fixed(given, bases, config.fit)
    space = Space(tuple(_arm(*one, given, describe) for one in bases.items()))
    _check_used(space, given, config)
    return space


def _rungs(config: TuneConfig) -> list[Config]:
    """Return the settings of the fits of each strategy."""
    return [rung_config(name, config.fit, "strategies") for name in config.strategies]


def fix_written(config: TuneConfig, written: Collection[str]) -> TuneConfig:
    """Return the settings of a search in which defaults that the user wrote are fixed.

    Other values need nothing, because a setting whose value is not its default is not searched.

    Args:
        config: The settings of the search.
        written: The dotted keys that the user wrote, as ``fit.training.batch_size``.

    Raises:
        ThawlineError: If a strategy is invalid.
    """
    rungs = _rungs(config)
    searched = dict.fromkeys(
        one.key
        for rung in rungs
        for one in default_dimensions(parse_strategy(rung.strategy), Known(rows=1))
    )
    values, given = _flat(config.fit), [text.partition("=")[0].strip() for text in config.search]
    fixed = [
        f"{key}={values[key]}"
        for key in searched
        if f"fit.{key}" in written
        and values[key] is not None
        and values[key] == settings_of(Config)[key].default
        and key.rpartition(".")[2] not in {name.rpartition(".")[2] for name in given}
    ]
    return replace(config, search=(*config.search, *fixed))


def _arm(
    name: str,
    base: Config,
    given: dict[str, Dimension],
    describe: Callable[[Config], Known],
) -> Arm:
    """Return a strategy with its dimensions: the default space and what the user gave."""
    strategy = parse_strategy(base.strategy)
    known = describe(base)
    written = _written(name, base)
    fixed = written | {
        key for key, value in _flat(base).items() if value != settings_of(Config)[key].default
    }
    dimensions = {one.key: one for one in default_dimensions(strategy, known)}
    dimensions = {key: one for key, one in dimensions.items() if key not in fixed}
    own = {f"{STRATEGY}.{field.rstrip('_')}" for field in strategy.last.get_params()}
    dimensions |= {
        key: one
        for key, one in given.items()
        if key not in written and (one.field is None or f"{STRATEGY}.{one.field}" in own)
    }
    _check_rates(dimensions, base)
    order = sorted(dimensions.values(), key=lambda one: _place(one.key))
    arm = Arm(name, base, tuple(order), known.depth if strategy.reads_states else None)
    if not any(len(one.ends()) > 1 for one in order):
        can_search = bool(default_dimensions(strategy, known))
        found = "all of whose settings are fixed" if can_search else "which has none"
        fix = "omit one of its settings, or add a setting to `search`"
        raise ThawlineError(
            "a strategy with settings to search",
            f"'{name}', {found}",
            fix if can_search else "use another strategy, for example head",
            setting="strategies",
        )
    return arm


def _check_rates(dimensions: dict[str, Dimension], base: Config) -> None:
    """Raise ThawlineError if SGD would be tried with the rates of AdamW."""
    searched, rates = dimensions.get("training.optimizer"), dimensions.get("training.lr")
    optimizers = (base.training.optimizer,) if searched is None else searched.choices
    if "sgd" in optimizers and rates is not None and not rates.given:
        raise ThawlineError(
            "learning rates with `training.optimizer=sgd`, because the default range was measured "
            "for AdamW",
            "no learning rates in `search`",
            f"add for example {assignment(SETTING, ['lr=0.01..1:log'])}",
            setting=SETTING,
        )


def _written(name: str, base: Config) -> set[str]:
    """Return the keys of the settings that the user wrote behind a strategy, or as its fields."""
    fields = {f"{STRATEGY}.{field}" for field in written_fields(base.strategy)}
    return fields | _written_behind(name)


def _written_behind(name: str) -> set[str]:
    """Return the keys of the settings that the user wrote behind a strategy."""
    return {word.partition("=")[0] for word in shlex.split(name)[1:]}


def _check_searched_or_fixed(
    given: dict[str, Dimension], bases: dict[str, Config], shared: Config
) -> None:
    """Raise ThawlineError if a setting is searched that is fixed for all strategies."""
    values, written = _flat(shared), [_written(*one) for one in bases.items()]
    for key, dimension in given.items():
        is_changed = key in values and values[key] != settings_of(Config)[key].default
        varies = len(dimension.ends()) > 1  # otherwise it may come from `fix_written`
        if is_changed or (varies and all(key in one for one in written)):
            value = f" as '{as_written(values[key])}'" if is_changed else ""
            name = f"fit.{key}" if is_changed else key  # otherwise it stands behind a strategy
            raise ThawlineError(
                f"`{name}`, either searched or fixed",
                f"'{dimension}' in `search`, and the setting fixed{value}",
                "remove one of them",
                setting=SETTING,
            )


def _place(key: str) -> int:
    return _DECIDING.index(key) if key in _DECIDING else len(_DECIDING)


def _check_used(space: Space, given: dict[str, Dimension], config: TuneConfig) -> None:
    """Raise ThawlineError if a setting that the user gave has no effect in any trial."""
    corners = [(arm, corner) for arm in space.arms for corner in arm.corners()]
    for dimension in given.values():
        if dimension.field is None and not any(
            has_effect(dimension.key, Situation.of(corner, arm.depth)) for arm, corner in corners
        ):
            raise ThawlineError(
                f"a setting with an effect on {' or '.join(config.strategies)}",
                f"'{dimension}', which has none",
                "remove this setting, or use another strategy or head",
                setting=SETTING,
            )
    for key, value in _flat(config.fit).items():
        if value != settings_of(Config)[key].default and not any(
            has_effect(key, Situation.of(corner, arm.depth)) for arm, corner in corners
        ):
            arm, corner = corners[0]
            check_effects(with_value(corner, key, value), arm.depth)
    for arm in space.arms:
        for key in _written_behind(arm.name):
            own = [corner for one, corner in corners if one is arm]
            if not any(has_effect(key, Situation.of(corner, arm.depth)) for corner in own):
                check_effects(with_value(own[0], key, _flat(arm.base)[key]), arm.depth)


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


def _flat(config: Config) -> dict[str, Any]:
    return dict(flatten_settings(config.to_dict()))


def as_rung(config: Config) -> str:
    """Return the settings of a fit as a rung, which `thawline compare -s` reads.

    The data, the seed and what does not change the classifier are left out.
    """
    words = [config.strategy]
    for key, value in _flat(config).items():
        if key.partition(".")[0] in _NOT_IN_RUNG or value == settings_of(Config)[key].default:
            continue
        plain = value if isinstance(value, str) else json.dumps(value)
        words.append(shlex.quote(f"{key}={plain}"))
    return " ".join(words)
