"""A block of consecutive rows of a file, with all columns, in the form in which it was read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from thawline.errors import ThawlineError

if TYPE_CHECKING:
    import pyarrow as pa


class Block(Protocol):
    """Consecutive rows of a file, to which columns are added and which are then written."""

    def __len__(self) -> int:
        """Return the number of rows."""

    @property
    def names(self) -> list[str]:
        """The names of the columns."""

    def column(self, name: str) -> list[Any]:
        """Return the cells of a column. A missing cell is None."""

    def cells(self) -> list[list[Any]]:
        """Return the cells of each row, in the order of the names."""

    def objects(self) -> list[dict[str, Any]]:
        """Return each row as a dict of JSON values."""

    def arrow(self) -> pa.Table:
        """Return the rows as a table of Arrow."""


@dataclass(frozen=True)
class TextBlock:
    """Rows of a CSV, a TSV or a text file, whose cells are texts.

    Attributes:
        columns: The cells of each column by its name.
    """

    columns: Mapping[str, list[str]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self.columns)

    def column(self, name: str) -> list[Any]:
        """Return the cells of a column."""
        return self.columns[name]

    def cells(self) -> list[list[Any]]:
        """Return the cells of each row."""
        return [list(row) for row in zip(*self.columns.values(), strict=True)]

    def objects(self) -> list[dict[str, Any]]:
        """Return each row as a dict of texts."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.cells()]

    def arrow(self) -> pa.Table:
        """Return the rows as a table of strings."""
        import pyarrow as pa

        return pa.table({name: pa.array(c, pa.string()) for name, c in self.columns.items()})


@dataclass(frozen=True)
class ObjectBlock:
    """Rows of a file with a JSON object in each line.

    Attributes:
        rows: The objects.
        columns: The names of the columns, which are the keys of the first objects of the file.
    """

    rows: Sequence[dict[str, Any]]
    columns: Sequence[str]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> list[str]:
        """The names of the columns, which are the same for all blocks of a file.

        Raises:
            ThawlineError: If a row has another key, for which the output has no column.
        """
        known = {*self.columns}
        for row in self.rows:
            if not row.keys() <= known:
                key = next(name for name in row if name not in known)
                raise ThawlineError(
                    f"the keys of the first rows ({', '.join(self.columns)}) in all rows, for an "
                    "output with columns",
                    f"the key '{key}' in a later row",
                    "write the output as .jsonl",
                )
        return list(self.columns)

    def column(self, name: str) -> list[Any]:
        """Return the values of a key. A missing value is None."""
        return [row.get(name) for row in self.rows]

    def cells(self) -> list[list[Any]]:
        """Return the values of each row. Lists and objects are written as JSON."""
        names = self.names
        return [[_as_cell(row.get(name)) for name in names] for row in self.rows]

    def objects(self) -> list[dict[str, Any]]:
        """Return the objects, unchanged."""
        return list(self.rows)

    def arrow(self) -> pa.Table:
        """Return the rows as a table, whose types Arrow infers from the values."""
        import pyarrow as pa

        return pa.table({name: pa.array(self.column(name)) for name in self.names})


@dataclass(frozen=True)
class ArrowBlock:
    """Rows of a Parquet file.

    Attributes:
        table: The rows.
    """

    table: Any

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self.table.column_names)

    def column(self, name: str) -> list[Any]:
        """Return the cells of a column. A null is None."""
        cells: list[Any] = self.table.column(name).to_pylist()
        return cells

    def cells(self) -> list[list[Any]]:
        """Return the cells of each row. Lists and structures are written as JSON."""
        columns = [map(_as_cell, self.column(name)) for name in self.names]
        return [list(row) for row in zip(*columns, strict=True)]

    def objects(self) -> list[dict[str, Any]]:
        """Return each row as a dict of JSON values. Dates and bytes are written as texts."""
        return [{n: _as_json(v) for n, v in row.items()} for row in self.table.to_pylist()]

    def arrow(self) -> pa.Table:
        """Return the rows, unchanged."""
        return self.table


def to_bytes(block: Block) -> bytes:
    """Return a block as bytes, to send it to another process.

    Args:
        block: The block.
    """
    import pyarrow as pa

    if isinstance(block, ObjectBlock):
        table = pa.table({"row": [json.dumps(row) for row in block.rows]})
        table = table.replace_schema_metadata({_KEYS: json.dumps([*block.columns])})
    else:
        table = block.arrow()
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    content: bytes = stream.getvalue().to_pybytes()
    return content


def from_bytes(content: bytes) -> Block:
    """Return the block that `to_bytes` wrote. The rows of a text file become Arrow's strings.

    Args:
        content: The bytes.
    """
    import pyarrow as pa

    with pa.ipc.open_stream(content) as reader:
        table = reader.read_all()
    keys = (table.schema.metadata or {}).get(_KEYS)
    if keys is None:
        return ArrowBlock(table)
    return ObjectBlock([json.loads(row) for row in table.column(0).to_pylist()], json.loads(keys))


_KEYS = b"thawline_keys"
"""The metadata that marks a table of JSON objects, with the names of their columns."""


def to_json(value: Any) -> str:
    """Return a value as JSON on one line. NaN and infinite numbers become null.

    Args:
        value: A value of the types that `json` writes.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _as_cell(value: Any) -> Any:
    if isinstance(value, dict | list | bool):
        return to_json(_as_json(value))
    return _as_json(value)


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
