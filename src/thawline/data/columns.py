"""Which columns hold the text and the label, and that each of their cells can be used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from thawline.data.labels import plain, shown
from thawline.data.tables import Table
from thawline.errors import ThawlineError, did_you_mean

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


def read_texts(table: Table, named: str | None) -> list[str]:
    """Return the cells of the text column.

    Args:
        table: where to read.
        named: the column that the user named; ``None``: found by the common names.

    Raises:
        ThawlineError: no such column, or a cell that is missing or no text.
    """
    cells = table.read(_find(table, named, TEXT_COLUMNS, "text"))
    for row, cell in enumerate(cells):
        if not isinstance(cell, str) or not _is_unicode(cell):
            mend = "fill the cell, take the row out, or name another column with --text"
            raise ThawlineError(f"a text in every row of {table.where}", _at(row, cell), mend)
    return cells


def read_labels(table: Table, named: str | None) -> list[Any]:
    """Return the cells of the label column: integers, booleans or strings, as they stand.

    Args:
        table: where to read.
        named: the column that the user named; ``None``: found by the common names.

    Raises:
        ThawlineError: no such column, or a cell that is missing or cannot be a label.
    """
    cells = table.read(find_label(table, named))
    for row, cell in enumerate(cells):
        if _is_missing(cell) or not _is_label(cell):
            mend = "fill the cell, take the row out, or name another column with --label"
            raise ThawlineError(f"a label in every row of {table.where}", _at(row, cell), mend)
    return cells


def find_label(table: Table, named: str | None) -> str:
    """Return the name of the label column (errors as in `read_labels`)."""
    return _find(table, named, LABEL_COLUMNS, "label")


def _find(table: Table, named: str | None, common: Sequence[str], role: str) -> str:
    if named is None:
        by_name = {column.strip().lower(): column for column in reversed(table.columns)}
        column = next((by_name[name] for name in common if name in by_name), None)
        expected, wanted = f"a {role} column ({shown(common)})", role
        mend = f"name the {role} column with --{role}"
    else:
        column = named if named in table.columns else None
        expected, wanted = f"a column {named!r} for --{role}", named
        mend = "name one of these"
    found = f"the columns {shown(table.columns) or '(none)'} in {table.where}"
    if column is None:
        if table.columns:
            mend += f"; {did_you_mean(wanted, table.columns)}"
        raise ThawlineError(expected, found, mend)
    if table.columns.count(column) > 1:
        raise ThawlineError(f"one column {column!r}", found, "give each column its own name")
    return column


def _is_missing(cell: Any) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def _is_label(cell: Any) -> bool:
    try:
        plain(cell)
    except ThawlineError:
        return False
    return True


def _is_unicode(text: str) -> bool:
    """Half a surrogate pair, which JSON can spell, is no character and cannot be tokenised."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _at(row: int, cell: Any) -> str:
    place = f"row {row} (counting from 0)"
    if _is_missing(cell):
        return f"none in {place}"
    return f"{type(cell).__name__} {_short(repr(cell))} in {place}"


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
