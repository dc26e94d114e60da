"""A saved classifier on disk: where it lies in a run's folder, and what ``thawline.json`` says.

Classifiers, and runs, are written and read at the other end of the package. What it takes to find
one, and to start another fit from it, stands here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from thawline.errors import ThawlineError

RECORD = "record.json"
"""The record of a run, which exists from the moment that the run is started."""

LADDER = "ladder.json"
"""The file of a ladder, which exists from the moment that the ladder is started."""

FOLDER = "model"
"""The artifact's folder within a run's, there once the run has saved it."""

SETTINGS = "thawline.json"
ADAPTER = "adapter"
HEAD = "head.safetensors"
"""Of an artifact: its settings; where adapters are live, their folder and the head beside it."""

FORMAT = 1
MODEL_TYPE = "thawline"
"""Of a whole model with a head of ours, in its ``config.json``."""


@dataclass(frozen=True)
class AdapterSettings:
    """What live adapters belong to.

    Attributes:
        base: the name of the backbone.
        base_sha256: `backbones.adapters.base_digest` of it.
        head_dropout: of a head of ours; a native head has what its base's config says.
    """

    base: str
    base_sha256: str
    head_dropout: float


def find(path: Path) -> Path:
    """Return the artifact's folder: the path itself, or ``model`` within a run's folder.

    Raises:
        ThawlineError: there is none.
    """
    for folder in (path, path / FOLDER):
        if (folder / SETTINGS).is_file():
            return folder
    found = f"no {SETTINGS} in it or in its {FOLDER}/"
    if (path / RECORD).is_file():
        found = "a run that did not finish"
    elif not path.is_dir():
        found = "a file" if path.exists() else "no such folder"
    raise ThawlineError(
        f"a run or a saved classifier at '{path}'", found, "give the folder that fit printed"
    )


class RunStatus(NamedTuple):
    """How a run stands.

    Attributes:
        status: The status in its record. None if the record is missing or damaged.
        verb: The command that makes such a run, fit or pretrain.
    """

    status: str | None
    verb: str


def read_status(run: Path, verb: str = "fit") -> RunStatus:
    """Read how a run stands, without checking anything else in its record.

    `read_record` reads the whole record and needs pydantic, which would slow down a prediction.

    Args:
        run: The folder of the run.
        verb: The verb if the record does not name one.
    """
    try:
        record = load_json(run / RECORD)
    except (OSError, ValueError):
        record = None
    values = record if isinstance(record, dict) else {}
    status, made_by = values.get("status"), values.get("verb")
    return RunStatus(
        status if isinstance(status, str) else None, made_by if isinstance(made_by, str) else verb
    )


def load_json(file: Path) -> object:
    """Return the values of a JSON file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not JSON in UTF-8.
    """
    value: object = json.loads(file.read_text(encoding="utf-8"))
    return value


def read_settings(folder: Path) -> dict[str, Any]:
    """Return what an artifact's settings hold, as plain values.

    Raises:
        ThawlineError: they are of another format.
        OSError, ValueError: they are missing or damaged.
    """
    try:
        values: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"a damaged {SETTINGS} ({error})") from error
    for key in ("format", "labels", "reading", "head", "strategy", "backbone"):
        if not isinstance(values, dict) or key not in values:
            raise ValueError(f"no '{key}' in {SETTINGS}")
    if values["format"] != FORMAT:
        raise ThawlineError(
            f"a saved classifier of format {FORMAT}",
            f"format {values['format']} in '{folder}'",
            "load it with the version of Thawline that saved it",
        )
    return values


def read_adapter(values: dict[str, Any]) -> AdapterSettings | None:
    """Return what `read_settings` says of live adapters; None: the artifact is a whole model.

    Raises:
        TypeError: that is damaged.
    """
    adapter = values.get("adapter")
    return None if adapter is None else AdapterSettings(**adapter)
