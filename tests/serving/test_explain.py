"""`POST /explain` gives the scores of `TextClassifier.explain`, in batches within the limits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from fastapi.testclient import TestClient

from tests.support.live_server import local_app
from thawline import TextClassifier
from thawline.serving.service import Service

TEXT = "a wonderful film, but the plot was dull"


@pytest.fixture(scope="module")
def words(toy_reviews: Callable[..., tuple[list[str], list[int]]]) -> TextClassifier:
    return TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60))


def client(classifier: TextClassifier, **settings: Any) -> TestClient:
    return TestClient(local_app({"words": classifier.fitted_}, **settings))


@pytest.mark.parametrize("label", [None, "neg", "pos"])
def test_gives_the_scores_of_python(words: TextClassifier, label: str | None) -> None:
    names = ["neg", "pos"]
    shares = words.predict_proba([TEXT])[0]
    position = int(shares.argmax()) if label is None else names.index(label)
    expected = words.explain(TEXT, words.classes_[position])
    asked = {"text": TEXT, "model": "words"} | ({} if label is None else {"label": label})
    with client(words) as opened:
        found = opened.post("/explain", json=asked).json()
    assert [part["text"] for part in found["parts"]] == [part.text for part in expected]
    for part, other in zip(found["parts"], expected, strict=True):
        assert (part["start"], part["end"]) == (other.start, other.end)
        assert part["score"] == pytest.approx(other.score, abs=1e-6)
    assert found["label"] == names[position]
    assert found["probability"] == pytest.approx(shares[position], abs=1e-6)


def test_other_requests_are_answered_between_batches(
    words: TextClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    original = Service._predict

    def counted(self: Service, texts: Sequence[Any], models: tuple[int, ...]) -> Any:
        computed.append(len(texts))
        return original(self, texts, models)

    monkeypatch.setattr(Service, "_predict", counted)
    text = "word " * 300  # 128 parts
    with client(words, max_texts=20) as opened:
        computed.clear()  # the server classifies a text when it starts
        found = opened.post("/explain", json={"text": text, "model": "words"}).json()
    assert len(found["parts"]) == 128
    assert sum(computed) == 129
    assert max(computed) == 20


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"text": TEXT}, 422),
        ({"text": TEXT, "model": "none"}, 404),
        ({"text": TEXT, "model": "\ud800"}, 404),
        ({"text": TEXT, "model": "words", "label": "none"}, 422),
        ({"text": TEXT, "model": "words", "label": "\ud800"}, 422),
        ({"text": "  ", "model": "words"}, 422),
        ({"text": "\ud800", "model": "words"}, 422),
        ({"text": "a" * 51, "model": "words"}, 413),
        ({"text": [TEXT], "model": "words"}, 422),
    ],
)
def test_refuses(words: TextClassifier, asked: dict[str, Any], status: int) -> None:
    with client(words, max_characters=50) as opened:
        headers = {"content-type": "application/json"}
        answer = opened.post("/explain", content=json.dumps(asked), headers=headers)
    assert answer.status_code == status


def test_an_answer_that_takes_too_long(
    words: TextClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, original = threading.Event(), Service._predict

    def slow(self: Service, *given: Any) -> Any:
        free.wait(30)
        return original(self, *given)

    monkeypatch.setattr(Service, "_predict", slow)
    free.set()  # the classifier is used once when the server starts
    with client(words, timeout=0.01) as opened:
        free.clear()
        answer = opened.post("/explain", json={"text": TEXT, "model": "words"})
        free.set()
    assert answer.status_code == 503


def test_the_texts_are_logged_once(words: TextClassifier, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with client(words, log_texts=True) as opened:
        opened.post("/explain", json={"text": TEXT, "model": "words"})
    logged = [one for one in caplog.records if one.name == "thawline.serving"]
    assert [one.getMessage().count(TEXT) for one in logged] == [1]
