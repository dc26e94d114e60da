"""`thawline evaluate`: score a saved classifier."""

from __future__ import annotations

from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import SMALL, verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app
from thawline.config import Config, DataConfig
from thawline.errors import ThawlineError
from thawline.runtime.imports import quick_imports

SETTINGS = (
    *("data.data", SMALL, "data.limit", "data.text", "data.label"),
    *("compute.device", "compute.dtype", "compute.store_limit"),
)

Split = Annotated[
    str,
    typer.Option(
        metavar="SPLIT",
        help="Split to score: train, validation, test or all. Default: test.",
        show_default=False,
    ),
]


@verb_with_settings(app, Config, SETTINGS, files=False)
def evaluate(
    config: Config, run: opt.RunPath, split: Split = "test", as_json: opt.Json = False
) -> None:
    """Score a saved classifier on labelled texts.

    Without --data, these are the test rows of its run.
    """
    named = None if config.data.data is None else config.data
    if named is None and config.data != DataConfig():
        raise ThawlineError(
            "--data with --small, --limit, --text or --label",
            "no --data, which means the rows of the run",
            "add --data, or remove the other options",
        )
    with quick_imports():
        from thawline.jobs.evaluate import evaluate_run
    from thawline.runtime.progress import TerminalReporter

    scores = evaluate_run(run, named, split, config.compute, TerminalReporter())
    if as_json:
        print_json(scores.to_dict())
    else:
        from thawline.report.terminal import print_evaluation

        print_evaluation(scores)
