"""The JSON files of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thawline.backbones.parts import incomplete
from thawline.errors import ThawlineError
from thawline.runtime.json_values import JsonValues
from thawline.runtime.untrusted import MAX_JSON_BYTES, parse_json, read_regular, show_value


@dataclass(frozen=True)
class JsonFile(JsonValues):
    """A JSON file of a model, with the checks of `JsonValues`.

    Attributes:
        value: Its content, an object.
    """

    fix: str = field(default="use the file that belongs to this model", init=False)
    value: dict[str, Any]

    @classmethod
    def read(cls, path: Path, *, limit: int = MAX_JSON_BYTES) -> JsonFile:
        """Read a JSON file whose value is an object.

        Raises:
            ThawlineError: If it is not a regular file, is too large, or holds no JSON object.
            OSError: If the file cannot be read.
        """
        try:
            value = parse_json(read_regular(path, limit=limit))
        except ThawlineError:
            raise
        except ValueError as error:
            raise damaged(path, str(error)) from error
        if not isinstance(value, dict):
            raise damaged(path, f"{show_value(value)} instead of an object")
        return cls(path, value)


def damaged(path: Path, found: str) -> ThawlineError:
    """Return the error about a file that cannot be read as JSON."""
    return incomplete(path.parent, f"a damaged {path.name} ({found})")
