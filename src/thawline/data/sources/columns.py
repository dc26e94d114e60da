"""Find the columns that hold the text and the label, and check each of their cells."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from thawline.data.labels import join_words, to_plain_label
from thawline.data.sources.tables import (
    JOIN,
    JOINED_COLUMNS,
    LABEL_COLUMNS,
    PAIR_COLUMNS,
    TEXT_COLUMNS,
    Table,
)
from thawline.data.texts import Text, has_surrogate, is_blank, is_text, shorten
from thawline.errors import ThawlineError, assignment, did_you_mean

_DEFINITE = frozenset({"text", "label", "labels"})
"""Names that decide the choice if other columns have common names too."""

_WHOLE_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,18})\.0+\s*")


def read_texts(table: Table, named: str | None) -> list[Text]:
    """Return the cells of the text column, or those of two text columns as pairs.

    Args:
        table: The table to read.
        named: The column that the user named, or two columns separated by a comma. Columns whose
            cells are joined with a space are written as ``title+content``. If None, the column is
            found by common names.

    Raises:
        ThawlineError: If the column is missing or empty, or if a cell is missing or is not a text.
    """
    columns = [
        _cells(table, column, "text", is_text)
        if column in table.columns
        else _joined_cells(table, column.split(JOIN))
        for column in find_texts(table, named)
    ]
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

    Columns that are joined have one name, ``title+content``. A column whose name contains a comma
    or a plus takes precedence over several columns. If no column is named, a column named text is
    used, or the only column or pair of columns with another common name. A title is joined to the
    content or the description beside it.

    Raises:
        ThawlineError: If the column is missing, or if several columns fit.
    """
    if named is None:
        pair = _find_pair(table)
        if pair is not None:
            return pair
        joined = _find_joined(table)
        if joined is not None:
            return (joined,)
    elif "," in named and named not in table.columns:
        names = [name.strip() for name in named.split(",")]
        if len(names) != 2:
            fix = "name one column, or two columns separated by a comma"
            expected = "one or two columns for `data.text`"
            raise ThawlineError(expected, repr(named), fix, setting="data.text")
        return tuple(_find_text(table, name) for name in names)
    return (
        _find(table, named, TEXT_COLUMNS, "text") if named is None else _find_text(table, named),
    )


def _find_text(table: Table, named: str) -> str:
    """Return the name of a text column, or the names of joined columns as the user wrote them."""
    if JOIN not in named or named in table.columns:
        return _find(table, named, TEXT_COLUMNS, "text")
    names = [name.strip() for name in named.split(JOIN)]
    return JOIN.join(_find(table, name, TEXT_COLUMNS, "text") for name in names)


def _find_joined(table: Table) -> str | None:
    """Return the names of columns that are joined without being named, or None."""
    known = {_normalised(column) for column in table.columns}
    for names in JOINED_COLUMNS:
        others = known & {*TEXT_COLUMNS} - {*names}
        if known >= {*names} and not others:
            columns = [_all_named(table, name) for name in names]
            if all(len(column) == 1 for column in columns):
                return JOIN.join(column[0] for column in columns)
    return None


def split_joined(column: str) -> list[str]:
    """Return the names of the columns that are joined to one, or the name of a single column."""
    names = column.split(JOIN)
    return names if all(names) else [column]


def find_label(table: Table, named: str | None) -> str:
    """Return the name of the label column.

    If no column is named, a column named label or labels is used, or the only column with another
    common name.

    Raises:
        ThawlineError: If the column is missing, or if several columns fit.
    """
    return _find(table, named, LABEL_COLUMNS, "label")


def has_label(table: Table, named: str | None) -> bool:
    """Return whether a table has a column with this name, or with a common name for labels."""
    if named is not None:
        return named in table.columns
    return any(_normalised(column) in LABEL_COLUMNS for column in table.columns)


def _find(table: Table, named: str | None, common: Sequence[str], role: str) -> str:
    if named is None:
        column = _find_by_common_name(table, common, role)
        expected, wanted = f"a {role} column ({join_words(common)})", role
        fix = f"name the {role} column with `data.{role}`"
    else:
        column = named if named in table.columns else None
        expected, wanted = f"a column {shorten(repr(named))} for `data.{role}`", named
        fix = f"name an existing column with `data.{role}`"
    columns = _nearest_first(table.columns, common if named is None else [named])
    found = f"the columns {join_words(columns) or '(none)'} in {table.where}"
    setting = f"data.{role}"
    if column is None:
        if table.looks_headless:
            found = f"a first line that looks like a row ({join_words(table.columns)})"
            found += f" in {table.where}"
            fix = f"add a first line with the names of the {len(table.columns)} columns"
        elif columns:
            fix += f"; {did_you_mean(wanted, [shorten(name) for name in columns])}"
        raise ThawlineError(expected, found, fix, setting=setting)
    if table.columns.count(column) > 1:
        fix = "give each column a different name"
        raise ThawlineError(f"one column {column!r}", found, fix, setting=setting)
    return column


def _find_by_common_name(table: Table, common: Sequence[str], role: str) -> str | None:
    """Return the column that fits, or None. Raise ThawlineError if several fit."""
    definite = [name for name in common if name in _DEFINITE]
    for names in (definite, common):
        fitting = [
            column for column in dict.fromkeys(table.columns) if _normalised(column) in names
        ]
        if len(fitting) > 1:
            raise _ambiguous(table, fitting, role)
        if fitting:
            return fitting[0]
    return None


def _find_pair(table: Table) -> tuple[str, ...] | None:
    """Return the columns of the only common pair, or None. Raise ThawlineError if several fit."""
    known = {_normalised(column) for column in table.columns}
    pairs = [pair for pair in PAIR_COLUMNS if known >= {*pair}]
    if not pairs or not known.isdisjoint(_DEFINITE & {*TEXT_COLUMNS}):
        return None
    found = [tuple(_with_name(table, name) for name in pair) for pair in pairs]
    others = known & {*TEXT_COLUMNS} - {name for pair in pairs for name in pair}
    fitting = [",".join(pair) for pair in found]
    fitting += [column for column in table.columns if _normalised(column) in others]
    if len(fitting) > 1:
        raise _ambiguous(table, fitting, "text")
    return tuple(_find(table, name, (), "text") for name in found[0])


def _ambiguous(table: Table, candidates: Sequence[str], role: str) -> ThawlineError:
    example = assignment(f"data.{role}", shorten(candidates[0]))
    return ThawlineError(
        f"one column for the {role} in {table.where}",
        f"{len(candidates)} that fit: {join_words(map(repr, candidates))}",
        f"choose with `data.{role}`, for example {example}",
        setting=f"data.{role}",
    )


def _all_named(table: Table, name: str) -> list[str]:
    return [column for column in table.columns if _normalised(column) == name]


def _with_name(table: Table, name: str) -> str:
    """Return the only column with a name, ignoring case. Raise ThawlineError for several."""
    columns = _all_named(table, name)
    if len(set(columns)) > 1:
        raise _ambiguous(table, columns, "text")
    return columns[0]


def _normalised(column: str) -> str:
    return column.strip().lower()


def _nearest_first(columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    def similarity(column: str) -> float:
        name = column.strip().lower()[:100]  # the time grows with the square of the length
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
    if cells and all(is_empty(cell) for cell in cells):
        others = _nearest_first([name for name in table.columns if name != column], [role])
        raise ThawlineError(
            f"a {role} in the column {shorten(repr(column))} of {table.where}",
            f"only empty cells in its {len(cells):,} rows",
            f"name another column with `data.{role}` "
            f"(other columns: {join_words(others) or 'none'})",
            setting=f"data.{role}",
        )
    for row, cell in enumerate(cells):
        if not is_valid(cell):
            fix = f"fill the cell, remove the row, or name another column with `data.{role}`"
            expected, found = f"a {role} in every row of {table.where}", _describe(row, cell)
            raise ThawlineError(expected, found, fix, setting=f"data.{role}")
    return cells


def _joined_cells(table: Table, columns: Sequence[str]) -> list[Text]:
    """Return the cells of several columns, joined with a space in each row.

    A part may be empty if another part of the row is not.
    """
    parts = [[None if is_empty(cell) else cell for cell in table.read(name)] for name in columns]
    for name, cells in zip(columns, parts, strict=True):
        for row, cell in enumerate(cells):
            if cell is not None and not (isinstance(cell, str) and is_text(cell)):
                raise ThawlineError(
                    f"a text in every row of the column {shorten(repr(name))} of {table.where}",
                    _describe(row, cell),
                    "fix the cell, or name other columns with `data.text`",
                    setting="data.text",
                )
    found = [" ".join(filter(None, row)) or None for row in zip(*parts, strict=True)]
    where, name = table.where, JOIN.join(columns)
    return _cells(Table(where, (name,), lambda _: found), name, "text", is_text)


def whole_numbers(labels: Sequence[Any]) -> list[Any] | None:
    """Return labels that are written like 1.0 as 1, or None if they are not all whole numbers.

    Programs that store a column of integers with missing values write them with a decimal point.
    """
    matches = [_WHOLE_NUMBER.fullmatch(cell) if isinstance(cell, str) else None for cell in labels]
    if not any(matches):
        return None
    if not all(m or _is_integer(cell) for m, cell in zip(matches, labels, strict=True)):
        return None
    return [cell if m is None else str(int(m[1])) for m, cell in zip(matches, labels, strict=True)]


def _is_integer(cell: Any) -> bool:
    return isinstance(cell, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", cell) is not None


def _is_label(cell: Any) -> bool:
    try:
        to_plain_label(cell)
    except ThawlineError:
        return False
    return not is_empty(cell)


def is_empty(cell: Any) -> bool:
    """Return whether a cell is missing, blank or NaN."""
    if isinstance(cell, float):
        return math.isnan(cell)
    return cell is None or (is_text(cell) and is_blank(cell))


def _describe(row: int, cell: Any) -> str:
    """Describe an invalid cell and its row, for an error."""
    where = f"row {row} (counting from 0)"
    if is_empty(cell):
        return f"an empty cell in {where}"
    if isinstance(cell, str) and has_surrogate(cell):
        return f"an invalid character (a lone surrogate) in {shorten(ascii(cell))} in {where}"
    return f"the {type(cell).__name__} {shorten(repr(cell))} in {where}"
