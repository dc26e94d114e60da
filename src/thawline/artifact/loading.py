"""Load a classifier. Torch is imported only if it has a backbone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from thawline.artifact.settings import Settings
from thawline.artifact.words import load_words
from thawline.backbones.parts import describe_read_error
from thawline.errors import ThawlineError
from thawline.inference.words import FittedWords
from thawline.runs.layout import find
from thawline.runs.settings import FIX
from thawline.runtime.failures import is_out_of_memory, is_panic
from thawline.strategies import parse_strategy

if TYPE_CHECKING:
    from thawline.inference.fitted import AnyFitted


def load(path: Path) -> AnyFitted:
    """Load a classifier in fp32 and in evaluation mode.

    Args:
        path: The folder of a run or of an artifact.

    Raises:
        ThawlineError: If the folder has no classifier, or a part of it is missing or damaged. Also
            if the backbone of its adapters cannot be found or has changed.
    """
    folder, words = find(path), None
    with read_errors(folder):
        settings = Settings.read(folder)
        if parse_strategy(settings.strategy).reads_words:
            words = load_words(folder, len(settings.labels))
            if settings.reading is None:
                return FittedWords(settings.labels, words, settings.strategy, settings.pairs)
    from thawline.artifact.folder import load_complete

    return load_complete(folder, settings, words)


@contextmanager
def read_errors(folder: Path, *parts: tuple[str, ...]) -> Iterator[None]:
    """Raise ThawlineError for any error of a library that reads an artifact.

    Args:
        folder: The folder of the artifact.
        *parts: The parts that the artifact must have, as possible names of their files.
    """
    try:
        yield
    except ThawlineError:
        raise
    except BaseException as error:  # the libraries raise many types on files from strangers
        if not (isinstance(error, Exception) or is_panic(error)) or is_out_of_memory(error):
            raise
        raise ThawlineError(
            f"a complete saved classifier in '{folder}'",
            describe_read_error(folder, error, *parts),
            FIX,
        ) from error
