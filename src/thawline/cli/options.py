"""The command line's options: one name, one help text and one setting each, whatever the verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thawline.config import (
    DEFAULT_MAX_LENGTH,
    EPOCHS,
    FAMILY_MAX_LENGTHS,
    SHARED_NAMES,
    SMALL_RUN,
)
from thawline.errors import ThawlineError

if TYPE_CHECKING:
    from thawline.config.resolve import Given

SETTINGS = SHARED_NAMES | {
    "data": "data.data",
    "text": "data.text",
    "label": "data.label",
    "small": "data.limit",
    "limit": "data.limit",
    "seed": "seed",
    "store_limit": "compute.store_limit",
    "merge": "artifact.merge",
}
"""The setting of `Config` that each option gives a value to, as the verbs name the option."""


def given(context: typer.Context, settings: Mapping[str, str] = SETTINGS) -> list[Given]:
    """Return the settings whose options really stand on the command line.

    Args:
        context: of the verb.
        settings: the key of each option's setting, by the option's name.

    Raises:
        ThawlineError: the value of ``--limit`` or ``--store-limit`` cannot be read.
    """
    from thawline.config.resolve import Given

    found = []
    for option in context.command.params:
        name = str(option.name)
        source = context.get_parameter_source(name)
        if name in settings and source is not None and source.name == "COMMANDLINE":
            value = _READERS.get(name, _as_it_is)(context.params[name])
            found.append(Given(settings[name], value, option.opts[0]))
    return found


def _as_it_is(value: Any) -> Any:
    return value


def _names(labels: str) -> list[str]:
    return [name.strip() for name in labels.split(",")]


def _rows(limit: str) -> list[int]:
    train, comma, test = limit.partition(",")
    if comma and train.strip().isdecimal() and test.strip().isdecimal():
        return [int(train), int(test)]
    raise ThawlineError(
        "--limit as two whole numbers, N,M", f"'{limit}'", "write --limit 4000,2000"
    )


def _small_run(small: bool) -> list[int] | None:
    return list(SMALL_RUN) if small else None


def as_number(text: Any) -> Any:
    """Return a text as the number that it is, or as it stands: the settings say what is wrong."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _bytes(size: str) -> int:
    from pydantic import ByteSize, TypeAdapter

    try:
        return int(TypeAdapter(ByteSize).validate_python(size))
    except (ValueError, OverflowError) as error:
        raise ThawlineError(
            "--store-limit as a size",
            f"'{size}'",
            "write --store-limit 20GB, or 0 to store nothing",
        ) from error


_READERS: dict[str, Callable[[Any], Any]] = {
    "labels": _names,
    "limit": _rows,
    "small": _small_run,
    "store_limit": _bytes,
}
"""How the options are read whose text is not yet the value."""

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="TOML with settings, such as a run's config.toml."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting: training.lr=1e-3; it can stand several times.",
    ),
]

Data = Annotated[
    str | None,
    typer.Option(
        metavar="SET",
        help="A file, a folder, a .tar.gz of class folders, a set's name or a hub id.",
    ),
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
        "--text",
        metavar="COLUMN",
        help="Where the texts are; two for pairs: premise,hypothesis; without, found by name.",
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
    typer.Option(
        "--backbone", metavar="MODEL", help="A folder, a run, a packaged name, a hub id, or glove."
    ),
]
VectorsName = Annotated[
    str,
    typer.Option(
        "--vectors",
        metavar="VECTORS",
        help="Of the backbone glove: glove.6B.50d, a file in GloVe's format, or random.",
    ),
]
StrategyText = Annotated[
    str,
    typer.Option(
        "--strategy",
        metavar="STRATEGY",
        help="head, last:k, lora:r=4,alpha=32, full or lp+full; not built yet: gradual.",
    ),
]
HeadText = Annotated[str, typer.Option("--head", metavar="HEAD", help="linear, mlp:H or native.")]
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
_GLOVE = FAMILY_MAX_LENGTHS["thawline-glove"]
MaxLength = Annotated[
    int | None,
    typer.Option(
        parser=as_number,
        metavar="TOKENS",
        help=f"Kept of each text; without, {DEFAULT_MAX_LENGTH} ({_GLOVE} for glove) or the "
        "model's lower limit.",
    ),
]
TruncationSide = Annotated[
    str, typer.Option(metavar="SIDE", help="Where a long text is cut off: right or left.")
]
Against = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Texts to look for in the splits, such as those of a language model."
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        parser=as_number,
        metavar="N",
        help=f"Train by epochs; without, a linear head is fitted exactly, others take {EPOCHS}.",
    ),
]
BatchSize = Annotated[int, typer.Option(parser=as_number, metavar="N", help="Texts in a step.")]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--lr", parser=as_number, metavar="RATE", help="Learning rate; each strategy has its own."
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        parser=as_number,
        metavar="N",
        help="Of the head's first weights and the order of texts; never of the rows.",
    ),
]
Standardise = Annotated[
    bool,
    typer.Option(
        "--standardise/--no-standardise", help="Scale features over train before the head."
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE", help="cuda, mps, cpu, or auto: the first of these that is here."
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        metavar="DTYPE",
        help="Of the frozen pass: float32, bfloat16, or auto: the faster on this machine.",
    ),
]
StoreLimit = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="The most that the store may hold, 20GB for one; without, a quarter of its disk.",
    ),
]
Merge = Annotated[
    bool,
    typer.Option(
        "--merge", help="Fold LoRA's adapters into the weights: a plain model, without peft."
    ),
]
PredictDtype = Annotated[
    str, typer.Option("--dtype", metavar="DTYPE", help="float32, bfloat16 or auto.")
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="The run's folder; without, a new one below runs/."),
]
LadderOut = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="The ladder's; one that stopped goes on.")
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the run in --out; start it where there is none."),
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
