"""Read CSV and TSV files, with a header line or in one of the known formats without a header."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from thawline.data.sources.files import DataFile, damaged_file
from thawline.data.sources.tables import LABEL_COLUMNS, TEXT_COLUMNS, Table
from thawline.errors import ThawlineError

AG_NEWS = ("World", "Sports", "Business", "Sci/Tech")
"""The classes of AG News, in the order of their numbers."""

_HEADERLESS = {2: ("label", "text"), 3: ("label", "title", "description")}
_CLASS = re.compile(r"[0-9]{1,9}")
_AG_NEWS_PATH = re.compile(r"ag[_-]?news", re.IGNORECASE)


def open_csv(file: DataFile) -> Table:
    """Read a CSV file.

    The published files of AG News, Yelp and DBpedia have no header: each line holds the number of
    a class and one or two texts. The columns of such a file are ``label`` and ``text``, or
    ``label``, ``title``, ``description`` and ``text``, where ``text`` is the title and the
    description joined by a space.

    Raises:
        ThawlineError: If the file cannot be read, is not UTF-8, is truncated or has an invalid
            row.
    """
    return _open(file, ",", csv.QUOTE_MINIMAL)


def open_tsv(file: DataFile) -> Table:
    """Read a TSV file like `open_csv`; unpaired quotation marks are ordinary characters.

    Raises:
        ThawlineError: If the file cannot be read, is not UTF-8, is truncated or has an invalid
            row.
    """
    try:
        return _open(file, "\t", csv.QUOTE_MINIMAL)
    except ThawlineError as error:
        try:
            return _open(file, "\t", csv.QUOTE_NONE)
        except ThawlineError:
            raise error from None


def _open(file: DataFile, delimiter: str, quoting: Any) -> Table:
    with _field_limit_lifted(), file.open_text() as stream:
        reader = csv.reader(stream, delimiter=delimiter, quoting=quoting, strict=True)
        try:
            first = next(filter(None, reader), [])
            if _is_headerless(first):
                return _headerless_table(file, [first, *_headerless_rows(reader, first, file)])
            rows = list(_complete_rows(reader, first, file))
        except csv.Error as error:
            found = f"a syntax error in line {reader.line_num}: {error}"
            file_format = file.suffix.removeprefix(".").upper()
            raise damaged_file(file.where, f"valid {file_format}", found) from error
    position = {name: i for i, name in enumerate(first)}
    return Table(file.where, tuple(first), lambda name: [row[position[name]] for row in rows])


def _complete_rows(reader: Any, first: Sequence[str], file: DataFile) -> Iterator[list[str]]:
    """Yield the rows that are not blank, and check that each has a cell for every column."""
    for row in reader:
        if len(row) == len(first):
            yield row
        elif row:
            expected = f"{len(first)} cells in every row, as in the first line"
            raise damaged_file(file.where, expected, f"{len(row)} cells in line {reader.line_num}")


def _is_headerless(first: Sequence[str]) -> bool:
    names = {cell.strip().lower() for cell in first}
    known = names & {*TEXT_COLUMNS, *LABEL_COLUMNS}
    return len(first) in _HEADERLESS and _CLASS.fullmatch(first[0]) is not None and not known


def _headerless_rows(reader: Any, first: Sequence[str], file: DataFile) -> Iterator[list[str]]:
    for row in _complete_rows(reader, first, file):
        if _CLASS.fullmatch(row[0]) is None:
            raise ThawlineError(
                f"a class number at the start of every row, as in the first row of {file.where}",
                f"'{row[0][:60]}' in line {reader.line_num}",
                "fix the row, or add a first line with the names of the columns",
            )
        yield row


def _headerless_table(file: DataFile, rows: list[list[str]]) -> Table:
    names = _HEADERLESS[len(rows[0])]
    classes = [int(row[0]) for row in rows]
    class_names: dict[str, dict[int, str]] = {}
    folder_and_file = f"{file.path.absolute().parent.name}/{file.path.name}"
    if len(names) == 3 and set(classes) <= {1, 2, 3, 4} and _AG_NEWS_PATH.search(folder_and_file):
        # Count from 0 as on the hub, so that a classifier can be evaluated on either version.
        classes = [number - 1 for number in classes]
        class_names["label"] = dict(enumerate(AG_NEWS))

    def read(name: str) -> list[Any]:
        if name == "label":
            return list(classes)
        if name == "text":
            return [" ".join(filter(None, row[1:])) for row in rows]
        return [row[names.index(name)] for row in rows]

    return Table(file.where, tuple(dict.fromkeys((*names, "text"))), read, class_names)


@contextmanager
def _field_limit_lifted() -> Iterator[None]:
    """Allow cells longer than 128 KiB, the default limit of the csv module for the process."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
