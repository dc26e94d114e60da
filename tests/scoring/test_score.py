"""Files are scored in blocks: all columns stay, and a stopped job goes on."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.command_line import save_here
from thawline import TextClassifier
from thawline.cli.verbs.score import _stream
from thawline.config import ScoreConfig
from thawline.data.sources.files import DataFile
from thawline.errors import ThawlineError
from thawline.runtime.progress import Advance, Reporter
from thawline.scoring.blocks import ObjectBlock, TextBlock, from_bytes, to_bytes
from thawline.scoring.files import pair_files
from thawline.scoring.job import Scored, ScoringJob
from thawline.scoring.places import LocalPlace
from thawline.scoring.writers import open_format


def parts_folder(output: Path) -> Path:
    return output.with_name(f"{output.name}.parts")


def files_in(folder: Path) -> list[str]:
    """Return the names in a folder, without the folders of every test."""
    return sorted({path.name for path in folder.iterdir()} - {"cwd", "home"})


Reviews = Callable[..., tuple[list[str], list[int]]]


@pytest.fixture
def texts(toy_reviews: Reviews) -> list[str]:
    return toy_reviews(25, seed=4)[0]


def job(artifact: Path, **settings: object) -> ScoringJob:
    config = ScoreConfig(**{"rows_per_block": 4, "dtype": "float32", **settings})
    return ScoringJob([artifact], config, Reporter())


class Shown(Reporter):
    """Keep the totals of the tasks and the messages."""

    def __init__(self) -> None:
        self.tasks: list[int] = []
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        self.tasks.append(total)
        with super().task(description, total) as advance:
            yield advance


def score(artifact: Path, source: Path, output: Path, **settings: object) -> Scored:
    scoring = job(artifact, **settings)
    return scoring.score(scoring.open(DataFile(source)), output)


def write_csv(path: Path, texts: list[str]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "note"])
        writer.writerows(
            [number, text, f'a "note",\n{number}'] for number, text in enumerate(texts)
        )


class TestFormats:
    def test_csv_keeps_all_columns(self, artifact: Path, texts: list[str], tmp_path: Path) -> None:
        write_csv(tmp_path / "in.csv", texts)
        done = score(artifact, tmp_path / "in.csv", tmp_path / "out.csv")
        assert (done.rows, done.kept, done.without_text) == (25, 0, 0)
        with (tmp_path / "out.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == [
            *("id", "text", "note", "predicted_label", "probability_neg", "probability_pos")
        ]
        assert [row["note"] for row in rows] == [f'a "note",\n{n}' for n in range(25)]
        expected = TextClassifier.load(artifact).predict_proba(texts)
        found = [[float(row["probability_neg"]), float(row["probability_pos"])] for row in rows]
        np.testing.assert_allclose(found, expected, atol=1e-9)
        labels = [("neg", "pos")[row.argmax()] for row in expected]
        assert [row["predicted_label"] for row in rows] == labels
        assert not parts_folder(tmp_path / "out.csv").exists()

    def test_json_lines_keep_their_values(self, artifact: Path, tmp_path: Path) -> None:
        rows = [{"text": "a good film", "tags": ["a", 1], "x": None}, {"text": "\ud800", "y": 1.5}]
        source = tmp_path / "in.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"text": " "}]))
        done = score(artifact, source, tmp_path / "out.jsonl.gz")
        assert done.without_text == 2  # one is blank, and one has an invalid character
        with gzip.open(tmp_path / "out.jsonl.gz", "rt") as file:
            first, second, blank = map(json.loads, file)
        assert {name: first[name] for name in rows[0]} == rows[0]
        assert second["text"] == "\ud800"
        assert first["predicted_label"] in ("neg", "pos")
        assert blank["predicted_label"] is blank["probability_pos"] is None

    def test_parquet_keeps_its_types(
        self, artifact: Path, texts: list[str], tmp_path: Path
    ) -> None:
        table = pa.table(
            {
                "text": texts,
                "when": pa.array(range(25), pa.timestamp("us")),
                "deep": [[{"a": n}] for n in range(25)],
            }
        )
        pq.write_table(table, tmp_path / "in.parquet", row_group_size=7)
        assert score(artifact, tmp_path / "in.parquet", tmp_path / "out.parquet").rows == 25
        found = pq.read_table(tmp_path / "out.parquet")
        assert found.select(table.column_names).equals(table)
        assert score(artifact, tmp_path / "in.parquet", tmp_path / "out.csv").rows == 25

    def test_top_gives_the_most_probable_classes(self, artifact: Path, tmp_path: Path) -> None:
        (tmp_path / "in.txt").write_text("a good film\na dull film\n")
        score(artifact, tmp_path / "in.txt", tmp_path / "out.csv", top=5)
        with (tmp_path / "out.csv").open(newline="") as file:
            good, dull = csv.DictReader(file)
        assert [good[f"label_{rank}"] for rank in (1, 2)] == ["pos", "neg"]
        assert dull["label_1"] == "neg"
        assert float(good["probability_1"]) > float(good["probability_2"])

    def test_formulas_are_harmless_on_demand(self, artifact: Path, tmp_path: Path) -> None:
        (tmp_path / "in.csv").write_text("text,who\na good film,=1+1\n")
        score(artifact, tmp_path / "in.csv", tmp_path / "safe.csv", safe_csv=True)
        score(artifact, tmp_path / "in.csv", tmp_path / "plain.csv")
        written = [(tmp_path / f"{name}.csv").read_text() for name in ("safe", "plain")]
        assert [text.splitlines()[1].split(",")[1] for text in written] == ["'=1+1", "=1+1"]

    def test_a_file_without_a_header(
        self, artifact: Path, texts: list[str], tmp_path: Path
    ) -> None:
        with (tmp_path / "in.csv").open("w", newline="") as file:
            csv.writer(file).writerows([n % 4 + 1, "A title", text] for n, text in enumerate(texts))
        done = score(artifact, tmp_path / "in.csv", tmp_path / "out.csv", rows_per_block=10)
        assert done.rows == 25
        with (tmp_path / "out.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["title"] for row in rows] == ["A title"] * 25
        assert rows[3]["text"] == f"A title {texts[3]}"


EMPTY = {
    "in.csv": b"text,id\n",
    "in.tsv.gz": gzip.compress(b"text\tid\n"),
    "in.parquet": None,
    "in.txt": b"",
    "in.jsonl": b"\n",
}
"""Inputs without rows. The file of Parquet is written by the test."""

NAMES = ["text", "id", "predicted_label", "probability_neg", "probability_pos"]


def write_empty(path: Path) -> None:
    content = EMPTY[path.name]
    if content is not None:
        path.write_bytes(content)
        return
    table = pa.table({"text": pa.array([], pa.string()), "id": pa.array([], pa.int64())})
    pq.write_table(table, path)


class TestNoRows:
    @pytest.mark.parametrize("name", [name for name in EMPTY if name != "in.jsonl"])
    def test_outputs_have_columns_and_no_row(
        self, artifact: Path, tmp_path: Path, name: str
    ) -> None:
        write_empty(tmp_path / name)
        outputs = [f"out.{suffix}" for suffix in ("csv", "tsv", "csv.gz", "jsonl", "parquet")]
        scoring = job(artifact)
        for output in outputs:
            done = scoring.score(scoring.open(DataFile(tmp_path / name)), tmp_path / output)
            assert (done.rows, done.kept, done.without_text) == (0, 0, 0)
        assert files_in(tmp_path) == sorted([name, *outputs])
        names = [each for each in NAMES if each != "id" or name != "in.txt"]
        header = f"{','.join(names)}\n".encode()
        assert (tmp_path / "out.csv").read_bytes() == header
        assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == header
        assert (tmp_path / "out.tsv").read_bytes() == header.replace(b",", b"\t")
        assert (tmp_path / "out.jsonl").read_bytes() == b""
        table = pq.read_table(tmp_path / "out.parquet")
        assert table.num_rows == 0
        assert table.column_names == names
        assert table.schema.field("predicted_label").type == pa.string()
        assert table.schema.field("probability_neg").type == pa.float64()
        if name == "in.parquet":
            assert table.schema.field("id").type == pa.int64()

    @pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
    def test_an_empty_file_has_no_columns(self, artifact: Path, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(b"")
        for output in ("out.csv", "out.parquet"):
            with pytest.raises(ThawlineError) as error:
                score(artifact, tmp_path / name, tmp_path / output)
            assert error.value.setting == "input"
        assert files_in(tmp_path) == [name]
        assert score(artifact, tmp_path / name, tmp_path / "out.jsonl").rows == 0
        assert (tmp_path / "out.jsonl").read_bytes() == b""

    @pytest.mark.parametrize("name", EMPTY)
    def test_no_progress_is_shown(self, artifact: Path, tmp_path: Path, name: str) -> None:
        write_empty(tmp_path / name)
        reporter, scoring = Shown(), job(artifact)
        scoring._reporter = reporter
        scoring.score(scoring.open(DataFile(tmp_path / name)), tmp_path / "out.jsonl")
        assert not reporter.tasks
        assert len(reporter.messages) == 1
        (tmp_path / name).write_bytes(b"")
        if name != "in.parquet":  # an empty file is damaged
            reader = scoring.open(DataFile(tmp_path / name))
            with suppress(ThawlineError):
                scoring.score(reader, tmp_path / "out.csv")
            assert not reporter.tasks

    @pytest.mark.parametrize("suffix", ["txt", "jsonl", "csv"])
    def test_a_last_line_without_an_end_counts(
        self, artifact: Path, tmp_path: Path, suffix: str
    ) -> None:
        contents = {"txt": "good", "jsonl": '{"text": "good"}', "csv": "text\ngood"}
        (tmp_path / f"in.{suffix}").write_text(contents[suffix])
        reporter, scoring = Shown(), job(artifact)
        scoring._reporter = reporter
        scoring.score(scoring.open(DataFile(tmp_path / f"in.{suffix}")), tmp_path / "out.csv")
        (total,) = reporter.tasks
        assert total == (2 if suffix == "csv" else 1)
        assert not reporter.messages

    def test_pairs(self, artifact: Path, tmp_path: Path, toy_reviews: Reviews) -> None:
        texts, labels = toy_reviews(40)
        pairs = TextClassifier(strategy="tfidf").fit([(each, each) for each in texts], labels)
        save_here(pairs, tmp_path / "pairs")
        (tmp_path / "in.csv").write_text("premise,hypothesis\n")
        assert score(tmp_path / "pairs", tmp_path / "in.csv", tmp_path / "out.csv").rows == 0
        assert (tmp_path / "out.csv").read_text().startswith("premise,hypothesis,predicted_label,")

    def test_a_classifier_with_a_backbone(
        self, trained_toy: Callable[..., TextClassifier], tmp_path: Path
    ) -> None:
        save_here(trained_toy(), tmp_path / "toy")
        (tmp_path / "in.csv").write_text("text\n")
        assert score(tmp_path / "toy", tmp_path / "in.csv", tmp_path / "out.csv").rows == 0

    def test_a_block_without_texts_has_the_types_of_the_others(
        self, artifact: Path, tmp_path: Path
    ) -> None:
        pq.write_table(
            pa.table({"text": pa.array([None] * 3, pa.string())}), tmp_path / "a.parquet"
        )
        assert score(artifact, tmp_path / "a.parquet", tmp_path / "out.parquet").without_text == 3
        schema = pq.read_schema(tmp_path / "out.parquet")
        assert schema.field("predicted_label").type == pa.string()
        assert schema.field("probability_pos").type == pa.float64()

    def test_a_first_row_that_is_invalid_leaves_nothing(
        self, artifact: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{')
        with pytest.raises(ThawlineError):
            score(artifact, tmp_path / "in.jsonl", tmp_path / "new" / "deep" / "out.jsonl")
        assert files_in(tmp_path) == ["in.jsonl"]


class TestResume:
    def test_a_stopped_job_goes_on_and_ends_with_the_same_bytes(
        self, artifact: Path, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_csv(tmp_path / "in.csv", texts)
        score(artifact, tmp_path / "in.csv", tmp_path / "whole.csv")
        output, scored = tmp_path / "out.csv", []

        def stops_at(part: int) -> Callable[..., None]:
            def write(path: Path, content: bytes) -> None:
                if path.name.startswith(f"{part:08d}"):
                    raise KeyboardInterrupt
                if path.name[0] == "0":
                    scored.append(path.name)
                path.write_bytes(content)

            return write

        for part in (0, 2, 6):
            with monkeypatch.context() as patch:
                patch.setattr("thawline.scoring.places.write_file", stops_at(part))
                with pytest.raises(KeyboardInterrupt):
                    score(artifact, tmp_path / "in.csv", output)
            assert not output.exists()
        done = score(artifact, tmp_path / "in.csv", output)
        assert (done.kept, done.rows) == (24, 25)
        assert len(scored) == len(set(scored)) == 6  # no part was scored twice
        assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes()

    @pytest.mark.parametrize("change", ["settings", "input"])
    def test_parts_of_another_job_are_refused(
        self, artifact: Path, texts: list[str], tmp_path: Path, change: str
    ) -> None:
        write_csv(tmp_path / "in.csv", texts)
        scoring = job(artifact)
        parts_folder(tmp_path / "out.csv").mkdir()
        scoring.check_state(  # as a job does before its first part
            LocalPlace(tmp_path / "out.csv"),
            DataFile(tmp_path / "in.csv").fingerprint(),
            is_new=True,
        )
        (parts_folder(tmp_path / "out.csv") / "00000000-4").write_bytes(b"")
        if change == "input":
            write_csv(tmp_path / "in.csv", texts[1:])
        with pytest.raises(ThawlineError):
            score(
                artifact,
                tmp_path / "in.csv",
                tmp_path / "out.csv",
                top=1 if change == "settings" else None,
            )

    def test_an_invalid_row_keeps_what_was_scored(
        self, artifact: Path, texts: list[str], tmp_path: Path
    ) -> None:
        source = tmp_path / "in.jsonl"
        lines = [json.dumps({"text": text}) for text in texts]
        source.write_text("\n".join([*lines[:10], "{", *lines[11:]]))
        with pytest.raises(ThawlineError):
            score(artifact, source, tmp_path / "out.jsonl")
        assert len(list(parts_folder(tmp_path / "out.jsonl").glob("0*"))) == 2


class TestRefusals:
    def test_taken_names(self, artifact: Path, tmp_path: Path) -> None:
        (tmp_path / "in.csv").write_text("text,predicted_label\na good film,x\n")
        with pytest.raises(ThawlineError):
            score(artifact, tmp_path / "in.csv", tmp_path / "out.csv")

    def test_an_existing_output(self, artifact: Path, tmp_path: Path) -> None:
        (tmp_path / "in.txt").write_text("a good film\n")
        (tmp_path / "out.csv").write_text("mine")
        with pytest.raises(ThawlineError):
            score(artifact, tmp_path / "in.txt", tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_text() == "mine"

    @pytest.mark.parametrize("name", ["out.xlsx", "out", "out.parquet.gz"])
    def test_unknown_outputs(self, name: str) -> None:
        with pytest.raises(ThawlineError) as error:
            open_format(name, safe=False)
        assert error.value.setting == "output"

    def test_pairs_for_single_texts(self, artifact: Path, tmp_path: Path) -> None:
        (tmp_path / "in.csv").write_text("premise,hypothesis\na film,good\n")
        with pytest.raises(ThawlineError) as error:
            job(artifact).open(DataFile(tmp_path / "in.csv"))
        assert error.value.setting == "text"


class TestPairFiles:
    def test_a_folder_and_a_pattern(self, tmp_path: Path) -> None:
        (tmp_path / "in" / "deep").mkdir(parents=True)
        for name in ("a.csv", "deep/b.jsonl.gz", "deep/c.txt", "readme.md"):
            (tmp_path / "in" / name).write_text("text\na\n")
        out = str(tmp_path / "out")
        expected = ["a.csv", "deep/b.jsonl.gz", "deep/c.csv"]
        found = pair_files(str(tmp_path / "in"), out)
        assert [str(target.relative_to(out)) for _, target in found] == expected
        matched = pair_files(str(tmp_path / "in" / "**" / "*.gz"), out)
        assert [str(target.relative_to(out)) for _, target in matched] == expected[1:2]

    def test_missing_files(self, tmp_path: Path) -> None:
        for given in (tmp_path / "none.csv", tmp_path / "*.csv", tmp_path):
            with pytest.raises(ThawlineError) as error:
                pair_files(str(given), str(tmp_path / "out"))
            assert error.value.setting == "input"


class TestHostileInputs:
    def lines(self, path: Path, rows: list[dict[str, object]]) -> Path:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def test_a_later_key_moves_no_cell(self, artifact: Path, tmp_path: Path) -> None:
        rows = [{"text": f"good {n}", **({"x": n} if n < 5 else {})} for n in range(4, 14)]
        source = self.lines(tmp_path / "in.jsonl", rows[::-1])
        score(artifact, source, tmp_path / "out.csv")
        with (tmp_path / "out.csv").open(newline="") as file:
            found = list(csv.reader(file))
        assert {len(row) for row in found} == {5}

    def test_a_key_after_the_sample_is_refused_for_columns(
        self, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("thawline.scoring.readers.SAMPLE_OBJECTS", 2)
        rows: list[dict[str, object]] = [{"text": "good"}] * 5 + [{"text": "bad", "x": 1}]
        source = self.lines(tmp_path / "in.jsonl", rows)
        with pytest.raises(ThawlineError):
            score(artifact, source, tmp_path / "out.csv")
        assert score(artifact, source, tmp_path / "out.jsonl").rows == 6

    def test_a_first_block_without_texts(self, artifact: Path, tmp_path: Path) -> None:
        source = tmp_path / "in.parquet"
        pq.write_table(pa.table({"text": [None] * 4 + ["good"] * 4}), source)
        score(artifact, source, tmp_path / "out.parquet")
        found = pq.read_table(tmp_path / "out.parquet")
        assert found.column("predicted_label").null_count == 4
        assert found.num_rows == 8

    @pytest.mark.parametrize("values", [(1, "s"), ("\ud800", ""), (10**30, 1), ("a", {"b": 1})])
    def test_values_that_parquet_does_not_hold(
        self, artifact: Path, tmp_path: Path, values: tuple[object, ...]
    ) -> None:
        rows: list[dict[str, object]] = [{"text": "good", "x": value} for value in values]
        source = self.lines(tmp_path / "in.jsonl", rows)
        with pytest.raises(ThawlineError):
            score(artifact, source, tmp_path / "out.parquet")
        assert score(artifact, source, tmp_path / "out.csv").rows == 2

    def test_columns_of_one_name_are_kept(self, artifact: Path, tmp_path: Path) -> None:
        (tmp_path / "in.csv").write_text("text,a,a,a_2\ngood,1,2,3\n")
        score(artifact, tmp_path / "in.csv", tmp_path / "out.csv")
        header, row = (tmp_path / "out.csv").read_text().splitlines()
        assert header.split(",")[:4] == ["text", "a", "a_3", "a_2"]
        assert row.split(",")[:4] == ["good", "1", "2", "3"]
        (tmp_path / "in2.csv").write_text("text,text\ngood,bad\n")
        with pytest.raises(ThawlineError):
            score(artifact, tmp_path / "in2.csv", tmp_path / "out2.csv")

    def test_all_blocks_have_the_layout_of_the_sample(self, artifact: Path, tmp_path: Path) -> None:
        folder = tmp_path / "ag_news"
        folder.mkdir()
        rows = [f'"{n % 4 + 1}","Title {n}","Some words {n}"\n' for n in range(9)]
        (folder / "test.csv").write_text("".join(rows))
        assert score(artifact, folder / "test.csv", tmp_path / "out.csv").rows == 9
        with (tmp_path / "out.csv").open(newline="") as file:
            assert [row["label"] for row in csv.DictReader(file)] == [str(n % 4) for n in range(9)]

    def test_a_long_cell_at_the_end_of_the_sample(
        self, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("thawline.scoring.readers.SAMPLE_CHARACTERS", 20_000)
        cell = "good, word\n" * 4_000
        (tmp_path / "in.csv").write_text("text,id\n" + "bad,0\n" * 9 + f'"{cell}",1\nbad,2\n')
        assert score(artifact, tmp_path / "in.csv", tmp_path / "out.csv").rows == 11

    def test_a_corrected_input_is_scored_if_nothing_was(
        self, artifact: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "in.csv").write_text("")
        with pytest.raises(ThawlineError):
            score(artifact, tmp_path / "in.csv", tmp_path / "out.csv")
        (tmp_path / "in.csv").write_text("text,id\ngood,1\n")
        assert score(artifact, tmp_path / "in.csv", tmp_path / "out.csv").rows == 1

    def test_outputs_of_one_name_and_outputs_in_the_folder(self, tmp_path: Path) -> None:
        source = tmp_path / "in"
        (source / "out").mkdir(parents=True)
        for name in ("a.csv", "B.TXT", "out/a.csv"):
            (source / name).write_text("text\na\n")
        pairs = pair_files(str(source), str(source / "out"))
        assert sorted(target.name for _, target in pairs) == ["B.csv", "a.csv"]
        (source / "a.txt").write_text("a\n")
        with pytest.raises(ThawlineError):
            pair_files(str(source), str(tmp_path / "out"))


class TestJoinedColumns:
    def test_parts_of_a_text_are_joined_as_in_training(
        self, artifact: Path, tmp_path: Path
    ) -> None:
        rows = [("good", "a film", "1"), ("", "a bad film", "2"), ("dull", " ", "3"), ("", "", "4")]
        with (tmp_path / "in.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("title", "content", "id"), *rows])
        assert score(artifact, tmp_path / "in.csv", tmp_path / "out.csv").without_text == 1
        joined = ["good a film", "a bad film", "dull"]
        (tmp_path / "joined.txt").write_text("\n".join(joined))
        score(artifact, tmp_path / "joined.txt", tmp_path / "joined.csv")
        found, expected = (
            list(csv.DictReader((tmp_path / f"{name}.csv").read_text().splitlines()))
            for name in ("out", "joined")
        )
        assert [row["id"] for row in found] == list("1234")
        shares = [[row[name] for name in NAMES[2:]] for row in expected]
        assert [[row[name] for name in NAMES[2:]] for row in found] == [*shares, ["", "", ""]]

    def test_named_columns_and_values_that_are_no_texts(
        self, artifact: Path, tmp_path: Path
    ) -> None:
        lines = [{"a": "good", "b": "film"}, {"a": "good", "b": 1}, {"b": "film"}]
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
        done = score(artifact, tmp_path / "in.jsonl", tmp_path / "out.jsonl", text="a+b")
        assert (done.rows, done.without_text) == (3, 1)


class TestStandardInput:
    @pytest.mark.parametrize("form", [None, "jsonl"])
    def test_no_rows(
        self, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str | None
    ) -> None:
        content = b"" if form else b"text,id\n"
        monkeypatch.setattr("thawline.cli.verbs.score.input_bytes", lambda: io.BytesIO(content))
        written = io.BytesIO()
        monkeypatch.setattr("thawline.cli.verbs.score.write_bytes", written.write)
        config = ScoreConfig(dtype="float32", format=form)  # type: ignore[arg-type]
        suffix = form or "csv"
        _stream(job(artifact), config, "-", "-")
        _stream(job(artifact), config, "-", str(tmp_path / f"out.{suffix}"))
        expected = b"" if form else f"{','.join(NAMES)}\n".encode()
        assert written.getvalue() == expected
        assert files_in(tmp_path) == [f"out.{suffix}"]
        assert (tmp_path / f"out.{suffix}").read_bytes() == expected

    def test_an_empty_input_without_a_format(
        self, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("thawline.cli.verbs.score.input_bytes", lambda: io.BytesIO(b""))
        for output in ("-", str(tmp_path / "out.csv")):
            with pytest.raises(ThawlineError) as error:
                _stream(job(artifact), ScoreConfig(dtype="float32"), "-", output)
            assert error.value.setting == "input"
        assert files_in(tmp_path) == []

    def test_parquet_and_existing_outputs(
        self, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = b"text,id\n" + b"good,1\n" * 9
        monkeypatch.setattr("thawline.cli.verbs.score.input_bytes", lambda: io.BytesIO(content))
        config = ScoreConfig(rows_per_block=4, dtype="float32")
        output = tmp_path / "out.parquet"
        _stream(job(artifact), config, "-", str(output))
        assert pq.read_table(output).num_rows == 9
        with pytest.raises(ThawlineError):
            _stream(job(artifact), config, "-", str(output))

    def test_several_files_for_standard_output(self, artifact: Path, tmp_path: Path) -> None:
        for name in ("a.csv", "b.csv"):
            (tmp_path / name).write_text("text\na\n")
        with pytest.raises(ThawlineError) as error:
            _stream(job(artifact), ScoreConfig(), str(tmp_path), "-")
        assert error.value.setting == "input"


class TestBetweenProcesses:
    def test_objects_stay_as_they_are(self) -> None:
        rows = [{"text": "\ud800", "tags": [1, None]}, {"text": "b", "x": float("inf")}]
        block = from_bytes(to_bytes(ObjectBlock(rows, ("text", "tags", "x"))))
        assert block.objects() == rows
        assert block.names == ["text", "tags", "x"]

    def test_texts_stay_as_they_are(self) -> None:
        cells = {"id": ["007", ""], "text": ["a", 'b "c"\n']}
        block = TextBlock(cells)
        sent = from_bytes(to_bytes(block))
        assert (sent.names, sent.cells()) == (block.names, block.cells())
        assert sent.objects() == block.objects()


class TestInvalidNumbers:
    def test_json_has_null(self, artifact: Path, tmp_path: Path) -> None:
        table = {
            "text": ["good", "bad"],
            "x": [float("nan"), 1.0],
            "deep": [[{"y": float("inf")}]] * 2,
        }
        pq.write_table(pa.table(table), tmp_path / "in.parquet")
        (tmp_path / "in.jsonl").write_text('{"text": "good", "x": NaN, "deep": [-Infinity]}\n')
        for name in ("in.parquet", "in.jsonl"):
            score(artifact, tmp_path / name, tmp_path / f"{name}.jsonl")

            def fail(constant: str) -> None:
                raise AssertionError(constant)

            first = (tmp_path / f"{name}.jsonl").read_text().splitlines()[0]
            row = json.loads(first, parse_constant=fail)
            assert row["x"] is None
