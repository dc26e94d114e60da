"""A job's config out of plain values: those of a TOML file, of the command line, of a record.

A setting is named by its dotted key, ``training.lr``. pydantic holds the values against the types
and ranges in `config/`, and `misfit.py` says what does not fit. Verbs import this module when
they run, so that ``--help`` loads no pydantic.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import tomli_w
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypeVar

from thawline._version import __version__
from thawline.config import MADE_BACKBONE, RANDOM_VECTORS, Config
from thawline.config.explain import as_plain, explain, is_text
from thawline.errors import ThawlineError


class Settings(Protocol):
    """What the config of every job has: a `Config`, or that of another job than `fit`."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values."""


PLACES = frozenset(
    {
        *("backbone", "data", "data.data"),
        *("corpus.data", "corpus.without"),
        *("fit.backbone", "fit.data.data"),
        *("encoder.vectors", "fit.encoder.vectors"),
    }
)
"""Settings that may be a path, or several; a run is made again from any folder."""

Job = TypeVar("Job", bound=Settings, default=Config)
"""A frozen dataclass of `thawline.config` with all the settings of a kind of job."""


@dataclass(frozen=True)
class Given:
    """One value that stands on the command line.

    Attributes:
        key: of the setting, dotted.
        value: a plain value.
        written: how the user wrote it: ``--lr``, ``--set training.lr``.
    """

    key: str
    value: Any
    written: str


def resolve_config(
    options: Sequence[Given] = (),
    *,
    job: type[Job] = Config,  # type: ignore[assignment]
    file: Path | None = None,
    overrides: Sequence[str] = (),
    begun: Path | None = None,
) -> Job:
    """Return the config that options, overrides and a file make together.

    What stands on the command line wins over the file, and the file over the defaults. A backbone
    or a set that is a path here becomes an absolute one.

    Args:
        options: those that really stand on the command line.
        job: what the settings are for.
        file: TOML; its keys are those of the job's config, and what it leaves out has its default.
        overrides: ``key=value`` each, the value in TOML, or a text as it stands.
        begun: the TOML of a run to go on with, which takes the place of the defaults.

    Raises:
        ThawlineError: a file cannot be read, a key is unknown or given twice, or a value does
            not fit its setting.
    """
    given = [*options, *(one for override in overrides for one in _read_override(job, override))]
    _check_given_once(given)
    values: dict[str, Any] = {}
    written: dict[str, str] = {}
    for path in filter(None, (begun, file)):
        read = dict(leaves(_read_file(path)))
        values |= read
        written |= {key: f"{key} in '{path}'" for key in read}
    values |= {one.key: one.value for one in given}
    written |= {one.key: one.written for one in given}
    return _with_absolute_paths(build_config(_nested(values), written, job=job))


@cache
def _adapter(job: type[Job]) -> TypeAdapter[Job]:
    return TypeAdapter(job)


def build_config(
    values: Any,
    written: Mapping[str, str] | None = None,
    *,
    job: type[Job] = Config,  # type: ignore[assignment]
    fix: str | None = None,
) -> Job:
    """Return the config that plain values stand for.

    Args:
        values: tables within tables, as TOML and JSON give them.
        written: what errors call a setting, by its dotted key; by default the key itself.
        job: what the settings are for.
        fix: how to fix what does not fit; by default it depends on what that is.

    Raises:
        ThawlineError: a key is unknown, or a value has another type or is out of its range.
    """
    # In JSON strictness means what it should mean here: no "3" for 3, but a list for a tuple.
    text = json.dumps(values, default=as_plain)
    try:
        found: Job = _adapter(job).validate_json(text, strict=True, extra="forbid")
        return found
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        explained = explain(job, problem, values, {} if written is None else written)
        if fix is not None:
            explained = ThawlineError(explained.expected, explained.found, fix)
        raise explained from error


def check_config(config: Settings) -> None:
    """Raise ThawlineError where a config that was made in Python holds a value out of place."""
    build_config(config.to_dict(), job=type(config))


def change_config(config: Job, overrides: Sequence[str]) -> Job:
    """Return a config in which some settings have other values.

    Args:
        config: which has values already.
        overrides: ``key=value`` each, the value in TOML, or a text as it stands.

    Raises:
        ThawlineError: a key is unknown or given twice, or a value does not fit its setting.
    """
    job = type(config)
    given = [one for override in overrides for one in _read_override(job, override, "")]
    _check_given_once(given)
    values = dict(leaves(config.to_dict())) | {one.key: one.value for one in given}
    written = {one.key: one.written for one in given}
    return _with_absolute_paths(build_config(_nested(values), written, job=job))


def config_from_record(record: Mapping[str, Any], place: Path, *tables: str) -> Config:
    """Return a config with some tables taken from a run's record and all else at its default.

    Args:
        record: from `runs.read_record`.
        place: where it was read.
        tables: the names of the tables to take.

    Raises:
        ThawlineError: this version does not know a setting in them, or its value.
    """
    recorded = record["config"]
    if isinstance(recorded, Mapping):
        recorded = {table: recorded[table] for table in tables if table in recorded}
    written = {"": f"the config in '{place}'"}
    written |= {key: f"{key} in '{place}'" for key, _ in leaves(recorded)}
    versions = record.get("versions")
    maker = versions.get("thawline", "another") if isinstance(versions, Mapping) else "another"
    fix = f"this is Thawline {__version__}: use version {maker}, which made the run"
    return build_config(recorded, written, fix=fix)


def config_to_toml(config: Settings, verb: str = "fit") -> str:
    """Return a whole config as the TOML that `resolve_config` reads; what is None is left out."""
    given = {key: value for key, value in leaves(config.to_dict()) if value is not None}
    again = f"thawline {verb} --config FILE makes it again"
    head = f"# A whole {verb} of Thawline {__version__}; {again}."
    return f"{head}\n\n{tomli_w.dumps(_nested(given))}"


# -- reading ------------------------------------------------------------------------------------


def _read_file(file: Path) -> dict[str, Any]:
    if not file.is_file():
        found = f"the folder '{file}'" if file.is_dir() else f"no file '{file}'"
        fix = "give a file such as the config.toml of a run"
        raise ThawlineError("--config as a TOML file", found, fix)
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # no TOML, or not UTF-8
        fix = "fix it there; a run's config.toml shows how it is written"
        raise ThawlineError(f"TOML in '{file}'", str(error), fix) from error


def _read_override(job: type, text: str, before: str = "--set ") -> Iterator[Given]:
    """Yield what ``--set key=value`` gives; a table in the value gives several.

    What was written ``before`` the key goes into what errors call the setting.
    """
    key, equals, raw = text.partition("=")
    key, raw = key.strip(), raw.strip()
    if not (key and equals):
        fix = "write --set training.lr=1e-3"
        raise ThawlineError("--set with key=value", f"'{text}'", fix)
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw
    if is_text(job, key) and not isinstance(value, str):
        value = raw  # the stage 4 of --set head.features=4 is a text
    for full_key, leaf in leaves({key: value}):
        yield Given(full_key, leaf, f"{before}{full_key}")


def _check_given_once(given: Sequence[Given]) -> None:
    first: dict[str, Given] = {}
    for one in given:
        other = first.setdefault(one.key, one)
        if other is not one:
            if other.written == one.written:
                raise ThawlineError(f"{one.written} once", "it twice", "leave one of them out")
            expected = f"{other.written} or {one.written}"
            raise ThawlineError(expected, "both", "leave one of them out")


def leaves(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each setting in nested tables."""
    for key, value in values.items() if isinstance(values, Mapping) else ():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Undo `leaves`; a value in the place of a table stays there, to be found by `build_config`."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *tables, name = key.split(".")
        place: Any = nested
        for table in tables:
            place = place.setdefault(table, {}) if isinstance(place, dict) else place
        if isinstance(place, dict):
            place[name] = value
    return nested


def _with_absolute_paths(config: Job) -> Job:
    """Make paths absolute in what names a set or a backbone."""

    def absolute(name: str) -> str:
        path = Path(name)
        packed = (place for place in path.parents if place.suffix.lower() == ".zip")
        there = bool(name) and (path.exists() or any(place.is_file() for place in packed))
        return str(path.absolute()) if there else name

    values = dict(leaves(config.to_dict()))
    for key in PLACES & values.keys():
        value = values[key]
        if key.endswith("encoder.vectors") and value == RANDOM_VECTORS:
            continue
        if key.endswith("backbone") and value == MADE_BACKBONE and not Path(value).is_dir():
            continue  # a folder of that name wins, a file does not
        if isinstance(value, str):
            values[key] = absolute(value)
        elif value is not None:
            values[key] = [absolute(name) for name in value]
    return build_config(_nested(values), job=type(config))
