"""Load classifiers and run the web application in this process."""

from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import uvicorn

from thawline import artifact
from thawline.config import ServeConfig
from thawline.errors import ThawlineError
from thawline.runtime.failures import describe_system_error
from thawline.runtime.progress import Reporter
from thawline.serving.app import build_app
from thawline.serving.connections import protocol_with_limit
from thawline.serving.service import LOG, Service

TOKEN = "THAWLINE_TOKEN"
"""The environment variable with the token that requests must send."""

MAX_FILES = 65_536
"""The number of open files to which the process raises its limit, if the system allows it."""


def name_runs(runs: Sequence[Path]) -> dict[str, Path]:
    """Return runs by the names of their folders.

    Args:
        runs: The folders of runs or of saved classifiers.

    Raises:
        ThawlineError: If two have the same name.
    """
    names = [run.resolve().name for run in runs]
    if len({*names}) < len(names):
        twice = max(names, key=names.count)
        raise ThawlineError(
            "runs in folders with different names, which requests use",
            f"the name '{twice}' twice",
            "rename or copy one of the folders",
        )
    return dict(zip(names, runs, strict=True))


def load_service(runs: Sequence[Path], config: ServeConfig) -> Service:
    """Load classifiers that answer requests.

    Args:
        runs: The folders of runs or of saved classifiers.
        config: The settings. If there is no token, the environment variable `TOKEN` sets it.

    Raises:
        ThawlineError: If a classifier cannot be loaded, or if two have the same name.
    """
    named = name_runs(runs)
    if config.token is None:
        config = replace(config, token=os.environ.get(TOKEN) or None)
    if config.log_texts:
        _show_log()
    return Service({name: artifact.load(run) for name, run in named.items()}, config)


def run_server(runs: Sequence[Path], config: ServeConfig, reporter: Reporter) -> None:
    """Load classifiers and answer requests until the process gets SIGINT or SIGTERM.

    Args:
        runs: The folders of runs or of saved classifiers.
        config: The settings.
        reporter: Receives messages.

    Raises:
        ThawlineError: If a classifier cannot be loaded, or if the address cannot be used.
    """
    name_runs(runs)  # fail before the address is taken
    with _listen(config) as listening:
        service = load_service(runs, config)
        server = uvicorn.Server(server_settings(service))
        for line in service.describe().shared:
            reporter.message(line)
        _allow_many_connections()
        host, port = listening.getsockname()[:2]
        reporter.message(f"listening on http://{host}:{port}")
        server.run(sockets=[listening])


def server_settings(service: Service) -> uvicorn.Config:
    """Return the settings of uvicorn for a service."""
    timeout = service.config.timeout
    return uvicorn.Config(
        build_app(service),
        http=protocol_with_limit(timeout),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        # All accepted requests are answered by then. Only slow clients are left.
        timeout_graceful_shutdown=math.ceil(timeout),
    )


def _allow_many_connections() -> None:
    """Raise the number of files that this process may open, which many systems set to 1,024."""
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _show_log() -> None:
    """Write the log of requests to standard error, which Python does not show by default."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)


def _listen(config: ServeConfig) -> socket.socket:
    """Return a socket that listens, so that a taken port is reported before anything is loaded."""
    try:
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        return socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        raise ThawlineError(
            "a free address of this machine as `host` and `port`",
            f"{config.host}:{config.port}, which cannot be used ({describe_system_error(error)})",
            "choose another `port` or `host`",
            setting="port",
        ) from error
