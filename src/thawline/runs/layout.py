"""A saved classifier on disk: where it lies in a run's folder, and what ``thawline.json`` says.

Classifiers, and runs, are written and read at the other end of the package. What it takes to find
one, and to start another fit from it, stands here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thawline.errors import ThawlineError

RECORD = "record.json"
"""Of a run, on disk from its first moment."""

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


def read_whole_record(run: Path) -> dict[str, Any]:
    """Return the record of a run that was begun; empty where it was killed before its first."""
    try:
        record = json.loads((run / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


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
