"""`thawline preflight`: inspect a data set before a fit."""

from __future__ import annotations

import typer

from thawline.cli import options as opt
from thawline.cli.console import print_json
from thawline.cli.groups import app, configured, require_data
from thawline.config import (
    Config,
    DataConfig,
    EncoderConfig,
    TokensConfig,
)


@app.command()
def preflight(
    context: typer.Context,
    data: opt.Data = DataConfig.data,
    backbone: opt.BackboneName = Config.backbone,
    vectors: opt.VectorsName = EncoderConfig.vectors,
    labels: opt.LabelNames = None,
    small: opt.Small = False,
    limit: opt.Limit = None,
    max_length: opt.MaxLength = TokensConfig.max_length,
    truncation_side: opt.TruncationSide = TokensConfig.truncation_side,
    text: opt.TextColumn = DataConfig.text,
    label: opt.LabelColumn = DataConfig.label,
    against: opt.Against = None,
    config_file: opt.ConfigFile = None,
    overrides: opt.Overrides = None,
    as_json: opt.Json = False,
) -> None:
    """Look at a set before a fit. Classes, lengths in tokens, duplicates, leakage."""
    config = configured(context, config_file, overrides)
    require_data(config.data.data)
    from thawline.jobs.preflight import preflight as look_at
    from thawline.runtime.progress import TerminalReporter

    report = look_at(config, TerminalReporter(), against)
    if as_json:
        print_json(report.to_dict())
    else:
        from thawline.report.terminal import print_preflight

        print_preflight(report)
