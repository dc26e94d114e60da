"""Check single values of a JSON file and refuse them with an error that names file and key."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from thawline.backbones.parts import incomplete
from thawline.errors import ThawlineError
from thawline.runtime.untrusted import MAX_JSON_BYTES, parse_json, read_regular

MAX_ID = 2**24
"""The limit of token ids, and of any count in a file: larger than every published vocabulary."""

MAX_TOKEN = 1_000
"""The longest token, in characters."""

SHOWN = 60
"""Number of characters of a wrong value that an error shows."""


@dataclass(frozen=True)
class JsonFile:
    """A JSON file of a model, which the checks name in their errors.

    Attributes:
        path: The path of the file.
        value: Its content, an object.
    """

    path: Path
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
            raise damaged(path, f"{show(value)} instead of an object")
        return cls(path, value)

    def refuse(self, key: str, expected: str, found: object) -> NoReturn:
        """Raise ThawlineError about a key.

        Args:
            key: The key, with dots between the levels.
            expected: What the value should be, as a noun phrase.
            found: The value.
        """
        raise ThawlineError(
            f"{expected} as {key} in '{self.path}'",
            show(found),
            "use the file that belongs to this model",
        )

    def forbid(self, key: str, found: object) -> NoReturn:
        """Raise ThawlineError about a key that needs other code or other files.

        Args:
            key: The key, with dots between the levels.
            found: The value.
        """
        raise ThawlineError(
            f"no {key} in '{self.path}', because it needs other code or other files",
            show(found),
            "remove the key, or use a model that does not need it",
        )

    def whole(self, key: str, value: object, least: int, most: int = MAX_ID) -> int:
        """Check that a value is a whole number from ``least`` to ``most``, and return it."""
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.refuse(key, f"a whole number from {least} to {most}", value)
        return value

    def number(self, key: str, value: object, least: float, most: float) -> None:
        """Check that a value is a finite number from ``least`` to ``most``."""
        if not is_number(value) or not least <= value <= most:  # type: ignore[operator]
            self.refuse(key, f"a number from {least:g} to {most:g}", value)

    def boolean(self, key: str, value: object) -> None:
        """Check that a value is true or false."""
        if not isinstance(value, bool):
            self.refuse(key, "true or false", value)

    def text(self, key: str, value: object, most: int = MAX_TOKEN) -> str:
        """Check that a value is a string of at most ``most`` characters, and return it."""
        if not isinstance(value, str) or len(value) > most:
            self.refuse(key, f"a string of at most {most} characters", value)
        return value

    def one_of(self, key: str, value: object, known: Collection[object]) -> None:
        """Check that a value is one of the known values."""
        if isinstance(value, list | dict) or value not in known:
            options = ", ".join(sorted(str(option) for option in known if option is not None))
            self.refuse(key, f"one of {options}", value)

    def items(self, key: str, value: object, most: int) -> list[Any]:
        """Check that a value is a list of at most ``most`` items, and return it."""
        if not isinstance(value, list) or len(value) > most:
            self.refuse(key, f"a list of at most {most:,} items", value)
        return value

    def mapping(self, key: str, value: object, most: int = MAX_ID) -> dict[str, Any]:
        """Check that a value is an object with at most ``most`` keys, and return it."""
        if not isinstance(value, dict) or len(value) > most:
            self.refuse(key, f"an object with at most {most:,} keys", value)
        return value


def is_number(value: object) -> bool:
    """Return whether a value is a finite number, and not a boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def show(value: object) -> str:
    """Return the start of a value, without characters that a terminal would interpret."""
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        if len(value) > 4:
            return f"{kind} of {len(value):,} items"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def damaged(path: Path, found: str) -> ThawlineError:
    """Return the error about a file that cannot be read as JSON."""
    return incomplete(path.parent, f"a damaged {path.name} ({found})")
