"""`thawline tune`: search for the settings of a fit with the highest validation score."""

from __future__ import annotations

from thawline.cli import options as opt
from thawline.cli.commands import SMALL, verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app
from thawline.cli.verbs.compare import Data, default_folder, with_data
from thawline.config import TuneConfig
from thawline.runtime.imports import quick_imports

SETTINGS = {
    "Search": ("strategies", "search", "trials", "budget"),
    "Data": (
        *("fit.data.text", "fit.data.label", "fit.data.labels", SMALL, "fit.data.limit"),
        *("fit.tokens.max_length", "fit.tokens.truncation_side"),
    ),
    "Fits": (
        *("fit.backbone", "fit.head.head", "fit.head.pooling", "fit.encoder.vectors"),
        *("fit.training.epochs", "fit.training.batch_size", "fit.training.lr", "fit.seed"),
        "fit.tapt.unlabelled",
    ),
    "Compute": ("fit.compute.device", "fit.compute.dtype", "fit.compute.store_limit"),
}


@verb_with_settings(app, TuneConfig, SETTINGS)
def tune(
    config: TuneConfig,
    data: Data = None,
    out: opt.SearchOut = None,
    as_json: opt.Json = False,
) -> None:
    """Search for the settings with the highest validation score.

    Settings that you give are fixed, and others are searched. The same command continues a search
    that was stopped, and several processes can share a search.
    """
    from thawline.config.resolve import written_keys

    written = written_keys(config)
    config = with_data(config, data)
    with quick_imports():
        from thawline.tuning import job
        from thawline.tuning.plan import fix_written
    from thawline.runtime.progress import TerminalReporter

    folder = default_folder("tune", str(config.fit.data.data)) if out is None else out
    record = job.tune(fix_written(config, written), folder, TerminalReporter())
    if as_json:
        print_json(record.to_dict())
    else:
        from thawline.report.trials import print_search

        print_search(record, folder)
