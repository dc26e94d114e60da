"""Readers return what well-formed files hold, and answer unusual values with one clear error."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fuzzing.harness import check_message
from tests.support.records import fit_record
from thawline.config import Config, DataConfig, PretrainConfig
from thawline.config.annotations import settings_of
from thawline.config.resolve import config_to_toml, resolve_config
from thawline.data.loading import load
from thawline.data.sources.open import open_source
from thawline.data.sources.parts import WHOLE
from thawline.errors import ThawlineError
from thawline.runs.records import read_record

fuzzed = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
texts = st.text(characters, min_size=1, max_size=30).filter(lambda text: bool(text.strip()))
labels = st.sampled_from(["neg", "pos", "x y", "ü"])
rows = st.lists(st.tuples(texts, labels), min_size=2, max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.text(st.characters(categories=["Cs", "Cc", "Cf", "Zl"]), max_size=4)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)


def answered(read: Callable[[], Any]) -> Any:
    """Return what a reader returns, or its error, which must be one short line."""
    try:
        return read()
    except ThawlineError as error:
        check_message(error)
        return error


def read_back(file: Path) -> list[tuple[Any, Any]]:
    """Return the texts and labels of a file, and check that nothing was assumed in silence."""
    part = open_source(str(file), "text", "label").parts[WHOLE]
    return list(zip(part.texts, part.raw_labels, strict=True))


class TestDifferential:
    """The number of rows and their content are what another library wrote."""

    @fuzzed
    @given(rows=rows)
    @pytest.mark.parametrize("lines", [False, True])
    def test_json(self, tmp_path: Path, rows: list[tuple[str, str]], lines: bool) -> None:
        file = tmp_path / ("t.jsonl" if lines else "t.json")
        objects = [{"text": text, "label": label} for text, label in rows]
        content = "\n".join(map(json.dumps, objects)) if lines else json.dumps(objects)
        file.write_text(content, encoding="utf-8")
        assert read_back(file) == rows

    @fuzzed
    @given(rows=rows)
    def test_parquet(self, tmp_path: Path, rows: list[tuple[str, str]]) -> None:
        columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
        pq.write_table(pa.table(columns), tmp_path / "t.parquet")
        assert read_back(tmp_path / "t.parquet") == rows

    @fuzzed
    @given(rows=rows)
    @pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
    def test_csv(self, tmp_path: Path, rows: list[tuple[str, str]], quoting: int) -> None:
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, quoting=quoting)  # type: ignore[arg-type]
        writer.writerows([("text", "label"), *rows])
        (tmp_path / "t.csv").write_bytes(buffer.getvalue().encode())
        found = answered(lambda: read_back(tmp_path / "t.csv"))
        # A cell with several lines that look like rows is refused rather than guessed.
        assert found == rows or isinstance(found, ThawlineError)
        if not any(set(text) & set('"\r\n') for text, _ in rows):
            assert found == rows

    @fuzzed
    @given(
        rows=st.lists(
            st.tuples(texts.map(lambda text: " ".join(text.split())).filter(bool), labels),
            min_size=2,
            max_size=20,
        )
    )
    def test_tsv(self, tmp_path: Path, rows: list[tuple[str, str]]) -> None:
        lines = "".join(f"{text}\t{label}\n" for text, label in rows)
        (tmp_path / "t.tsv").write_bytes(f"text\tlabel\n{lines}".encode())
        found = answered(lambda: read_back(tmp_path / "t.tsv"))
        assert isinstance(found, ThawlineError) or len(found) == len(rows)
        if not any('"' in text for text, _ in rows):
            assert found == rows


class TestUnusual:
    @fuzzed
    @given(cells=st.lists(st.tuples(values, values), max_size=6), wrapped=st.booleans())
    def test_json_values(self, tmp_path: Path, cells: list[tuple[Any, Any]], wrapped: bool) -> None:
        objects: Any = [{"text": text, "label": label} for text, label in cells]
        content = json.dumps({"data": objects} if wrapped else objects)
        (tmp_path / "t.json").write_text(content, encoding="utf-8")
        answered(lambda: load(DataConfig(data=str(tmp_path / "t.json"))))

    @fuzzed
    @given(value=values)
    @pytest.mark.parametrize("suffix", ["json", "jsonl"])
    def test_any_json(self, tmp_path: Path, value: Any, suffix: str) -> None:
        file = tmp_path / f"t.{suffix}"
        file.write_text(json.dumps(value), encoding="utf-8")
        answered(lambda: load(DataConfig(data=str(file))))

    @fuzzed
    @given(
        text=st.sampled_from(
            [
                pa.array(["a", "b", None, "d"]),
                pa.array([b"a", b"\xff", b"", None]),
                pa.array([1, 2, 3, None]),
                pa.array([[1], [], None, [2, 3]]),
                pa.array([["a", "b"], ["c"], [], None]),
                pa.array([{"a": 1}, {"a": 2}, None, {"a": None}]),
                pa.array(["a", "b", "a", "b"]).dictionary_encode(),
                pa.array([1.5, float("nan"), None, 2.0]),
                pa.array([None] * 4),
                pa.array([True, False, None, True]),
                pa.array([0, 1, 2, 3], pa.timestamp("ns", "UTC")),
                pa.array([0, 1, 2, 3], pa.duration("us")),
                pa.array([2**63, 1, 2, 3], pa.uint64()),
                pa.array([-(2**63), 1, 2, 3]),
                pa.array(["1.5", "2", "3", "4"]).cast(pa.decimal128(20, 4)),
                pa.array(["a", "b", "c", "d"], pa.large_string()),
                pa.array([1, 2, 3, 4], pa.float16()),
            ]
        ),
        names=st.lists(
            st.sampled_from(["text", "label", "", "a.b", "\x1b[31m", "TEXT", "idx"]),
            min_size=2,
            max_size=3,
        ),
        data=st.data(),
    )
    def test_parquet_types(
        self, tmp_path: Path, text: pa.Array, names: list[str], data: st.DataObject
    ) -> None:
        others = [pa.array(["a", "b", "c", "d"]), pa.array([0, 1, 0, 1]), text]
        columns = [text, *(data.draw(st.sampled_from(others)) for _ in names[1:])]
        table = pa.Table.from_arrays(columns, names=names)
        pq.write_table(table, tmp_path / "t.parquet")
        answered(lambda: load(DataConfig(data=str(tmp_path / "t.parquet"))))

    @fuzzed
    @given(data=st.data())
    @pytest.mark.parametrize("job", [Config, PretrainConfig])
    def test_overrides(self, job: type, data: st.DataObject) -> None:
        keys = st.sampled_from(sorted(settings_of(job))) | st.text(max_size=12)
        written = values.map(lambda value: json.dumps(value)) | st.text(max_size=30)
        pair = st.builds(lambda key, value: f"{key}={value}", keys, written)
        given = data.draw(st.lists(pair, min_size=1, max_size=3))
        config = answered(lambda: resolve_config(config_type=job, overrides=given))
        if isinstance(config, Config):
            config_to_toml(config)

    @fuzzed
    @given(data=st.data())
    def test_toml(self, tmp_path: Path, data: st.DataObject) -> None:
        plain = st.recursive(
            st.booleans() | st.integers() | st.floats() | st.text(characters, max_size=10),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(characters, max_size=5), inner, max_size=3)
            ),
            max_leaves=5,
        )
        keys = st.sampled_from(["data", "training", "head", "backbone", "seed", "x", ""])
        table = data.draw(st.dictionaries(keys, plain, max_size=4))
        (tmp_path / "c.toml").write_text(tomli_w.dumps(table), encoding="utf-8")
        answered(lambda: resolve_config(file=tmp_path / "c.toml"))

    @fuzzed
    @given(data=st.data())
    def test_records(self, tmp_path: Path, data: st.DataObject) -> None:
        record = fit_record().to_dict()
        for _ in range(data.draw(st.integers(1, 3))):
            place, key = record, data.draw(st.sampled_from(sorted(record)))
            while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
                place = place[key]
                key = data.draw(st.sampled_from(sorted(place)))
            place[key] = data.draw(values)
        file = tmp_path / "record.json"
        file.write_text(json.dumps(record), encoding="utf-8")
        found = answered(lambda: read_record(file))
        if not isinstance(found, ThawlineError):
            assert found.to_dict().keys() == record.keys()
