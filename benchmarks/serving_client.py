"""A small HTTP client for benchmarks, which takes less time than the server that it measures."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import psutil

PATIENCE = 120.0
"""The number of seconds after which an answer counts as missing."""


@dataclass
class Connection:
    """A connection to a server that is kept open."""

    port: int
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def send(self, data: bytes) -> None:
        """Send bytes, over a new connection if there is none."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Return the status and the body of the next answer, which must have a length."""
        assert self.reader is not None
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            body = await self.reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), body

    async def ask(self, data: bytes) -> int:
        """Send a request and return the status of the answer."""
        await self.send(data)
        return (await self.answer())[0]

    def close(self) -> None:
        """Close the connection at once."""
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None


def post(path: str, body: bytes, *headers: str) -> bytes:
    """Return the bytes of a request with a body and its length."""
    lines = [f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json"]
    lines += [f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def predict(texts: Any) -> bytes:
    """Return the bytes of a request that classifies texts."""
    return post("/predict", json.dumps({"texts": texts}).encode())


@dataclass
class Served:
    """A server in a process of its own.

    Attributes:
        name: Its name in the results.
        port: The port on which it listens.
        process: The process.
    """

    name: str
    port: int
    process: psutil.Popen

    @classmethod
    def start(cls, name: str, port: int, module: str, *arguments: str) -> Self:
        """Start a module of Python and wait until it answers.

        Args:
            name: Its name in the results.
            port: The port on which it listens.
            module: The module.
            arguments: The arguments of its command line.
        """
        command = [sys.executable, "-m", module, *arguments, "--port", str(port)]
        served = cls(name, port, psutil.Popen(command, stderr=subprocess.DEVNULL))
        asyncio.run(served.wait())
        return served

    async def wait(self) -> None:
        """Wait until the server answers."""
        while True:
            with_one = Connection(self.port)
            try:
                await with_one.ask(predict("A good film."))
            except OSError:
                assert self.process.poll() is None, f"{self.name} did not start"
                await asyncio.sleep(0.2)
            else:
                return
            finally:
                with_one.close()

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@dataclass
class Measured:
    """The requests of some clients within some seconds.

    Attributes:
        latencies: The seconds from each request to its answer.
        seconds: The seconds of all together.
        cpu: The CPU seconds of the server.
    """

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds


async def measure(
    served: Served, texts: Sequence[str], clients: int, seconds: float, pause: float = 0.0
) -> Measured:
    """Let clients ask a server, each as soon as it has the answer of its last request.

    Args:
        served: The server.
        texts: The texts, one for each request.
        clients: The number of clients.
        seconds: How long they ask.
        pause: The seconds between an answer and the next request of a client.
    """
    found, requests = Measured(), [predict(text) for text in texts]
    cpu, start = served.cpu_seconds(), time.perf_counter()

    async def client(number: int) -> None:
        connection, turn = Connection(served.port), number
        while time.perf_counter() < start + seconds:
            asked = time.perf_counter()
            status = await connection.ask(requests[turn % len(requests)])
            assert status == 200, f"{served.name} answered {status}"
            found.latencies.append(time.perf_counter() - asked)
            turn += clients
            if pause:
                await asyncio.sleep(pause)
        connection.close()

    await asyncio.gather(*map(client, range(clients)))
    found.seconds, found.cpu = time.perf_counter() - start, served.cpu_seconds() - cpu
    return found


class MixedLoad:
    """Clients that send good requests, wrong ones, and parts of requests.

    Args:
        served: The server.
        words: Words of which texts are made.
        max_body: The limit of the server for bodies, in bytes.
    """

    def __init__(self, served: Served, words: Sequence[str], max_body: int = 8 * 2**20) -> None:
        self._served, self._words, self._max_body = served, words, max_body
        self.outcomes: Counter[str] = Counter()
        self.memory: list[tuple[float, float]] = []
        self._kinds: dict[Callable[[Connection], Awaitable[int | str]], int] = {
            self._one: 60, self._many: 8, self._invalid: 8, self._oversized: 3,
            self._chunked: 3, self._half: 5, self._gone: 8, self._idle: 3, self._look: 2,
        }  # fmt: skip

    async def run(self, clients: int, seconds: float, every: float = 10.0) -> float:
        """Send requests, and return the seconds until the server is ready afterwards.

        Args:
            clients: The number of clients.
            seconds: How long they send.
            every: The seconds between two looks at the memory of the server.
        """
        start = time.perf_counter()
        end = start + seconds

        async def client(seed: int) -> None:
            draw = random.Random(seed)
            connection = Connection(self._served.port)
            while time.perf_counter() < end:
                kind = draw.choices([*self._kinds], [*self._kinds.values()])[0]
                try:
                    outcome = await kind(connection)
                except (OSError, EOFError, TimeoutError) as error:
                    outcome = type(error).__name__
                    connection.close()
                self.outcomes[f"{kind.__name__.strip('_')} {outcome}"] += 1

        async def watch() -> None:
            while time.perf_counter() < end:
                size = self._served.process.memory_info().rss / 2**20
                self.memory.append((time.perf_counter() - start, size))
                await asyncio.sleep(every)

        await asyncio.gather(watch(), *map(client, range(clients)))
        stopped = time.perf_counter()
        while await self._ask(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n") != 200:
            await asyncio.sleep(0.01)
        return time.perf_counter() - stopped

    async def _ask(self, request: bytes) -> int:
        connection = Connection(self._served.port)
        try:
            return await connection.ask(request)
        finally:
            connection.close()

    def _text(self, most: int = 2_000) -> str:
        return " ".join(random.choices(self._words, k=random.randint(1, most)))

    async def _one(self, connection: Connection) -> int:
        return await connection.ask(predict(self._text()))

    async def _many(self, connection: Connection) -> int:
        return await connection.ask(
            predict([self._text(200) for _ in range(random.randint(2, 64))])
        )

    async def _invalid(self, connection: Connection) -> int:
        bodies = (
            *(b"", b"{", b'{"texts": NaN}', b'{"texts": "\xff"}', b"[" * 50_000, b'{"texts": []}'),
            *(b'{"texts": "a", "top": 0}', b'{"texts": "\\ud800"}', b'{"texts": "a", "x": 1}'),
        )
        return await connection.ask(post("/predict", random.choice(bodies)))

    async def _oversized(self, connection: Connection) -> int:
        return await connection.ask(post("/predict", b" " * (self._max_body + 1)))

    async def _chunked(self, connection: Connection) -> int:
        head = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        await connection.send(head)
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(self._max_body // 0x10000 + 1):
            await connection.send(chunk)
        await connection.send(b"0\r\n\r\n")
        return (await connection.answer())[0]

    async def _half(self, connection: Connection) -> str:
        request = predict(self._text())
        await connection.send(request[: random.randrange(len(request))])
        await asyncio.sleep(random.random() / 10)
        connection.close()
        return "left"

    async def _gone(self, connection: Connection) -> str:
        await connection.send(predict(self._text()))
        await asyncio.sleep(random.random() / 100)
        connection.close()
        return "left"

    async def _idle(self, connection: Connection) -> str:
        await connection.send(b"")
        await asyncio.sleep(random.random())
        connection.close()
        return "left"

    async def _look(self, connection: Connection) -> int:
        path = random.choice(["/metrics", "/models", "/healthz", "/openapi.json", "/nothing"])
        return await connection.ask(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())


def free_port() -> int:
    """Return a port that no program uses now."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def threads() -> str:
    """Return the number of threads that the servers use, as the environment sets it."""
    return os.environ.get("OMP_NUM_THREADS", "as many as there are cores")
