"""The verb that makes a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.console import print_json
from thawline.cli.groups import app, configured, resumed
from thawline.config import CorpusConfig, PretrainConfig, PretrainingConfig, VocabularyConfig
from thawline.errors import ThawlineError

SETTINGS = {
    "data": "corpus.data",
    "without": "corpus.without",
    "text": "corpus.text",
    "vocabulary": "vocabulary.size",
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "lr": "training.lr",
    "seed": "seed",
    "device": "device",
    "dtype": "dtype",
}
"""The setting of `PretrainConfig` that each option gives a value to."""

Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="SET",
        help="Texts: a file, a folder, a set's name or a hub id; it can stand several times. "
        "The test split of a folder or a hub set stays out.",
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SET", help="Texts to leave out wherever they stand, such as a test set's."
    ),
]
Vocabulary = Annotated[
    int, typer.Option(parser=opt.as_number, metavar="N", help="Tokens that the tokenizer knows.")
]
Epochs = Annotated[
    int, typer.Option(parser=opt.as_number, metavar="N", help="How often each text is read.")
]
BatchSize = Annotated[
    int, typer.Option(parser=opt.as_number, metavar="N", help="Windows of tokens in a step.")
]
LearningRate = Annotated[
    float,
    typer.Option("--lr", parser=opt.as_number, metavar="RATE", help="AdamW's; Muon has its own."),
]
Seed = Annotated[
    int,
    typer.Option(
        parser=opt.as_number, metavar="N", help="Of the first weights and the order of windows."
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        metavar="DTYPE",
        help="Of matrix products: float32, bfloat16, or auto: the faster on this machine.",
    ),
]


@app.command()
def pretrain(
    context: typer.Context,
    data: Sources = None,
    without: Without = None,
    text: opt.TextColumn = CorpusConfig.text,
    vocabulary: Vocabulary = VocabularyConfig.size,
    epochs: Epochs = PretrainingConfig.epochs,
    batch_size: BatchSize = PretrainingConfig.batch_size,
    lr: LearningRate = PretrainingConfig.lr,
    seed: Seed = PretrainConfig.seed,
    device: opt.Device = PretrainConfig.device,
    dtype: Dtype = PretrainConfig.dtype,
    config_file: opt.ConfigFile = None,
    overrides: opt.Overrides = None,
    out: opt.Out = None,
    resume: opt.Resume = False,
    as_json: opt.Json = False,
) -> None:
    """Make a small language model from texts alone. It is a backbone for fit."""
    from thawline.runs.folder import PRETRAIN, default_folder

    if resume:
        config = resumed(
            context, out, config_file, overrides, PretrainConfig, SETTINGS, verb=PRETRAIN
        )
    else:
        config = configured(context, config_file, overrides, PretrainConfig, SETTINGS)
    if not config.corpus.data:
        raise ThawlineError("--data", "none", "add --data with a file, a folder or a set's name")
    from thawline.pretraining.job import pretrain_run
    from thawline.runtime.progress import TerminalReporter

    named = f"{Path(config.corpus.data[0]).stem}-qwen3"
    folder = default_folder(named) if out is None else out
    record = pretrain_run(config, folder, TerminalReporter(), resume=resume)
    if as_json:
        print_json(record.to_dict())
    else:
        from thawline.report.pretraining import print_pretraining

        print_pretraining(record, folder)
