"""The server runs in a process, and finishes what it accepted when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from thawline import TextClassifier
from thawline.config import ServeConfig
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter
from thawline.serving.server import name_runs, run_server

OPTIONS = ("--port", "0", "--wait", "1000", "--log-texts")

Reviews = Callable[..., tuple[list[str], list[int]]]


@pytest.fixture
def words(tmp_path: Path, toy_reviews: Reviews) -> Path:
    folder = tmp_path / "words"
    TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60)).save(folder)
    return folder


def test_two_classifiers_of_one_name_are_refused(words: Path) -> None:
    with pytest.raises(ThawlineError):
        name_runs([words, words])


def test_a_taken_port_is_reported(words: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = ServeConfig(port=taken.getsockname()[1])
        with pytest.raises(ThawlineError) as error:
            run_server([words], config, Reporter())
    assert error.value.setting == "port"


@pytest.mark.e2e
def test_a_stopped_server_answers_what_it_accepted(words: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "thawline", "serve", str(words), *OPTIONS],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "THAWLINE_TOKEN": "secret"},
    )
    try:
        assert process.stderr is not None
        address = next(line for line in process.stderr if "http://" in line).split()[-1]
        answers = []

        def ask() -> None:
            request = urllib.request.Request(
                f"{address}/predict",
                json.dumps({"texts": "a good film"}).encode(),
                {"content-type": "application/json", "authorization": "Bearer secret"},
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                answers.append(json.load(answer)["predictions"][0]["words"]["label"])

        def waiting() -> float:
            request = urllib.request.Request(
                f"{address}/metrics", headers={"authorization": "Bearer secret"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                lines = answer.read().decode().splitlines()
            return float(
                next(x for x in lines if x.startswith("thawline_waiting_texts")).split()[1]
            )

        thread = threading.Thread(target=ask)
        thread.start()
        while not waiting() and not answers:
            pass
        process.send_signal(signal.SIGTERM)
        thread.join()
        assert answers == ["pos"]
        assert process.wait(60) in (0, -signal.SIGTERM)
        assert "a good film" in process.stderr.read()  # as --log-texts asks for
    finally:
        process.kill()
        process.communicate()
