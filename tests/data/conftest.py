"""Fixtures that write data files for the tests of the data room."""

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.review_files import Rows, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write columns to a file in tmp_path, in the format and compression of its suffixes."""

    def write_file(name: str, columns: Rows) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix.lower()
        if suffix == ".gz":
            path.write_bytes(gzip.compress(_content(path.with_suffix("").suffix, columns)))
        elif suffix == ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(path.stem, _content(path.with_suffix("").suffix, columns))
        else:
            path.write_bytes(_content(suffix, columns))
        return path

    return write_file


def _content(suffix: str, columns: Rows) -> bytes:
    suffix = suffix.lower()
    rows = list(zip(*columns.values(), strict=True))
    if suffix == ".parquet":
        binary = io.BytesIO()
        pq.write_table(pa.table(columns), binary)
        return binary.getvalue()
    objects = [dict(zip(columns, row, strict=True)) for row in rows]
    if suffix == ".json":
        return json.dumps(objects, indent=1).encode()
    if suffix in (".jsonl", ".ndjson"):
        return "".join(json.dumps(row) + "\n" for row in objects).encode()
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t" if suffix == ".tsv" else ",").writerows([list(columns), *rows])
    return text.getvalue().encode()
