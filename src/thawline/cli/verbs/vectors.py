"""`thawline vectors`: train word vectors on the texts of a data set."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import print_json, print_text
from thawline.cli.groups import app, require_data
from thawline.config import VectorsConfig
from thawline.errors import ThawlineError
from thawline.runtime.imports import quick_imports
from thawline.runtime.paths import expand

SETTINGS = ("data.data", "data.text", "method", "width", "epochs", "seed")

File = Annotated[
    Path | None,
    typer.Option(
        "--out", parser=expand, metavar="FILE", help="File to write, in GloVe's text format."
    ),
]


@verb_with_settings(app, VectorsConfig, SETTINGS)
def vectors(config: VectorsConfig, out: File = None, as_json: opt.Json = False) -> None:
    """Train word vectors on the texts of a data set.

    The resulting file can be given to fit with --vectors.
    """
    require_data(config.data.data)
    if out is None:
        raise ThawlineError("--out", "none", "name the file of vectors with --out FILE")
    with quick_imports():
        from thawline.jobs.vectors import make_vectors
    from thawline.runtime.progress import TerminalReporter

    made = make_vectors(config, out, TerminalReporter())
    if as_json:
        print_json(made.to_dict())
    else:
        size = f"{made.words:,} words, {made.width} numbers each, from {made.texts:,} texts"
        print_text(f"{out}: {size}")
        started = ["--data", str(config.data.data), "--backbone", "glove", "--vectors", str(out)]
        print_text(f"next  thawline fit {shlex.join(started)} --strategy full")
