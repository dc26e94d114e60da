"""Requests are answered with the probabilities of Python, and refused by clear answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from fastapi.testclient import TestClient
from huggingface_hub import InferenceClient

from tests.support.live_server import local_app
from thawline import TextClassifier
from thawline.config import ServeConfig
from thawline.inference.fitted import AnyFitted

Reviews = Callable[..., tuple[list[str], list[int]]]
Trained = Callable[..., TextClassifier]


@pytest.fixture(scope="module")
def classifiers(trained_toy: Trained, toy_reviews: Reviews) -> dict[str, TextClassifier]:
    words = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60))
    return {
        "linear": trained_toy("bert", "linear"),
        "mlp": trained_toy("bert", "mlp:8"),
        "words": words,
    }


def fitted(classifiers: dict[str, TextClassifier]) -> dict[str, AnyFitted]:
    return {name: one.fitted_ for name, one in classifiers.items()}


@pytest.fixture
def client(classifiers: dict[str, TextClassifier]) -> Iterator[TestClient]:
    with TestClient(local_app(fitted(classifiers))) as client:
        yield client


def limited(classifiers: dict[str, TextClassifier], **settings: Any) -> TestClient:
    return TestClient(local_app(fitted(classifiers), **settings))


class TestPredict:
    def test_gives_the_probabilities_of_each_classifier(
        self, client: TestClient, classifiers: dict[str, TextClassifier], toy_reviews: Reviews
    ) -> None:
        texts = toy_reviews(5, seed=7)[0]
        found = client.post("/predict", json={"texts": texts}).json()["predictions"]
        for name, classifier in classifiers.items():
            expected = classifier.predict_proba(texts)
            for answer, row in zip(found, expected, strict=True):
                shares = answer[name]["probabilities"]
                assert [shares["neg"], shares["pos"]] == pytest.approx(list(row), abs=1e-5)
                assert list(shares) == sorted(shares, key=shares.__getitem__, reverse=True)
                assert answer[name]["label"] == next(iter(shares))

    def test_of_one_text_with_one_classifier(self, client: TestClient) -> None:
        request = {"texts": "a good film", "models": ["words"], "top": 1}
        (answer,) = client.post("/predict", json=request).json()["predictions"]
        assert list(answer) == ["words"]
        assert list(answer["words"]["probabilities"]) == ["pos"]

    def test_requests_at_the_same_time_get_their_own_answers(
        self, client: TestClient, classifiers: dict[str, TextClassifier], toy_reviews: Reviews
    ) -> None:
        texts = toy_reviews(24, seed=8)[0]
        expected = classifiers["mlp"].predict_proba(texts)[:, 1]
        found: dict[int, float] = {}

        def ask(row: int) -> None:
            request = {"texts": texts[row], "models": ["mlp"]}
            (answer,) = client.post("/predict", json=request).json()["predictions"]
            found[row] = answer["mlp"]["probabilities"]["pos"]

        threads = [threading.Thread(target=ask, args=(row,)) for row in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[row] for row in range(24)] == pytest.approx(list(expected), abs=1e-5)

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"texts": []}, 422),
            ({"texts": [["a", "b"]]}, 422),  # a pair for classifiers of single texts
            ({"texts": 7}, 422),
            ({"texts": "a", "model": "linear"}, 422),  # a misspelt field
            ({"texts": "a", "models": ["none"]}, 404),
            ({"texts": "a", "top": 0}, 422),
            ({"texts": "\ud800"}, 422),
            ({"texts": "a" * 31}, 413),
            ({"texts": ["a"] * 4}, 413),
            ({"texts": "a", "models": ["linear"] * 200}, 413),
        ],
    )
    def test_refuses(
        self, classifiers: dict[str, TextClassifier], body: dict[str, Any], status: int
    ) -> None:
        with limited(classifiers, max_characters=30, max_texts=3, max_body=500) as client:
            headers = {"content-type": "application/json"}
            answer = client.post("/predict", content=json.dumps(body), headers=headers)
            assert answer.status_code == status
            assert answer.json()["detail"]

    def test_a_body_without_a_length_is_limited_too(
        self, classifiers: dict[str, TextClassifier]
    ) -> None:
        with limited(classifiers, max_body=500) as client:
            content = (b'{"texts": "' + b"a" * 99 for _ in range(9))
            assert client.post("/predict", content=content).status_code == 413


class TestQueue:
    def test_a_full_queue_refuses_and_is_ready_again(
        self, classifiers: dict[str, TextClassifier], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free = threading.Event()
        predict = "thawline.serving.service.Service._predict"
        from thawline.serving.service import Service

        original = Service._predict

        def slow(self: Service, *given: Any) -> Any:
            free.wait(30)
            return original(self, *given)

        monkeypatch.setattr(predict, slow)
        free.set()  # the classifiers are used once when the server starts
        with limited(classifiers, queue=2) as client:
            free.clear()
            first = threading.Thread(
                target=client.post, args=("/predict",), kwargs={"json": {"texts": ["a", "b"]}}
            )
            first.start()
            while client.get("/readyz").status_code == 200:
                pass
            refused = client.post("/predict", json={"texts": "c"})
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) >= 1
            assert client.get("/healthz").status_code == 200
            free.set()
            first.join()
            assert client.get("/readyz").status_code == 200
            assert client.post("/predict", json={"texts": "c"}).status_code == 200

    def test_an_answer_that_takes_too_long(
        self, classifiers: dict[str, TextClassifier], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from thawline.serving.service import Service

        original, free = Service._predict, threading.Event()

        def slow(self: Service, *given: Any) -> Any:
            free.wait(30)
            return original(self, *given)

        monkeypatch.setattr(Service, "_predict", slow)
        free.set()  # the classifiers are used once when the server starts
        with limited(classifiers, timeout=0.01) as client:
            free.clear()
            assert client.post("/predict", json={"texts": "a"}).status_code == 503
            free.set()

    def test_stopping_finishes_what_was_accepted(
        self, classifiers: dict[str, TextClassifier]
    ) -> None:
        from thawline.serving.batching import StoppingError
        from thawline.serving.service import Service

        async def use() -> int:
            service = Service(fitted(classifiers), ServeConfig(wait=50))
            service.batcher.start()
            accepted = asyncio.gather(*[service.batcher.logits(["a"], (0,)) for _ in range(5)])
            await asyncio.sleep(0)
            await service.batcher.stop()
            with pytest.raises(StoppingError):
                await service.batcher.logits(["a"], (0,))
            assert service.batcher.batches == 1  # all five were computed together
            return len(await accepted)

        assert asyncio.run(use()) == 5


class TestOtherRoutes:
    def test_models_tells_what_is_shared(self, client: TestClient) -> None:
        answer = client.get("/models").json()
        assert [model["name"] for model in answer["models"]] == ["linear", "mlp", "words"]
        assert answer["models"][0]["labels"] == ["neg", "pos"]
        assert len(answer["shared"]) == 1

    def test_metrics_count(self, client: TestClient) -> None:
        client.post("/predict", json={"texts": ["a", "b"]})
        client.get("/unknown")
        lines = client.get("/metrics").text.splitlines()
        assert 'thawline_requests_total{route="/predict",status="200"} 1.0' in lines
        assert 'thawline_requests_total{route="other",status="404"} 1.0' in lines
        assert "thawline_texts_total 2.0" in lines

    def test_the_token_is_needed(self, classifiers: dict[str, TextClassifier]) -> None:
        with limited(classifiers, token="secret") as client:
            for headers in ({}, {"authorization": "Bearer wrong"}):
                assert client.get("/models", headers=headers).status_code == 401
            assert client.get("/healthz").status_code == 200
            right = {"authorization": "Bearer secret"}
            assert client.get("/models", headers=right).status_code == 200
            lines = client.get("/metrics", headers=right).text.splitlines()
        assert 'thawline_requests_total{route="/models",status="401"} 2.0' in lines

    @pytest.mark.parametrize("asked", [False, True])
    def test_texts_are_logged_only_if_asked_for(
        self, classifiers: dict[str, TextClassifier], caplog: pytest.LogCaptureFixture, asked: bool
    ) -> None:
        caplog.set_level("DEBUG")
        with limited(classifiers, log_texts=asked) as client:
            client.post("/predict", json={"texts": "a secret film"})
        assert ("a secret film" in caplog.text) == asked

    def test_headers(self, classifiers: dict[str, TextClassifier]) -> None:
        origin = {"origin": "https://example.org"}
        with limited(classifiers) as client:
            answer = client.get("/models", headers=origin)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in answer.headers
        with limited(classifiers, allow_origin=("https://example.org",)) as client:
            answer = client.get("/models", headers=origin)
            assert answer.headers["access-control-allow-origin"] == "https://example.org"


class TestTei:
    def test_speaks_the_protocol(
        self, client: TestClient, classifiers: dict[str, TextClassifier]
    ) -> None:
        texts = ["a good film", "a dull film"]
        expected = classifiers["words"].predict_proba(texts)
        single = client.post("/tei/words/predict", json={"inputs": texts[0]}).json()
        assert [one["label"] for one in single] == ["pos", "neg"]
        assert single[0]["score"] == pytest.approx(expected[0, 1], abs=1e-6)
        batch = client.post("/tei/words/predict", json={"inputs": [[t] for t in texts]}).json()
        assert batch[0] == single
        assert batch[1][0]["label"] == "neg"
        raw = client.post("/tei/words/predict", json={"inputs": texts[0], "raw_scores": True})
        assert abs(sum(one["score"] for one in raw.json()) - 1) > 1e-3

    def test_the_hub_s_client_works_unchanged(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from huggingface_hub.inference import _client

        monkeypatch.setattr(_client, "get_session", lambda: client)
        answer = InferenceClient("http://testserver/tei/words").text_classification(
            "a good film", top_k=1
        )
        assert [one.label for one in answer] == ["pos"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"texts": NaN}', 422),
        (b'{"texts": "x", "top": 1e400}', 422),
        (b'{"texts": ["\\ud800", 5]}', 422),
        (b'{"texts": "x", "\\ud800": 1}', 422),
        (b'{"texts": "x", "models": ["\\ud800"]}', 404),
        (b'{"texts": "\xff"}', 400),
        (b'{"texts": ' + b"[" * 100_000, 400),
        (b'{"texts": ' + b"[" * 500 + b"]" * 500 + b"}", 422),
        (b'{"texts": "x", "top": ' + b"9" * 5_000 + b"}", 400),
        (b"", 422),
    ],
)
def test_values_that_an_answer_cannot_repeat(
    classifiers: dict[str, TextClassifier], body: bytes, status: int
) -> None:
    with TestClient(local_app(fitted(classifiers)), raise_server_exceptions=False) as client:
        headers = {"content-type": "application/json"}
        assert client.post("/predict", content=body, headers=headers).status_code == status


def test_a_length_of_many_digits(classifiers: dict[str, TextClassifier]) -> None:
    with TestClient(local_app(fitted(classifiers)), raise_server_exceptions=False) as client:
        headers = {"content-type": "application/json", "content-length": "9" * 5_000}
        assert client.post("/predict", content=b"{}", headers=headers).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        {"texts": [0] * 10_000},
        {"texts": [[0, 0]] * 10_000},
        {"texts": "a", "models": [0] * 10_000},
        {"texts": "a", **{f"field{number}": 1 for number in range(10_000)}},
    ],
)
def test_a_large_wrong_body_gets_a_short_answer(client: TestClient, body: dict[str, Any]) -> None:
    for path in ("/predict", "/explain"):
        answer = client.post(path, json=body)
        assert answer.status_code == 422
        assert len(answer.json()["detail"]) < 10
    answer = client.post("/tei/words", json={"inputs": body["texts"]})
    assert answer.status_code in (200, 422)
    assert len(answer.content) < 10_000
