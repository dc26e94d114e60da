"""Find the columns that hold the text and the label, and check each of their cells."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from typing import Any

from thawline.data.labels import join_words, to_plain_label
from thawline.data.sources.tables import LABEL_COLUMNS, PAIR_COLUMNS, TEXT_COLUMNS, Table
from thawline.data.texts import Text, has_surrogate, is_blank, is_text, shorten
from thawline.errors import ThawlineError, did_you_mean


def read_texts(table: Table, named: str | None) -> list[Text]:
    """Return the cells of the text column, or those of two text columns as pairs.

    Args:
        table: The table to read.
        named: The column that the user named, or two columns separated by a comma. If None, the
            column is found by common names.

    Raises:
        ThawlineError: If the column is missing or empty, or if a cell is missing or is not a text.
    """
    columns = [_cells(table, column, "text", is_text) for column in find_texts(table, named)]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def read_labels(table: Table, named: str | None) -> list[Any]:
    """Return the cells of the label column: integers, booleans or strings, unchanged.

    Args:
        table: The table to read.
        named: The column that the user named. If None, the column is found by common names.

    Raises:
        ThawlineError: If the column is missing or empty, or if a cell is missing or is not a label.
    """
    return _cells(table, find_label(table, named), "label", _is_label)


def find_texts(table: Table, named: str | None) -> tuple[str, ...]:
    """Return the name of the text column, or the names of both columns of a pair.

    A column whose name contains a comma takes precedence over two columns. If no column is named,
    a common pair is used only if no other column has a common name for texts.

    Raises:
        ThawlineError: If the column is missing.
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
            fix = "name one column, or two columns separated by a comma"
            expected = "one or two columns for --text"
            raise ThawlineError(expected, repr(named), fix, setting="data.text")
        return tuple(_find(table, name, TEXT_COLUMNS, "text") for name in names)
    return (_find(table, named, TEXT_COLUMNS, "text"),)


def find_label(table: Table, named: str | None) -> str:
    """Return the name of the label column.

    Raises:
        ThawlineError: If the column is missing.
    """
    return _find(table, named, LABEL_COLUMNS, "label")


def _find(table: Table, named: str | None, common: Sequence[str], role: str) -> str:
    if named is None:
        by_name = _by_common_name(table)
        column = next((by_name[name] for name in common if name in by_name), None)
        expected, wanted = f"a {role} column ({join_words(common)})", role
        fix = f"name the {role} column with --{role}"
    else:
        column = named if named in table.columns else None
        expected, wanted = f"a column {named!r} for --{role}", named
        fix = f"name an existing column with --{role}"
    columns = _nearest_first(table.columns, common if named is None else [named])
    found = f"the columns {join_words(columns) or '(none)'} in {table.where}"
    setting = f"data.{role}"
    if column is None:
        if columns:
            fix += f"; {did_you_mean(wanted, columns)}"
        raise ThawlineError(expected, found, fix, setting=setting)
    if table.columns.count(column) > 1:
        fix = "give each column a different name"
        raise ThawlineError(f"one column {column!r}", found, fix, setting=setting)
    return column


def _by_common_name(table: Table) -> dict[str, str]:
    return {column.strip().lower(): column for column in reversed(table.columns)}


def _nearest_first(columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    def similarity(column: str) -> float:
        name = column.strip().lower()
        return max(difflib.SequenceMatcher(None, name, word.lower()).ratio() for word in wanted)

    return sorted(columns, key=similarity, reverse=True)


def _cells(table: Table, column: str, role: str, is_valid: Callable[[Any], bool]) -> list[Any]:
    """Check every cell of a column and return the cells.

    Args:
        table: The table to read.
        column: The name of the column.
        role: What the column holds, text or label.
        is_valid: Returns whether a cell is valid.
    """
    cells = table.read(column)
    if cells and all(_is_empty(cell) for cell in cells):
        others = _nearest_first([name for name in table.columns if name != column], [role])
        raise ThawlineError(
            f"a {role} in the column {column!r} of {table.where}",
            f"only empty cells in its {len(cells):,} rows",
            f"name another column with --{role} (other columns: {join_words(others) or 'none'})",
            setting=f"data.{role}",
        )
    for row, cell in enumerate(cells):
        if not is_valid(cell):
            fix = f"fill the cell, remove the row, or name another column with --{role}"
            expected, found = f"a {role} in every row of {table.where}", _describe(row, cell)
            raise ThawlineError(expected, found, fix, setting=f"data.{role}")
    return cells


def _is_label(cell: Any) -> bool:
    try:
        to_plain_label(cell)
    except ThawlineError:
        return False
    return not _is_empty(cell)


def _is_empty(cell: Any) -> bool:
    if isinstance(cell, float):
        return math.isnan(cell)
    return cell is None or (is_text(cell) and is_blank(cell))


def _describe(row: int, cell: Any) -> str:
    """Describe an invalid cell and its row, for an error."""
    where = f"row {row} (counting from 0)"
    if _is_empty(cell):
        return f"an empty cell in {where}"
    if isinstance(cell, str) and has_surrogate(cell):
        return f"an invalid character (a lone surrogate) in {shorten(ascii(cell))} in {where}"
    return f"the {type(cell).__name__} {shorten(repr(cell))} in {where}"
