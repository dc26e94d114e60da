"""Split a text file into rows of cells, and recognise its delimiter and its quotation marks."""

from __future__ import annotations

import csv
import re
import sys
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from thawline.data.sources.encodings import UTF_8
from thawline.data.sources.files import DataFile
from thawline.data.texts import shorten
from thawline.errors import ThawlineError

NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
"""The delimiters that are recognised, with their names."""

_DECLARED = re.compile(r'"?sep=([^\w\s"]|\t)"?')
_FIRST_LINE_CHARACTERS = 1 << 16


class InvalidRows(ThawlineError):
    """Report rows that cannot be split into cells, or that differ in their number of cells."""


@dataclass
class Rows:
    """The rows of a text file, each with the same number of cells.

    Attributes:
        where: The name of the file, for messages.
        cells: The cells of each row, the header first if there is one. Blank rows are left out.
        lines: The number of the line in which each row begins, counting from 1.
        spread: The lines of each row that has more than one, by the position of the row.
        has_quotes: Whether the file contains a quotation mark.
        zeros: The numbers of the lines that contain a NUL character.
        warnings: What was assumed or ignored, one line each.
    """

    where: str
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


@dataclass(frozen=True)
class _Form:
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


def read_rows(file: DataFile, usual: str) -> Rows:
    """Split a file into rows.

    The usual delimiter is used if it fits. Otherwise another one is used if it is the only one
    that gives every row the same number of cells, at least two. A first line ``sep=;``, which
    spreadsheets write, decides. Quotation marks between tabs are ordinary characters unless the
    file is quoted consistently.

    Args:
        file: The file.
        usual: The delimiter for which the suffix of the file stands.

    Raises:
        ThawlineError: If the file cannot be read, if its encoding is unknown, if rows differ in
            their number of cells, or if a quotation mark is not closed.
    """
    head = first_line(file)
    declared = _DECLARED.fullmatch(head)
    with _field_limit_lifted():
        if declared is None:
            rows = _split_by_best(file, usual, head)
        else:
            rows = _split(file, declared[1], declared=True)
            found = f"the first line of {file.where} sets the delimiter {declared[1]!r}"
            rows.warnings.append(found)
    if file.codec != UTF_8:
        rows.warnings.append(f"{file.where} was read as {file.codec.upper()}")
    return rows


def first_line(file: DataFile) -> str:
    """Return the first line of a file that is not blank, or its start if it is very long.

    Raises:
        ThawlineError: If the file cannot be read or its encoding is unknown.
    """
    with file.open_text() as stream:
        while line := stream.readline(_FIRST_LINE_CHARACTERS):
            if line.strip():
                return line.strip("\ufeff\r\n ")
    return ""


def _split_by_best(file: DataFile, usual: str, head: str) -> Rows:
    try:
        rows, error = _split(file, usual), None
        if rows.width != 1:
            return rows
    except InvalidRows as invalid:
        rows, error = None, invalid
    fitting, errors = {}, [] if error is None else [error]
    for delimiter in NAMES:
        if delimiter != usual and delimiter in head:
            try:
                other = _split(file, delimiter)
            except InvalidRows as invalid:
                errors.append(invalid)
                continue
            if other.width > 1:
                fitting[delimiter] = other
    if len(fitting) == 1:
        ((delimiter, other),) = fitting.items()
        other.warnings.append(
            f"the cells of {file.where} are separated by {NAMES[delimiter]}, not {NAMES[usual]}"
        )
        return other
    if rows is None or (len(errors) == 1 and not fitting):
        raise errors[0]
    return rows


def _split(file: DataFile, delimiter: str, *, declared: bool = False) -> Rows:
    """Split a file by a delimiter, after its quotation marks were recognised."""
    quoted = _Form(delimiter, declared=declared)
    literal = _Form(delimiter, quoted=False, declared=declared)
    if delimiter == "\t":
        return _split_by_tabs(file, quoted, literal)
    try:
        rows = _parse(file, quoted)
    except InvalidRows as error:
        try:
            rows = _parse(file, _Form(delimiter, skip_spaces=True, declared=declared))
        except InvalidRows:
            raise error from None
        rows.warnings.append(f"spaces after a delimiter were ignored in {file.where}")
    _check_spread(rows, delimiter)
    return rows


def _split_by_tabs(file: DataFile, quoted: _Form, literal: _Form) -> Rows:
    """Split a file by tabs, whose quotation marks usually belong to the texts."""
    try:
        plain, error = _parse(file, literal), None
        if not plain.has_quotes:
            return plain
    except InvalidRows as invalid:
        plain, error = None, invalid
    try:
        enclosed = _parse(file, quoted)
    except InvalidRows:
        enclosed = None
    if plain is None:
        if enclosed is None:
            assert error is not None
            raise error
        _check_spread(enclosed, quoted.delimiter)
        return enclosed
    if enclosed is not None and _is_enclosed(enclosed, plain, quoted.delimiter):
        return enclosed
    if any(_is_in_quotes(name) for name in plain.cells[0]):
        plain.cells[0] = [_without_quotes(name) for name in plain.cells[0]]
    if enclosed is None or enclosed.cells != plain.cells:
        plain.warnings.append(
            f"quotation marks are read as part of the text in {plain.where}, because its cells "
            "are not quoted throughout"
        )
    return plain


def _is_enclosed(enclosed: Rows, plain: Rows, delimiter: str) -> bool:
    """Return whether quotation marks enclose cells, when both ways to read them are possible."""
    if enclosed.width != plain.width:
        return False
    if len(enclosed.cells) != len(plain.cells):
        # Each line has the right number of cells. Reading the lines as rows loses none of them.
        throughout = _is_quoted_throughout(enclosed, plain)
        return throughout or _has_gaps(enclosed.spread.values(), delimiter)
    for inside, outside in zip(
        zip(*enclosed.cells[1:], strict=True), zip(*plain.cells[1:], strict=True), strict=True
    ):
        if all(map(_is_in_quotes, outside)):
            continue
        if any('"' in cell for cell in outside if not _is_in_quotes(cell)):
            return False  # a program that encloses cells would have enclosed this one too
        if any('"' not in cell for cell, raw in zip(inside, outside, strict=True) if cell != raw):
            return False  # a cell that does not need quotation marks
    return True


def _is_quoted_throughout(enclosed: Rows, plain: Rows) -> bool:
    """Return whether a column is in quotation marks in every row that takes one line."""
    by_line = dict(zip(plain.lines, plain.cells, strict=True))
    short = [by_line[line] for row, line in enumerate(enclosed.lines) if row not in enclosed.spread]
    return len(short) > 1 and any(
        all(map(_is_in_quotes, column)) for column in zip(*short[1:], strict=True)
    )


def _has_gaps(spread: Iterable[Sequence[str]], delimiter: str) -> bool:
    """Return whether a line inside a quoted cell has an empty cell, so that it is not a row."""
    return any(
        not cell.strip('" \r\n')
        for lines in spread
        for line in lines
        for cell in line.split(delimiter)
    )


def _is_in_quotes(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def _without_quotes(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if _is_in_quotes(cell) else cell


# -- rows that take several lines -----------------------------------------------------------------


def _check_spread(rows: Rows, delimiter: str) -> None:
    """Raise InvalidRows if a stray quotation mark made several rows the text of one cell."""
    if not rows.spread:
        return
    values = _values_of(rows)
    for row, lines in rows.spread.items():
        if _looks_like_rows(lines, values, rows.width, delimiter):
            start = rows.lines[row]
            raise _unclosed(
                rows.where,
                start,
                f"the {len(lines)} lines {start} to {start + len(lines) - 1} as one row, although "
                "each looks like a row",
            )


def _values_of(rows: Rows) -> list[set[str]]:
    """Return the values of each column in the rows that take one line."""
    short = [cells for row, cells in enumerate(rows.cells) if row and row not in rows.spread]
    return [{cell for cell in column if cell.strip()} for column in zip(*short, strict=True)]


def _looks_like_rows(
    lines: Sequence[str], values: Sequence[set[str]], width: int, delimiter: str
) -> bool:
    """Return whether the lines inside a quoted cell look like rows of their own.

    A line looks like a row if it has the right number of cells and one of them, such as the label,
    also occurs in another row. If there is no other row, its cells must not be empty.
    """

    def is_row(line: str) -> bool:
        cells = line.rstrip("\r\n").split(delimiter)
        if not values:
            return len(cells) == width > 1 and all(cell.strip('" ') for cell in cells)
        return len(cells) == width and any(
            cell in known for cell, known in zip(cells, values, strict=False)
        )

    first, *inner, last = [line for line in lines if line.strip()]
    if inner:
        return all(map(is_row, inner)) and (is_row(first) or is_row(last))
    return is_row(first) and is_row(last)


def _unclosed(where: str, line: int, found: str) -> InvalidRows:
    fix = f"close the quotation mark in line {line}, or write it twice if it belongs to the text"
    return InvalidRows(f"closed quotation marks in {where}", found, fix)


# -- one way to read a file -----------------------------------------------------------------------


def _parse(file: DataFile, form: _Form) -> Rows:
    """Split a file into rows of equal width.

    Raises:
        InvalidRows: If the file does not have this form.
    """
    rows = Rows(file.where)
    width, emptied, trimmed, has_row_names = 0, array("q"), array("q"), False
    with closing(_split_lines(file, form, rows)) as split:
        for line, row, raw in split:
            if len(row) <= 1 and width != 1 and not "".join(row).strip():
                continue
            if not width:
                width = len(row)
            elif len(row) > 1 and not any(map(str.strip, row)):
                emptied.append(line)
                continue
            elif len(row) > width and not any(map(str.strip, row[width:])):
                trimmed.append(line)
                row = row[:width]
            elif len(rows.cells) == 1 and len(row) == width + 1 and row[0].strip() == "1":
                # R writes the numbers of the rows without a name.
                rows.cells[0].insert(0, "")
                width, has_row_names = width + 1, True
            if len(row) != width or (has_row_names and row[0].strip() != str(len(rows.cells))):
                raise _wrong_width(file.where, width, row, line, form.delimiter)
            if len(raw) > 1:
                rows.spread[len(rows.cells)] = raw
            rows.cells.append(row)
            rows.lines.append(line)
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
    return rows


def _split_lines(
    file: DataFile, form: _Form, rows: Rows
) -> Generator[tuple[int, list[str], list[str]], None, None]:
    """Yield the first line number, the cells and the lines of each row, blank rows included."""
    raw: list[str] = []
    skipped = 1 if form.declared else 0

    def kept(stream: Iterator[str]) -> Iterator[str]:
        for number, line in enumerate(stream, start=1 + skipped):
            raw.append(line)
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
                raise _unclosed(file.where, start, found) from error
            yield start, row, raw[:]


def _wrong_width(
    where: str, width: int, row: Sequence[str], line: int, delimiter: str
) -> InvalidRows:
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


@contextmanager
def _field_limit_lifted() -> Iterator[None]:
    """Allow cells longer than 128 KiB, the default limit of the csv module for the process."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
