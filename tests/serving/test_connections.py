"""Clients that are slow, rude or many do no harm to a server on a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from tests.support.live_server import live_server
from thawline import TextClassifier
from thawline.inference.fitted import AnyFitted
from thawline.serving import limits
from thawline.serving.service import Service

Reviews = Callable[..., tuple[list[str], list[int]]]

LIMIT = 2_000
"""The maximum size of a body, in bytes."""

HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def classifiers(toy_reviews: Reviews) -> dict[str, AnyFitted]:
    words = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60))
    return {"words": words.fitted_}


@pytest.fixture(scope="module")
def address(classifiers: dict[str, AnyFitted]) -> Iterator[str]:
    with live_server(classifiers, max_body=LIMIT) as address:
        yield address


@pytest.fixture(scope="module")
def impatient(classifiers: dict[str, AnyFitted]) -> Iterator[str]:
    """Return the address of a server that waits for clients only half a second."""
    with live_server(classifiers, timeout=0.5) as address:
        yield address


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def read_answer(connection: socket.socket) -> tuple[int, bytes, bytes]:
    """Return the status, the headers in lower case, and the body of the next answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65_536)
        assert more, "the server closed the connection"
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return int(head.split()[1]), head.lower(), body


def with_length(body: bytes) -> bytes:
    return HEAD + b"content-length: %d\r\n\r\n" % len(body) + body


def in_chunks(body: bytes) -> bytes:
    parts = [body[start : start + 300] for start in range(0, len(body), 300)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def metric(address: str, start: str) -> float:
    """Return the value of the line of /metrics that has this beginning, or 0."""
    with connect(address) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
        lines = read_answer(connection)[2].decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(start)), 0.0)


@pytest.mark.parametrize("form", [with_length, in_chunks])
@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (10 * LIMIT, 413)])
def test_bodies_at_and_over_the_limit(
    address: str, form: Callable[[bytes], bytes], size: int, status: int
) -> None:
    body = b'{"texts": "a good film"}'.ljust(size)
    with connect(address) as connection:
        for _ in range(2):  # the connection remains usable
            connection.sendall(form(body))
            assert read_answer(connection)[0] == status


def test_the_parts_of_an_answer_are_sent_at_once(
    classifiers: dict[str, AnyFitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, seen = limits.Guard.__call__, []

    async def look(self: limits.Guard, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            transports = getattr(asyncio.get_running_loop(), "_transports", {})
            for transport in [*transports.values()]:
                given = transport.get_extra_info("socket")
                seen.append(given.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await original(self, scope, receive, send)

    monkeypatch.setattr(limits.Guard, "__call__", look)
    with live_server(classifiers) as address, connect(address) as connection:
        connection.sendall(with_length(b'{"texts": "a good film"}'))
        assert read_answer(connection)[0] == 200
    assert all(seen)  # empty if uvloop is installed


def test_a_client_that_waits_for_the_answer_before_its_large_body(address: str) -> None:
    head = HEAD + b"content-length: %d\r\nexpect: 100-continue\r\n\r\n" % (LIMIT + 1)
    with connect(address) as connection:
        connection.sendall(head)
        assert read_answer(connection)[0] == 413


def test_a_body_that_drips(impatient: str) -> None:
    with connect(impatient) as connection:
        connection.sendall(HEAD + b"content-length: 1000\r\n\r\n")
        connection.settimeout(0.1)
        answer = b""
        for _ in range(600):
            try:
                connection.sendall(b"a")
                answer = connection.recv(1_000)
                break
            except TimeoutError:
                continue
        assert answer.split()[1] == b"408"


@pytest.mark.parametrize("sent", [b"", HEAD[:20], HEAD, with_length(b'{"texts": "a"}')])
def test_clients_that_send_nothing_more(impatient: str, sent: bytes) -> None:
    with connect(impatient) as connection:
        connection.sendall(sent)
        while connection.recv(1_000):
            pass  # the server closes the connection


def test_a_client_that_never_reads(impatient: str) -> None:
    def send_for_ever(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 100)

    with connect(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        with pytest.raises(ConnectionError):
            send_for_ever(connection)


def test_work_for_a_client_that_left_is_dropped(
    classifiers: dict[str, AnyFitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, free, seen = Service._predict, threading.Event(), []

    def slow(self: Service, texts: Any, models: Any) -> Any:
        seen.extend(texts)
        if "wait" in texts:
            free.wait(60)
        return original(self, texts, models)

    monkeypatch.setattr(Service, "_predict", slow)
    with live_server(classifiers) as address, connect(address) as first:
        first.sendall(with_length(b'{"texts": "wait"}'))
        while "wait" not in seen:
            time.sleep(0.01)
        with connect(address) as second:
            second.sendall(with_length(b'{"texts": ["left", "too"]}'))
            while metric(address, "thawline_waiting_texts") < 3:
                pass
        while metric(address, "thawline_waiting_texts") > 1:
            pass
        assert metric(address, 'thawline_requests_total{route="/predict",status="499"}') == 1
        free.set()
        assert read_answer(first)[0] == 200
    assert "left" not in seen


def test_bodies_of_many_clients_share_a_limit(
    classifiers: dict[str, AnyFitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_BODIES", 1)
    body = b'{"texts": "a good film"}'.ljust(LIMIT)
    with live_server(classifiers, max_body=LIMIT) as address:
        with connect(address) as first, connect(address) as second:
            first.sendall(with_length(body)[:-1])
            while not second_is_refused(second, body):
                pass
        with connect(address) as third:
            while second_is_refused(third, body):
                pass  # until the server notices that the first client has left


def second_is_refused(connection: socket.socket, body: bytes) -> bool:
    connection.sendall(with_length(body))
    status, head, _ = read_answer(connection)
    assert status in (200, 503)
    assert (status == 503) == (b"retry-after" in head)
    return status == 503


@pytest.mark.parametrize("clients", [100, pytest.param(1_000, marks=pytest.mark.slow)])
def test_many_connections_at_once(address: str, clients: int) -> None:
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    request = with_length(json.dumps({"texts": "a good film"}).encode())
    together = asyncio.Barrier(clients)

    async def client() -> int:
        reader, writer = await asyncio.open_connection(host, int(port))
        await together.wait()  # all are connected
        writer.write(request)
        status = int((await reader.readline()).split()[1])
        writer.close()
        return status

    async def use() -> list[int]:
        async with asyncio.timeout(240):
            return await asyncio.gather(*(client() for _ in range(clients)))

    assert asyncio.run(use()) == [200] * clients
