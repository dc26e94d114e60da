"""`thawline preflight`: inspect a data set before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import SMALL, verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app, require_data
from thawline.config import Config
from thawline.runtime.imports import quick_imports
from thawline.runtime.paths import expand

SETTINGS = (
    *("data.data", "data.text", "data.label", "data.labels", SMALL, "data.limit"),
    *("backbone", "encoder.vectors", "tokens.max_length", "tokens.truncation_side"),
)

Against = Annotated[
    Path | None,
    typer.Option(
        parser=expand,
        metavar="FILE",
        help="File of texts to look for in the splits, for example the training texts of a "
        "language model.",
    ),
]


@verb_with_settings(app, Config, SETTINGS)
def preflight(config: Config, against: Against = None, as_json: opt.Json = False) -> None:
    """Inspect a data set before training.

    The report covers classes, lengths in tokens, duplicates, and leakage between splits.
    """
    require_data(config.data.data)
    with quick_imports():
        from thawline.jobs.preflight import preflight as inspect_data
    from thawline.runtime.progress import TerminalReporter

    report = inspect_data(config, TerminalReporter(), against)
    if as_json:
        print_json(report.to_dict())
    else:
        from thawline.report.terminal import print_preflight

        print_preflight(report)
