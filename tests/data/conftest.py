"""Files that the tests of the data room write for themselves."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from review_files import Rows, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write columns to a file below tmp_path, in the form of its suffix."""

    def write_file(name: str, columns: Rows) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = list(zip(*columns.values(), strict=True))
        if path.suffix.lower() == ".parquet":
            pq.write_table(pa.table(columns), path)
        elif path.suffix.lower() == ".jsonl":
            lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
            path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([list(columns), *rows])
        return path

    return write_file
