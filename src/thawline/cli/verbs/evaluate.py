"""`thawline evaluate`: score a saved classifier."""

from __future__ import annotations

import typer

from thawline.cli import options as opt
from thawline.cli.console import print_json
from thawline.cli.groups import app, configured
from thawline.config import (
    ComputeConfig,
    DataConfig,
)
from thawline.errors import ThawlineError


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
    from thawline.jobs.evaluate import evaluate_run
    from thawline.runtime.progress import TerminalReporter

    named = None if data is None else config.data
    scores = evaluate_run(run, named, split, config.compute, TerminalReporter())
    if as_json:
        print_json(scores.to_dict())
    else:
        from thawline.report.terminal import print_evaluation

        print_evaluation(scores)
