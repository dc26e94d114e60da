"""Load classifiers and run the web application in this process."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from thawline import artifact
from thawline.config import ServeConfig
from thawline.errors import ThawlineError
from thawline.runtime.failures import describe_system_error
from thawline.runtime.progress import Reporter
from thawline.serving.app import LOG, Service, app_of


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
            "runs with different names, by which requests ask for them",
            f"the name '{twice}' twice",
            "rename or copy one of the folders",
        )
    return dict(zip(names, runs, strict=True))


def run_server(runs: Sequence[Path], config: ServeConfig, reporter: Reporter) -> None:
    """Load classifiers and answer requests until the process gets SIGINT or SIGTERM.

    Args:
        runs: The folders of runs or of saved classifiers.
        config: The settings.
        reporter: Receives messages.

    Raises:
        ThawlineError: If a classifier cannot be loaded, or if the address cannot be used.
    """
    named = name_runs(runs)
    with _listen(config) as listening:
        service = Service({name: artifact.load(run) for name, run in named.items()}, config)
        for line in service.describe().shared:
            reporter.message(line)
        if config.log_texts:
            _show_log()
        host, port = listening.getsockname()[:2]
        reporter.message(f"listening on http://{host}:{port}")
        settings = uvicorn.Config(
            app_of(service),
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
        )
        uvicorn.Server(settings).run(sockets=[listening])


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
            f"a free address, not {config.host}:{config.port}",
            describe_system_error(error),
            "choose another --port or --host",
            setting="port",
        ) from error
