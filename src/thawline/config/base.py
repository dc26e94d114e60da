"""The base of the settings of every command."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class AnyConfig:
    """The settings of any command: a `Config`, a `PretrainConfig` and so on."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dicts of JSON values (tuples become lists in JSON)."""
        return asdict(self)
