"""Load a classifier. Torch is imported only if it has a backbone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from thawline.artifact.damage import read_errors
from thawline.artifact.settings import Settings
from thawline.artifact.words import load_words
from thawline.inference.words import FittedWords
from thawline.runs.layout import find
from thawline.strategies import parse_strategy

if TYPE_CHECKING:
    from thawline.inference.fitted import AnyFitted


def load(path: Path) -> AnyFitted:
    """Load a classifier in fp32 and in evaluation mode.

    Args:
        path: The folder of a run or of an artifact.

    Raises:
        ThawlineError: If the folder has no classifier, or a part of it is missing or damaged. Also
            if the backbone of its adapters cannot be found or has changed, or if the packages that
            a classifier in ONNX needs are not installed.
    """
    folder, words = find(path), None
    with read_errors(folder):
        settings = Settings.read(folder)
        if parse_strategy(settings.strategy).reads_words:
            words = load_words(folder, len(settings.labels))
            if settings.reading is None:
                return FittedWords(settings.labels, words, settings.strategy, settings.pairs)
    if settings.onnx is not None:
        from thawline.artifact.exported import load_exported

        return load_exported(folder, settings, words)
    from thawline.artifact.folder import load_complete

    return load_complete(folder, settings, words)
