"""The server runs in a process, and finishes what it accepted when it is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from tests.support.command_line import save_here
from thawline import TextClassifier
from thawline.config import ServeConfig
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter
from thawline.serving.server import name_runs, run_server

OPTIONS = ("--port", "0", "--log-texts", "--timeout", "200")
TOKEN = {"authorization": "Bearer secret"}

Reviews = Callable[..., tuple[list[str], list[int]]]


@pytest.fixture
def words(tmp_path: Path, toy_reviews: Reviews) -> Path:
    words = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60))
    return save_here(words, tmp_path / "words")


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
def test_a_stopped_server_answers_what_it_accepted(words: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"  # a pipe would be full, and the server would wait for its reader
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "thawline", "serve", str(words), *OPTIONS],
            stderr=stream,
            env={**os.environ, "THAWLINE_TOKEN": "secret"},
        )
    try:
        while "http://" not in log.read_text() and process.poll() is None:
            time.sleep(0.05)
        address = log.read_text().split("http://")[1].split()[0]
        address = f"http://{address}"
        statuses: list[int] = []

        def ask(texts: str | list[str]) -> None:
            body, headers = (
                json.dumps({"texts": texts}).encode(),
                {"content-type": "application/json"},
            )
            request = urllib.request.Request(f"{address}/predict", body, headers | TOKEN)
            with urllib.request.urlopen(request, timeout=200) as answer:
                statuses.append(answer.status)

        def ask_until_refused() -> None:
            with contextlib.suppress(OSError):  # also an answer that is an error
                while True:
                    ask("a good film")

        def waiting() -> float:
            request = urllib.request.Request(f"{address}/metrics", headers=TOKEN)
            with urllib.request.urlopen(request, timeout=200) as answer:
                lines = answer.read().decode().splitlines()
            return float(next(x for x in lines if x.startswith("thawline_waiting")).split()[1])

        # Many long texts take long enough to be accepted but not answered.
        large = threading.Thread(target=ask, args=(["a good film " * 2_500] * 40,))
        others = [threading.Thread(target=ask_until_refused) for _ in range(4)]
        for thread in (large, *others):
            thread.start()
        while waiting() < 20 and large.is_alive():
            pass
        before = len(statuses)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)  # the second one changes nothing
        for thread in (large, *others):
            thread.join()
        assert len(statuses) > before
        assert {*statuses} == {200}
        assert process.wait(200) in (0, -signal.SIGTERM)
        assert "a good film" in log.read_text()  # as --log-texts asks for
    finally:
        process.kill()
        process.wait()
