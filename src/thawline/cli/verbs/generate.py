"""``thawline generate``: text from a language model."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from thawline.cli import options as opt
from thawline.cli.console import print_json
from thawline.cli.groups import app, configured
from thawline.config import WritingConfig

SETTINGS = {
    name: name
    for name in ("model", "tokens", "temperature", "top_k", "top_p", "seed", "samples", "device")
}
"""The setting of `WritingConfig` that each option gives a value to."""

BETWEEN = "---"
"""The line between two texts."""

NUMBER: dict[str, Any] = {"parser": opt.as_number}

Prompt = Annotated[
    str, typer.Argument(metavar="TEXT", help="What the text starts with; without, nothing.")
]
ModelName = Annotated[
    str,
    typer.Option(metavar="MODEL", help="A folder, a pretraining run, a packaged name or a hub id."),
]
Tokens = Annotated[int, typer.Option(metavar="N", help="Written at most.", **NUMBER)]
Temperature = Annotated[
    float,
    typer.Option(
        metavar="T",
        help="Above 1 more surprising, below 1 less; 0: always the likeliest.",
        **NUMBER,
    ),
]
TopK = Annotated[int, typer.Option(metavar="K", help="Draw from the K likeliest tokens.", **NUMBER)]
TopP = Annotated[
    float,
    typer.Option(
        metavar="P", help="Draw from the likeliest tokens that make up this share.", **NUMBER
    ),
]
Seed = Annotated[int, typer.Option(metavar="S", help="Of the draws.", **NUMBER)]
Samples = Annotated[
    int, typer.Option(metavar="N", help="Texts, with the seeds S, S + 1, …", **NUMBER)
]


@app.command()
def generate(
    context: typer.Context,
    prompt: Prompt = "",
    model: ModelName = WritingConfig.model,
    tokens: Tokens = WritingConfig.tokens,
    temperature: Temperature = WritingConfig.temperature,
    top_k: TopK = WritingConfig.top_k,
    top_p: TopP = WritingConfig.top_p,
    seed: Seed = WritingConfig.seed,
    samples: Samples = WritingConfig.samples,
    device: opt.Device = WritingConfig.device,
    as_json: opt.Json = False,
) -> None:
    """Write text with a causal language model."""
    config = configured(context, job=WritingConfig, settings=SETTINGS)
    from thawline.backbones.language import load_language_model
    from thawline.pretraining.generation import write_texts

    streamed = sys.stdout.isatty() and not as_json
    language = load_language_model(config.model)
    texts = write_texts(language, prompt, config, _show if streamed else None)
    for number in range(config.samples):
        if number and not as_json:
            _show(f"{BETWEEN}\n")
        one = next(texts)
        if as_json:
            print_json({"model": language.name, **asdict(one)})
        else:
            _show("\n" if streamed else f"{one.text}\n")


def _show(piece: str) -> None:
    """Print a piece of a text at once."""
    sys.stdout.write(piece)
    sys.stdout.flush()
