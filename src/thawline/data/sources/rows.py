"""Recognise the delimiter and the quotation marks of a text file, and split it into rows."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from thawline.data.sources.encodings import UTF_8
from thawline.data.sources.files import DataFile
from thawline.data.sources.parsing import Form, InvalidRows, Rows, parse
from thawline.data.sources.quotes import (
    check_spread,
    is_enclosed,
    is_in_quotes,
    without_quotes,
)

NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
"""The delimiters that are recognised, with their names."""

_DECLARED = re.compile(r'"?sep=([^\w\s"]|\t)"?')
_FIRST_LINE_CHARACTERS = 1 << 16


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
    with field_limit_lifted():
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
    quoted = Form(delimiter, declared=declared)
    literal = Form(delimiter, quoted=False, declared=declared)
    if delimiter == "\t":
        return _split_by_tabs(file, quoted, literal)
    try:
        rows = parse(file, quoted)
    except InvalidRows as error:
        try:
            rows = parse(file, Form(delimiter, skip_spaces=True, declared=declared))
        except InvalidRows:
            raise error from None
        rows.warnings.append(f"spaces after a delimiter were ignored in {file.where}")
    check_spread(rows, delimiter)
    return rows


def _split_by_tabs(file: DataFile, quoted: Form, literal: Form) -> Rows:
    """Split a file by tabs, whose quotation marks usually belong to the texts."""
    try:
        plain, error = parse(file, literal), None
        if not plain.has_quotes:
            return plain
    except InvalidRows as invalid:
        plain, error = None, invalid
    try:
        enclosed = parse(file, quoted)
    except InvalidRows:
        enclosed = None
    if plain is None:
        if enclosed is None:
            assert error is not None
            raise error
        check_spread(enclosed, quoted.delimiter)
        return enclosed
    if enclosed is not None and is_enclosed(enclosed, plain, quoted.delimiter):
        return enclosed
    if any(is_in_quotes(name) for name in plain.cells[0]):
        plain.cells[0] = [without_quotes(name) for name in plain.cells[0]]
    if enclosed is None or enclosed.cells != plain.cells:
        plain.warnings.append(
            f"quotation marks are read as part of the text in {plain.where}, because its cells "
            "are not quoted throughout"
        )
    return plain


@contextmanager
def field_limit_lifted() -> Iterator[None]:
    """Allow cells longer than 128 KiB, the default limit of the csv module for the process."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
