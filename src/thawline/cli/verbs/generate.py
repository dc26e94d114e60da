"""`thawline generate`: write text with a language model."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from thawline.cli import options as opt
from thawline.cli.commands import verb_with_settings
from thawline.cli.console import print_json
from thawline.cli.groups import app
from thawline.config import WritingConfig
from thawline.runtime.imports import quick_imports

SETTINGS = ("model", "tokens", "temperature", "top_k", "top_p", "seed", "samples", "device")

SEPARATOR = "---"
"""The line between two texts."""

Prompt = Annotated[
    str,
    typer.Argument(
        metavar="TEXT",
        help="Text to continue. If omitted, the model starts a new text.",
        show_default=False,
    ),
]


@verb_with_settings(app, WritingConfig, SETTINGS, files=False)
def generate(config: WritingConfig, prompt: Prompt = "", as_json: opt.Json = False) -> None:
    """Write text with a causal language model."""
    with quick_imports():
        from thawline.backbones.language import load_language_model
        from thawline.pretraining.generation import write_texts

    streamed = sys.stdout.isatty() and not as_json
    language = load_language_model(config.model)
    texts = write_texts(language, prompt, config, _show if streamed else None)
    for number in range(config.samples):
        if number and not as_json:
            _show(f"{SEPARATOR}\n")
        generated = next(texts)
        if as_json:
            print_json({"model": language.name, **asdict(generated)})
        else:
            _show("\n" if streamed else f"{generated.text}\n")


def _show(piece: str) -> None:
    """Print a piece of a text without waiting for the end of the line."""
    sys.stdout.write(piece)
    sys.stdout.flush()
