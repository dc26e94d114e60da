"""Which columns hold the text and the label, and that each of their cells can be used."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from typing import Any

from thawline.data.labels import plain, shown
from thawline.data.sources.tables import LABEL_COLUMNS, PAIR_COLUMNS, TEXT_COLUMNS, Table
from thawline.data.texts import Text, is_blank, is_text, shortened
from thawline.errors import ThawlineError, did_you_mean


def read_texts(table: Table, named: str | None) -> list[Text]:
    """Return the cells of the text column, or those of two text columns as pairs.

    Args:
        table: where to read.
        named: the column that the user named, or two with a comma between them; ``None``: found
            by the common names.

    Raises:
        ThawlineError: no such column, one that is empty, or a cell that is missing or no text.
    """
    read = [_cells(table, column, "text", is_text) for column in find_texts(table, named)]
    return read[0] if len(read) == 1 else list(zip(*read, strict=True))


def read_labels(table: Table, named: str | None) -> list[Any]:
    """Return the cells of the label column: integers, booleans or strings, as they stand.

    Args:
        table: where to read.
        named: the column that the user named; ``None``: found by the common names.

    Raises:
        ThawlineError: no such column, one that is empty, or a cell that is missing or cannot be a
            label.
    """
    return _cells(table, find_label(table, named), "label", _is_label)


def find_texts(table: Table, named: str | None) -> tuple[str, ...]:
    """Return the name of the text column, or the names of both (errors as in `read_texts`).

    A column of the very name comes before two with a comma between them. Where none is named, a
    common pair is taken only if no other column has the common name of a text.
    """
    if named is None:
        by_name = _by_common_name(table)
        for pair in PAIR_COLUMNS:
            others = by_name.keys() & {*TEXT_COLUMNS} - {*pair}
            if by_name.keys() >= {*pair} and not others:
                return tuple(by_name[name] for name in pair)
    elif "," in named and named not in table.columns:
        names = [name.strip() for name in named.split(",")]
        if len(names) != 2:
            fix = "name one, or two with a comma between them"
            raise ThawlineError("one or two columns for --text", repr(named), fix)
        return tuple(_find(table, name, TEXT_COLUMNS, "text") for name in names)
    return (_find(table, named, TEXT_COLUMNS, "text"),)


def find_label(table: Table, named: str | None) -> str:
    """Return the name of the label column (errors as in `read_labels`)."""
    return _find(table, named, LABEL_COLUMNS, "label")


def _find(table: Table, named: str | None, common: Sequence[str], role: str) -> str:
    if named is None:
        by_name = _by_common_name(table)
        column = next((by_name[name] for name in common if name in by_name), None)
        expected, wanted = f"a {role} column ({shown(common)})", role
        fix = f"name the {role} column with --{role}"
    else:
        column = named if named in table.columns else None
        expected, wanted = f"a column {named!r} for --{role}", named
        fix = "name one of these"
    columns = _nearest_first(table.columns, common if named is None else [named])
    found = f"the columns {shown(columns) or '(none)'} in {table.where}"
    if column is None:
        if columns:
            fix += f"; {did_you_mean(wanted, columns)}"
        raise ThawlineError(expected, found, fix)
    if table.columns.count(column) > 1:
        raise ThawlineError(f"one column {column!r}", found, "give each column its own name")
    return column


def _by_common_name(table: Table) -> dict[str, str]:
    return {column.strip().lower(): column for column in reversed(table.columns)}


def _nearest_first(columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    def likeness(column: str) -> float:
        name = column.strip().lower()
        return max(difflib.SequenceMatcher(None, name, word.lower()).ratio() for word in wanted)

    return sorted(columns, key=likeness, reverse=True)


def _cells(table: Table, column: str, role: str, is_one: Callable[[Any], bool]) -> list[Any]:
    """Return the cells of a column, once each of them is known to be a text or a label."""
    cells = table.read(column)
    if cells and all(_is_empty(cell) for cell in cells):
        others = _nearest_first([name for name in table.columns if name != column], [role])
        raise ThawlineError(
            f"a {role} in the column {column!r} of {table.where}",
            f"nothing in all of its {len(cells):,} rows",
            f"name another column with --{role} ({shown(others) or 'there is none'})",
        )
    for row, cell in enumerate(cells):
        if not is_one(cell):
            fix = f"fill the cell, take the row out, or name another column with --{role}"
            raise ThawlineError(f"a {role} in every row of {table.where}", _at(row, cell), fix)
    return cells


def _is_label(cell: Any) -> bool:
    try:
        plain(cell)
    except ThawlineError:
        return False
    return not _is_empty(cell)


def _is_empty(cell: Any) -> bool:
    if isinstance(cell, float):
        return math.isnan(cell)
    return cell is None or (is_text(cell) and is_blank(cell))


def _at(row: int, cell: Any) -> str:
    place = f"row {row} (counting from 0)"
    if _is_empty(cell):
        return f"none in {place}"
    return f"{type(cell).__name__} {shortened(repr(cell))} in {place}"
