"""Named columns, in one form for every source of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from thawline.errors import ThawlineError

TEXT_COLUMNS = (
    "text",
    "sentence",
    "review",
    "content",
    "comment",
    "tweet",
    "message",
    "utterance",
    "document",
    "body",
)
LABEL_COLUMNS = (
    "label",
    "labels",
    "class",
    "category",
    "sentiment",
    "target",
    "emotion",
    "intent",
    "topic",
    "polarity",
)
"""Common names, the likeliest first; capitals and spaces around a name do not count."""

PAIR_COLUMNS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("question", "sentence"),
)
"""Common names of the columns of text pairs."""


@dataclass(frozen=True)
class Table:
    """The columns of one file, of a split or of an object in memory.

    Attributes:
        where: what the user knows it by, for messages.
        columns: the names of the columns.
        read: returns the cells of a named column, in the order of the rows.
        class_names: for columns of integers that carry their own names, those names by value.
    """

    where: str
    columns: tuple[str, ...]
    read: Callable[[str], list[Any]]
    class_names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def join_tables(tables: Sequence[Table], where: str) -> Table:
    """Return the rows of several tables, one table after the other.

    Raises:
        ThawlineError: they do not have the same columns.
    """
    first = tables[0]
    for table in tables:
        if set(table.columns) != set(first.columns):
            raise ThawlineError(
                f"the columns {', '.join(first.columns)} in {table.where}, as in {first.where}",
                ", ".join(table.columns),
                "put files of one form together",
            )

    def read(name: str) -> list[Any]:
        return [cell for table in tables for cell in table.read(name)]

    return Table(where, first.columns, read, first.class_names)
