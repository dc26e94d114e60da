"""Scoring on a Ray cluster: every row once, also if a machine is killed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.scoring.test_score import Shown
from thawline.config import ScoreConfig
from thawline.data.sources.files import DataFile
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter
from thawline.scoring.files import find_inputs, pair_files
from thawline.scoring.job import ScoringJob
from thawline.scoring.places import open_folder

pytest.importorskip("ray", reason="needs the extra ray: pip install 'thawline[ray]'")

Reviews = Callable[..., tuple[list[str], list[int]]]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


SMALL_STORE = 80 * 2**20


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Return a cluster of two nodes with one core each."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # writes no token to the home folder
    monkeypatch.setenv("RAY_worker_niceness", "0")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": SMALL_STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(num_cpus=1, object_store_memory=SMALL_STORE)
        yield cluster
    finally:
        cluster.shutdown()


def command(artifact: Path, given: Path, output: Path, *options: str) -> list[str]:
    paths = [str(path) for path in (artifact, given, output)]
    return [sys.executable, "-m", "thawline", "score", *paths, *options]


def rows_of(folder: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for part in sorted(folder.glob("part-*.csv")):
        with part.open(newline="") as file:
            found += csv.DictReader(file)
    return found


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_every_row_is_written_once_although_a_node_is_killed(
    artifact: Path, two_nodes: object, tmp_path: Path, toy_reviews: Reviews
) -> None:
    texts = toy_reviews(30_000)[0]
    (tmp_path / "in").mkdir()
    for number in range(2):
        with (tmp_path / "in" / f"{number}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text"])
            writer.writerows(enumerate(texts[number::2], start=number * 100_000))
    output, address = tmp_path / "out", two_nodes.address  # type: ignore[attr-defined]
    options = ("--ray", address, "--rows-per-block", "200", "--json")
    with subprocess.Popen(
        command(artifact, tmp_path / "in", output, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "RAY_ADDRESS": ""},
    ) as process:
        while len(list(output.glob("part-*"))) < 10:
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            time.sleep(0.05)
        (node,) = two_nodes.worker_nodes  # type: ignore[attr-defined]
        node.kill_all_processes(check_alive=False, allow_graceful=False)  # SIGKILL
        assert len(list(output.glob("part-*"))) < 150  # the job is in the middle
        printed, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    assert json.loads(printed)["rows"] == 30_000
    rows = rows_of(output)
    expected = {str(n + k * 100_000): text for k in (0, 1) for n, text in enumerate(texts[k::2])}
    assert [row["id"] for row in rows] == list(expected)  # the parts keep the order
    assert all(expected[row["id"]] == row["text"] for row in rows)
    assert all(row["predicted_label"] in ("neg", "pos") for row in rows)
    assert {path.name[:5] for path in output.iterdir()} == {"part-"}


@pytest.fixture(scope="module")
def one_node() -> Iterator[None]:
    """Start Ray in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_worker_niceness", "0")
        import ray

        ray.init("local", num_cpus=1, object_store_memory=SMALL_STORE, include_dashboard=False)
        yield
        ray.shutdown()


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("one_node")
class TestOneNode:
    def test_parts_have_the_rows_of_the_output_without_ray(
        self, artifact: Path, tmp_path: Path
    ) -> None:
        from thawline.scoring.on_ray import score_on_ray, state_of

        (tmp_path / "in").mkdir()
        rows = [{"text": f"a good film {n}", "tags": [n, None]} for n in range(10)]
        (tmp_path / "in" / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        pq.write_table(pa.table({"text": ["bad", None, "good"]}), tmp_path / "in" / "b.parquet")
        config = ScoreConfig(rows_per_block=4, dtype="float32")
        job = ScoringJob([artifact], config, Reporter())
        expected = []
        for file, _ in pair_files(str(tmp_path / "in"), str(tmp_path / "out")):
            job.score(job.open(file), tmp_path / f"{file.name}.out.jsonl")
            expected += lines(tmp_path / f"{file.name}.out.jsonl")
        inputs, out = find_inputs(str(tmp_path / "in"), ""), tmp_path / "out"
        done = score_on_ray([artifact], config, inputs, str(out), Reporter())
        assert (done.rows, done.kept, done.without_text) == (13, 0, 1)
        parts = sorted(out.iterdir())
        assert [line for part in parts for line in lines(part)] == expected
        assert len(parts) == 4
        with pytest.raises(ThawlineError):
            score_on_ray([artifact], config, inputs, str(out), Reporter())

        # The state of a job that was stopped before its second part.
        job.check_state(open_folder(str(out)), state_of(inputs.files, ".jsonl"), is_new=True)
        parts[1].unlink()
        done = score_on_ray([artifact], config, inputs, str(out), Reporter())
        assert (done.rows, done.kept) == (13, 9)
        assert [line for part in sorted(out.iterdir()) for line in lines(part)] == expected

    def test_no_rows(self, artifact: Path, tmp_path: Path) -> None:
        from thawline.scoring.on_ray import score_on_ray

        (tmp_path / "in").mkdir()
        for name, content in (("a", "text,id\n"), ("b", ""), ("c", "text\ngood\n")):
            (tmp_path / "in" / f"{name}.csv").write_text(content)
        config, out = ScoreConfig(dtype="float32"), tmp_path / "out"
        done = score_on_ray(
            [artifact], config, find_inputs(str(tmp_path / "in"), ""), str(out), Reporter()
        )
        assert done.rows == 1
        first, last = sorted(out.iterdir())
        assert (len(lines(first)), len(lines(last))) == (1, 2)
        inputs = find_inputs(str(tmp_path / "in" / "b.csv"), "")
        reporter = Shown()
        with pytest.raises(ThawlineError):
            score_on_ray([artifact], config, inputs, str(tmp_path / "none"), reporter)
        assert not (tmp_path / "none").exists()
        (tmp_path / "in.jsonl").write_text("")
        inputs = find_inputs(str(tmp_path / "in.jsonl"), "")
        done = score_on_ray([artifact], config, inputs, str(tmp_path / "empty"), reporter)
        assert done.rows == 0
        assert not reporter.tasks

    def test_an_error_of_an_actor_is_that_of_the_command(
        self, artifact: Path, tmp_path: Path
    ) -> None:
        from thawline.scoring.on_ray import score_on_ray

        (tmp_path / "a.csv").write_text("text\na good film\n")
        (tmp_path / "b.csv").write_text("text,predicted_label\na good film,x\n")
        inputs = find_inputs(str(tmp_path / "*.csv"), "")
        config = ScoreConfig(dtype="float32")
        with pytest.raises(ThawlineError) as error:
            score_on_ray([artifact], config, inputs, str(tmp_path / "out"), Reporter())
        assert "predicted_label" in error.value.expected

    def test_an_error_before_the_first_part_leaves_nothing(
        self, artifact: Path, tmp_path: Path
    ) -> None:
        from thawline.scoring.on_ray import score_on_ray

        (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{')
        (tmp_path / "known").mkdir()
        inputs, config = find_inputs(str(tmp_path / "in.jsonl"), ""), ScoreConfig(dtype="float32")
        for output in (tmp_path / "new" / "out", tmp_path / "known"):
            with pytest.raises(ThawlineError):
                score_on_ray([artifact], config, inputs, str(output), Reporter())
        assert list((tmp_path / "known").iterdir()) == []
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("output", "given", "suffix"),
    [
        ("out", "a.parquet", ".parquet"),
        ("out", "a.txt.gz", ".csv.gz"),
        ("s3://bucket/scored.parquet/", "a.csv", ".parquet"),
        ("/data/scored.JSONL.gz", "a.csv", ".jsonl.gz"),
        ("scored.2026", "a.tsv", ".tsv"),
    ],
)
def test_the_format_of_the_parts(output: str, given: str, suffix: str) -> None:
    from thawline.scoring.on_ray import _suffix_of_parts

    assert _suffix_of_parts(output, DataFile(Path(given))) == suffix


def test_only_parts_are_kept(tmp_path: Path) -> None:
    from thawline.scoring.on_ray import _parts_of

    for name in ("part-000000-00000001-4096.csv.gz", "part-1.csv", "_state.json", ".lock"):
        (tmp_path / name).touch()
    parts = _parts_of(open_folder(str(tmp_path)))
    assert parts == {"part-000000-00000001-4096.csv.gz": 4096}
