"""`thawline serve`: answer requests over HTTP with saved classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.groups import app
from thawline.config import ServeConfig
from thawline.runtime.imports import quick_imports

SETTINGS = {
    "Network": ("host", "port", "token", "allow_origin"),
    "Web page": ("runs",),
    "Limits": ("queue", "max_body", "max_texts", "max_characters", "timeout"),
    "Compute": ("wait", "tokens_per_batch", "device", "dtype"),
    "Logging": ("log_texts",),
}

Classifiers = Annotated[
    list[Path],
    typer.Argument(
        parser=opt.expand, metavar="RUN…", help="Folders of runs or of saved classifiers."
    ),
]


@verb_with_settings(app, ServeConfig, SETTINGS)
def serve(config: ServeConfig, classifiers: Classifiers) -> None:
    """Answer requests over HTTP with saved classifiers.

    Classifiers on one backbone share its frozen part. The web page is at /. POST /predict
    classifies texts; GET /openapi.json describes all routes.
    """
    from thawline.runs.layout import find
    from thawline.runtime.packages import check_extra
    from thawline.serving.asgi import MODULES

    check_extra("serve", MODULES)
    for run in classifiers:
        find(run)  # fail before the large imports
    with quick_imports():
        from thawline.runtime.progress import TerminalReporter
        from thawline.serving.server import run_server

    run_server(classifiers, config, TerminalReporter())
