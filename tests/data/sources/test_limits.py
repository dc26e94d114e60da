"""Test that reading stops at a limit, and that only regular files are read."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thawline.data import load_data
from thawline.data.sources.files import DEFAULT_LIMITS, DataFile, Limits
from thawline.errors import ThawlineError

ROWS = "".join(f"text {row},{row % 2}\n" for row in range(20))
BOMB = b"text,label\n" + b"a" * 100_000_000


def _gz(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content))
    return path


def _zip(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", content)
    return path


def _tar(path: Path, content: bytes) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("pos", "neg"):
            member = tarfile.TarInfo(f"train/{name}/1.txt")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write small files whose content is several hundred times larger."""
    folder = tmp_path_factory.mktemp("bombs")
    for name in ("bomb.csv.gz", "bomb.tsv.gz", "bomb.jsonl.gz", "bomb.json.gz", "bomb.parquet.gz"):
        _gz(folder / name, b'{"text": "' + BOMB[11:] if "json" in name else BOMB)
    _zip(folder / "bomb.zip", BOMB)
    _tar(folder / "bomb.tar.gz", BOMB)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        *("bomb.csv.gz", "bomb.tsv.gz", "bomb.jsonl.gz", "bomb.json.gz", "bomb.parquet.gz"),
        *("bomb.zip", "bomb.tar.gz"),
    ],
)
def test_bomb_is_refused_before_it_is_unpacked(bombs, name):
    packed = (bombs / name).stat().st_size
    tracemalloc.start()
    with pytest.raises(ThawlineError) as raised:
        load_data(bombs / name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert name in raised.value.expected
    assert "compressed" in raised.value.found
    assert packed < 1_000_000
    assert peak < 250_000_000


def test_a_large_bomb_is_refused_at_its_start():
    rows = gzip.compress(b"a film,pos\n" * 1_000_000)
    Path("bomb.csv.gz").write_bytes(gzip.compress(b"text,label\n") + rows * 40)
    sizes: list[int] = []
    with (
        DataFile(Path("bomb.csv.gz")).open() as stream,  # 440 MB
        pytest.raises(ThawlineError) as raised,
    ):
        sizes.extend(map(len, iter(lambda: stream.read(2**20), b"")))
    assert "compressed" in raised.value.found
    assert 0 < sum(sizes) < 100_000_000


def test_a_column_of_parquet_that_repeats_a_text_is_refused():
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(10_000, np.int8)), ["a film" * 2_000])
    pq.write_table(pa.table({"text": texts, "label": [0, 1] * 5_000}), "bomb.parquet")
    with pytest.raises(ThawlineError) as raised:
        load_data("bomb.parquet")
    assert "compressed" in raised.value.found


def test_hostile_metadata_of_parquet_is_ignored():
    table = pa.table({"text": [f"text {row}" for row in range(20)], "label": [0, 1] * 10})
    for metadata in ("[" * 100_000, "1" * 10_000, "[]", "null"):
        pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), "data.parquet")
        assert len(load_data("data.parquet").train) > 0


@pytest.mark.parametrize(
    "content",
    ["," * 30_000 + "\n", f"text,label{',c' * 30_000}\na,b\n", 'text,label\n"' + "a,b\n" * 200_000],
)
def test_a_row_of_very_many_cells_or_lines_is_refused(content):
    Path("data.csv").write_text(content)
    with pytest.raises(ThawlineError) as raised:
        load_data("data.csv")
    assert any(number in raised.value.found for number in ("30,001", "30,002", "100,000"))


def test_very_many_columns_are_refused():
    row = {"text": "a film", "label": 1} | {f"c{column}": 1 for column in range(20_000)}
    Path("data.jsonl").write_text(f"{json.dumps(row)}\n")
    with pytest.raises(ThawlineError) as raised:
        load_data("data.jsonl")
    assert "20,002" in raised.value.found


def test_usual_compression_is_allowed():
    content = ("text,label\n" + ROWS * 5_000).encode()
    assert len(load_data(_gz(Path("reviews.csv.gz"), content)).train) > 50_000


@pytest.mark.parametrize("write", [_gz, _zip, _tar])
def test_size_of_an_unpacked_file_is_limited(write):
    suffix = {"_gz": "data.csv.gz", "_zip": "data.zip", "_tar": "data.tar.gz"}[write.__name__]
    path = write(Path(suffix), os.urandom(2_000).hex().encode())
    with pytest.raises(ThawlineError) as raised:
        load_data(path, max_file_bytes=3_000)
    assert raised.value.setting == "data.max_file_bytes"
    assert "3,000" in raised.value.expected


def test_size_of_a_plain_file_is_limited():
    Path("data.csv").write_text("text,label\n" + ROWS)
    size = Path("data.csv").stat().st_size
    assert len(load_data("data.csv", max_file_bytes=size).train) > 0
    with pytest.raises(ThawlineError) as raised:
        load_data("data.csv", max_file_bytes=size - 1)
    assert f"{size:,}" in raised.value.found


@pytest.mark.parametrize("name", ["data.csv", "data.jsonl", "folder"])
def test_length_of_a_text_is_limited(name):
    if name == "data.csv":
        Path(name).write_text(f"text,label\n{ROWS}{'b' * 300},1\n")
    elif name == "data.jsonl":
        rows = [f'{{"text": "text {row}", "label": {row % 2}}}' for row in range(20)]
        Path(name).write_text("\n".join([*rows, f'{{"text": "{"b" * 300}", "label": 1}}']))
    else:
        for row in range(20):
            Path(f"folder/{row % 2}").mkdir(parents=True, exist_ok=True)
            Path(f"folder/{row % 2}/{row}.txt").write_text(f"text {row}")
        Path("folder/1/99.txt").write_text("b" * 300)
    with pytest.raises(ThawlineError) as raised:
        load_data(name, max_text_characters=299)
    assert raised.value.setting == "data.max_text_characters"
    assert "300" in raised.value.found
    assert len(load_data(name, max_text_characters=300).train) > 0


def test_huge_text_file_is_not_read():
    for row in range(20):
        Path(f"folder/{row % 2}").mkdir(parents=True, exist_ok=True)
        Path(f"folder/{row % 2}/{row}.txt").write_text(f"text {row}")
    with Path("folder/1/99.txt").open("wb") as file:
        file.truncate(10**12)  # a sparse file, which takes no space
    with pytest.raises(ThawlineError) as raised:
        load_data("folder")
    assert "99.txt" in str(raised.value)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".csv.gz", ".zip", ".tar.gz"])
def test_only_regular_files_are_read(suffix):
    pipe, device = Path(f"pipe{suffix}"), Path(f"device{suffix}")
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        with pytest.raises(ThawlineError) as raised:
            load_data(path)
        assert str(path) in raised.value.found


def test_very_long_header_is_refused_quickly():
    Path("data.csv").write_text("a" * 5_000_000)
    with pytest.raises(ThawlineError) as raised:
        load_data("data.csv")
    assert len(str(raised.value)) < 1_000


def test_position_beyond_the_limit_cannot_be_reached():
    path = _gz(Path("data.csv.gz"), b"x" * 1_000_000)
    limits = Limits(file_bytes=200_000, text_characters=DEFAULT_LIMITS.text_characters)
    with DataFile(path, limits=limits).open() as stream:
        assert stream.read(60) == b"x" * 60
        assert stream.seek(10) == 10
        with pytest.raises(ThawlineError):
            stream.seek(200_001)
