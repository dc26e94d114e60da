"""Check the parts of an artifact against each other, before and after the model is loaded."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from thawline.artifact.settings import Settings
from thawline.backbones.loading import token_limit
from thawline.backbones.parts import CONFIG
from thawline.backbones.stack import Stack
from thawline.errors import ThawlineError
from thawline.inference.fitted import Fitted
from thawline.runs.layout import SETTINGS
from thawline.runs.settings import FIX
from thawline.runtime.untrusted import read_json, show_value
from thawline.strategies import parse_strategy

_BYTES_PER_BYTE = 8
_SPARE_BYTES = 64 * 2**20
"""A model in fp32 takes at most 8 times the bytes of its files, and a few more for buffers."""


def check_label_names(folder: Path, settings: Settings) -> None:
    """Check that ``config.json`` has the labels of the settings, before transformers reads it.

    transformers makes a name and a row of the head's weights for each label of ``config.json``.

    Args:
        folder: The folder of an artifact with a complete model.
        settings: The settings of the artifact.

    Raises:
        ThawlineError: If the labels differ.
        OSError: If the file cannot be read.
    """
    config = read_json(folder / CONFIG[0])
    if not isinstance(config, dict):
        raise ThawlineError(
            f"an object in '{folder / CONFIG[0]}'", f"{CONFIG[0]} {show_value(config)}", FIX
        )
    wanted = {str(index): name for index, name in enumerate(settings.labels.names)}
    found = config.get("id2label", wanted)  # transformers omits its default names
    if found != wanted:
        names = [*found.values()] if isinstance(found, dict) else [found]
        raise _other_labels(folder, [str(name) for name in names], settings.labels.names)
    if config.get("num_labels", len(wanted)) != len(wanted):
        raise ThawlineError(
            f"{len(wanted)} as 'num_labels' in '{folder / CONFIG[0]}'",
            f"num_labels {show_value(config['num_labels'])}",
            FIX,
        )


def check_size(model: nn.Module, *files: Path) -> None:
    """Check that a model is not much larger than its files, before its weights are allocated.

    Args:
        model: The model on the meta device.
        files: The files of its weights.

    Raises:
        ThawlineError: If the files are too small for the model.
        OSError: If a file does not exist.
    """
    needed = sum(4 * tensor.numel() for tensor in (*model.parameters(), *model.buffers()))
    stored = sum(file.stat().st_size for file in files)
    if needed > _BYTES_PER_BYTE * stored + _SPARE_BYTES:
        names = " and ".join(file.name for file in files)
        raise ThawlineError(
            f"the weights that {CONFIG[0]} and {SETTINGS} of '{files[0].parent}' describe, which "
            f"take {needed:,} bytes in fp32",
            f"{stored:,} bytes in {names}",
            FIX,
        )


def check_fitted(folder: Path, fitted: Fitted) -> None:
    """Check that a loaded model can be used as its settings say.

    Args:
        folder: The folder of the artifact.
        fitted: The classifier that was loaded from it.

    Raises:
        ThawlineError: If the stages, the labels, the strategy or the maximum length do not fit the
            model.
    """
    reading, depth = fitted.reading, Stack(fitted.model.base_model).depth
    stages = reading.stages
    config_stages = tuple(getattr(fitted.model.config, "stages", stages))  # a native head has none
    if config_stages != stages or not set(stages) <= set(range(depth + 1)):
        raise ThawlineError(
            f"the same stages, from 0 to {depth}, in config.json and {SETTINGS} of '{folder}'",
            f"{', '.join(map(str, config_stages))} and {', '.join(map(str, stages))}",
            FIX,
        )
    names = [name for _, name in sorted(fitted.model.config.id2label.items())]
    if names != list(fitted.labels.names):
        raise _other_labels(folder, names, fitted.labels.names)
    special = fitted.tokenizer.num_special_tokens_to_add(pair=reading.pairs)
    limit = token_limit(fitted.model.base_model.config, fitted.tokenizer)
    if not special < reading.max_length <= limit:
        raise ThawlineError(
            f"a 'reading.max_length' between {special + 1} and {limit} tokens in "
            f"'{folder / SETTINGS}', as the model and its tokenizer accept",
            str(reading.max_length),
            FIX,
        )
    try:
        parse_strategy(fitted.strategy).check(depth)
    except ThawlineError as error:
        raise ThawlineError(
            f"a 'strategy' in '{folder / SETTINGS}' that fits the model, which has {depth} blocks",
            show_value(fitted.strategy),
            FIX,
        ) from error


def _other_labels(folder: Path, found: list[str], wanted: tuple[str, ...]) -> ThawlineError:
    return ThawlineError(
        f"the same labels in config.json and {SETTINGS} of '{folder}'",
        f"{_listed(found)} and {_listed(wanted)}",
        FIX,
    )


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(name[:100] for name in names[:20])
    return shown if len(names) <= 20 else f"{shown}, … ({len(names):,} names)"
