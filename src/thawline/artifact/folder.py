"""Save a classifier to a folder, and load it."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from transformers import PreTrainedTokenizerBase

from thawline.artifact.adapted import load_adapted, save_adapted
from thawline.artifact.settings import Settings
from thawline.artifact.whole import load_whole, save_whole
from thawline.backbones.parts import CONFIG, WEIGHTS, describe_read_error
from thawline.backbones.stack import Stack
from thawline.backbones.tokenizer import (
    check_tokenizer,
    configure_tokenizer,
    load_tokenizer,
    save_tokenizer,
)
from thawline.config import TokensConfig
from thawline.errors import ThawlineError
from thawline.inference.fitted import Fitted
from thawline.runs.layout import SETTINGS, find
from thawline.runtime.files import new_folder
from thawline.runtime.hub import quieten_transformers

TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


def save(fitted: Fitted, folder: Path) -> None:
    """Save a classifier to a new folder, which appears only when it is complete.

    Args:
        fitted: The classifier.
        folder: The path of the folder.

    Raises:
        ThawlineError: If the path exists.
        OSError: If the folder cannot be written.
    """
    if folder.exists():
        raise ThawlineError("a new folder", f"'{folder}', which exists", "choose another folder")
    quieten_transformers()
    with new_folder(folder) as temporary:
        write = save_whole if fitted.adapter is None else save_adapted
        write(fitted, temporary)
        reading = fitted.reading
        save_tokenizer(fitted.tokenizer, temporary, reading.max_length, reading.truncation_side)
        Settings.of(fitted).write(temporary)


def load(path: Path) -> Fitted:
    """Load a classifier in fp32 and in evaluation mode.

    Args:
        path: The folder of a run or of an artifact.

    Raises:
        ThawlineError: If the folder has no classifier, or a part of it is missing or damaged. Also
            if the backbone of its adapters cannot be found or has changed.
    """
    folder = find(path)
    quieten_transformers()
    parts: tuple[tuple[str, ...], ...] = ()
    try:
        settings = Settings.read(folder)
        tokenizer = _load_tokenizer(folder)
        if settings.adapter is None:
            parts = (CONFIG, WEIGHTS)
            model, adapter = load_whole(folder), None
        else:
            model, adapter = load_adapted(folder, settings, settings.adapter)
        check_tokenizer(str(folder), model.base_model, tokenizer)
        configure_tokenizer(model.base_model, tokenizer)
    except ThawlineError:
        raise
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ThawlineError(
            f"a complete saved classifier in '{folder}'",
            describe_read_error(folder, error, *parts),
            "save the classifier again, or run fit again",
        ) from error
    fitted = Fitted(
        model=model.eval(),
        tokenizer=tokenizer,
        labels=settings.labels,
        reading=settings.reading,
        head=settings.head,
        strategy=settings.strategy,
        backbone=settings.backbone,
        adapter=adapter,
    )
    _check_stages(folder, fitted)
    _check_labels(folder, fitted)
    return fitted


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    # For some families transformers silently creates an empty tokenizer if the files are missing.
    for name in TOKENIZER:
        if not (folder / name).is_file():
            raise ValueError(f"no {name}")
    return load_tokenizer(str(folder), TokensConfig())


def _check_stages(folder: Path, fitted: Fitted) -> None:
    """Raise ThawlineError unless the head's stages exist and are the same in both files."""
    stages, depth = fitted.reading.stages, Stack(fitted.model.base_model).depth
    config_stages = tuple(getattr(fitted.model.config, "stages", stages))  # a native head has none
    if config_stages != stages or not set(stages) <= set(range(depth + 1)):
        raise ThawlineError(
            f"the same stages, from 0 to {depth}, in config.json and {SETTINGS} of '{folder}'",
            f"{', '.join(map(str, config_stages))} and {', '.join(map(str, stages))}",
            "run fit again",
        )


def _check_labels(folder: Path, fitted: Fitted) -> None:
    """Raise ThawlineError if config.json has other label names than the settings."""
    names = [name for _, name in sorted(fitted.model.config.id2label.items())]
    if names != list(fitted.labels.names):
        raise ThawlineError(
            f"the same labels in config.json and {SETTINGS} of '{folder}'",
            f"{', '.join(names)} and {', '.join(fitted.labels.names)}",
            "run fit again",
        )
