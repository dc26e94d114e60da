"""`thawline fit`: train a text classifier."""

from __future__ import annotations

from pathlib import Path

from thawline.cli import options as opt
from thawline.cli.commands import SMALL, verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app, require_data
from thawline.cli.naming import register_fit
from thawline.config import Config
from thawline.runs.layout import PROVER
from thawline.runtime.fresh import spare_process
from thawline.runtime.imports import quick_imports

SETTINGS = {
    "Data": (
        *("data.data", "data.text", "data.label", "data.labels", SMALL, "data.limit"),
        *("tokens.max_length", "tokens.truncation_side"),
    ),
    "Backbone and strategy": (
        "backbone",
        "strategy",
        "tapt.unlabelled",
        "encoder.vectors",
        "artifact.merge",
    ),
    "Head": ("head.head", "head.pooling", "head.features", "head.standardise"),
    "Training": (
        *("training.epochs", "training.batch_size", "training.lr", "training.augment"),
        "seed",
    ),
    "Compute": ("compute.device", "compute.dtype", "compute.store_limit"),
    "Texts of your own": ("report.show", "report.show_file"),
}

register_fit(SETTINGS)


@verb_with_settings(app, Config, SETTINGS)
def fit(
    config: Config, out: opt.Out = None, resume: opt.Resume = False, as_json: opt.Json = False
) -> None:
    """Train a text classifier on a pretrained backbone.

    The classifier is evaluated before and after training, saved, and checked by classifying texts
    in a fresh process.
    """
    require_data(config.data.data)
    name = f"{Path(str(config.data.data)).stem}-{config.strategy}"
    with spare_process(PROVER):  # imports while this process imports
        with quick_imports():
            from thawline.jobs.fit import fit_run
        from thawline.runs.folder import reserved_folder
        from thawline.runtime.progress import TerminalReporter

        with reserved_folder(out, name) as folder:
            record = fit_run(config, folder, TerminalReporter(), resume=resume)
    if as_json:
        print_json(record.to_dict())
    else:
        from thawline.report.terminal import print_fit

        print_fit(record, config.report)
