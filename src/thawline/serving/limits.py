"""Limit the size of bodies, check the token, and add security headers: before any route runs."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
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


class Guard:
    """An ASGI application around another one that refuses what must not reach it.

    Args:
        app: The application.
        token: The bearer token that requests must send. If None, there is none.
        max_body: The largest body of a request, in bytes.
        is_open: Returns whether a request needs no token.
    """

    def __init__(
        self, app: App, *, token: str | None, max_body: int, is_open: Callable[[Scope], bool]
    ) -> None:
        self._app, self._token, self._max_body = app, token, max_body
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                added = [(n.encode(), v.encode()) for n, v in SECURITY_HEADERS.items()]
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in added if name not in present),
                ]
            await send(message)

        if not self._is_allowed(scope, headers):
            extra = [(b"www-authenticate", b"Bearer")]
            await _answer(send_safely, 401, "expected a valid bearer token", extra)
            return
        limit = f"expected a body of at most {self._max_body:,} bytes"
        length = headers.get(b"content-length", b"0")
        # Python refuses to convert thousands of digits.
        if length.isdigit() and int(length[:20]) > self._max_body:
            await _answer(send_safely, 413, f"{limit}; found more")
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                raise HTTPException(413, f"{limit}; found more")
            return message

        await self._app(scope, receive_limited, send_safely)

    def _is_allowed(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        if self._token is None or scope["method"] == "OPTIONS" or self._is_open(scope):
            return True
        given = headers.get(b"authorization", b"")
        return hmac.compare_digest(given, f"Bearer {self._token}".encode())


async def _answer(
    send: Send, status: int, detail: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = json.dumps({"detail": detail}).encode()
    start = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the rest of the body is not read
        *(headers or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
