"""`thawline info`: print what a strategy would train."""

from __future__ import annotations

import typer

from thawline.cli import options as opt
from thawline.cli.console import print_json
from thawline.cli.groups import app, configured
from thawline.config import (
    Config,
    EncoderConfig,
    HeadConfig,
)


@app.command()
def info(
    context: typer.Context,
    backbone: opt.BackboneName = Config.backbone,
    strategy: opt.StrategyText = Config.strategy,
    vectors: opt.VectorsName = EncoderConfig.vectors,
    labels: opt.LabelNames = None,
    head: opt.HeadText = HeadConfig.head,
    pooling: opt.Pooling = HeadConfig.pooling,
    features: opt.FeaturesText = HeadConfig.features,
    config_file: opt.ConfigFile = None,
    overrides: opt.Overrides = None,
    as_json: opt.Json = False,
) -> None:
    """Print stages, thaw line and what would train. No data is needed."""
    config = configured(context, config_file, overrides)
    from thawline.jobs.info import describe

    names = config.data.labels
    described = describe(config, n_labels=2 if names is None else len(names))
    if as_json:
        print_json(described.to_dict())
    else:
        from thawline.report.terminal import print_info

        print_info(described)
