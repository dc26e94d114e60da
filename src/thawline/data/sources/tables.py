"""A table of named columns, in the same form for every source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from thawline.data.texts import has_surrogate
from thawline.errors import ThawlineError, as_given

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
"""Common names of text columns, most likely first. Case and surrounding spaces are ignored."""

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
"""Common names of label columns, most likely first."""

PAIR_COLUMNS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("question", "sentence"),
)
"""Common names of the columns of text pairs."""


JOINED_COLUMNS = (("title", "content"), ("title", "description"))
"""Common names of two columns that together are one text, as in the published sets of Amazon's
reviews and of AG News. They are joined if no other column can be the text."""

JOIN = "+"
"""Joins the names of columns whose cells are joined with a space, as in ``title+content``."""


@dataclass(frozen=True)
class Table:
    """The columns of a file, a split or an object in memory.

    Attributes:
        where: The name of the source, for messages.
        columns: The names of the columns.
        read: Returns the cells of a named column, in the order of the rows.
        class_names: The class names by integer value, for each column that provides them.
        warnings: What was assumed or ignored when the source was read, one line each.
        has_names: Whether the source has named columns. Class folders and lists have none.
        looks_headless: Whether the names of the columns look like the cells of a row.
        headless: For a file without a header, returns the columns of further rows from the numbers
            of their lines and their cells. None if there is a header.

    Raises:
        ThawlineError: If the name of a column contains an invalid character (a lone surrogate).
    """

    where: str
    columns: tuple[str, ...]
    read: Callable[[str], list[Any]]
    class_names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    has_names: bool = True
    looks_headless: bool = False
    headless: Callable[[Sequence[int], Sequence[Sequence[str]]], dict[str, list[Any]]] | None = None

    def __post_init__(self) -> None:
        for column in self.columns:
            if has_surrogate(column):
                raise ThawlineError(
                    f"column names of valid characters in {self.where}",
                    f"an invalid character (a lone surrogate) in {column!a}",
                    "rename the column",
                )


def join_tables(tables: Sequence[Table], where: str) -> Table:
    """Concatenate the rows of several tables.

    Args:
        tables: The tables.
        where: The name of the result, for messages.

    Raises:
        ThawlineError: If the tables do not have the same columns.
    """
    first = tables[0]
    for table in tables:
        if set(table.columns) != set(first.columns):
            expected, found = (", ".join(map(as_given, one.columns)) for one in (first, table))
            raise ThawlineError(
                f"the columns {expected} in {table.where}, as in {first.where}",
                f"the columns {found}",
                "use files with the same columns",
            )

    def read(name: str) -> list[Any]:
        return [cell for table in tables for cell in table.read(name)]

    warnings = tuple(line for table in tables for line in table.warnings)
    return Table(where, first.columns, read, first.class_names, warnings)
