"""One searched setting, and how the user writes its values: ``key=low..high`` or ``key=a,b,c``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import get_type_hints

from thawline.config import SHARED_NAMES, Config
from thawline.config.annotations import flat_settings, settings_of
from thawline.config.explain import NAMES_ELSEWHERE
from thawline.config.resolve import change_config
from thawline.errors import ThawlineError, did_you_mean
from thawline.strategies import HeadFirst, Strategy, Tapt, parse_strategy

STRATEGY = "strategy"
"""The table of the fields of the strategy, as in ``strategy.k``."""

SETTING = "search"
"""The setting that errors name."""

_TABLES = ("backbone", "encoder", "tokens", "head", "exact", "training", "tapt")
"""The settings that can be searched. The others do not change the classifier or define the task."""

_FIXED = {
    "training.keep": "it names the score of the search",
    "training.checkpoint_every": "it does not change the classifier",
}
"""Settings of these tables that cannot be searched, and why."""

Value = int | float | str | bool


@dataclass(frozen=True)
class Dimension:
    """The values of one searched setting: a range or a few choices.

    Attributes:
        key: The dotted key of the setting, or ``strategy.`` and a field of the strategy.
        low: The lowest value of a range. None for choices.
        high: The highest value of a range. None for choices.
        log: Whether the range is on a logarithmic scale.
        choices: The values. Empty for a range.
        given: Whether the user wrote it. Otherwise, it belongs to the default space.
    """

    key: str
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()
    given: bool = False

    @property
    def field(self) -> str | None:
        """The field of the strategy. None for a setting of the fit."""
        table, _, name = self.key.partition(".")
        return name if table == STRATEGY else None

    @cached_property
    def is_integer(self) -> bool:
        """Whether the range has integers only."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def ends(self) -> tuple[Value, ...]:
        """Return all choices, or the ends of the range."""
        if self.low is None or self.high is None:
            return self.choices
        return (self.low, self.high)

    def rounded(self, value: Value) -> Value:
        """Return a value with three significant digits, which no training can tell apart."""
        if not isinstance(value, float) or self.low is None or self.high is None:
            return value
        return min(max(float(f"{value:.3g}"), self.low), self.high)

    def __str__(self) -> str:
        if self.low is None:
            return f"{self.key}={','.join(map(written, self.choices))}"
        low, high = written(self.low), written(self.high or 0)
        return f"{self.key}={low}..{high}{':log' * self.log}"


def written(value: Value) -> str:
    """Return a value as it is written on the command line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def parse_dimension(text: str, strategies: list[Strategy], config: Config) -> Dimension:
    """Read one searched setting, as the user writes it after ``--search``.

    Args:
        text: For example ``lr=1e-5..1e-3:log``, ``training.epochs=1..5`` or ``pooling=mean,first``.
        strategies: The strategies that are tuned.
        config: The settings of the fits.

    Raises:
        ThawlineError: If the key is unknown or cannot be searched, or if a value is invalid for it.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    if not (name and equals and values):
        raise _wrong(
            text, "a setting with its values, as in lr=1e-5..1e-3:log or pooling=mean,first"
        )
    key = _resolve_key(name, strategies)
    if ".." not in values:
        choices = [item.strip() for item in values.split(",")]
        parsed = tuple(_read_value(key, item, strategies, config) for item in choices)
        if len(set(parsed)) < len(parsed):
            raise _wrong(text, "different values", "remove the duplicate")
        return Dimension(key, choices=parsed, given=True)
    low_text, _, rest = (part.strip() for part in values.partition(".."))
    low = _read_value(key, low_text, strategies, config)
    if isinstance(low, str | bool):
        fix = f"write for example {name}=a,b"
        raise _wrong(text, f"values of {key} separated by commas, and no range,", fix)
    high_text, colon, scale = (part.strip() for part in rest.partition(":"))
    if colon and scale != "log":
        fix = f"write {name}={low_text}..{high_text}:log"
        raise _wrong(text, "low..high or low..high:log", fix)
    high = _read_value(key, high_text, strategies, config)
    assert not isinstance(high, str)
    if not low < high:
        raise _wrong(text, "a range whose low end is below its high end", "exchange the ends")
    if colon and low <= 0:
        raise _wrong(text, "a low end above 0 on a logarithmic scale", "use a higher low end")
    return Dimension(key, low, high, log=bool(colon), given=True)


def _wrong(text: str, expected: str, fix: str = "write KEY=low..high or KEY=a,b") -> ThawlineError:
    return ThawlineError(f"{expected} for `search`", f"'{text}'", fix, setting=SETTING)


def _resolve_key(name: str, strategies: list[Strategy]) -> str:
    """Return the dotted key of a setting, whose table the user may leave out."""
    known = [*(key for key in settings_of(Config) if _may_vary(key)), *_fields(strategies)]
    key = SHARED_NAMES.get(name, name)
    if key in known:
        return key
    key = next((fixed for fixed in _FIXED if fixed.rpartition(".")[2] == name), key)
    if key in _FIXED:
        raise ThawlineError(
            f"a setting to search other than {key}, because {_FIXED[key]}",
            f"'{name}'",
            f"use `fit.{key}=…` to change it",
            setting=SETTING,
        )
    matching = [full for full in known if full.rpartition(".")[2] == name]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise ThawlineError(
            f"the complete name of a setting ({' or '.join(matching)})",
            f"'{name}'",
            f"write for example {matching[0]}=…",
            setting=SETTING,
        )
    if key in settings_of(Config):
        fix = f"use `fit.{key}=…` to change it"
        expected = "a setting of the training, the head, the tokens or the strategy"
        raise ThawlineError(expected, f"'{name}'", fix, setting=SETTING)
    short = [key.rpartition(".")[2] for key in known]
    fix = did_you_mean(name, [*SHARED_NAMES, *known, *short, *NAMES_ELSEWHERE])
    for elsewhere, own in NAMES_ELSEWHERE.items():
        fix = fix.replace(f"'{elsewhere}'", f"'{own}'")
    if not fix.startswith("did you mean"):
        fix = "use for example lr, epochs, pooling, or a complete name such as training.step_epochs"
    raise ThawlineError("a setting to search", f"'{name}'", fix, setting=SETTING)


def _may_vary(key: str) -> bool:
    return key.partition(".")[0] in _TABLES and key not in _FIXED


def _fields(strategies: list[Strategy]) -> Iterator[str]:
    """Yield the keys of the fields of strategies."""
    names = [field.name for one in strategies for field in fields(one.last)]
    yield from (f"{STRATEGY}.{name.rstrip('_')}" for name in dict.fromkeys(names))


def _read_value(key: str, text: str, strategies: list[Strategy], config: Config) -> Value:
    """Return a value of a setting, checked against its type and its range."""
    table, _, name = key.partition(".")
    if table != STRATEGY:
        if settings_of(Config)[key].is_list:
            found = f"'{text}'"
            fix = f"use `fit.{key}=…` to change it"
            raise ThawlineError(f"a single value for {key}", found, fix, setting=SETTING)
        try:
            changed = change_config(config, [f"{key}={text}"])
        except ThawlineError as error:
            fixed = ThawlineError(error.expected, error.found, error.fix, setting=SETTING)
            raise fixed from error
        value = flat_settings(changed)[key]
        if not isinstance(value, Value):
            found = f"'{text}'"
            fix = f"use `fit.{key}=…` to change it"
            raise ThawlineError(f"a single value for {key}", found, fix, setting=SETTING)
        if settings_of(Config)[key].type is float:
            return float(value)  # 1 and 1.0 are the same
        return value
    one = next(one for one in strategies if f"{STRATEGY}.{name}" in set(_fields([one])))
    parsed = parse_strategy(f"{one.last.name}:{name}={text}")
    value = parsed.get_params()[field_name(parsed, name)]
    hints = get_type_hints(type(parsed))
    return float(value) if hints[field_name(parsed, name)] is float else value


def field_name(strategy: Strategy, name: str) -> str:
    """Return the name of a field in Python, which differs for ``from``."""
    return name if name in strategy.get_params() else f"{name}_"


def with_fields(strategy: Strategy, values: dict[str, Value]) -> Strategy:
    """Return a strategy with other fields. Those of ``lp+S`` and ``tapt+S`` are those of S."""
    if isinstance(strategy, HeadFirst | Tapt):
        return replace(strategy, then=with_fields(strategy.then, values))
    return strategy.with_params(**{field_name(strategy, k): v for k, v in values.items()})


def written_fields(text: str) -> set[str]:
    """Return the fields that the written form of a strategy names, for example k for ``last:2``."""
    name, _, parameters = text.partition(":")
    if name.rpartition("+")[2] == "last" and parameters.isdecimal():
        return {"k"}
    return {pair.partition("=")[0] for pair in parameters.split(",") if pair}
