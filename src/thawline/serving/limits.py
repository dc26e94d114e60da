"""Middleware that checks the token and the size of requests, and notices clients that leave."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
}
"""Headers that are added to each answer, as the OWASP Secure Headers Project recommends."""

MAX_BODIES = 32
"""The number of bodies of the maximum size that may be in memory at the same time."""

Headers = Sequence[tuple[bytes, bytes]]


def path_of(scope: Scope) -> str:
    """Return the path of a request within the application, which may be mounted in another one."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class Guard:
    """ASGI middleware that refuses requests without a valid token or with a body that is too large.

    If a client disconnects, the work for its request is cancelled.

    Args:
        app: The application.
        token: The bearer token that requests must send. If None, there is none.
        max_body: The largest body of a request, in bytes.
        timeout: The number of seconds within which a body must arrive.
        is_open: Returns whether a request needs no token.
    """

    def __init__(
        self,
        app: App,
        *,
        token: str | None,
        max_body: int,
        timeout: float,
        is_open: Callable[[Scope], bool],
    ) -> None:
        self._app, self._token, self._max_body, self._timeout = app, token, max_body, timeout
        self._is_open = is_open
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        exchange = _Exchange(self, receive, send)
        if not self._is_allowed(scope, headers):
            extra = [(b"www-authenticate", b"Bearer")]
            await exchange.refuse(401, "expected a valid bearer token", extra)
            return
        length = headers.get(b"content-length", b"0")
        # Python refuses to convert thousands of digits.
        if length.isdigit() and int(length[:20]) > self._max_body:
            await exchange.refuse(413, self.limit)
            return
        await exchange.run(self._app, scope)

    @property
    def limit(self) -> str:
        """The error message for a body that is too large."""
        return f"expected a body of at most {self._max_body:,} bytes; found more"

    def _is_allowed(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        if self._token is None or scope["method"] == "OPTIONS" or self._is_open(scope):
            return True
        given = headers.get(b"authorization", b"")
        return hmac.compare_digest(given, f"Bearer {self._token}".encode())

    def hold(self, size: int, received: int) -> None:
        """Count bytes of a body as held in memory.

        Args:
            size: The number of bytes that were received now.
            received: The number of bytes of this body so far.

        Raises:
            HTTPException: If the body, or all bodies together, are too large.
        """
        self._held += size
        if received > self._max_body:
            raise HTTPException(413, self.limit)
        if self._held > MAX_BODIES * self._max_body:
            raise HTTPException(503, "too many large bodies arrive", {"Retry-After": "1"})

    def release(self, size: int) -> None:
        """Count bytes of a body as no longer held."""
        self._held -= size

    def deadline(self) -> float:
        """Return the time of the event loop at which a body must have arrived."""
        return asyncio.get_running_loop().time() + self._timeout


class _Exchange:
    """A request and its answer.

    Args:
        guard: Has the limits.
        receive: Receives the body.
        send: Sends the answer.
    """

    def __init__(self, guard: Guard, receive: Receive, send: Send) -> None:
        self._guard, self._receive, self._send = guard, receive, send
        self._received, self._answered, self._left = 0, False, False
        self._leaving: asyncio.Future[Message] | None = None
        self._deadline = guard.deadline()

    async def run(self, app: App, scope: Scope) -> None:
        """Let an application answer the request."""
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        try:
            await app(scope, self.receive, self.send)
        except asyncio.CancelledError:
            if not self._left:
                raise
            task.uncancel()
        finally:
            self._guard.release(self._received)
            if self._leaving is not None:
                self._leaving.cancel()

    async def receive(self) -> Message:
        """Return the next part of the body, or that the client has left."""
        if self._leaving is not None:
            return await asyncio.shield(self._leaving)
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            detail = "the body of the request arrived too slowly"
            raise HTTPException(408, detail, {"Connection": "close"}) from error
        if message["type"] == "http.disconnect":
            self._leave()
            return message
        size = len(message.get("body", b""))
        self._received += size
        self._guard.hold(size, self._received)
        if not message.get("more_body", False):
            self._leaving = asyncio.ensure_future(self._receive())
            self._leaving.add_done_callback(self._notice)
        return message

    def _notice(self, leaving: asyncio.Future[Message]) -> None:
        if not leaving.cancelled() and leaving.exception() is None:
            self._leave()

    def _leave(self) -> None:
        """Cancel the work for a client that has left."""
        if not self._answered and not self._left:
            self._left = True
            self._task.cancel()

    async def send(self, message: Message) -> None:
        """Send a part of the answer, with the security headers."""
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            added = [(name, value) for name, value in _SECURITY if name not in present]
            message["headers"] = [*message["headers"], *added]
        elif not message.get("more_body", False):
            self._answered = True
        await self._send(message)

    async def refuse(self, status: int, detail: str, headers: Headers = ()) -> None:
        """Answer without reading the body, which the server then reads and forgets."""
        body = json.dumps({"detail": detail}).encode()
        start = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *headers,
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": start})
        await self.send({"type": "http.response.body", "body": body})


_SECURITY = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
