"""Close idle connections, whose clients send no request or do not read the answer.

uvicorn limits only the time between two requests of a connection. A client that sends no request,
or a part of one, or that never reads an answer would keep its connection open for ever, also when
the server stops.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol


def protocol_with_limit(seconds: float) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP protocol with a time limit for idle connections.

    Args:
        seconds: An idle connection is closed after this time, and before twice this time.
    """

    class LimitedProtocol(AutoHTTPProtocol):  # type: ignore[valid-type,misc]
        """Checks regularly whether its connection is idle."""

        cycle: Any  # the request that is answered or was answered last; None before the first one
        flow: Any

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            """Start to check a new connection."""
            super().connection_made(transport)
            self._connection: Any = transport
            # asyncio does this only for sockets that name their protocol. Without it, the body of
            # an answer waits 40 milliseconds for the client to acknowledge the headers.
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._seen: tuple[str, Any] | None = None
            self._look()

        def connection_lost(self, error: Exception | None) -> None:
            """Stop checking the connection."""
            self._next_look.cancel()
            super().connection_lost(error)

        def _look(self) -> None:
            cycle, loop = self.cycle, asyncio.get_running_loop()
            waits_for_client = cycle is None or cycle.response_complete or self.flow.write_paused
            state = ("waits", cycle) if waits_for_client else None
            if state is not None and state == self._seen:
                self._connection.abort()  # what it has not read yet is lost
                return
            self._seen = state
            self._next_look = loop.call_later(seconds, self._look)

    return LimitedProtocol
