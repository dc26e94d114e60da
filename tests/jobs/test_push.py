"""A push uploads the artifact and its card, and nothing else. The hub is a local server."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import save_here
from thawline import TextClassifier
from thawline.errors import ThawlineError
from thawline.jobs.push import PARTS, check_repository, upload, write_hub_folder

Reviews = Callable[..., tuple[list[str], list[int]]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, toy_reviews: Reviews) -> Path:
    """Return the folder of a run with files that must stay private."""
    texts, labels = toy_reviews(60)
    folder = tmp_path_factory.mktemp("runs") / "words"
    words = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(texts, labels)
    save_here(words, folder / "model")
    for name in ("mistakes.csv", "record.json", "model/notes.json", "model/reviews.txt"):
        (folder / name).write_text("{}")
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Start a small hub and return what it has received."""
    received: dict[str, Any] = {"requests": [], "private": None, "files": {}, "deleted": []}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def answer(self, value: object, status: int = 200) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

        def do_GET(self) -> None:
            received["requests"].append(self.path)
            if received["private"] is None:
                self.answer({"error": "Repository not found"}, 404)
                return
            files = [{"rfilename": name} for name in ("old.safetensors", "mine.md")]
            info = {"id": "anna/reviews", "private": received["private"], "siblings": files}
            if "/tree/" in self.path:
                tree = [
                    {"type": "file", "path": file["rfilename"], "size": 1, "oid": "0"}
                    for file in files
                ]
                self.answer(tree)
            else:
                self.answer({**info, "sha": "0" * 40, "tags": [], "createdAt": None})

        def do_POST(self) -> None:
            received["requests"].append(self.path)
            content = self.body()
            if "/repos/create" in self.path:
                if received["private"] is None:
                    sent = json.loads(content)  # clients before and after version 2
                    private = sent.get("private") or sent.get("visibility") == "private"
                    received["private"] = bool(private)
                self.answer({"url": f"{received['url']}/anna/reviews"})
            elif "/preupload/" in self.path:
                files = json.loads(content)["files"]
                self.answer(
                    {
                        "files": [
                            {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                            for f in files
                        ]
                    }
                )
            elif "/commit/" in self.path:
                for line in map(json.loads, content.splitlines()):
                    value = line["value"]
                    if line["key"] == "file":
                        received["files"][value["path"]] = base64.b64decode(value["content"])
                    elif line["key"] == "deletedFile":
                        received["deleted"].append(value["path"])
                url = f"{received['url']}/anna/reviews/commit/{'1' * 40}"
                self.answer({"commitUrl": url, "commitOid": "1" * 40})
            else:
                self.answer({})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    received["url"] = url
    yield received
    server.shutdown()
    server.server_close()


class TestFolder:
    def test_it_holds_the_artifact_and_the_card_only(self, run: Path, tmp_path: Path) -> None:
        ready = write_hub_folder(run, "anna/reviews", tmp_path / "out")
        names = {"README.md", "thawline.json", "words.json", "words.safetensors"}
        assert {file.name for file in ready.files} == names
        assert {path.name for path in (tmp_path / "out").iterdir()} == names
        assert ready.left_out == ["notes.json", "reviews.txt"]
        assert all(
            file.bytes == (tmp_path / "out" / file.name).stat().st_size for file in ready.files
        )
        text = ["a good film"]
        before, after = (
            TextClassifier.load(at).predict_proba(text) for at in (run, tmp_path / "out")
        )
        assert (before == after).all()
        assert 'snapshot_download("anna/reviews")' in (tmp_path / "out" / "README.md").read_text()

    def test_a_path_of_this_machine_is_left_out(self, run: Path, tmp_path: Path) -> None:
        from thawline.jobs.push import _check_adapter, _write_settings

        values = json.loads((run / "model" / "thawline.json").read_text())
        (tmp_path / "out").mkdir()
        _write_settings(tmp_path / "out", {**values, "backbone": "/home/anna/models/bert"})
        assert json.loads((tmp_path / "out" / "thawline.json").read_text())["backbone"] == "bert"
        with pytest.raises(ThawlineError):
            _check_adapter(run, {"adapter": {"base": "/home/anna/models/bert"}})
        _check_adapter(run, {"adapter": {"base": "google-bert/bert-base-uncased"}})

    def test_the_card_of_a_run_is_kept(self, run: Path, tmp_path: Path) -> None:
        card = run / "model" / "README.md"
        card.write_text('# Mine\n\nclassifier = TextClassifier.load("FOLDER")\n')
        try:
            write_hub_folder(run, "anna/reviews", tmp_path / "out")
        finally:
            card.unlink()
        lines = (tmp_path / "out" / "README.md").read_text().splitlines()
        assert lines[0] == "# Mine"
        assert "anna/reviews" in lines[2]

    def test_an_earlier_folder_is_replaced_and_another_one_is_not(
        self, run: Path, tmp_path: Path
    ) -> None:
        for _ in range(2):
            write_hub_folder(run, "anna/reviews", tmp_path / "out")
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "a.txt").write_text("mine")
        for folder in (tmp_path / "mine", run, run / "model"):
            with pytest.raises(ThawlineError):
                write_hub_folder(run, "anna/reviews", folder)
        assert (tmp_path / "mine" / "a.txt").exists()
        assert (run / "model" / "words.json").exists()

    def test_only_what_push_wrote_is_replaced(self, run: Path, tmp_path: Path) -> None:
        classifier = TextClassifier.load(run)
        save_here(classifier, tmp_path / "saved")
        write_hub_folder(run, "anna/reviews", tmp_path / "out")
        (tmp_path / "out" / "notes.txt").write_text("mine")
        (tmp_path / "file").write_text("mine")
        (tmp_path / "link").symlink_to(tmp_path / "saved")
        for name in ("saved", "out", "file", "link"):
            with pytest.raises(ThawlineError):
                write_hub_folder(run, "anna/reviews", tmp_path / name)
        assert (tmp_path / "out" / "notes.txt").exists()
        assert TextClassifier.load(tmp_path / "saved").labels == classifier.labels

    @pytest.mark.parametrize(
        "damage", ["weights", "missing", "linked card", "linked vocabulary", "card", "settings"]
    )
    def test_a_damaged_artifact_is_not_copied(self, run: Path, tmp_path: Path, damage: str) -> None:
        folder = tmp_path / "damaged"
        shutil.copytree(run / "model", folder)
        (tmp_path / "private.txt").write_text("mine")
        weights = folder / "words.safetensors"
        if damage == "weights":
            content = weights.read_bytes()
            weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        elif damage == "missing":
            weights.unlink()
        elif damage == "linked card":
            (folder / "README.md").symlink_to(tmp_path / "private.txt")
        elif damage == "linked vocabulary":
            (folder / "vocab.txt").symlink_to(tmp_path / "private.txt")
        elif damage == "card":
            (folder / "README.md").write_bytes(b"\xff")
        else:
            (folder / "thawline.json").write_text("[]")
        with pytest.raises(ThawlineError):
            write_hub_folder(folder, "anna/reviews", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_files_in_folders_are_left_out(self, run: Path, tmp_path: Path) -> None:
        folder = tmp_path / "own"
        shutil.copytree(run / "model", folder)
        (folder / "notes").mkdir()
        (folder / "notes" / "mine.model").write_text("mine")
        ready = write_hub_folder(folder, "anna/reviews", tmp_path / "out")
        assert "notes/mine.model" in ready.left_out

    def test_an_artifact_without_checksums(self, run: Path, tmp_path: Path) -> None:
        folder = tmp_path / "old"
        shutil.copytree(run / "model", folder)
        values = json.loads((folder / "thawline.json").read_text())
        del values["sha256"]
        (folder / "thawline.json").write_text(json.dumps({**values, "format": 1}))
        ready = write_hub_folder(folder, "anna/reviews", tmp_path / "out")
        assert "words.safetensors" in {file.name for file in ready.files}

    def test_an_upload_deletes_every_kind_of_file(self) -> None:
        names = ("model.onnx", "model.onnx.data", "model.safetensors", "words.json", "vocab.txt")
        for name in names:
            assert any(fnmatch(name, pattern) for pattern in PARTS), name


class TestUpload:
    def test_all_files_arrive(self, run: Path, tmp_path: Path, hub: dict[str, Any]) -> None:
        ready = write_hub_folder(run, "anna/reviews", tmp_path / "out")
        url = upload(ready, private=True)
        assert url.startswith(hub["url"])
        assert hub["private"] is True
        assert {name: len(content) for name, content in hub["files"].items()} == {
            file.name: file.bytes for file in ready.files
        }
        assert hub["deleted"] == ["old.safetensors"]

    def test_a_public_repository_is_not_private(
        self, run: Path, tmp_path: Path, hub: dict[str, Any]
    ) -> None:
        hub["private"] = False
        ready = write_hub_folder(run, "anna/reviews", tmp_path / "out")
        with pytest.raises(ThawlineError):
            upload(ready, private=True)
        assert hub["files"] == {}

    @pytest.mark.parametrize("why", ["offline", "no token", "no answer"])
    def test_without_the_hub_the_folder_is_ready(
        self,
        run: Path,
        tmp_path: Path,
        hub: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        why: str,
    ) -> None:
        if why == "offline":
            monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        elif why == "no token":
            monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
        else:
            monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
        ready = write_hub_folder(run, "anna/reviews", tmp_path / "out")
        with pytest.raises(ThawlineError) as error:
            upload(ready, private=False)
        assert str(ready.folder) in error.value.found
        assert (ready.folder / "thawline.json").is_file()
        assert hub["files"] == {}


@pytest.mark.parametrize("name", ["reviews", "a/b/c", "anna/..", "anna/my reviews", ""])
def test_names_that_no_repository_has(name: str) -> None:
    with pytest.raises(ThawlineError):
        check_repository(name)
