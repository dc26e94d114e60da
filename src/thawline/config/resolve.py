"""Build a config from plain values: those of a TOML file, of the command line or of a record.

A setting is named by its dotted key, ``training.lr``. pydantic checks the values against the types
and ranges in `config/`, and `explain.py` explains invalid values. Commands import this module
when they run, so that ``--help`` does not load pydantic.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypeVar

from thawline._version import __version__
from thawline.config import MADE_BACKBONE, RANDOM_VECTORS, AnyConfig, Config
from thawline.config.annotations import GivenSetting, flat_settings, flatten_settings, settings_of
from thawline.config.explain import as_plain, explain_validation_error
from thawline.errors import ThawlineError
from thawline.runtime.paths import expand
from thawline.runtime.untrusted import depth_exceeds, read_regular

__all__ = [
    "PATHS",
    "ConfigT",
    "GivenSetting",
    "build_config",
    "change_config",
    "check_config",
    "config_from_record",
    "config_to_toml",
    "resolve_config",
    "written_keys",
]


ConfigT = TypeVar("ConfigT", bound=AnyConfig, default=Config)
"""A frozen dataclass of `thawline.config` with all settings of a command."""

PATHS = frozenset(
    {
        *("backbone", "data", "data.data"),
        *("corpus.data", "corpus.without"),
        *("backbones", "fit.backbone", "fit.data.data"),
        *("encoder.vectors", "fit.encoder.vectors"),
        *("tapt.unlabelled", "fit.tapt.unlabelled"),
        *("report.show_file", "fit.report.show_file"),
    }
)
"""Settings that may hold one or more paths. The paths are made absolute, so that a run can be
repeated from any working folder."""

MAX_FILE_BYTES = 2**20
"""The largest TOML file that is read, in bytes. The config of a run takes 3 KB."""

MAX_DEPTH = 16
"""How deeply tables and lists of settings may be nested. No config needs more than 4 levels."""

_DEEP_KEY = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]+\s*\.\s*){{{MAX_DEPTH}}}[\w\"'-]")
"""A dotted key with more than `MAX_DEPTH` parts."""

_CHECKED = "_is_checked"
"""The attribute that marks a config which was built from checked values.

`dataclasses.replace` does not copy it, so a changed config is checked again.
"""


_WRITTEN = "_written"
"""The attribute of a config that `resolve_config` returned, with the keys that the user wrote."""


def written_keys(config: AnyConfig) -> frozenset[str]:
    """Return the dotted keys that the user wrote, even if their values are the defaults.

    Args:
        config: A config from `resolve_config`. There are no keys for any other config.
    """
    keys: frozenset[str] = getattr(config, _WRITTEN, frozenset())
    return keys


def resolve_config(
    options: Sequence[GivenSetting] = (),
    *,
    config_type: type[ConfigT] = Config,  # type: ignore[assignment]
    file: Path | None = None,
    overrides: Sequence[str] = (),
    saved: Path | None = None,
) -> ConfigT:
    """Build a config from options, overrides and a file.

    The command line takes precedence over the file, and the file over the defaults. An existing
    path of a backbone or a data set is made absolute.

    Args:
        options: The options that the user gave.
        config_type: The dataclass of the config.
        file: A TOML file with settings. If None, no file is read.
        overrides: Settings as ``key=value``. A value that is not valid TOML is taken as a string.
        saved: The TOML file of a saved run, which replaces the defaults. If None, the defaults are
            those of `config_type`.

    Raises:
        ThawlineError: If a file cannot be read, a key is unknown or given twice, or a value is
            invalid for its setting.
    """
    given = [*options]
    for override in overrides:
        given += _read_override(config_type, override, "--set ")
    _check_no_duplicates(given)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for path in filter(None, (saved, file)):
        read = dict(flatten_settings(_read_file(path)))
        values |= read
        sources |= {key: f"{key} in '{path}'" for key in read}
    values |= {setting.key: setting.value for setting in given}
    sources |= {setting.key: setting.written for setting in given}
    config = with_absolute_paths(build_config(_nested(values), sources, config_type=config_type))
    object.__setattr__(config, _WRITTEN, frozenset(values))  # the dataclass is frozen
    return config


@cache
def _adapter(config_type: type[ConfigT]) -> TypeAdapter[ConfigT]:
    return TypeAdapter(config_type)


def build_config(
    values: Any,
    sources: Mapping[str, str] | None = None,
    *,
    config_type: type[ConfigT] = Config,  # type: ignore[assignment]
    fix: str | None = None,
) -> ConfigT:
    """Build a config from plain values and check it.

    Args:
        values: Nested tables, as TOML and JSON give them. Omitted settings have their defaults.
        sources: The name of each setting in an error, by its dotted key. If None, or if a key is
            missing, the error shows the key.
        config_type: The dataclass of the config.
        fix: How to fix an invalid value. If None, the fix depends on the error.

    Raises:
        ThawlineError: If a key is unknown, or a value has the wrong type or is out of its range.
    """
    # In strict mode, pydantic rejects "3" as an integer, but it reads a JSON list as a tuple.
    text = json.dumps(values, default=as_plain)
    try:
        adapter = _adapter(config_type)  # type: ignore[arg-type]
        config: ConfigT = adapter.validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        names = {} if sources is None else sources
        explained = explain_validation_error(config_type, problem, values, names)
        if fix is not None:
            setting = explained.setting
            explained = ThawlineError(explained.expected, explained.found, fix, setting=setting)
        raise explained from error
    return _mark_checked(config)


def check_config(config: AnyConfig) -> None:
    """Check a config that may have been made in Python.

    A config that `build_config` or `resolve_config` returned is not checked again.

    Raises:
        ThawlineError: If a value has the wrong type or is out of its range.
    """
    if not getattr(config, _CHECKED, False):
        build_config(config.to_dict(), config_type=type(config))


def _mark_checked(config: ConfigT) -> ConfigT:
    object.__setattr__(config, _CHECKED, True)  # the dataclass is frozen
    return config


def change_config(config: ConfigT, overrides: Sequence[str]) -> ConfigT:
    """Return a copy of a config with other values for some settings.

    Args:
        config: The config to copy.
        overrides: Settings as ``key=value``. A value that is not valid TOML is taken as a string.

    Raises:
        ThawlineError: If a key is unknown or given twice, or a value is invalid for its setting.
    """
    config_type = type(config)
    given: list[GivenSetting] = []
    for override in overrides:
        given += _read_override(config_type, override)
    _check_no_duplicates(given)
    changes = {setting.key: setting.value for setting in given}
    values = flat_settings(config) | changes
    sources = {setting.key: setting.written for setting in given}
    return with_absolute_paths(build_config(_nested(values), sources, config_type=config_type))


def config_from_record(record: Mapping[str, Any], place: Path, *tables: str) -> Config:
    """Return a config with some tables from a run's record, and the defaults of all others.

    Args:
        record: The record, as read from its file.
        place: The path of the record's file, for errors.
        tables: The names of the tables to take.

    Raises:
        ThawlineError: If a setting in these tables or its value is invalid in this version.
    """
    recorded = record["config"]
    if isinstance(recorded, Mapping):
        recorded = {table: recorded[table] for table in tables if table in recorded}
    sources = {"": f"the config in '{place}'"}
    sources |= {key: f"{key} in '{place}'" for key, _ in flatten_settings(recorded)}
    versions = record.get("versions")
    maker = versions.get("thawline") if isinstance(versions, Mapping) else None
    version = "the version" if maker is None else f"version {maker}"
    fix = f"use {version} of Thawline that made the run; this is version {__version__}"
    return build_config(recorded, sources, fix=fix)


def config_to_toml(config: AnyConfig, verb: str = "fit") -> str:
    """Return a config as TOML, which `resolve_config` reads. Settings that are None are left out.

    Args:
        config: The config.
        verb: The command that the config belongs to.
    """
    values = {k: value for k, value in flatten_settings(config.to_dict()) if value is not None}
    head = f"# All settings of a {verb} with Thawline {__version__}."
    again = f"# Repeat it with: thawline {verb} --config FILE"
    return f"{head}\n{again}\n\n{tomli_w.dumps(_nested(values))}"


# -- reading ------------------------------------------------------------------------------------


def _read_file(file: Path) -> dict[str, Any]:
    if file.is_dir() or not file.exists():
        found = f"the folder '{file}'" if file.is_dir() else f"no file '{file}'"
        fix = "give a file, for example the config.toml of a run"
        raise ThawlineError("a TOML file with settings", found, fix)
    content = read_regular(file, limit=MAX_FILE_BYTES)
    fix = "fix the file; the config.toml of a run is an example"
    try:
        text = content.decode("utf-8-sig")
        if _DEEP_KEY.search(text):  # tomllib needs minutes for a key of 400,000 parts
            raise RecursionError
        values = tomllib.loads(text)
        if not depth_exceeds(values, MAX_DEPTH):
            return values
        found = _too_deep(text)
    except RecursionError:
        found = _too_deep(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"the invalid byte 0x{content[error.start]:02x} in line {line}"
        fix = "save the file as UTF-8"
    except ValueError as error:
        found = f"a syntax error: {error}"
        if "escape" in str(error).lower() or "hex value" in str(error):  # C:\Users in "…"
            fix = "write a path with backslashes in single quotes, or with forward slashes"
    raise ThawlineError(f"valid TOML in '{file}'", found, fix)


def _too_deep(text: str) -> str:
    """Describe settings that are nested too deeply, with the line that probably nests them."""
    lines = text.splitlines()
    line = max(range(len(lines)), key=lambda number: sum(map(lines[number].count, "[{.")))
    return f"more than {MAX_DEPTH} levels of tables and lists, probably in line {line + 1}"


def _read_override(config_type: type, text: str, prefix: str = "") -> Iterator[GivenSetting]:
    """Yield the settings in ``key=value``. If the value is a table, it has several settings.

    Args:
        config_type: The dataclass of the config.
        text: What the user wrote.
        prefix: What errors show before the key.
    """
    key, equals, raw = text.partition("=")
    key, raw = key.strip(), raw.strip()
    if not (key and equals):
        known = settings_of(config_type)
        rates = (f"{one}=1e-3" for one in known if one.endswith("training.lr"))
        example = next(rates, f"{next(iter(known))}=…")
        fix = f"write a key and a value, for example {prefix}{example}"
        raise ThawlineError("a setting as key=value", f"'{text}'", fix)
    if key.count(".") > MAX_DEPTH:
        raise ThawlineError("a known setting", f"'{key}'", "check the key", setting=key)
    try:
        if raw.startswith(("[", "{")) and _DEEP_KEY.search(raw):
            raise RecursionError
        parsed = tomllib.loads(f"value = {raw}")
        value = parsed["value"] if len(parsed) == 1 else raw  # raw may have several lines
    except ValueError:  # not TOML, or a number of more digits than Python reads
        value = raw
    except RecursionError:
        value = None
    if value is None or depth_exceeds(value, MAX_DEPTH):
        found = f"more than {MAX_DEPTH} levels of tables and lists in '{raw}'"
        raise ThawlineError(f"a value for {prefix}{key}", found, "check the value")
    setting = settings_of(config_type).get(key)
    if setting is not None and setting.is_string and not isinstance(value, str):
        value = raw  # head.features=4 is the string "4"
    for full_key, item in flatten_settings({key: value}):
        yield GivenSetting(full_key, item, f"{prefix}{full_key}")


def _check_no_duplicates(given: Sequence[GivenSetting]) -> None:
    seen: dict[str, GivenSetting] = {}
    for setting in given:
        other = seen.setdefault(setting.key, setting)
        if other is not setting:
            expected, found = f"{other.written} or {setting.written}", "both"
            if other.written == setting.written:
                expected, found = f"{setting.written} once", "it twice"
            raise ThawlineError(expected, found, "remove one of them", setting=setting.key)


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables, the inverse of `flatten_settings`.

    If a value is given where a table belongs, the value is kept, and `build_config` reports it.
    """
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *tables, name = key.split(".")
        place: Any = nested
        for table in tables:
            place = place.setdefault(table, {}) if isinstance(place, dict) else place
        if isinstance(place, dict):
            place[name] = value
    return nested


def with_absolute_paths(config: ConfigT) -> ConfigT:
    """Return a config in which all existing paths are absolute, after checking its values.

    Raises:
        ThawlineError: If a value has the wrong type or is out of its range.
    """
    check_config(config)
    for key, setting in settings_of(type(config)).items():
        if key in PATHS:
            *tables, name = key.split(".")
            config = _with_absolute_path(config, tables, name, setting.is_list)
    return _mark_checked(config)


def _with_absolute_path(config: Any, tables: Sequence[str], name: str, is_list: bool) -> Any:
    """Return a config in which one setting, found through nested tables, is absolute."""
    if tables:
        table, *below = tables
        changed = _with_absolute_path(getattr(config, table), below, name, is_list)
        return replace(config, **{table: changed})
    value = getattr(config, name)
    if is_list:
        return replace(config, **{name: tuple(map(_absolute, value))})
    if value is None or (name == "vectors" and value == RANDOM_VECTORS):
        return config
    if name == "backbone" and value == MADE_BACKBONE and not Path(value).is_dir():
        return config  # only a folder of that name takes precedence, not a file
    return replace(config, **{name: _absolute(value)})


def _absolute(name: str) -> str:
    path = expand(name)
    archives = (parent for parent in path.parents if parent.suffix.lower() == ".zip")
    exists = bool(name) and (_exists(path) or any(map(_exists, archives)))
    return str(path.absolute()) if exists or name.startswith("~") else name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name or a null character, as the reader reports
        return False
