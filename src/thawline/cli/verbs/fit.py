"""The command line: verbs only. Whatever needs torch is imported when a verb runs."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from thawline.cli import options as opt
from thawline.cli.console import one_line, print_json
from thawline.cli.groups import app, configured, require_data, resumed, store_app
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
from thawline.errors import ThawlineError


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
        print_json(record)
    else:
        from thawline.report.terminal import print_fit

        print_fit(record)


@app.command()
def predict(
    run: opt.RunPath,
    texts: opt.Texts = None,
    device: opt.Device = ComputeConfig.device,
    dtype: opt.PredictDtype = "float32",
    as_json: opt.Json = False,
) -> None:
    """Classify texts with a saved classifier."""
    from thawline import artifact
    from thawline.evaluation.metrics import probabilities
    from thawline.inference.texts import prediction_records, text_logits
    from thawline.runtime.progress import Reporter

    artifact.find(run)  # before standard input is waited for
    given = _given_texts(texts)
    fitted = artifact.load(run)
    read = [_pair(text) for text in given] if fitted.reading.pairs else given
    compute = ComputeConfig(device=device, dtype=dtype)
    shares = probabilities(text_logits(fitted, read, compute, Reporter()))
    records = prediction_records(fitted, read, shares)
    if as_json:
        for record in records:
            print_json(record)
    else:
        from thawline.report.terminal import print_predictions

        print_predictions(records)


@app.command()
def evaluate(
    context: typer.Context,
    run: opt.RunPath,
    data: opt.Data = DataConfig.data,
    split: opt.Split = "test",
    small: opt.Small = False,
    limit: opt.Limit = None,
    text: opt.TextColumn = DataConfig.text,
    label: opt.LabelColumn = DataConfig.label,
    device: opt.Device = ComputeConfig.device,
    dtype: opt.Dtype = ComputeConfig.dtype,
    store_limit: opt.StoreLimit = None,
    as_json: opt.Json = False,
) -> None:
    """Score a saved classifier. Without --data: on the run's own rows of --split."""
    config = configured(context)
    if data is None and config.data != DataConfig():
        raise ThawlineError(
            "--data beside --small, --limit, --text or --label",
            "no --data, which means the run's own rows",
            "add --data, or leave the others out",
        )
    from thawline.jobs.fit import evaluate_run
    from thawline.runtime.progress import TerminalReporter

    named = None if data is None else config.data
    scores = evaluate_run(run, named, split, config.compute, TerminalReporter())
    if as_json:
        print_json(scores)
    else:
        from thawline.report.terminal import print_evaluation

        print_evaluation(scores)


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
        print_json(described)
    else:
        from thawline.report.terminal import print_info

        print_info(described)


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
    from thawline.data.preflight.survey import preflight as look_at
    from thawline.runtime.progress import TerminalReporter

    report = look_at(config, TerminalReporter(), against)
    if as_json:
        print_json(report)
    else:
        from thawline.report.terminal import print_preflight

        print_preflight(report)


@store_app.command("ls")
def store_ls(as_json: opt.Json = False) -> None:
    """List what the store holds."""
    from thawline import store

    found = store.entries()
    if as_json:
        for entry in found:
            print_json(entry)
    else:
        from thawline.report.terminal import print_store

        print_store(found, store.home())


@store_app.command("clear")
def store_clear(as_json: opt.Json = False) -> None:
    """Delete all frozen states. They are computed again when they are needed."""
    from thawline import store

    freed = store.clear()
    if as_json:
        print_json({"freed_bytes": freed})
    else:
        typer.echo(f"freed {freed / 1e6:,.1f} MB in {store.home() / 'store'}")
        left = len(store.entries())
        if left:
            typer.echo(f"left {left} that another process is filling or reading")


def _given_texts(texts: list[str] | None) -> list[str]:
    try:
        given = texts if texts else [line.rstrip("\r\n") for line in sys.stdin]
        "".join(given).encode()
    except UnicodeError as error:
        raise ThawlineError("texts in UTF-8", str(error), "convert them to UTF-8") from error
    if not given:
        raise ThawlineError("at least one text", "none", 'write thawline predict RUN "a text"')
    return given


def _pair(text: str) -> tuple[str, str]:
    first, tab, second = text.partition("\t")
    if not tab:
        raise ThawlineError(
            "pairs of texts, as this classifier learnt from",
            f"'{one_line(text)}' alone",
            "write the two with a tab between them",
        )
    return first, second
