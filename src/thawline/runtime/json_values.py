"""Check single values of a JSON file and refuse them with an error that names file and key."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from thawline.errors import ThawlineError
from thawline.runtime.untrusted import show_value

MAX_ID = 2**24
"""The limit of token ids, and of any count in a file: larger than every published vocabulary."""

MAX_TOKEN = 1_000
"""The longest token, in characters."""


@dataclass(frozen=True)
class JsonValues:
    """The values of a JSON file, whose path the checks name in their errors.

    Attributes:
        path: The path of the file.
        fix: What to do about an invalid value, as an instruction.
    """

    path: Path
    fix: str

    def refuse(self, key: str, expected: str, found: object) -> NoReturn:
        """Raise ThawlineError about a key.

        Args:
            key: The key, with dots between the levels.
            expected: What the value should be, as a noun phrase.
            found: The value.
        """
        raise ThawlineError(
            f"{expected} as {key} in '{self.path}'",
            show_value(found),
            self.fix,
        )

    def forbid(self, key: str, found: object) -> NoReturn:
        """Raise ThawlineError about a key that needs other code or other files.

        Args:
            key: The key, with dots between the levels.
            found: The value.
        """
        raise ThawlineError(
            f"no {key} in '{self.path}', because it needs other code or other files",
            show_value(found),
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

    def text(self, key: str, value: object, most: int = MAX_TOKEN, least: int = 0) -> str:
        """Check that a value is a string of ``least`` to ``most`` characters, and return it."""
        if not isinstance(value, str) or not least <= len(value) <= most:
            self.refuse(key, f"a string of {_at_most(least, most)} characters", value)
        return value

    def one_of(self, key: str, value: object, known: Collection[object]) -> None:
        """Check that a value is one of the known values."""
        if isinstance(value, list | dict) or value not in known:
            options = ", ".join(sorted(str(option) for option in known if option is not None))
            self.refuse(key, f"one of {options}", value)

    def items(self, key: str, value: object, most: int, least: int = 0) -> list[Any]:
        """Check that a value is a list of ``least`` to ``most`` items, and return it."""
        if not isinstance(value, list) or not least <= len(value) <= most:
            self.refuse(key, f"a list of {_at_most(least, most)} items", value)
        return value

    def mapping(self, key: str, value: object, most: int = MAX_ID) -> dict[str, Any]:
        """Check that a value is an object with at most ``most`` keys, and return it."""
        if not isinstance(value, dict) or len(value) > most:
            self.refuse(key, f"an object with at most {most:,} keys", value)
        return value

    def keys(
        self, key: str, value: object, required: Sequence[str], optional: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Check that a value is an object with the required keys and no unknown ones.

        Args:
            key: The key of the value, or "" for the whole file.
            value: The value, which is returned.
            required: The keys that it must have.
            optional: Further keys that it may have.
        """
        known, prefix = (*required, *optional), f"{key}." if key else ""
        if not isinstance(value, dict):
            self.refuse(key or "the content", "an object", value)
        for name in required:
            if name not in value:
                missing = f"'{prefix}{name}'"
                expected = f"a value for {missing} in '{self.path}'"
                raise ThawlineError(expected, f"no {missing}", self.fix)
        for name in value:
            if name not in known:
                expected = f"only known keys ({', '.join(known)})"
                self.refuse(key or "the keys", expected, f"{prefix}{name}")
        return value


def is_number(value: object) -> bool:
    """Return whether a value is a finite number, and not a boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _at_most(least: int, most: int) -> str:
    return f"{least:,} to {most:,}" if least else f"at most {most:,}"
