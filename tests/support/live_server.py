"""The application of `serve` for tests, alone or in a server in a thread, for browsers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from thawline.config import ServeConfig
from thawline.inference.fitted import AnyFitted


def local_app(classifiers: Mapping[str, AnyFitted], **settings: Any) -> Any:
    """Return the application of `serve`.

    Args:
        classifiers: The classifiers by name.
        **settings: Settings of `ServeConfig`.
    """
    from thawline.serving.app import build_app
    from thawline.serving.service import Service

    return build_app(Service(classifiers, ServeConfig(**settings)))


@contextmanager
def live_server(classifiers: Mapping[str, AnyFitted], **settings: Any) -> Iterator[str]:
    """Run a server as long as the context, and return its address.

    Args:
        classifiers: The classifiers by name.
        **settings: Settings of `ServeConfig`.
    """
    import uvicorn

    from thawline.serving.server import server_settings
    from thawline.serving.service import Service

    service = Service(classifiers, ServeConfig(**settings))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(server_settings(service))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                thread.join(0.01)
                assert thread.is_alive()
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()
