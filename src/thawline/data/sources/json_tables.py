"""Read JSON: a list of objects, an object in every line, or one of the layouts of pandas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeGuard

from thawline.data.sources.encodings import UTF_8
from thawline.data.sources.files import DataFile, damaged_file
from thawline.data.sources.tables import LABEL_COLUMNS, PAIR_COLUMNS, TEXT_COLUMNS, Table
from thawline.data.texts import shorten
from thawline.errors import ThawlineError

_NAMES = frozenset(
    (*TEXT_COLUMNS, *LABEL_COLUMNS, *(name for pair in PAIR_COLUMNS for name in pair))
)
_NOT_SPACE = re.compile(r"\S")
_LIST = "a list of JSON objects"


def open_json_lines(file: DataFile) -> Table:
    """Read a file with a JSON object in every line.

    A file that holds a single JSON value instead is read like `open_json`.

    Raises:
        ThawlineError: If the file cannot be read, has an unknown encoding or an invalid line.
    """
    with file.open_text(newline="\n") as stream:
        # str.splitlines would also split at characters such as U+2028 within a JSON string.
        lines = enumerate(stream, start=1)
        number, first = next(((n, line) for n, line in lines if line.strip()), (1, ""))
        if not first.lstrip().startswith("["):
            rows = _objects(chain([(number, first)], lines), file)
            return _value_table(file, rows[0] if len(rows) == 1 else rows)
        content = first + stream.read()
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise damaged_file(file.where, _LIST, f"a syntax error: {error}") from error
    except ValueError as error:
        if _is_json(first):
            _objects([(number, first)], file)  # raises an error, because the line holds a list
        raise damaged_file(file.where, _LIST, f"a syntax error: {error}") from error
    return _value_table(file, value, "as a whole, because it holds one list")


def open_json(file: DataFile) -> Table:
    """Read a JSON file that holds a list of objects, or an object in every line.

    The layouts of `pandas.DataFrame.to_json`, and an object with a list for each column, are
    recognised too.

    Raises:
        ThawlineError: If the file cannot be read, has an unknown encoding or another layout.
    """
    with file.open_text(newline="\n") as stream:
        content = stream.read()
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise damaged_file(file.where, _LIST, f"a syntax error: {error}") from error
    except ValueError as error:  # also for a number of too many digits
        if content.lstrip().startswith("["):
            raise damaged_file(file.where, _LIST, f"a syntax error: {error}") from error
    else:
        return _value_table(file, value)
    lines = content.split("\n")
    objects = None if _is_json(next(filter(str.strip, lines), "")) else _decode_all(content)
    if objects is not None:
        return _value_table(file, objects, "as objects that follow each other")
    return _value_table(file, _objects(enumerate(lines, start=1), file))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _decode_all(content: str) -> list[Any] | None:
    """Return the JSON values that follow each other in a text, or None if it is damaged."""
    decoder, values, position = json.JSONDecoder(), [], 0
    while match := _NOT_SPACE.search(content, position):
        try:
            value, position = decoder.raw_decode(content, match.start())
        except (ValueError, RecursionError):
            return None
        values.append(value)
    return values or None


def _objects(lines: Iterable[tuple[int, str]], file: DataFile) -> list[dict[str, Any]]:
    expected, rows = "a JSON object in every line", []
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            found = f"a syntax error in line {number}: {error}"
            raise damaged_file(file.where, expected, found) from error
        if not isinstance(row, dict):
            found = f"a value of type {type(row).__name__} in line {number}"
            fix = 'write each line as an object with names: {"text": …, "label": …}'
            raise ThawlineError(f"{expected} ({file.where})", found, fix)
        rows.append(row)
    return rows


def _value_table(file: DataFile, value: Any, how: str | None = None) -> Table:
    """Return the table that a JSON value describes.

    Args:
        file: The file, for messages.
        value: The value.
        how: How the file was read, for a warning. If None, it has the usual layout.

    Raises:
        ThawlineError: If the value has another layout.
    """
    if isinstance(value, dict):
        _check_one_list(file, value)
        layout = _layout(value)
        if layout is None:
            value = [value]
        else:
            how, value = layout
    if isinstance(value, Mapping):
        columns = {str(name): list(cells) for name, cells in value.items()}
        lengths = {name: len(cells) for name, cells in columns.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{n:,} in {shorten(repr(name))}" for name, n in lengths.items())
            fix = "give each column a value for every row"
            raise ThawlineError(f"columns of equal length in {file.where}", found, fix)
        return Table(file.where, tuple(columns), columns.__getitem__, warnings=_notes(file, how))
    rows = _check_objects(file, value)
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(
        file.where,
        names,
        lambda name: [row.get(name) for row in rows],
        warnings=_notes(file, how),
    )


def _check_objects(file: DataFile, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise damaged_file(file.where, _LIST, f"a value of type {type(value).__name__}")
    for number, row in enumerate(value):
        if not isinstance(row, dict):
            found = f"a value of type {type(row).__name__} as item {number} (counting from 0)"
            fix = 'write each item as an object with names: {"text": …, "label": …}'
            raise ThawlineError(f"{_LIST} ({file.where})", found, fix)
    return value


def _check_one_list(file: DataFile, value: Mapping[str, Any]) -> None:
    """Raise ThawlineError if an object holds several lists of objects, such as its splits."""
    listed = [key for key, cell in value.items() if _are_objects(cell)]
    if len(listed) > 1 and len(listed) == len(value):
        names = ", ".join(shorten(repr(key)) for key in listed[:5])
        fix = "write each list to a file of its own, such as train.json and test.json"
        raise ThawlineError(f"one list of objects in {file.where}", f"the lists {names}", fix)


def _notes(file: DataFile, how: str | None) -> tuple[str, ...]:
    notes = [] if how is None else [f"{file.where} was read {how}"]
    if file.codec != UTF_8:
        notes.append(f"{file.where} was read as {file.codec.upper()}")
    return tuple(notes)


# -- one object that holds all rows ---------------------------------------------------------------


def _layout(value: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return how an object holds a table, and its columns or rows. None if it is a single row."""
    if not value:
        return None
    cells = list(value.values())
    columns, data = value.get("columns"), value.get("data")
    if _are_names(columns) and _are_rows(data, len(columns)):
        transposed = zip(*data, strict=True) if data else ([] for _ in columns)
        return "in the layout of to_json(orient='split')", dict(
            zip(columns, transposed, strict=True)
        )
    if all(isinstance(cell, dict) for cell in cells):
        return _nested(value)
    if len(value) > 1 and all(isinstance(cell, list) for cell in cells):
        if not any(isinstance(item, dict) for cell in cells for item in cell[:1]):
            return "as an object with a list for each column", value
        return None
    listed = [key for key, cell in value.items() if _are_objects(cell)]
    if len(listed) == 1 and not any(key.strip().lower() in _NAMES for key in value):
        return f"from the list {shorten(repr(listed[0]))}", value[listed[0]]
    return None


def _nested(value: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return the table in an object of objects, as `to_json` writes it by default or by index."""
    cells = list(value.values())
    inner = list(cells[0])
    if not inner or any(cell.keys() != cells[0].keys() for cell in cells):
        return None
    by_index = "in the layout of to_json(orient='index')", cells
    by_column = (
        "in the layout of to_json(orient='columns')",
        {name: [cell[row] for row in inner] for name, cell in value.items()},
    )
    outer_known, inner_known = (
        any(str(key).strip().lower() in _NAMES for key in keys) for keys in (value, inner)
    )
    if outer_known != inner_known:
        return by_column if outer_known else by_index
    outer_numbers, inner_numbers = (all(key.isdigit() for key in keys) for keys in (value, inner))
    if outer_numbers != inner_numbers:
        return by_index if outer_numbers else by_column
    return None


def _are_names(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _are_rows(value: Any, width: int) -> TypeGuard[list[Sequence[Any]]]:
    return isinstance(value, list) and all(
        isinstance(row, Sequence) and not isinstance(row, str) and len(row) == width
        for row in value
    )


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
