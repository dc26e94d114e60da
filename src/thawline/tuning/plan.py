"""Plan the space of a search from its settings, and check it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection
from dataclasses import replace

from thawline.compare.plan import rung_config
from thawline.config import Config, TuneConfig
from thawline.config.annotations import flat_settings, settings_of
from thawline.errors import ThawlineError, assignment
from thawline.runs.resume import as_written
from thawline.strategies import parse_strategy
from thawline.training.effects import check_effects, has_effect
from thawline.training.situation import Situation
from thawline.tuning.defaults import Known, default_dimensions
from thawline.tuning.dimensions import (
    SETTING,
    STRATEGY,
    Dimension,
    parse_dimension,
    written_fields,
)
from thawline.tuning.space import DECIDING, Arm, Space, with_value


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
    values, given = (
        flat_settings(config.fit),
        [text.partition("=")[0].strip() for text in config.search],
    )
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
        key
        for key, value in flat_settings(base).items()
        if value != settings_of(Config)[key].default
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
    values, written = flat_settings(shared), [_written(*one) for one in bases.items()]
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
    return DECIDING.index(key) if key in DECIDING else len(DECIDING)


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
    for key, value in flat_settings(config.fit).items():
        if value != settings_of(Config)[key].default and not any(
            has_effect(key, Situation.of(corner, arm.depth)) for arm, corner in corners
        ):
            arm, corner = corners[0]
            check_effects(with_value(corner, key, value), arm.depth)
    for arm in space.arms:
        for key in _written_behind(arm.name):
            own = [corner for one, corner in corners if one is arm]
            if not any(has_effect(key, Situation.of(corner, arm.depth)) for corner in own):
                check_effects(with_value(own[0], key, flat_settings(arm.base)[key]), arm.depth)
