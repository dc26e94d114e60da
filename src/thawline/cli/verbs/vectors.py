"""``thawline vectors``: word vectors from texts, for ``--vectors``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.console import print_json
from thawline.cli.groups import app, configured, require_data
from thawline.config import TextsConfig, VectorsConfig
from thawline.errors import ThawlineError

SETTINGS = {
    "data": "data.data",
    "text": "data.text",
    "method": "method",
    "width": "width",
    "epochs": "epochs",
    "seed": "seed",
}
"""The setting of `VectorsConfig` that each option gives a value to."""

File = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="The file of vectors, in GloVe's text format."),
]
Method = Annotated[str, typer.Option(metavar="METHOD", help="word2vec or fasttext.")]
Width = Annotated[
    int, typer.Option(parser=opt.as_number, metavar="N", help="Numbers of a word's vector.")
]
Epochs = Annotated[
    int, typer.Option(parser=opt.as_number, metavar="N", help="Times that the texts are read.")
]
Seed = Annotated[
    int,
    typer.Option(parser=opt.as_number, metavar="N", help="Of the first vectors and the samples."),
]


@app.command()
def vectors(
    context: typer.Context,
    data: opt.Data = TextsConfig.data,
    out: File = None,
    method: Method = VectorsConfig.method,
    width: Width = VectorsConfig.width,
    epochs: Epochs = VectorsConfig.epochs,
    seed: Seed = VectorsConfig.seed,
    text: opt.TextColumn = TextsConfig.text,
    config_file: opt.ConfigFile = None,
    overrides: opt.Overrides = None,
    as_json: opt.Json = False,
) -> None:
    """Train word vectors on the texts of a set. Labels are not read."""
    config = configured(context, config_file, overrides, VectorsConfig, SETTINGS)
    require_data(config.data.data)
    if out is None:
        raise ThawlineError("--out", "none", "name the file of vectors with --out FILE")
    from thawline.jobs.vectors import make_vectors
    from thawline.runtime.progress import TerminalReporter

    made = make_vectors(config, out, TerminalReporter())
    if as_json:
        print_json(made.to_dict())
    else:
        size = f"{made.words:,} words, {made.width} numbers each, from {made.texts:,} texts"
        typer.echo(f"{out}: {size}")
        started = ["--data", str(config.data.data), "--backbone", "glove", "--vectors", str(out)]
        typer.echo(f"next  thawline fit {shlex.join(started)} --strategy full")
