"""Read the settings of a config from the annotations of its fields, without pydantic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

from thawline.config.base import AnyConfig
from thawline.config.help import Help


@dataclass(frozen=True)
class Setting:
    """One setting of a config.

    Attributes:
        key: The dotted key, for example ``training.lr``.
        hint: The annotation with the type and its range, but without None and `Help`.
        help: The meaning of the setting.
        default: The default value.
    """

    key: str
    hint: Any
    help: Help
    default: Any

    @property
    def type(self) -> Any:
        """The type without its range: ``int``, ``tuple[str, ...]``, a `Literal` and so on."""
        return _split(self.hint)[0]

    @property
    def has_range(self) -> bool:
        """Whether the annotation limits the values of the type."""
        return bool(_split(self.hint)[1])

    @property
    def is_list(self) -> bool:
        """Whether the setting takes a list."""
        return get_origin(self.type) is tuple

    @property
    def has_strings(self) -> bool:
        """Whether the setting takes a list of strings."""
        return self.is_list and get_args(self.type)[0] is str

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed values, if the setting takes one of a few strings."""
        return get_args(self.hint) if get_origin(self.hint) is Literal else ()

    @property
    def is_string(self) -> bool:
        """Whether the setting takes a string."""
        return self.type is str or bool(self.choices)


@dataclass(frozen=True)
class GivenSetting:
    """A setting that the user gave on the command line.

    Attributes:
        key: The dotted key.
        value: A plain value.
        written: How the user wrote the key, for example ``--lr`` or ``--set training.lr``.
    """

    key: str
    value: Any
    written: str


def settings_of(config_type: type) -> dict[str, Setting]:
    """Return the settings of a config by their dotted keys, in the order of its fields.

    Args:
        config_type: A dataclass such as `Config`. Its fields are settings with a `Help` in their
            annotation, or tables of settings, which are dataclasses themselves.
    """
    return _settings_by_key(config_type)


@cache
def _settings_by_key(config_type: type) -> dict[str, Setting]:
    return {setting.key: setting for setting in _settings(config_type, "")}


def _settings(config_type: type, prefix: str) -> Iterator[Setting]:
    defaults = config_type()
    for name, hint in get_type_hints(config_type, include_extras=True).items():
        if is_dataclass(hint):
            yield from _settings(hint, f"{prefix}{name}.")  # type: ignore[arg-type]
            continue
        hint, metadata = _split(hint)
        limits = tuple(item for item in metadata if not isinstance(item, Help))
        (help_,) = (item for item in metadata if isinstance(item, Help))
        # Annotated[int, limits, Help] is one annotation, Annotated[int | None, Help] has the limits
        # within the union.
        hint = Annotated[hint, *limits] if limits else _without_none(hint)
        yield Setting(f"{prefix}{name}", hint, help_, getattr(defaults, name))


def flat_settings(config: AnyConfig) -> dict[str, Any]:
    """Return the values of the settings of a config by their dotted keys."""
    return dict(flatten_settings(config.to_dict()))


def flatten_settings(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each setting in nested tables.

    Args:
        values: Nested mappings, for example from TOML. Anything else has no settings.
        prefix: Text to put before each key.
    """
    for key, value in values.items() if isinstance(values, Mapping) else ():
        if isinstance(value, Mapping):
            yield from flatten_settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _split(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the type and the metadata of an annotation."""
    if get_origin(hint) is Annotated:
        kind, *metadata = get_args(hint)
        return kind, tuple(metadata)
    return hint, ()


def _without_none(hint: Any) -> Any:
    """Return the annotation ``X`` for ``X | None``, and any other annotation unchanged."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (kind for kind in get_args(hint) if kind is not NoneType)
    return hint


# -- annotations in words -------------------------------------------------------------------------

_NAMES = {
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    str: ("a string", "strings"),
    bool: ("true or false", "true or false"),
}


def describe_type(hint: Any) -> str:
    """Describe what an annotation allows, for example "a number above 0 and at most 1".

    Args:
        hint: The annotation of a setting, as in `Setting.hint`.

    Raises:
        TypeError: If the annotation has a limit that this function cannot describe.
    """
    if get_origin(hint) is Literal:
        *others, last = get_args(hint)
        return f"{', '.join(others)} or {last}"
    kind, limits = _split(hint)
    if get_origin(kind) is not tuple:
        return f"{_NAMES[kind][0]} {_describe_range(limits)}".rstrip()
    items = get_args(kind)
    item, item_limits = _split(items[0])
    count = "" if items[-1] is Ellipsis else f"{len(items)} "
    parts = [f"a list of {count}{_NAMES[item][1]}"]
    parts += [f"each {_describe_range(item_limits)}"] if item_limits else []
    return ", ".join([*parts, *map(_describe_limit, limits)])


def _describe_range(limits: Sequence[Any]) -> str:
    match limits:
        case [Ge(least), Le(most)]:
            return f"from {_number(least)} to {_number(most)}"
    return " and ".join(map(_describe_limit, limits))


def _describe_limit(limit: Any) -> str:
    match limit:
        case Ge(bound):
            return f"of at least {_number(bound)}"
        case Gt(bound):
            return f"above {_number(bound)}"
        case Le(bound):
            return f"at most {_number(bound)}"
        case Lt(bound):
            return f"below {_number(bound)}"
        case MinLen(length):
            return f"with at least {length} {'item' if length == 1 else 'items'}"
    raise TypeError(f"no description for the limit {limit!r}")


def _number(bound: Any) -> str:
    return f"{int(bound):,}" if bound == int(bound) else f"{bound:,}"
