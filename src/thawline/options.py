"""The command line's options: one name and one help text each, whatever the verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thawline.config import DEFAULT_MAX_LENGTH, EPOCHS, SMALL_RUN

Data = Annotated[
    str | None,
    typer.Option(metavar="SET", help="A file, a folder, a set's name or a hub id."),
]
LabelNames = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="NAMES",
        help="Names of the classes, in ascending order of their numbers: neg,pos.",
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(
        "--text", metavar="COLUMN", help="Where the texts are; without, found by its name."
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        "--label", metavar="COLUMN", help="Where the labels are; without, found by its name."
    ),
]
Small = Annotated[
    bool,
    typer.Option("--small", help=f"Draw {SMALL_RUN[0]:,} train and {SMALL_RUN[1]:,} test rows."),
]
Limit = Annotated[str | None, typer.Option(metavar="N,M", help="Draw N train and M test rows.")]
BackboneName = Annotated[
    str,
    typer.Option("--backbone", metavar="MODEL", help="A folder, a packaged name or a hub id."),
]
StrategyText = Annotated[
    str,
    typer.Option(
        "--strategy",
        metavar="STRATEGY",
        help="head; known but not built yet: last:k, lora:r=4,alpha=32, full, gradual, lp+full.",
    ),
]
HeadText = Annotated[
    str | None,
    typer.Option(
        "--head", metavar="HEAD", help="linear, mlp:H or native; without, the strategy's own."
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        metavar="POOLING", help="first, last or mean; without, mean or the native head's."
    ),
]
FeaturesText = Annotated[
    str | None,
    typer.Option(
        "--features",
        metavar="STAGES",
        help="last, a stage's number, or layers (all side by side); "
        "without, an exact fit chooses on validation and the others take the last.",
    ),
]
MaxLength = Annotated[
    int | None,
    typer.Option(
        metavar="TOKENS",
        help=f"Kept of each text; without, {DEFAULT_MAX_LENGTH} or the model's lower limit.",
    ),
]
TruncationSide = Annotated[
    str, typer.Option(metavar="SIDE", help="Where a long text is cut off: right or left.")
]
Epochs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help=f"Train by epochs; without, a linear head is fitted exactly, others take {EPOCHS}.",
    ),
]
BatchSize = Annotated[int, typer.Option(metavar="N", help="Texts in a step.")]
LearningRate = Annotated[
    float | None,
    typer.Option("--lr", metavar="RATE", help="Learning rate; each strategy has its own."),
]
Seed = Annotated[
    int,
    typer.Option(
        metavar="N", help="Of the head's first weights and the order of texts; never of the rows."
    ),
]
Standardise = Annotated[
    bool,
    typer.Option(
        "--standardise/--no-standardise", help="Scale features over train before the head."
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        metavar="DTYPE",
        help="Of the frozen pass: float32, bfloat16, or auto: the faster on this machine.",
    ),
]
PredictDtype = Annotated[
    str, typer.Option("--dtype", metavar="DTYPE", help="float32, bfloat16 or auto.")
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="The run's folder; without, a new one below runs/."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")
]
RunPath = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder, or a saved classifier's.")
]
Texts = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="Texts; without, the lines of standard input."),
]
Split = Annotated[str, typer.Option(metavar="SPLIT", help="train, validation, test or all.")]
