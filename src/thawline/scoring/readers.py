"""Read files in blocks of rows, so that memory does not grow with the size of a file."""

from __future__ import annotations

import io
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from thawline.data.sources.columns import find_texts, split_joined
from thawline.data.sources.files import DataFile, damaged_file
from thawline.data.sources.headers import name_columns
from thawline.data.sources.parsing import InvalidRows, Rows, rows_of_equal_width
from thawline.data.sources.rows import field_limit_lifted, read_rows
from thawline.data.sources.tables import Table
from thawline.errors import ThawlineError
from thawline.scoring.blocks import ArrowBlock, Block, ObjectBlock, TextBlock
from thawline.scoring.remote import RemoteFile

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

SAMPLE_CHARACTERS = 2**20
"""The number of characters from which the delimiter, quotes and header of a CSV are found."""

SAMPLE_OBJECTS = 1_000
"""The number of JSON Lines objects whose keys are the columns, if the output has columns."""

USUAL_RATIO = 3
"""The assumed ratio of content to gzip file, with which the number of lines is estimated."""

CUT_LINES = 16
"""The number of lines that are removed one by one from a sample that ends within a row."""


@dataclass(frozen=True)
class _Sample(DataFile):
    """The start of a text file.

    Attributes:
        content: The start, as UTF-8.
        name_of_whole: The name of the file, for messages.
    """

    content: bytes = b""
    name_of_whole: str = ""

    @property
    def shown(self) -> str:
        """The name of the file, for messages."""
        return self.name_of_whole

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the start of the file and yield its bytes."""
        yield io.BytesIO(self.content)


class Reader(ABC):
    """Reads one file in blocks.

    Args:
        file: The file.
        text: The text column, or two columns separated by a comma. If None, the columns are found
            by common names.

    Attributes:
        file: The file.
        columns: The columns of one text, or of both texts of a pair. If a text has several columns,
            their cells are joined with a space.
        sample_names: The names of all columns, as far as the first rows show them.
        warnings: What was assumed about the file.

    Raises:
        ThawlineError: If the file cannot be read, or has no such column.
    """

    def __init__(self, file: DataFile, text: str | None) -> None:
        self.file = file
        table = self.sample()
        self.warnings = list(table.warnings)
        self.sample_names = table.columns
        # An empty file has no columns.
        found = find_texts(table, text) if table.columns else ()
        self.columns = [[name] if name in table.columns else split_joined(name) for name in found]
        for name in itertools.chain(*self.columns):
            if table.columns.count(name) > 1:
                fix = "rename one of the columns"
                raise ThawlineError(f"one column '{name}' in {file.where}", "several", fix)

    @abstractmethod
    def sample(self) -> Table:
        """Return the first rows of the file."""

    def estimate_rows(self) -> int:
        """Return the number of lines, which is close to the number of rows.

        Reading a remote file takes long, so that its number of lines is estimated from its start.
        """
        with self.file.open() as stream:
            if not isinstance(self.file, RemoteFile):
                lines, last = 0, b"\n"
                for part in iter(lambda: stream.read(2**20), b""):
                    lines, last = lines + part.count(b"\n"), part[-1:]
                return lines + (last != b"\n")  # the last line may have no end
            head = stream.read(2**20)
        size = self.file.size * (USUAL_RATIO if self.file.is_packed else 1)
        lines = max(head.count(b"\n"), len(head[:1]))
        return round(lines * max(1, size / max(1, len(head))))

    def blocks(self, rows: int, skip: int = 0) -> Generator[Block, None, None]:
        """Yield the rows of the file. A file without rows has one block, which has no rows.

        Args:
            rows: The number of rows of a block. Only the last block has fewer.
            skip: The number of blocks that are left out at the start.

        Raises:
            ThawlineError: If a row is invalid.
        """
        has_rows = skip > 0
        for block in self.rows(rows, skip):
            has_rows = True
            yield block
        if not has_rows:
            yield self.no_rows()

    @abstractmethod
    def rows(self, size: int, skip: int) -> Iterator[Block]:
        """Yield the rows of the file as `blocks` does, but no block for a file without rows."""

    def no_rows(self) -> Block:
        """Return a block with the columns of the file and without rows."""
        return TextBlock({name: [] for name in _unique(self.sample_names)})


class CsvReader(Reader):
    """Reads a CSV or a TSV file. The form of its rows and its header are found from a sample."""

    def sample(self) -> Table:
        """Return the rows at the start of the file."""
        usual = "\t" if self.file.suffix == ".tsv" else ","
        with self.file.open_text() as stream:
            text = stream.read(SAMPLE_CHARACTERS)
            is_whole = not stream.read(1)
        lines = list(io.StringIO(text, newline=""))
        if not is_whole and len(lines) > 1:
            lines.pop()
        rows = self._sample_rows(lines, usual, is_whole=is_whole)
        self._form, self._header = rows.form, None
        table = name_columns(rows, self.file.path)
        if rows.cells and [cell.strip("\ufeff") for cell in rows.cells[0]] == [*table.columns]:
            self._header = rows.cells[0]
        self._headless = table.headless
        return table

    def _sample_rows(self, lines: list[str], usual: str, *, is_whole: bool) -> Rows:
        errors: list[InvalidRows] = []
        for cut in (0,) if is_whole else _cuts(len(lines)):
            content = "".join(lines[: len(lines) - cut]).encode()
            sample = _Sample(self.file.path, content=content, name_of_whole=self.file.shown)
            try:
                return read_rows(sample, usual)
            except InvalidRows as invalid:  # the last row may end after the sample
                errors.append(invalid)
        raise errors[0]

    def rows(self, size: int, skip: int) -> Iterator[Block]:
        """Yield the rows of the file; see `Reader.rows`."""
        read = Rows(self.file.where, self._form)
        with field_limit_lifted():
            split = rows_of_equal_width(self.file, read)
            if self._header is not None:
                next(split, None)
            for number in itertools.count():
                part = list(itertools.islice(split, size))
                if not part:
                    return
                if number >= skip:
                    yield self._block(part)

    def _block(self, part: list[tuple[int, list[str], list[str]]]) -> Block:
        rows = [cells for _, cells, _ in part]
        if self._headless is not None:
            # The layout is that of the sample, because a block can be too short to show it.
            return TextBlock(self._headless([line for line, _, _ in part], rows))
        header = self._header or []
        names = _unique([cell.strip("\ufeff") for cell in header])
        kept = [cells for cells in rows if cells != header]
        return TextBlock({name: [row[i] for row in kept] for i, name in enumerate(names)})


class LinesReader(Reader):
    """Reads a file with one text in each line."""

    def sample(self) -> Table:
        """Return a table without rows."""
        return Table(self.file.where, ("text",), lambda name: [])

    def rows(self, size: int, skip: int) -> Iterator[Block]:
        """Yield the lines of the file; see `Reader.rows`."""
        with self.file.open_text(newline="\n") as stream:
            for number in itertools.count():
                part = [line.rstrip("\r\n") for line in itertools.islice(stream, size)]
                if not part:
                    return
                if number >= skip:
                    yield TextBlock({"text": part})


class JsonLinesReader(Reader):
    """Reads a file with a JSON object in each line."""

    def sample(self) -> Table:
        """Return the first object of the file, with the keys of the first objects."""
        with self.file.open_text(newline="\n") as stream:
            objects = itertools.islice(self._objects(stream), SAMPLE_OBJECTS)
            first = next(objects, {})
            names = dict.fromkeys(first)
            with suppress(ThawlineError):  # `blocks` reports an invalid line after those before it
                for row in objects:
                    names |= dict.fromkeys(row)
        self._names = tuple(names)
        return Table(self.file.where, self._names, lambda name: [first.get(name)])

    def _objects(self, stream: Iterator[str]) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                found = f"a syntax error in line {number}: {error}"
                raise damaged_file(self.file.where, "a JSON object in every line", found) from error
            if not isinstance(row, dict):
                found = f"a value of type {type(row).__name__} in line {number}"
                fix = 'write each line as an object with names: {"text": …}'
                raise ThawlineError(f"a JSON object in every line ({self.file.where})", found, fix)
            yield row

    def rows(self, size: int, skip: int) -> Iterator[Block]:
        """Yield the objects of the file; see `Reader.rows`."""
        with self.file.open_text(newline="\n") as stream:
            objects = self._objects(stream)
            for number in itertools.count():
                part = list(itertools.islice(objects, size))
                if not part:
                    return
                if number >= skip:
                    yield ObjectBlock(part, self._names)

    def no_rows(self) -> Block:
        """Return a block without objects."""
        return ObjectBlock([], self._names)


class ParquetReader(Reader):
    """Reads a Parquet file."""

    def sample(self) -> Table:
        """Return a table with the columns of the file and without rows."""
        with self._open() as parquet:
            names = tuple(parquet.schema_arrow.names)
        return Table(self.file.where, names, lambda name: [])

    def estimate_rows(self) -> int:
        """Return the number of rows."""
        with self._open() as parquet:
            return int(parquet.metadata.num_rows)

    @contextmanager
    def _open(self) -> Iterator[ParquetFile]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self.file.open() as stream:
            try:
                with pq.ParquetFile(stream) as parquet:
                    yield parquet
            except (pa.ArrowException, UnicodeDecodeError) as error:
                raise damaged_file(self.file.where, "a complete Parquet file", error) from error

    def rows(self, size: int, skip: int) -> Iterator[Block]:
        """Yield the rows of the file; see `Reader.rows`."""
        import pyarrow as pa

        with self._open() as parquet:
            for number, table in enumerate(_rebatched(parquet.iter_batches(size), size)):
                if number >= skip:
                    block = pa.Table.from_batches(table)
                    yield ArrowBlock(block.rename_columns(_unique(block.column_names)))

    def no_rows(self) -> Block:
        """Return a block with the columns of the file, with their types, and without rows."""
        with self._open() as parquet:
            table = parquet.schema_arrow.empty_table()
        return ArrowBlock(table.rename_columns(_unique(table.column_names)))


def _cuts(lines: int) -> list[int]:
    """Return the numbers of lines to remove from the end of a sample, in the order of the attempts.

    A sample can end within a cell of thousands of lines. The first attempts remove one more line
    each. Later ones remove a power of two, or keep only a half, a quarter and so on of the lines.
    """
    few = range(min(CUT_LINES, lines))
    steps = range(lines.bit_length())
    further = {1 << step for step in steps} | {lines - (lines >> step) for step in steps}
    return [*few, *sorted(cut for cut in further if CUT_LINES <= cut < lines)]


def _unique(names: Sequence[str]) -> list[str]:
    """Return names of columns with a number after each that occurred before."""
    found: dict[str, None] = {}
    for name in names:
        new, number = name, 2
        while new in found or (new != name and new in names):
            new, number = f"{name}_{number}", number + 1
        found[new] = None
    return list(found)


def _rebatched(batches: Iterator[Any], rows: int) -> Iterator[list[Any]]:
    """Yield lists of record batches with a number of rows together, the last list with fewer.

    The batches of a Parquet file can end at the end of a row group.
    """
    waiting: list[Any] = []
    for batch in batches:
        while batch.num_rows:
            space = rows - sum(each.num_rows for each in waiting)
            waiting.append(batch.slice(0, space))
            batch = batch.slice(min(space, batch.num_rows))
            if sum(each.num_rows for each in waiting) == rows:
                yield waiting
                waiting = []
    if waiting:
        yield waiting


READERS: dict[str, type[Reader]] = {
    ".parquet": ParquetReader,
    ".csv": CsvReader,
    ".tsv": CsvReader,
    ".jsonl": JsonLinesReader,
    ".ndjson": JsonLinesReader,
    ".txt": LinesReader,
}
"""The reader of each format, by the suffix of the file without ``.gz``."""


def open_reader(file: DataFile, text: str | None) -> Reader:
    """Return the reader of a file, by its suffix.

    Args:
        file: The file, which may be compressed with gzip.
        text: The text column, or two columns separated by a comma. If None, the columns are found
            by common names.

    Raises:
        ThawlineError: If the suffix is unknown, if the file cannot be read, or if it has no such
            column.
    """
    reader = READERS.get(file.suffix)
    if reader is None:
        raise ThawlineError(
            f"a file that ends in {', '.join(READERS)}, optionally with .gz",
            f"'{file.shown}'",
            "convert the file to one of these formats",
        )
    return reader(file, text)
