"""Split a text file into rows of cells, in a given form."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from thawline.data.sources.files import MAX_COLUMNS, DataFile, too_many_columns
from thawline.data.texts import shorten
from thawline.errors import ThawlineError


class InvalidRows(ThawlineError):
    """Report rows that cannot be split into cells, or that differ in their number of cells."""


MAX_LINES = 100_000
"""The largest number of lines of a row. More are a sign of a quotation mark that is not closed."""


@dataclass(frozen=True)
class Form:
    """The way in which rows are written.

    Attributes:
        delimiter: The character between two cells.
        quoted: Whether quotation marks enclose cells. Otherwise they are ordinary characters.
        skip_spaces: Whether spaces after a delimiter are ignored.
        declared: Whether the first line declares the delimiter (``sep=;``).
    """

    delimiter: str
    quoted: bool = True
    skip_spaces: bool = False
    declared: bool = False


@dataclass
class Rows:
    """The rows of a text file, each with the same number of cells.

    Attributes:
        where: The name of the file, for messages.
        form: The way in which the rows are written.
        cells: The cells of each row, the header first if there is one. Blank rows are left out.
        lines: The number of the line in which each row begins, counting from 1.
        spread: The lines of each row that has more than one, by the position of the row.
        has_quotes: Whether the file contains a quotation mark.
        zeros: The numbers of the lines that contain a NUL character.
        warnings: What was assumed or ignored, one line each.
    """

    where: str
    form: Form
    cells: list[list[str]] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))
    spread: dict[int, list[str]] = field(default_factory=dict)
    has_quotes: bool = False
    zeros: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The number of cells of each row."""
        return len(self.cells[0]) if self.cells else 0


def parse(file: DataFile, form: Form) -> Rows:
    """Split a file into rows of equal width.

    Raises:
        InvalidRows: If the file does not have this form.
    """
    rows = Rows(file.where, form)
    for line, row, raw in rows_of_equal_width(file, rows):
        if len(raw) > 1:
            rows.spread[len(rows.cells)] = raw
        rows.cells.append(row)
        rows.lines.append(line)
    return rows


def rows_of_equal_width(
    file: DataFile, rows: Rows
) -> Generator[tuple[int, list[str], list[str]], None, None]:
    """Yield the first line number, the cells and the lines of each row that is not blank.

    Only one row is in memory at a time. The first row is yielded as a list to which the name of one
    column may be added later, because files of R lack the name of the column of row names.

    Args:
        file: The file.
        rows: Holds the form of the file, and receives the warnings at the end.

    Raises:
        InvalidRows: If the file does not have this form.
    """
    form, number = rows.form, 0
    header: list[str] = []
    emptied, trimmed, has_row_names = array("q"), array("q"), False
    with closing(_split_lines(file, form, rows)) as split:
        for line, row, raw in split:
            width = len(header)
            if len(row) <= 1 and width != 1 and not "".join(row).strip():
                continue
            if len(row) > MAX_COLUMNS:
                raise too_many_columns(file.where, len(row))
            if not width:
                header, width = row, len(row)
            elif len(row) > 1 and not any(map(str.strip, row)):
                emptied.append(line)
                continue
            elif len(row) > width and not any(map(str.strip, row[width:])):
                trimmed.append(line)
                row = row[:width]
            elif number == 1 and len(row) == width + 1 and row[0].strip() == "1":
                # R writes the numbers of the rows without a name.
                header.insert(0, "")
                width, has_row_names = width + 1, True
            if len(row) != width or (has_row_names and row[0].strip() != str(number)):
                raise _wrong_width(file.where, width, row, line, form.delimiter)
            number += 1
            yield line, row, raw
    if rows.zeros:
        rows.warnings.append(f"{_count(rows.zeros, 'line')} of {rows.where} with NUL characters")
    if emptied:
        rows.warnings.append(
            f"ignored {_count(emptied, 'row')} without any content in {rows.where}"
        )
    if trimmed:
        rows.warnings.append(
            f"ignored empty cells at the end of {_count(trimmed, 'row')} in {rows.where}"
        )


def _split_lines(
    file: DataFile, form: Form, rows: Rows
) -> Generator[tuple[int, list[str], list[str]], None, None]:
    """Yield the first line number, the cells and the lines of each row, blank rows included."""
    raw: list[str] = []
    skipped = 1 if form.declared else 0

    def kept(stream: Iterator[str]) -> Iterator[str]:
        for number, line in enumerate(stream, start=1 + skipped):
            raw.append(line)
            if len(raw) > MAX_LINES:
                found = f"a row of more than {MAX_LINES:,} lines"
                raise unclosed_quotes(file.where, number - MAX_LINES, found)
            if "\0" in line:
                rows.zeros.append(number)
            rows.has_quotes = rows.has_quotes or '"' in line
            yield line

    with file.open_text() as stream:
        if form.declared:
            while not stream.readline().strip("\ufeff\r\n "):
                pass
        reader = csv.reader(
            kept(stream),
            delimiter=form.delimiter,
            quoting=csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE,
            skipinitialspace=form.skip_spaces,
            strict=True,
        )
        while True:
            start = reader.line_num + 1 + skipped
            raw.clear()
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                end = reader.line_num + skipped
                found = f"a syntax error in line {end}: {error}"
                if end > start:
                    found += f" (the row begins in line {start})"
                if any('\\"' in line for line in raw):
                    fix = 'write a quotation mark inside a text as "" instead of \\"'
                    raise InvalidRows(
                        f"closed quotation marks in {file.where}", found, fix
                    ) from error
                raise unclosed_quotes(file.where, start, found) from error
            yield start, row, raw[:]


def _wrong_width(
    where: str, width: int, row: Sequence[str], line: int, delimiter: str
) -> InvalidRows:
    if width == 1:
        return InvalidRows(
            f"cells separated by commas, tabs, semicolons or vertical bars in {where}",
            f"one cell in the first line, but {_cells(len(row))} in line {line}: "
            f"{shorten(repr(delimiter.join(row)[:200]))}",
            "use one of these delimiters throughout, put texts that contain it in quotation marks, "
            "and remove lines above the header",
        )
    expected = f"{_cells(width)} in every row, as in the first line ({where})"
    fix = "correct the line"
    if delimiter != "\t" and len(row) > width:
        fix += f", or put a text that contains {delimiter!r} in quotation marks"
    start = shorten(repr(delimiter.join(row)[:200]))
    return InvalidRows(expected, f"{_cells(len(row))} in line {line}: {start}", fix)


def _cells(number: int) -> str:
    return f"{number} {'cell' if number == 1 else 'cells'}"


def _count(lines: Sequence[int], noun: str) -> str:
    """Return the number of rows, with the line of the first one: ``3 rows (first: line 42)``."""
    return f"{len(lines):,} {noun if len(lines) == 1 else noun + 's'} (first: line {lines[0]})"


def unclosed_quotes(where: str, line: int, found: str) -> InvalidRows:
    """Return the error for a quotation mark that is not closed.

    Args:
        where: The name of the file.
        line: The line in which the quotation mark is probably opened.
        found: What was found instead, as a noun phrase.
    """
    fix = f"close the quotation mark in line {line}, or write it twice if it belongs to the text"
    return InvalidRows(f"closed quotation marks in {where}", found, fix)
