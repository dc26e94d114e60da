"""Name the columns of rows: by a header, or by their content if there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from thawline.data.sources.parsing import Rows
from thawline.data.sources.tables import LABEL_COLUMNS, PAIR_COLUMNS, TEXT_COLUMNS, Table
from thawline.data.texts import shorten
from thawline.errors import ThawlineError, as_given

AG_NEWS = ("World", "Sports", "Business", "Sci/Tech")
"""The classes of AG News, in the order of their numbers."""

_HEADERLESS = {2: ("label", "text"), 3: ("label", "title", "description")}
_TEXT_NAMES = frozenset({*TEXT_COLUMNS, *(name for pair in PAIR_COLUMNS for name in pair)})
_LABEL_NAMES = frozenset(LABEL_COLUMNS)
_CLASS = re.compile(r"[0-9]{1,9}")
_INTEGER = re.compile(r"[0-9]{1,20}")
_AG_NEWS_PATH = re.compile(r"ag[_-]?news", re.IGNORECASE)
_LEAST_WORDS = 3
_LEAST_COUNTED = 3
_LEAST_DISTINCT = 5
_SAMPLE = 1_000


def name_columns(rows: Rows, path: Path) -> Table:
    """Return rows as a table, with the names of a header or of a known layout.

    A first line is read as a row, not as a header, if it is certain: if it begins with the number
    of a class, as in the published files of AG News, Yelp and DBpedia, or if its label also occurs
    in other rows and its text has several words. Copies of the header between the rows are ignored.

    Args:
        rows: The rows, the header first if there is one.
        path: The path of the file. The classes of AG News are recognised by it.

    Raises:
        ThawlineError: If a row is neither a copy of the header nor an ordinary row, or if a row of
            a file without a header does not begin with the number of a class.
    """
    if not rows.cells:
        return Table(rows.where, (), lambda name: [], warnings=tuple(rows.warnings))
    first = [cell.strip("\ufeff") for cell in rows.cells[0]]
    numbered = first in (_counted(rows.width), ["", *_counted(rows.width - 1)])
    data = rows.cells[1:] if numbered else rows.cells
    text_and_label = _find_by_content(data)
    is_known = not _TEXT_NAMES.isdisjoint(names := _normalised(first)) or not (
        _LABEL_NAMES.isdisjoint(names)
    )
    if text_and_label is not None and (numbered or _is_row(first, data, *text_and_label)):
        return _table_by_content(rows, data, *text_and_label, numbered=numbered)
    if not is_known and not numbered and _begins_with_class(rows):
        return _table_of_classes(rows, path)
    kept = list(_without_headers(rows, first))
    position = {name: i for i, name in enumerate(first)}
    return Table(
        rows.where,
        tuple(first),
        lambda name: [row[position[name]] for row in kept],
        warnings=tuple(rows.warnings),
        looks_headless=not is_known and _has_repeated_cell(first, data),
    )


# -- with a header --------------------------------------------------------------------------------


def _without_headers(rows: Rows, first: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows after the header, without copies of the header.

    Files with headers that were concatenated have copies of the header between their rows.

    Raises:
        ThawlineError: If a row is another header.
    """
    header = _normalised(first)
    wanted = set(header)
    ignored = []
    for row, line in zip(rows.cells[1:], rows.lines[1:], strict=True):
        names = _normalised(row) if len(row) > 1 else None
        if names == header:
            ignored.append(line)
        elif names is not None and _is_other_header(names, wanted):
            raise ThawlineError(
                f"rows below one header in {rows.where}",
                f"another header ({as_given(shorten(', '.join(row)))}) in line {line}",
                "concatenate only files with the same columns, or give them in separate files",
            )
        else:
            yield row
    if ignored:
        copies = "copy" if len(ignored) == 1 else "copies"
        rows.warnings.append(
            f"ignored {len(ignored)} {copies} of the header between the rows of {rows.where} "
            f"(first: line {ignored[0]})"
        )


def _is_other_header(names: Sequence[str], wanted: set[str]) -> bool:
    given = set(names)
    if len(wanted) > 1 and given == wanted:
        return True
    return bool(given & _TEXT_NAMES) and bool(given & _LABEL_NAMES) and len(given) == len(names)


def _normalised(names: Sequence[str]) -> list[str]:
    return [name.strip(' \t\r\n\ufeff"').lower() for name in names]


# -- without a header -----------------------------------------------------------------------------


def _counted(number: int) -> list[str]:
    """Return the names that pandas gives to columns without names."""
    return [str(position) for position in range(number)]


def _find_by_content(data: Sequence[Sequence[str]]) -> tuple[int, int] | None:
    """Return the positions of the text and of the label, or None if they are not certain.

    There may be a column of row numbers before them.
    """
    data = data[:_SAMPLE]
    if len(data) < 2 or len(data[0]) not in (2, 3):
        return None
    columns = list(zip(*data, strict=True))
    candidates = list(range(len(columns)))
    if len(columns) == 3:
        if not _is_index(columns[0]):
            return None
        candidates = [1, 2]
    for label, text in (candidates, candidates[::-1]):
        labels, texts = columns[label], columns[text]
        few = len(set(labels)) <= len(labels) // 2 and len(set(labels)) < len(set(texts))
        if few and _mean_words(labels) < _LEAST_WORDS <= _mean_words(texts):
            return text, label
    return None


def _is_row(first: Sequence[str], data: Sequence[Sequence[str]], text: int, label: int) -> bool:
    """Return whether the first line is a row: its label occurs again, and its text is a text."""
    others = (row[label] for row in data[1:] if list(row) != list(first))
    has_words = len(first[text].split()) >= _LEAST_WORDS
    return (has_words or len(first) == 3) and first[label] in others


def _has_repeated_cell(first: Sequence[str], data: Sequence[Sequence[str]]) -> bool:
    """Return whether a cell of the first line also occurs below it, in a row that differs."""
    others = [row for row in data[1:] if list(row) != list(first)]
    return any(
        cell.strip() and cell in column
        for cell, column in zip(first, zip(*others, strict=True), strict=False)
    )


def _table_by_content(
    rows: Rows, data: Sequence[Sequence[str]], text: int, label: int, *, numbered: bool
) -> Table:
    positions = {"text": text, "label": label}
    numbers = rows.cells[0] if numbered else None
    found = "numbers instead of names in the first line" if numbered else "no header"
    rows.warnings.append(
        f"{rows.where} has {found}: column {text + 1} was read as the text and column {label + 1} "
        "as the label"
    )
    return Table(
        rows.where,
        ("text", "label"),
        lambda name: [row[positions[name]] for row in data],
        warnings=tuple(rows.warnings),
        headless=lambda lines, cells: {
            name: [row[position] for row in cells if row != numbers]
            for name, position in positions.items()
        },
    )


def _is_index(cells: Sequence[str]) -> bool:
    """Return whether cells count rows from 0 or 1, or are numbers of which no two are equal."""
    if not all(_INTEGER.fullmatch(cell) for cell in cells):
        return False
    counted = len(cells) >= _LEAST_COUNTED and any(
        all(int(cell) == number for number, cell in enumerate(cells, start)) for start in (0, 1)
    )
    return counted or (len(cells) >= _LEAST_DISTINCT and len(set(cells)) == len(cells))


def _begins_with_class(rows: Rows) -> bool:
    """Return whether the rows begin with the number of a class."""
    if rows.width not in _HEADERLESS or _CLASS.fullmatch(rows.cells[0][0]) is None:
        return False
    return not _is_index([row[0] for row in rows.cells])


def _table_of_classes(rows: Rows, path: Path) -> Table:
    names = _HEADERLESS[rows.width]
    _check_classes(rows.where, rows.lines, rows.cells)
    classes = [int(row[0]) for row in rows.cells]
    class_names: dict[str, dict[int, str]] = {}
    folder_and_file = f"{path.absolute().parent.name}/{path.name}"
    offset = 0
    if len(names) == 3 and set(classes) <= {1, 2, 3, 4} and _AG_NEWS_PATH.search(folder_and_file):
        # Count from 0 as on the hub, so that a classifier can be evaluated on either version.
        offset = 1
        class_names["label"] = dict(enumerate(AG_NEWS))

    def split(cells: Sequence[Sequence[str]], name: str) -> list[Any]:
        if name == "label":
            return [int(row[0]) - offset for row in cells]
        if name == "text":
            return [" ".join(filter(None, row[1:])) for row in cells]
        return [row[names.index(name)] for row in cells]

    def headless(lines: Sequence[int], cells: Sequence[Sequence[str]]) -> dict[str, list[Any]]:
        _check_classes(rows.where, lines, cells)
        return {name: split(cells, name) for name in columns}

    rows.warnings.append(f"{rows.where} has no header: its columns were read as {', '.join(names)}")
    columns = tuple(dict.fromkeys((*names, "text")))
    return Table(
        rows.where,
        columns,
        lambda name: split(rows.cells, name),
        class_names,
        tuple(rows.warnings),
        headless=headless,
    )


def _check_classes(where: str, lines: Sequence[int], cells: Sequence[Sequence[str]]) -> None:
    """Raise ThawlineError if a row does not begin with the number of a class."""
    for row, line in zip(cells, lines, strict=True):
        if _CLASS.fullmatch(row[0]) is None:
            raise ThawlineError(
                f"a class number at the start of every row, as in the first row of {where}",
                f"{shorten(repr(row[0]))} in line {line}",
                "fix the row, or add a first line with the names of the columns",
            )


def _mean_words(cells: Sequence[str]) -> float:
    return sum(len(cell.split()) for cell in cells) / len(cells)
