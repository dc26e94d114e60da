"""Inputs and outputs by URL."""

from __future__ import annotations

import gzip
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thawline.cli.verbs.score import _stream
from thawline.config import ScoreConfig
from thawline.data.sources.files import DataFile
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter
from thawline.scoring.files import pair_files
from thawline.scoring.job import Scored, ScoringJob
from thawline.scoring.places import Place, open_folder, open_place
from thawline.scoring.remote import open_system, remote_errors, without_secrets

Reviews = Callable[..., tuple[list[str], list[int]]]


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    """Return an empty file system in memory."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


def score(artifact: Path, given: str, output: str, **settings: object) -> list[Scored]:
    config = ScoreConfig(**{"rows_per_block": 4, "dtype": "float32", **settings})
    job = ScoringJob([artifact], config, Reporter())
    return [job.score(job.open(file), target) for file, target in pair_files(given, output)]


def lines(system: fsspec.AbstractFileSystem, path: str) -> list[str]:
    return system.cat_file(path).decode().splitlines()


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl", "parquet", "txt"])
def test_the_output_is_that_of_local_files(
    artifact: Path, bucket: fsspec.AbstractFileSystem, tmp_path: Path, suffix: str
) -> None:
    source = tmp_path / f"in.{suffix}"
    texts = [f"a good film {n}" for n in range(10)]
    if suffix == "parquet":
        pq.write_table(pa.table({"text": texts, "id": range(10)}), source)
    elif suffix == "jsonl":
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    else:
        content = "\n".join(texts if suffix == "txt" else ["text", *texts]).encode()
        source.write_bytes(gzip.compress(content) if suffix == "csv.gz" else content)
    bucket.pipe_file(f"/in/{source.name}", source.read_bytes())
    out = f"out.{'csv' if suffix == 'txt' else suffix}"
    (local,) = score(artifact, str(source), str(tmp_path / out))
    (remote,) = score(artifact, f"memory://in/{source.name}", f"memory://done/{out}")
    assert remote.rows == local.rows == 10
    assert bucket.cat_file(f"/done/{out}") == (tmp_path / out).read_bytes()
    assert bucket.find("/done") == [f"/done/{out}"]  # neither parts nor temporary files


def test_no_rows(artifact: Path, bucket: fsspec.AbstractFileSystem) -> None:
    bucket.pipe_file("/in.csv", b"text\n")
    (done,) = score(artifact, "memory://in.csv", "memory://out.csv")
    assert done.rows == 0
    bucket.pipe_file("/none.csv", b"")
    with pytest.raises(ThawlineError):
        score(artifact, "memory://none.csv", "memory://none.out.csv")
    assert bucket.find("/") == ["/in.csv", "/none.csv", "/out.csv"]
    assert len(lines(bucket, "/out.csv")) == 1


def test_an_error_removes_an_empty_folder_only(tmp_path: Path) -> None:
    for name in ("empty", "full"):
        place = open_place(f"file://{tmp_path}/{name}")

        def work(place: Place = place, name: str = name) -> None:
            with place.working():
                assert (tmp_path / f"{name}.parts").is_dir()
                if name == "full":
                    place.write_part("00000000-4", b"kept")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            work()
    assert [path.name for path in tmp_path.glob("*.parts")] == ["full.parts"]


@pytest.mark.parametrize("output", ["known", "known/new/out", "new/out"])
@pytest.mark.parametrize("protocol", ["", "file://"])
def test_an_error_leaves_the_folders_that_existed(
    tmp_path: Path, output: str, protocol: str
) -> None:
    (tmp_path / "in" / "known").mkdir(parents=True)
    place = open_folder(f"{protocol}{tmp_path}/in/{output}")
    with pytest.raises(KeyboardInterrupt), place.working():
        raise KeyboardInterrupt
    found = [str(path.relative_to(tmp_path / "in")) for path in (tmp_path / "in").rglob("*")]
    assert found == ["known"]


def test_folders_and_patterns(artifact: Path, bucket: fsspec.AbstractFileSystem) -> None:
    for name in ("a.csv", "deep/b.csv", "readme.md"):
        bucket.pipe_file(f"/in/{name}", b"text\na good film\n")
    done = score(artifact, "memory://in", "memory://in/done")
    again = pair_files("memory://in", "memory://in/done")  # the outputs are no inputs
    assert [one.output for one in done] == [str(target) for _, target in again]
    assert bucket.find("/in/done") == ["/in/done/a.csv", "/in/done/deep/b.csv"]
    matched = pair_files("memory://in/deep/*.csv", "memory://out/")
    assert [(file.shown, target) for file, target in matched] == [
        ("memory://in/deep/b.csv", "memory://out/b.csv")
    ]
    with pytest.raises(ThawlineError) as error:
        pair_files("memory://in/*.parquet", "memory://out")
    assert error.value.setting == "input"


def test_a_url_and_a_path(
    artifact: Path, bucket: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    bucket.pipe_file("/in/a.csv", b"text\na good film\n")
    score(artifact, "memory://in/a.csv", str(tmp_path))
    score(artifact, str(tmp_path / "a.csv"), "memory://out/", text="text", top=1)
    assert lines(bucket, "/out/a.csv")[0].endswith("label_1,probability_1")


def test_a_stopped_job_goes_on(artifact: Path, bucket: fsspec.AbstractFileSystem) -> None:
    rows = [json.dumps({"text": f"a good film {n}"}) for n in range(10)]
    bucket.pipe_file("/in.jsonl", "\n".join([*rows[:9], "{"]).encode())
    info = bucket.store["/in.jsonl"]
    with pytest.raises(ThawlineError):
        score(artifact, "memory://in.jsonl", "memory://out.jsonl")
    parts = [path for path in bucket.find("/out.jsonl.parts") if "-" in path]
    assert len(parts) == 2
    info.seek(0)
    info.write("\n".join(rows).encode())
    info.truncate()
    with pytest.raises(ThawlineError):  # the input has changed
        score(artifact, "memory://in.jsonl", "memory://out.jsonl")
    info.seek(0)
    info.write("\n".join([*rows[:9], "{"]).encode())
    info.truncate()
    bucket.pipe_file("/out.jsonl.parts/00000002-2", b"last\n")
    with pytest.raises(ThawlineError):
        score(artifact, "memory://in.jsonl", "memory://out.jsonl")
    bucket.rm("/out.jsonl.parts", recursive=True)
    bucket.pipe_file("/in.jsonl", "\n".join(rows).encode())
    stops = bucket.mv

    def stop(*arguments: object, **options: object) -> None:
        if len(bucket.find("/out.jsonl.parts")) > 3:
            raise KeyboardInterrupt
        stops(*arguments, **options)

    bucket.mv = stop
    try:
        with pytest.raises(KeyboardInterrupt):
            score(artifact, "memory://in.jsonl", "memory://out.jsonl")
    finally:
        del bucket.mv
    assert not bucket.exists("/out.jsonl")
    (done,) = score(artifact, "memory://in.jsonl", "memory://out.jsonl")
    assert (done.rows, done.kept) == (10, 8)
    found = [json.loads(line)["text"] for line in lines(bucket, "/out.jsonl")]
    assert found == [f"a good film {n}" for n in range(10)]


class Files(SimpleHTTPRequestHandler):
    """Serves the files of a folder, and says nothing on standard error."""

    def log_message(self, format: str, *values: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serve a folder over HTTP, and return it with its URL."""
    pytest.importorskip("aiohttp", reason="fsspec reads https:// with aiohttp")
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(Files, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class TestWeb:
    @pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl", "parquet"])
    def test_the_output_is_that_of_a_local_file(
        self, artifact: Path, web: tuple[Path, str], tmp_path: Path, suffix: str
    ) -> None:
        folder, url = web
        source = folder / f"in.{suffix}"
        texts = [f"a good film {n}" for n in range(10)]
        if suffix == "parquet":
            pq.write_table(pa.table({"text": texts}), source)
        elif suffix == "jsonl":
            source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        else:
            content = "\n".join(["text", *texts]).encode()
            source.write_bytes(gzip.compress(content) if suffix == "csv.gz" else content)
        score(artifact, str(source), str(tmp_path / f"local.{suffix}"))
        (done,) = score(artifact, f"{url}/{source.name}", str(tmp_path / f"out.{suffix}"))
        assert done.rows == 10
        local = (tmp_path / f"local.{suffix}").read_bytes()
        assert (tmp_path / f"out.{suffix}").read_bytes() == local

    def test_a_missing_file(self, artifact: Path, web: tuple[Path, str], tmp_path: Path) -> None:
        with pytest.raises(ThawlineError) as error:
            score(artifact, f"{web[1]}/none.csv?signature=secret", str(tmp_path / "out.csv"))
        assert "none.csv" in str(error.value)
        assert "secret" not in str(error.value)
        assert not list(tmp_path.glob("out*"))

    def test_a_missing_package_is_named_before_a_classifier_is_loaded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "aiohttp", None)
        monkeypatch.delitem(sys.modules, "fsspec.implementations.http", raising=False)
        known = sys.modules["fsspec.registry"]._registry
        for protocol in ("http", "https"):
            monkeypatch.delitem(known, protocol, raising=False)
            with pytest.raises(ThawlineError) as error:
                pair_files(f"{protocol}://example.org/reviews.csv", "out.csv")
            assert error.value.setting == "input"
            assert "aiohttp" in error.value.fix


def test_standard_output(
    artifact: Path, bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe_file("/a.csv", b"text\na good film\n")
    written = io.BytesIO()
    monkeypatch.setattr("thawline.cli.verbs.score.write_bytes", written.write)
    config = ScoreConfig(dtype="float32")
    job = ScoringJob([artifact], config, Reporter())
    _stream(job, config, "memory://a.csv", "-")
    assert len(written.getvalue().splitlines()) == 2


class TestRefusals:
    def test_an_existing_output(self, artifact: Path, bucket: fsspec.AbstractFileSystem) -> None:
        bucket.pipe_file("/a.csv", b"text\na good film\n")
        bucket.pipe_file("/out.csv", b"mine")
        with pytest.raises(ThawlineError):
            score(artifact, "memory://a.csv", "memory://out.csv")
        assert bucket.cat_file("/out.csv") == b"mine"

    def test_a_missing_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(url: str) -> None:
            raise ImportError

        monkeypatch.setattr("fsspec.core.url_to_fs", missing)
        for url, package in (
            ("s3://b/x", "s3fs"),
            ("gs://b/x", "gcsfs"),
            ("https://h/", "aiohttp"),
        ):
            with pytest.raises(ThawlineError) as error:
                open_system(url, "input")
            assert package in error.value.fix

    @pytest.mark.parametrize("url", ["nothing://a/b.csv", "memory://none.csv"])
    def test_inputs_that_cannot_be_opened(
        self, bucket: fsspec.AbstractFileSystem, url: str
    ) -> None:
        with pytest.raises(ThawlineError) as error:
            pair_files(url, "out.csv")
        assert error.value.setting == "input"

    def test_an_output_that_cannot_be_written(
        self, artifact: Path, bucket: fsspec.AbstractFileSystem
    ) -> None:
        bucket.pipe_file("/a.csv", b"text\na good film\n")
        with pytest.raises(ThawlineError) as error:
            score(artifact, "memory://a.csv", "https://example.org/out.csv")
        assert error.value.setting == "output"

    def test_errors_of_a_server_are_errors_of_the_system(
        self, artifact: Path, bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bucket.pipe_file("/a.csv", b"text\na good film\n")

        def fails(*arguments: object, **options: object) -> None:
            raise RuntimeError("slow down")

        monkeypatch.setattr(bucket, "mv", fails)
        with pytest.raises(OSError, match="slow down"):
            score(artifact, "memory://a.csv", "memory://out.csv")
        assert not bucket.exists("/out.csv")


def test_messages_show_no_secrets() -> None:
    url = "https://me:word@h/a.csv?X-Signature=1"
    assert without_secrets(url) == "https://h/a.csv"
    with pytest.raises(OSError, match="slow down") as error, remote_errors(url):
        raise RuntimeError(f"slow down, url='{url}'")
    assert "word" not in str(error.value)
    assert "Signature" not in str(error.value)


def test_large_files_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n")
    ((file, _),) = pair_files(str(tmp_path / "a.csv"), "out.csv")
    assert file.limits.file_bytes > 2**50
    assert isinstance(file, DataFile)
