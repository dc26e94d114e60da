"""The command line: verbs only. Whatever needs torch is imported when a verb runs."""

from __future__ import annotations

from pathlib import Path

import typer

from thawline.cli import options as opt
from thawline.cli.console import print_json
from thawline.cli.groups import app, configured, require_data, resumed
from thawline.config import (
    ArtifactConfig,
    ComputeConfig,
    Config,
    DataConfig,
    EncoderConfig,
    HeadConfig,
    TokensConfig,
    TrainingConfig,
)


@app.command()
def fit(
    context: typer.Context,
    data: opt.Data = DataConfig.data,
    backbone: opt.BackboneName = Config.backbone,
    strategy: opt.StrategyText = Config.strategy,
    vectors: opt.VectorsName = EncoderConfig.vectors,
    labels: opt.LabelNames = None,
    small: opt.Small = False,
    limit: opt.Limit = None,
    head: opt.HeadText = HeadConfig.head,
    pooling: opt.Pooling = HeadConfig.pooling,
    features: opt.FeaturesText = HeadConfig.features,
    standardise: opt.Standardise = HeadConfig.standardise,
    max_length: opt.MaxLength = TokensConfig.max_length,
    truncation_side: opt.TruncationSide = TokensConfig.truncation_side,
    epochs: opt.Epochs = TrainingConfig.epochs,
    batch_size: opt.BatchSize = TrainingConfig.batch_size,
    lr: opt.LearningRate = TrainingConfig.lr,
    seed: opt.Seed = Config.seed,
    text: opt.TextColumn = DataConfig.text,
    label: opt.LabelColumn = DataConfig.label,
    device: opt.Device = ComputeConfig.device,
    dtype: opt.Dtype = ComputeConfig.dtype,
    store_limit: opt.StoreLimit = None,
    merge: opt.Merge = ArtifactConfig.merge,
    config_file: opt.ConfigFile = None,
    overrides: opt.Overrides = None,
    out: opt.Out = None,
    resume: opt.Resume = False,
    as_json: opt.Json = False,
) -> None:
    """Adapt a backbone to labelled texts. Evaluate, save and prove the classifier."""
    if resume:
        config = resumed(context, out, config_file, overrides)
    else:
        config = configured(context, config_file, overrides)
    require_data(config.data.data)
    from thawline.jobs.fit import fit_run
    from thawline.runs.folder import default_folder
    from thawline.runtime.progress import TerminalReporter

    named = f"{Path(str(config.data.data)).stem}-{config.strategy}"
    folder = default_folder(named) if out is None else out
    record = fit_run(config, folder, TerminalReporter(), resume=resume)
    if as_json:
        print_json(record.to_dict())
    else:
        from thawline.report.terminal import print_fit

        print_fit(record, config.report)
