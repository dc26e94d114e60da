"""Named columns out of Parquet, CSV and JSONL files, in one form."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thawline.errors import ThawlineError


@dataclass(frozen=True)
class Table:
    """The columns of one file or one split of a hub set.

    Attributes:
        where: what the user knows it by, for messages.
        columns: the names of the columns.
        read: returns the cells of a named column, in the order of the rows.
        class_names: for columns of integers that carry their own names, those names by value.
    """

    where: str
    columns: tuple[str, ...]
    read: Callable[[str], list[Any]]
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def open_table(path: Path) -> Table:
    """Open a file of a form that is known by its suffix.

    Raises:
        ThawlineError: another suffix, a file that cannot be read, is no UTF-8, is cut short or
            has a broken row.
    """
    opener = READERS.get(path.suffix.lower())
    if opener is None:
        raise ThawlineError(
            f"a file that ends in {', '.join(READERS)}",
            str(path),
            "convert it to one of these",
        )
    with _system_errors(path):
        return opener(path)


def _open_parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    @contextmanager
    def arrow_errors() -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise _unreadable(path, error) from error
            raise _broken(path, "a whole Parquet file", error) from error

    def read(name: str) -> list[Any]:
        with arrow_errors():
            with pq.ParquetFile(path) as file:
                cells: list[Any] = file.read(columns=[name]).column(0).to_pylist()
            return cells

    with arrow_errors():
        return Table(str(path), tuple(pq.read_schema(path).names), read)


def _open_csv(path: Path) -> Table:
    with (
        _field_limit_lifted(),
        _decoding_errors(path),
        path.open(encoding="utf-8-sig", newline="") as file,
    ):
        reader = csv.reader(file, strict=True)
        try:
            header = tuple(next(filter(None, reader), ()))
            rows = list(_whole_rows(reader, header, path))
        except csv.Error as error:
            raise _broken(path, "well-formed CSV", f"line {reader.line_num}: {error}") from error
    position = {name: i for i, name in enumerate(header)}
    return Table(str(path), header, lambda name: [row[position[name]] for row in rows])


def _whole_rows(reader: Any, header: tuple[str, ...], path: Path) -> Iterator[list[str]]:
    """Yield the rows that are not blank; each must have a cell for every column."""
    for row in reader:
        if len(row) == len(header):
            yield row
        elif row:
            expected = f"{len(header)} cells in every row, as in the first line"
            raise _broken(path, expected, f"{len(row)} in line {reader.line_num}")


def _open_jsonl(path: Path) -> Table:
    rows: list[dict[str, Any]] = []
    with _decoding_errors(path), path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                rows.append(_json_object(line, number, path))
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(str(path), columns, lambda name: [row.get(name) for row in rows])


def _json_object(line: str, number: int, path: Path) -> dict[str, Any]:
    expected = "a JSON object in every line"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _broken(path, expected, f"line {number}: {error}") from error
    if not isinstance(row, dict):
        raise _broken(path, expected, f"a {type(row).__name__} in line {number}")
    return row


READERS: dict[str, Callable[[Path], Table]] = {
    ".parquet": _open_parquet,
    ".csv": _open_csv,
    ".jsonl": _open_jsonl,
}
"""The forms that are read, by suffix."""


def _broken(path: Path, expected: str, found: object) -> ThawlineError:
    return ThawlineError(f"{expected} ({path})", str(found), "mend the file or fetch it again")


def _unreadable(path: Path, error: OSError) -> ThawlineError:
    mend = "check that the file is there and that you may read it"
    return ThawlineError(f"a file that can be read ({path})", error.strerror or str(error), mend)


@contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unreadable(path, error) from error


@contextmanager
def _decoding_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        found = f"a byte that is none, at position {_first_bad_byte(path)}"
        raise ThawlineError(f"UTF-8 text in {path}", found, "save the file as UTF-8") from error


def _first_bad_byte(path: Path) -> int:
    """Return the position in the whole file; the error of a stream counts from its last block."""
    try:
        path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    raise AssertionError(f"{path} changed while it was read")


@contextmanager
def _field_limit_lifted() -> Iterator[None]:
    """Let a cell be longer than 128 KiB, the limit of the csv module for the whole process."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
