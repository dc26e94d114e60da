"""Change the files of saved classifiers, with or without their checksums."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from thawline.runs.layout import SETTINGS
from thawline.runs.settings import add_checksums


def sign(folder: Path) -> None:
    """Write the checksums of an artifact again, as somebody who changes its files could."""
    values = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    with suppress(AttributeError, KeyError, TypeError):  # settings of a wrong type have none
        (folder / SETTINGS).write_text(json.dumps(add_checksums(folder, values)), encoding="utf-8")


def without_checksums(folder: Path) -> None:
    """Turn an artifact into one of format 1, which has no checksums."""
    values = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    del values["sha256"]
    (folder / SETTINGS).write_text(json.dumps(values | {"format": 1}), encoding="utf-8")


def edit_json(file: Path, edit: Callable[[Any], Any]) -> None:
    """Change a JSON file in place."""
    values = json.loads(file.read_text(encoding="utf-8"))
    edit(values)
    file.write_text(json.dumps(values), encoding="utf-8")
