"""What all models of records share."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

SCHEMA_VERSION: Final = 2
"""The version of the shape of ``record.json`` and ``ladder.json`` that this package writes."""

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: Final[tuple[SplitName, ...]] = ("train", "validation", "test")
Settings = dict[str, JsonValue]
"""The settings of a job, as nested tables of JSON values.

They stay plain values because a record must remain readable when another version of Thawline adds,
renames or removes a setting. `config_from_record` turns them into a config.
"""


class Record(BaseModel):
    """A record or a part of one.

    Instances are immutable. Unknown keys and values of another type are refused.
    """

    # The validators are built when a model is first used: most commands use few of them.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        defer_build=True,
        serialize_by_alias=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    def to_dict(self) -> dict[str, Any]:
        """Return the record as nested dicts and lists of JSON values."""
        return self.model_dump(mode="json")


def is_none(value: object) -> bool:
    """Return whether a value is None: such a key is left out of the file."""
    return value is None


def is_empty(value: list[str]) -> bool:
    """Return whether a list is empty: such a key is left out of the file."""
    return not value
