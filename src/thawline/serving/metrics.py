"""Count requests, texts and times in the format of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Sequence

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from thawline.serving.batching import Batcher
from thawline.serving.limits import App, Message, Receive, Scope, Send, path_of
from thawline.serving.schemas import TextOrPair

ROUTES = (
    *("/predict", "/explain", "/models", "/healthz", "/readyz", "/metrics", "/tei"),
    *("/runs", "/page"),
)
"""The beginnings of paths by which requests are counted. All others are counted together."""

LEFT = 499
"""The status of requests whose clients left before the answer, as nginx counts them."""

BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
"""The upper bounds of the durations of requests that are counted together, in seconds."""


class Metrics:
    """The counters of a server.

    Args:
        batcher: Its queue is shown.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "thawline_requests", "Requests by route and status", ("route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "thawline_request_seconds", "Durations of requests by route", ("route",),
            buckets=BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._texts = Counter("thawline_texts", "Classified texts", registry=self._registry)
        self._characters = Counter(
            "thawline_characters", "Characters of classified texts", registry=self._registry
        )
        waiting = Gauge("thawline_waiting_texts", "Waiting texts", registry=self._registry)
        waiting.set_function(lambda: batcher.waiting)
        batches = Gauge("thawline_batches", "Computed batches", registry=self._registry)
        batches.set_function(lambda: batcher.batches)

    media_type = CONTENT_TYPE_LATEST
    """The content type of the text."""

    def count_texts(self, texts: Sequence[TextOrPair]) -> None:
        """Count the texts of a request."""
        self._texts.inc(len(texts))
        parts = [(text,) if isinstance(text, str) else text for text in texts]
        self._characters.inc(sum(len(part) for pair in parts for part in pair))

    def text(self) -> str:
        """Return all metrics."""
        return generate_latest(self._registry).decode()

    def counting(self, app: App) -> App:
        """Return an ASGI application that counts the requests of another one.

        Args:
            app: The application.
        """

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            start, status = time.perf_counter(), LEFT
            path = path_of(scope)
            known = [route for route in ROUTES if path == route or path.startswith(f"{route}/")]
            route = known[0] if known else "other"

            async def watch(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, watch)
            except Exception:
                status = 500
                raise
            finally:
                self._requests.labels(route, str(status)).inc()
                self._seconds.labels(route).observe(time.perf_counter() - start)

        return counted
