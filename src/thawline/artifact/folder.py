"""Save a classifier to a folder, and load one that has a backbone."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from thawline.artifact.adapted import load_adapted, save_adapted
from thawline.artifact.checks import check_fitted, check_label_names
from thawline.artifact.damage import read_errors
from thawline.artifact.settings import Settings
from thawline.artifact.whole import load_whole, save_whole
from thawline.artifact.words import save_words
from thawline.backbones.parts import CONFIG, WEIGHTS
from thawline.backbones.reading import check_finite, try_model
from thawline.backbones.tokenizer import (
    check_tokenizer,
    configure_tokenizer,
    load_tokenizer,
    save_tokenizer,
)
from thawline.backbones.untrusted import check_model_files
from thawline.errors import ThawlineError
from thawline.inference.exported import FittedOnnx
from thawline.inference.fitted import AnyFitted, Fitted
from thawline.inference.words import FittedWords, Words
from thawline.runs.settings import FIX
from thawline.runtime.files import new_folder
from thawline.runtime.hub import quieten_transformers

TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


def save(fitted: AnyFitted, folder: Path) -> None:
    """Save a classifier to a new folder, which appears only when it is complete.

    Args:
        fitted: The classifier.
        folder: The path of the folder.

    Raises:
        ThawlineError: If the path exists, or if the classifier was exported to ONNX.
        OSError: If the folder cannot be written.
    """
    if isinstance(fitted, FittedOnnx):
        raise ThawlineError(
            "a classifier with a model of torch",
            "one that was exported to ONNX",
            "copy its folder instead",
        )
    if folder.exists():
        raise ThawlineError("a new folder", f"'{folder}', which exists", "choose another folder")
    with new_folder(folder) as temporary:
        write_parts(fitted, temporary)


def write_parts(fitted: Fitted | FittedWords, folder: Path) -> None:
    """Write all files of a classifier to an empty folder.

    Args:
        fitted: The classifier.
        folder: The folder.

    Raises:
        OSError: If a file cannot be written.
    """
    quieten_transformers()
    if isinstance(fitted, Fitted):
        write = save_whole if fitted.adapter is None else save_adapted
        write(fitted, folder)
        length, side = fitted.reading.max_length, fitted.reading.truncation_side
        save_tokenizer(fitted.tokenizer, folder, length, side)
    if fitted.words is not None:
        save_words(fitted.words, folder)
    Settings.of(fitted).write(folder)


def load_complete(folder: Path, settings: Settings, words: Words | None) -> Fitted:
    """Load a classifier that has a backbone.

    Args:
        folder: The folder of the artifact.
        settings: Its settings.
        words: The linear layer on words. None if the classifier has none.

    Raises:
        ThawlineError: If a part is missing or damaged, or if the backbone of its adapters cannot be
            found or has changed.
    """
    quieten_transformers()
    with read_errors(folder, *(() if settings.adapter is not None else (CONFIG, WEIGHTS))):
        check_model_files(folder)
        if settings.adapter is None:
            check_label_names(folder, settings)
        tokenizer = load_saved_tokenizer(folder)
        if settings.adapter is None:
            model, adapter = load_whole(folder, words=words is not None), None
        else:
            model, adapter = load_adapted(folder, settings, settings.adapter)
        check_finite(str(folder), model, FIX)
        check_tokenizer(str(folder), model.base_model, tokenizer)
        configure_tokenizer(model.base_model, tokenizer)
        fitted = Fitted(
            model=model.eval(),
            tokenizer=tokenizer,
            adapter=adapter,
            words=words,
            **settings.described(),
        )
        check_fitted(folder, fitted)
        try_model(fitted.model, tokenizer.pad_token_id, fitted.reading.max_length)
    return fitted


def load_saved_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a saved classifier.

    Args:
        folder: The folder of the artifact.

    Raises:
        OSError, ValueError: If a file is missing or damaged.
    """
    # For some families transformers silently creates an empty tokenizer if the files are missing.
    for name in TOKENIZER:
        if not (folder / name).is_file():
            raise ValueError(f"no {name}")
    return load_tokenizer(str(folder), None)
