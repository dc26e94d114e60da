"""`thawline demo`: compare strategies on the data and the model that come with Thawline."""

from __future__ import annotations

from pathlib import Path

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app
from thawline.config import DemoConfig
from thawline.runs.layout import PROVER
from thawline.runtime.fresh import spare_process
from thawline.runtime.imports import quick_imports

FOLDER = Path("runs", "demo")
SETTINGS = ("backbone", "data", "limit", "max_length", "seed", "device")


@verb_with_settings(app, DemoConfig, SETTINGS)
def demo(config: DemoConfig, out: opt.ComparisonOut = None, as_json: opt.Json = False) -> None:
    """Compare four strategies on packaged film reviews.

    This takes about a minute.
    """
    folder = FOLDER if out is None else out
    with spare_process(PROVER):  # imports while this process imports
        with quick_imports():
            from thawline.compare.demo import run_demo
        from thawline.runtime.progress import TerminalReporter

        record = run_demo(config, folder, TerminalReporter())
    if as_json:
        print_json(record.to_dict())
    else:
        from thawline.report.terminal import print_demo

        print_demo(record, folder, config.data)
