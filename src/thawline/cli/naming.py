"""Name settings in messages as the command line does, for example ``--lr 0.1``."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from thawline.cli.options import SettingOption
from thawline.config import Config
from thawline.config.annotations import Setting, settings_of
from thawline.errors import Naming, ThawlineError, assigned_value

NESTED = "fit."
"""The start of the keys of settings of `fit` in a verb that makes several fits."""

_NOT_SHARED = ("backbone", "data.data", "seed", "strategy")
"""Settings of `fit` for which such a verb has settings of its own."""

_fit_keys: list[str] = []
"""The keys of the settings for which `fit` has options."""


def register_fit(sections: Mapping[str, Sequence[str]]) -> None:
    """Register the settings for which `fit` has options.

    Args:
        sections: The keys of the settings in each section of its help.
    """
    _fit_keys.extend(key for keys in sections.values() for key in keys)


@dataclass(frozen=True)
class _Names:
    """The names of a verb's settings.

    Attributes:
        known: The settings of the verb, by their keys.
        options: Its options, by the keys of their settings.
        has_set: Whether it has the option ``--set``.
        written: The keys of settings that the user wrote in a file.
    """

    known: Mapping[str, Setting]
    options: Mapping[str, SettingOption]
    has_set: bool
    written: Collection[str]

    def find(self, key: str) -> str | None:
        """Return the key of a setting in this verb. None if the verb cannot set it."""
        if key in self.written:
            return key
        nested = f"{NESTED}{key}"
        is_nested = nested in self.options or (nested in self.known and key not in _NOT_SHARED)
        full = nested if is_nested and key not in self.known else key
        return full if full in self.options or (self.has_set and full in self.known) else None

    def name(self, key: str) -> str | None:
        """Return the name of a setting, as `Naming.name` does."""
        full = self.find(key)
        is_option = full in self.options and full not in self.written
        return self.options[full].option if full is not None and is_option else full

    def assign(self, key: str, value: str) -> str | None:
        """Return how a setting is given a value, as `Naming.assign` does."""
        full = self.find(key)
        if full is None:
            return None
        if full in self.written:
            return f"{full}={value}"
        option = self.options.get(full)
        given = None if option is None else _given(option, value)
        return f"--set {_quoted(f'{full}={value}')}" if given is None else given


def verb_naming(
    known: Mapping[str, Setting],
    options: Iterable[SettingOption],
    *,
    has_set: bool,
    written: Collection[str] = (),
) -> Naming:
    """Return how a verb names settings in messages.

    A setting has the name of its option, or ``--set`` with its key. A setting that the user wrote
    in a file has its key, because it is changed there. A comparison and a search name
    settings of their fits ``--set fit.training.lr=0.1`` unless they have an option. Settings that a
    verb does not have are named as `fit` names them, because the message is about another fit.

    Args:
        known: The settings of the verb, by their keys.
        options: The verb's options for settings.
        has_set: Whether the verb has the option ``--set``.
        written: The keys of settings that the user wrote in a file.
    """
    own = {one.setting.key: one for one in options if one.value is None}
    names = _Names(known, own, has_set, written)

    def name(key: str) -> str | None:
        found = names.name(key)
        return _fit_names().name(key) if found is None else found

    def assign(key: str, value: str) -> str | None:
        found = names.assign(key, value)
        return _fit_names().assign(key, value) if found is None else found

    return Naming(name, assign)


@contextmanager
def rungs_named(rungs: Iterable[str]) -> Iterator[None]:
    """Let an error about a setting behind a strategy propose what can be written there, too.

    Args:
        rungs: The strategies with their settings, for example ``last:1 training.lr=1e-3``.
    """
    words = (word for rung in rungs for word in rung.split()[1:])
    keys = {key for key, equals, _ in (word.partition("=") for word in words) if equals}
    try:
        yield
    except ThawlineError as error:
        if any(f"`{key}{end}" in str(error) for key in keys for end in "`="):
            error.name_settings(_RUNG)
        raise


_RUNG = Naming(lambda key: key, lambda key, value: value if key == "strategy" else f"{key}={value}")
"""How a strategy with settings names them. It starts with the strategy itself."""


def fit_naming() -> Naming:
    """Return how `fit` names settings in messages. It reads them only if a message has one."""
    return Naming(
        lambda key: _fit_names().name(key), lambda key, value: _fit_names().assign(key, value)
    )


@cache
def _fit_names() -> _Names:
    known = settings_of(Config)
    keys = (key for key in _fit_keys if key in known)
    return _Names(known, {key: SettingOption(known[key]) for key in keys}, True, ())


def _given(option: SettingOption, value: str) -> str | None:
    """Return an option with a value. None if the option cannot give this value."""
    parsed = assigned_value(value)
    if option.setting.type is bool:
        if parsed is not option.setting.default:
            return option.option if parsed is True else f"--no-{option.option.strip('-')}"
        return option.option if parsed is True else None
    if isinstance(parsed, list) and option.setting.help.repeatable:
        return " ".join(f"{option.option} {_quoted(str(item))}" for item in parsed)
    text = ",".join(map(str, parsed)) if isinstance(parsed, list) else value
    return f"{option.option} {_quoted(text)}"


def _quoted(text: str) -> str:
    """Return a word of a command, in quotation marks if a shell needs them.

    An ellipsis stands for a value that the user chooses, and is no part of a command.
    """
    return text if "…" in text else shlex.quote(text)
