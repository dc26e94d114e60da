"""Open data files in the supported formats, selected by suffix."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thawline.data.sources.delimited import open_csv, open_tsv
from thawline.data.sources.fasttext import open_fasttext
from thawline.data.sources.files import (
    DEFAULT_LIMITS,
    MAX_COLUMNS,
    DataFile,
    Limits,
    check_ratio,
    damaged_file,
    find_file,
    too_many_columns,
)
from thawline.data.sources.json_tables import open_json, open_json_lines
from thawline.data.sources.semicolons import open_text
from thawline.data.sources.tables import Table
from thawline.errors import ThawlineError, as_given
from thawline.runtime.untrusted import parse_json

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile


_ROWS_AT_ONCE = 256
"""The number of rows of a Parquet file that are read before their size is checked."""


def open_table(path: Path, limits: Limits = DEFAULT_LIMITS) -> Table:
    """Open a data file, compressed or not, in the format of its suffix.

    Args:
        path: The path of the file.
        limits: How much may be read.

    Raises:
        ThawlineError: If the suffix is unknown, or if the file cannot be read, is not UTF-8, is
            truncated, has very many columns or an invalid row.
    """
    if path.is_dir():
        raise ThawlineError(f"a file ({as_given(path)})", "a folder", "give one of the files in it")
    file = find_file(path, READERS, limits)
    opener = {**TEXT_READERS, **READERS}.get(file.suffix)
    if opener is None:
        raise ThawlineError(
            f"a file that ends in {', '.join(READERS)}, optionally with .gz or in a .zip",
            f"'{path}'",
            "convert the file to one of these formats",
        )
    table = opener(file)
    if len(table.columns) > MAX_COLUMNS:
        raise too_many_columns(file.where, len(table.columns))
    return table


def _open_parquet(file: DataFile) -> Table:
    def read(name: str) -> list[Any]:
        cells: list[Any] = []
        unpacked, packed = 0, file.path.stat().st_size
        with _parquet(file) as parquet:
            # A repeated text takes a few bits in the file, and all its bytes in memory.
            for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=[name]):
                column = batch.column(0)
                if hasattr(column, "dictionary_decode"):
                    column = column.dictionary_decode()
                unpacked += column.nbytes
                check_ratio(file.where, unpacked, packed)
                cells.extend(column.to_pylist())
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
        features = parse_json((metadata or {})[b"huggingface"])["info"]["features"]
        return {
            column: {value: str(name) for value, name in enumerate(feature["names"])}
            for column, feature in features.items()
            if isinstance(feature, dict) and isinstance(feature.get("names"), list)
        }
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return {}  # there is no such entry, or another library wrote it


READERS: dict[str, Callable[[DataFile], Table]] = {
    ".parquet": _open_parquet,
    ".csv": open_csv,
    ".tsv": open_tsv,
    ".jsonl": open_json_lines,
    ".ndjson": open_json_lines,
    ".json": open_json,
}
"""The function that opens each format, by suffix."""

TEXT_READERS: dict[str, Callable[[DataFile], Table]] = {".txt": open_text, ".ft": open_fasttext}
"""Formats of plain text. Such files beside data files, like a readme.txt, are not data."""
