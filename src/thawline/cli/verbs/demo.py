"""The verb `demo`: what Thawline does, shown on data and a model that come with it."""

from __future__ import annotations

from pathlib import Path

import typer

from thawline.cli import options as opt
from thawline.cli.console import print_json
from thawline.cli.groups import app, configured
from thawline.config import DemoConfig

FOLDER = Path("runs", "demo")
LIMIT = ",".join(map(str, DemoConfig.limit))
SETTINGS = {name: name for name in ("backbone", "data", "limit", "max_length", "seed", "device")}
"""The setting of `DemoConfig` behind each option: those of its own name."""


@app.command()
def demo(
    context: typer.Context,
    backbone: opt.BackboneName = DemoConfig.backbone,
    data: opt.Data = DemoConfig.data,
    limit: opt.Limit = LIMIT,
    max_length: opt.MaxLength = DemoConfig.max_length,
    seed: opt.Seed = DemoConfig.seed,
    device: opt.Device = DemoConfig.device,
    config_file: opt.ConfigFile = None,
    overrides: opt.Overrides = None,
    out: opt.LadderOut = FOLDER,
    as_json: opt.Json = False,
) -> None:
    """Show what the strategies are worth. On few of the embedded reviews, in a minute or so."""
    config = configured(context, config_file, overrides, DemoConfig, SETTINGS)
    from thawline.compare.demo import run_demo
    from thawline.runtime.progress import TerminalReporter

    record = run_demo(config, out, TerminalReporter())
    if as_json:
        print_json(record.to_dict())
    else:
        from thawline.report.terminal import print_demo

        print_demo(record, out, config.data)
