"""Return the web application to programs that run it themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thawline.config import ServeConfig
from thawline.config.resolve import build_config
from thawline.runtime.packages import check_extra
from thawline.runtime.paths import expand

MODULES = ("fastapi", "uvicorn", "prometheus_client")
"""The modules of the extra ``serve``."""


def serve(classifiers: Path | str | Sequence[Path | str], **settings: Any) -> Any:
    """Return an ASGI application that answers requests with saved classifiers.

    It answers as `thawline serve` does. Any ASGI server can run it, also in several processes, and
    it can be mounted in another application. `thawline serve` runs it with uvicorn and also limits
    the time of clients that send no request or do not read the answer.

    Args:
        classifiers: The folder of a run or of a saved classifier, or several folders. Requests name
            a classifier by the name of its folder.
        **settings: The options of `thawline serve` with underscores, for example
            ``max_texts=64``. ``host`` and ``port`` have no effect. If there is no ``token``, the
            environment variable THAWLINE_TOKEN sets it.

    Raises:
        ThawlineError: If the extra ``serve`` is not installed, if a setting is unknown or invalid,
            or if a classifier cannot be loaded.
    """
    check_extra("serve", MODULES)
    config = build_config(settings, config_type=ServeConfig)
    given = [classifiers] if isinstance(classifiers, (str, Path)) else classifiers
    folders = [expand(folder) for folder in given]

    from thawline.serving.app import build_app
    from thawline.serving.server import load_service

    return build_app(load_service(folders, config))
