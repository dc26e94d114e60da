"""`thawline.serve` returns an application that other servers and applications can run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from fastapi import FastAPI
from fastapi.testclient import TestClient

import thawline
from tests.support.command_line import save_here
from thawline import TextClassifier, ThawlineError

Reviews = Callable[..., tuple[list[str], list[int]]]


@pytest.fixture
def words(tmp_path: Path, toy_reviews: Reviews) -> Path:
    words = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60))
    return save_here(words, tmp_path / "words")


def test_it_answers_also_after_its_files_are_gone(
    words: Path, trained_toy: Callable[..., TextClassifier]
) -> None:
    bert = words.with_name("bert")
    save_here(trained_toy("bert", "linear"), bert)
    app = thawline.serve([words, str(bert)], max_texts=2)
    for folder in (words, bert):
        shutil.rmtree(folder)
    for _ in range(2):  # it can be started again
        with TestClient(app) as client:
            answer = client.post("/predict", json={"texts": ["a good film", "dull"]})
            assert [*answer.json()["predictions"][0]] == ["words", "bert"]
            assert client.post("/predict", json={"texts": ["a"] * 3}).status_code == 413


def test_it_can_be_mounted_in_another_application(
    words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THAWLINE_TOKEN", "secret")
    app = FastAPI()
    app.mount("/texts", thawline.serve(words))
    with TestClient(app) as client:
        assert client.get("/texts/healthz").status_code == 200
        assert client.post("/texts/predict", json={"texts": "a"}).status_code == 401
        token = {"authorization": "Bearer secret"}
        answer = client.post("/texts/predict", json={"texts": "a good film"}, headers=token)
        assert answer.json()["predictions"][0]["words"]["label"] == "pos"
        lines = client.get("/texts/metrics", headers=token).text.splitlines()
    assert 'thawline_requests_total{route="/predict",status="401"} 1.0' in lines


@pytest.mark.parametrize(
    ("settings", "named"), [({"max_texts": 0}, "max_texts"), ({"max_text": 1}, "max_text")]
)
def test_settings_are_checked(words: Path, settings: dict[str, int], named: str) -> None:
    with pytest.raises(ThawlineError) as error:
        thawline.serve(words, **settings)
    assert error.value.setting == named


@pytest.mark.slow
@pytest.mark.e2e
def test_several_processes_run_it(words: Path, tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(
        f"import thawline\n\napp = thawline.serve({str(words)!r})\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "served:app", "--workers", "2", "--port", f"{port}"]
    # uvicorn replaces processes that start slowly.
    environment = {**os.environ, "UVICORN_TIMEOUT_WORKER_HEALTHCHECK": "100"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    process = subprocess.Popen(command, cwd=tmp_path, env=environment)
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/predict",
            b'{"texts": "a good film"}',
            {"content-type": "application/json"},
        )
        for _ in range(600):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    assert answer.status == 200
                    break
            except OSError:
                assert process.poll() is None
                time.sleep(0.2)
        else:
            pytest.fail("no process answered")
    finally:
        process.terminate()
        process.wait()
