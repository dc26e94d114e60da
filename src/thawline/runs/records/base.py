"""The base class of all records."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

SCHEMA_VERSION: Final = 3
"""The version of the structure of ``record.json`` and ``ladder.json`` that is written."""

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: Final[tuple[SplitName, ...]] = ("train", "validation", "test")
Settings = dict[str, JsonValue]
"""The settings of a job, as nested tables of JSON values.

They stay plain values because a record must remain readable when another version of Thawline adds,
renames or removes a setting. `config_from_record` turns them into a config.
"""


class Record(BaseModel):
    """A record or a part of one.

    Instances are immutable. Unknown keys and values of a wrong type raise a ValidationError.
    """

    # Validators are built when a model is first used, because most commands use only a few models.
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
    """Return whether a value is None. Such keys are omitted from the file."""
    return value is None


def is_empty(value: list[Any]) -> bool:
    """Return whether a list is empty. Such keys are omitted from the file."""
    return not value
