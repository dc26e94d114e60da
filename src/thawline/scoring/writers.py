"""Encode blocks of rows with their predictions, and join the parts of an output."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

from thawline.errors import ThawlineError
from thawline.scoring.blocks import Block, to_json

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""The characters at the start of a cell that make a spreadsheet compute it (OWASP, CSV Injection).
"""

Opener = Callable[[], AbstractContextManager[IO[bytes]]]
"""A function that opens a part to read it."""


@dataclass(frozen=True)
class Column:
    """A column that is added to a block.

    Attributes:
        cells: A cell for each row. None if the row has no prediction.
        is_number: Whether the cells are numbers. Otherwise they are texts.
    """

    cells: Sequence[Any]
    is_number: bool


Added = Mapping[str, Column]
"""The columns that are added to a block, by name."""


class Format(ABC):
    """A format in which rows are written, in parts that are joined at the end.

    Args:
        packed: Whether the output is compressed with gzip.

    Attributes:
        has_columns: Whether the output has the names of its columns even if it has no row.
    """

    has_columns: ClassVar[bool] = True

    def __init__(self, *, packed: bool = False) -> None:
        self.packed = packed

    @abstractmethod
    def encode(self, block: Block, added: Added, *, first: bool) -> bytes:
        """Return a part.

        Args:
            block: The rows.
            added: The columns that are added.
            first: Whether it is the first part of the output.
        """

    def join(self, parts: Sequence[Opener], output: IO[bytes]) -> None:
        """Write the output from its parts. Memory does not grow with their size.

        Args:
            parts: Functions that open the parts, in order.
            output: Receives the output.
        """
        for open_part in parts:
            with open_part() as part:
                shutil.copyfileobj(part, output, 2**20)

    def pack(self, content: bytes) -> bytes:
        """Return the bytes of a part, as a member of a gzip file if the output is compressed."""
        return gzip.compress(content, 6, mtime=0) if self.packed else content


class Csv(Format):
    """CSV or TSV, with a header.

    Args:
        delimiter: The character between two cells.
        safe: Whether cells that a spreadsheet would read as a formula begin with an apostrophe.
        packed: Whether the output is compressed with gzip.
    """

    def __init__(self, delimiter: str, *, safe: bool = False, packed: bool = False) -> None:
        super().__init__(packed=packed)
        self._delimiter, self._safe, self._names = delimiter, safe, list[str]()

    def encode(self, block: Block, added: Added, *, first: bool) -> bytes:
        """Return the rows of a part, after the header if it is the first one; see `Format`."""
        names = [*block.names, *added]
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter=self._delimiter, lineterminator="\n")
        if first:
            writer.writerow(map(self._cell, names))
        for cells, predicted in zip(block.cells(), _rows(added), strict=True):
            writer.writerow(map(self._cell, [*cells, *predicted]))
        return self.pack(stream.getvalue().encode("utf-8", "backslashreplace"))

    def _cell(self, value: Any) -> Any:
        if self._safe and isinstance(value, str) and value.startswith(FORMULA):
            return f"'{value}"
        return value


class JsonLines(Format):
    """A JSON object in each line. JSON has no NaN and no infinity, so that they become null."""

    has_columns = False

    def encode(self, block: Block, added: Added, *, first: bool) -> bytes:
        """Return the lines of a part; see `Format`."""
        lines = [
            to_json({**row, **dict(zip(added, predicted, strict=True))})
            for row, predicted in zip(block.objects(), _rows(added), strict=True)
        ]
        # A lone surrogate in a string cannot be written as UTF-8, but as an escape.
        content = "".join(f"{line}\n" for line in lines)
        return self.pack(content.encode("utf-8", "backslashreplace"))


class Parquet(Format):
    """Parquet, with one row group for each part."""

    def encode(self, block: Block, added: Added, *, first: bool) -> bytes:
        """Return a Parquet file with the rows of a part; see `Format`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = block.arrow()
        except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
            raise _without_schema(error) from error
        for name, column in added.items():
            kind = pa.float64() if column.is_number else pa.string()
            table = table.append_column(name, pa.array(column.cells, kind))
        stream = io.BytesIO()
        pq.write_table(table, stream)
        return stream.getvalue()

    def join(self, parts: Sequence[Opener], output: IO[bytes]) -> None:
        """Write the row groups of all parts to one file; see `Format`.

        Raises:
            ThawlineError: If the parts have different columns or types.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        schemas = []
        for open_part in parts:
            with open_part() as part:
                schemas.append(pq.read_schema(part))
        try:
            schema = pa.unify_schemas(schemas)
        except (pa.ArrowException, ValueError) as error:
            raise _without_schema(error) from error
        with pq.ParquetWriter(output, schema) as writer:
            for open_part in parts:
                with open_part() as part:
                    table = pq.read_table(part)
                try:
                    table = table.cast(schema)
                except (pa.ArrowException, ValueError) as error:
                    raise _without_schema(error) from error
                writer.write_table(table)


def lacks_columns(block: Block, form: Format) -> bool:
    """Return whether a block is that of an empty file, whose columns an output would need.

    Args:
        block: The block.
        form: The format of the output.
    """
    return form.has_columns and not len(block) and not block.names


def _rows(added: Added) -> Iterable[tuple[Any, ...]]:
    """Return the added cells of each row."""
    return zip(*(column.cells for column in added.values()), strict=True)


def _without_schema(error: Exception) -> ThawlineError:
    return ThawlineError(
        "the same columns with the same types in all rows, for Parquet",
        f"{error}",
        "write the output as .jsonl",
    )


def open_format(name: str, *, safe: bool) -> Format:
    """Return the format of an output, by the suffix of its name.

    Args:
        name: The name of the output.
        safe: Whether cells that a spreadsheet would read as a formula begin with an apostrophe.

    Raises:
        ThawlineError: If the suffix is unknown.
    """
    lower = name.lower()
    packed = lower.endswith(".gz")
    suffix = Path(lower.removesuffix(".gz")).suffix
    if suffix in (".csv", ".tsv"):
        return Csv("\t" if suffix == ".tsv" else ",", safe=safe, packed=packed)
    if suffix in (".jsonl", ".ndjson"):
        return JsonLines(packed=packed)
    if suffix == ".parquet" and not packed:
        return Parquet()
    raise ThawlineError(
        "an output that ends in .csv, .tsv, .jsonl or .parquet; all but .parquet optionally with "
        ".gz",
        f"'{name}'",
        "choose another name for the output",
        setting="output",
    )
