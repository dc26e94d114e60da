"""`thawline compare`: find the strategy that is worth its cost."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from thawline.cli import options as opt
from thawline.cli.commands import SMALL, verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app
from thawline.config import LadderConfig, TuneConfig
from thawline.errors import ThawlineError
from thawline.runs.layout import PROVER
from thawline.runtime.fresh import spare_process
from thawline.runtime.imports import quick_imports

SETTINGS = {
    "Comparison": (
        *("rungs", "backbones", "seeds", "draws", "budget", "margin", "cost", "sizes", "refit"),
    ),
    "Data": (
        *("fit.data.text", "fit.data.label", "fit.data.labels", SMALL, "fit.data.limit"),
        *("fit.tokens.max_length", "fit.tokens.truncation_side"),
    ),
    "Fits": (
        *("fit.head.head", "fit.head.pooling", "fit.encoder.vectors"),
        *("fit.training.epochs", "fit.training.batch_size", "fit.tapt.unlabelled"),
    ),
    "Compute": ("fit.compute.device", "fit.compute.dtype", "fit.compute.store_limit"),
}

WithFit = TypeVar("WithFit", LadderConfig, TuneConfig)
"""Settings with those of a fit in the table ``fit``."""

Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="Labelled texts: a file, a folder, a .tar.gz of class folders, a data set's name or a "
        "hub id.",
        show_default=False,
    ),
]


@verb_with_settings(app, LadderConfig, SETTINGS)
def compare(
    config: LadderConfig,
    data: Data = None,
    out: opt.ComparisonOut = None,
    as_json: opt.Json = False,
) -> None:
    """Find the strategy that is worth its cost on labelled texts.

    All strategies are fitted on the same rows, from the cheapest to the most expensive, as far as
    the budget allows. The same command continues a comparison that was stopped.
    """
    with spare_process(PROVER):  # imports while this process imports
        config = with_data(config, data)
        with quick_imports():
            from thawline.compare.ladder import run_ladder
        from thawline.runtime.progress import TerminalReporter

        folder = default_folder("compare", str(config.fit.data.data)) if out is None else out
        record = run_ladder(config, folder, TerminalReporter())
    if as_json:
        print_json(record.to_dict())
    else:
        from thawline.report.terminal import print_comparison

        print_comparison(record, folder)


def default_folder(verb: str, data: str) -> Path:
    """Return the folder of a job, which is the same each time, so that the job is continued.

    Args:
        verb: The command.
        data: The data set.
    """
    name = re.sub(r"[^\w.]+", "-", Path(data).stem).strip("-")
    return Path("runs", f"{verb}-{name}")


def with_data(config: WithFit, data: str | None) -> WithFit:
    """Return the settings with the data set of the command line.

    Args:
        config: The settings.
        data: The data set. None if the command line has none.

    Raises:
        ThawlineError: If there is no data set, or if the settings name another one.
    """
    from thawline.config.resolve import with_absolute_paths

    if data is not None and config.fit.data.data is not None:
        raise ThawlineError(
            "DATA or fit.data.data in --config",
            "both",
            "remove one of them",
            setting="fit.data.data",
        )
    if data is None and config.fit.data.data is None:
        fix = "add a data set's name, a file or a folder after the command"
        raise ThawlineError("DATA", "none", fix, setting="fit.data.data")
    if data is None:
        return config
    fit = replace(config.fit, data=replace(config.fit.data, data=data))
    return with_absolute_paths(replace(config, fit=fit))
