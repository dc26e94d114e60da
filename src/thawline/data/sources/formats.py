"""Open data files in the supported formats, selected by suffix."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thawline.data.sources.delimited import open_csv, open_tsv
from thawline.data.sources.files import DataFile, damaged_file, find_file
from thawline.data.sources.tables import Table
from thawline.errors import ThawlineError

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile


def open_table(path: Path) -> Table:
    """Open a data file, compressed or not, in the format of its suffix.

    Raises:
        ThawlineError: If the suffix is unknown, or if the file cannot be read, is not UTF-8, is
            truncated or has an invalid row.
    """
    if path.is_dir():
        raise ThawlineError(f"a file ({path})", "a folder", "give one of the files in it")
    file = find_file(path, READERS)
    opener = READERS.get(file.suffix)
    if opener is None:
        raise ThawlineError(
            f"a file that ends in {', '.join(READERS)}, optionally with .gz or in a .zip",
            f"'{path}'",
            "convert the file to one of these formats",
        )
    return opener(file)


def _open_parquet(file: DataFile) -> Table:
    def read(name: str) -> list[Any]:
        with _parquet(file) as parquet:
            cells: list[Any] = parquet.read(columns=[name]).column(0).to_pylist()
        return cells

    with _parquet(file) as parquet:
        schema = parquet.schema_arrow
    return Table(file.where, tuple(schema.names), read, _class_names(schema.metadata))


@contextmanager
def _parquet(file: DataFile) -> Iterator[ParquetFile]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with file.open() as stream:
        content = io.BytesIO(stream.read()) if file.is_packed else stream
        try:
            with pq.ParquetFile(content) as parquet:
                yield parquet
        except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # an error of the operating system, which `DataFile.open` converts
            raise damaged_file(file.where, "a complete Parquet file", error) from error


def _class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, dict[int, str]]:
    """Return the class names that the library `datasets` writes into a Parquet schema."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {
            column: {value: str(name) for value, name in enumerate(feature["names"])}
            for column, feature in features.items()
            if isinstance(feature, dict) and isinstance(feature.get("names"), list)
        }
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}  # there is no such entry, or another library wrote it


def _open_json_lines(file: DataFile) -> Table:
    with file.open_text(newline="\n") as stream:
        # str.splitlines would also split at characters such as U+2028 within a JSON string.
        return _rows_table(file, _objects(enumerate(stream, start=1), file))


def _open_json(file: DataFile) -> Table:
    """Read a JSON file that holds a list of objects, or an object in every line."""
    with file.open_text(newline="\n") as stream:
        content = stream.read()
    if not content.lstrip().startswith("["):
        return _rows_table(file, _objects(enumerate(content.split("\n"), start=1), file))
    try:
        rows = json.loads(content)
    except (ValueError, RecursionError) as error:
        found = f"a syntax error: {error}"
        raise damaged_file(file.where, "a list of JSON objects", found) from error
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            found = f"a value of type {type(row).__name__} as item {number} (counting from 0)"
            raise damaged_file(file.where, "a list of JSON objects", found)
    return _rows_table(file, rows)


def _objects(lines: Iterator[tuple[int, str]], file: DataFile) -> list[dict[str, Any]]:
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
            raise damaged_file(file.where, expected, found)
        rows.append(row)
    return rows


def _rows_table(file: DataFile, rows: list[dict[str, Any]]) -> Table:
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(file.where, columns, lambda name: [row.get(name) for row in rows])


READERS: dict[str, Callable[[DataFile], Table]] = {
    ".parquet": _open_parquet,
    ".csv": open_csv,
    ".tsv": open_tsv,
    ".jsonl": _open_json_lines,
    ".ndjson": _open_json_lines,
    ".json": _open_json,
}
"""The function that opens each format, by suffix."""
