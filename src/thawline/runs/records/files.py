"""Read and write the records of runs (``record.json``), ladders and searches.

The field ``schema_version`` holds the version of a file's structure. A file without that field has
version 1, which is otherwise the same as version 2. Version 3 added the logits and the cost of a
fit, and compares the rungs of a ladder in another way. New files are written in version 3. The
records of runs can be read in all versions, and those of ladders (``ladder.json``) and searches
(``tune.json``) only in version 3.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from thawline._version import __version__
from thawline.config import Config, LadderConfig, PretrainConfig, TuneConfig
from thawline.config.annotations import flatten_settings
from thawline.config.resolve import build_config
from thawline.errors import ThawlineError
from thawline.runs.layout import LADDER, RECORD, TUNING, load_json
from thawline.runs.records.base import SCHEMA_VERSION, Record
from thawline.runs.records.fit import FitPlan, FitRecord, StartedFit
from thawline.runs.records.ladder import LadderRecord, StartedLadder
from thawline.runs.records.pretrain import PretrainPlan, PretrainRecord, StartedPretraining
from thawline.runs.records.run import StartedRun
from thawline.runs.records.tuning import TuneRecord
from thawline.runtime.files import new_file
from thawline.runtime.paths import expand

RunRecord = FitRecord | PretrainRecord | StartedFit | StartedPretraining | StartedRun
AnyRecord = RunRecord | LadderRecord | StartedLadder | TuneRecord

_FINISHED: dict[str, type[AnyRecord]] = {
    "fit": FitRecord,
    "pretrain": PretrainRecord,
    "compare": LadderRecord,
    "tune": TuneRecord,
}
_STARTED: dict[str, type[AnyRecord]] = {
    "fit": StartedFit,
    "pretrain": StartedPretraining,
    "compare": StartedLadder,
    "tune": TuneRecord,  # has all results whenever it is written
}
_CONFIGS = {
    "fit": Config,
    "pretrain": PretrainConfig,
    "compare": LadderConfig,
    "tune": TuneConfig,
}
"""The models and the settings by the command that made a file; see `_verb_of`."""

_PROBLEMS = {
    "missing": "no '{key}'",
    "extra_forbidden": "an unknown key '{key}'",
}
"""Descriptions of problems with a file, by the error type of pydantic."""


def read_record(path: Path | str) -> AnyRecord:
    """Read the record of a run, a ladder or a search.

    Args:
        path: The folder of a run, of a ladder or of a search, or the file itself.

    Returns:
        A `FitRecord`, a `PretrainRecord` or a `LadderRecord` if the job has finished. Otherwise a
        `StartedFit`, a `StartedPretraining` or a `StartedLadder`, which have no results; or a
        `StartedRun` if an unfinished run of schema version 1 lacks some of their fields. For a
        search that has finished or was stopped, a `TuneRecord`.

    Raises:
        ThawlineError: If the file is missing or damaged, if another program wrote it, or if it has
            a newer schema version.
    """
    path = expand(path)
    file = _file_of(path)
    try:
        values = load_json(file)
    except OSError as error:
        found = f"no {file.name} in it" if file != path else f"no file '{path}'"
        fix = "give the folder of a run, of a comparison or of a search"
        raise ThawlineError(f"a run with its {RECORD} at '{path}'", found, fix) from error
    except ThawlineError as error:
        raise _damaged(file, f"a damaged file ({error.found})", {}) from error
    if not isinstance(values, dict):
        raise _damaged(file, "JSON that is not an object", {})
    version = values.get("schema_version", 1)
    if type(version) is not int or version < 1:
        raise _damaged(file, f"schema version {version!r}", {})
    if version > SCHEMA_VERSION:
        maker = _maker_of(values)
        maker = None if maker == __version__ else maker
        writer = "the version of Thawline that" if maker is None else f"Thawline {maker}, which"
        raise ThawlineError(
            f"a record of schema version 1 to {SCHEMA_VERSION} in '{file}'",
            f"schema version {version!r}",
            f"use {writer} wrote it; this is version {__version__}",
        )
    verb = values.get("verb")
    if verb is None and file.name != RECORD and version < SCHEMA_VERSION:
        maker = _maker_of(values)
        reader, job = "compare again in another folder", "comparison"
        if _verb_of(values) == "tune":
            reader, job = "search again in another folder", "search"
        if maker not in (None, __version__):
            reader = f"use Thawline {maker}, which wrote it, or {reader}"
        expected = f"a {job} of schema version {SCHEMA_VERSION} in '{file}'"
        raise ThawlineError(expected, f"schema version {version}", reader)
    if verb not in ("fit", "pretrain") and file.name == RECORD:
        found = "no 'verb'" if verb is None else f"{_shorten(verb)} in 'verb'"
        raise _damaged(file, found, values)
    try:
        model = _model_of(values)
        current = values if version == SCHEMA_VERSION else _upgraded(values, model)
        # In JSON, strict validation means no "3" for 3 but a list for a tuple.
        record = model.model_validate_json(json.dumps(current), strict=True)
    except ValidationError as error:
        raise _damaged(file, _explain(error), values) from error
    if _maker_of(values) == __version__:  # another version may have other settings
        sources = {"": f"the config in '{file}'"}
        sources |= {key: f"{key} in '{file}'" for key, _ in flatten_settings(record.config)}
        build_config(record.config, sources, config_type=_CONFIGS[_verb_of(values)])
    return record


def write_record(file: Path, record: Record) -> None:
    """Write a record as JSON. The file is replaced only when the new one is complete.

    Args:
        file: The file, which is replaced if it exists.
        record: The record.

    Raises:
        OSError: If the file cannot be written. An existing file is then unchanged.
    """
    write_json(file, record.to_dict())


def write_json(path: Path, value: Any) -> None:
    """Write JSON values. The file is replaced only when the new one is complete."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    # Lists of numbers stay on one line, because a record holds thousands of row numbers.
    text = re.sub(
        r"\[\s+([-+.eE\d,\s]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text
    )
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _file_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    names = [name for name in (RECORD, LADDER, TUNING) if (path / name).is_file()]
    return path / (names[0] if names else RECORD)


def _verb_of(values: dict[str, Any]) -> str:
    """Return the command that made a file. Only the files of runs name it."""
    verb = values.get("verb")
    if verb in ("fit", "pretrain"):
        return str(verb)
    return "tune" if "best" in values else "compare"


def _model_of(values: dict[str, Any]) -> type[AnyRecord]:
    """Return the model of a file, by the command that made it and by its status."""
    verb = _verb_of(values)
    if values.get("status") == "finished":
        return _FINISHED[verb]
    model = _STARTED[verb]
    plans: dict[str, type[Record]] = {"fit": FitPlan, "pretrain": PretrainPlan}
    if "schema_version" not in values and verb in plans:
        fields = plans[verb].model_fields.items()
        is_complete = {name for name, field in fields if field.is_required()} <= values.keys()
        return model if is_complete else StartedRun
    return model


def _upgraded(values: dict[str, Any], model: type[AnyRecord]) -> dict[str, Any]:
    """Return the values of a file of version 1 in the current version.

    An unfinished file of version 1 may hold some results. They are dropped, because the job
    computes them again when it is resumed.
    """
    if values.get("status") != "finished":
        values = {key: value for key, value in values.items() if key in model.model_fields}
    return values | {"schema_version": SCHEMA_VERSION}


def _damaged(file: Path, found: str, values: dict[str, Any]) -> ThawlineError:
    """Return the error for a file whose values are invalid, or empty if it is not JSON."""
    expected = "a record of a run, a ladder or a search"
    if values:
        expected += f", of schema version {values.get('schema_version', 1)},"
    maker = _maker_of(values)
    fix = "restore the file, or make it again in another folder"
    if file.name == LADDER and not values:
        fix = "run the same thawline compare again, which makes it from the finished runs"
    if file.name == TUNING:
        fix = "run the same thawline tune again, which makes it from the finished trials"
    if maker not in (None, __version__):
        fix = f"use Thawline {maker}, which wrote it (this is {__version__}), or restore the file"
    return ThawlineError(f"{expected} in '{file}'", found, fix)


def _maker_of(values: dict[str, Any]) -> str | None:
    """Return the version of Thawline that wrote a file. None if the file does not name it."""
    versions = values.get("versions")
    maker = versions.get("thawline") if isinstance(versions, dict) else None
    return maker if isinstance(maker, str) else None


def _explain(error: ValidationError) -> str:
    """Describe the first problem that pydantic found in a file."""
    problem = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    description = _PROBLEMS.get(problem["type"], "{value} in '{key}'")
    return description.format(key=key, value=_shorten(problem["input"]))


def _shorten(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"
