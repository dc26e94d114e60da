"""Explain the errors of libraries that read a damaged artifact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thawline.backbones.parts import describe_read_error
from thawline.errors import ThawlineError
from thawline.runs.settings import FIX
from thawline.runtime.failures import is_out_of_memory, is_panic


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
    except BaseException as error:  # the libraries raise many types on untrusted files
        if not (isinstance(error, Exception) or is_panic(error)) or is_out_of_memory(error):
            raise
        raise ThawlineError(
            f"a complete saved classifier in '{folder}'",
            describe_read_error(folder, error, *parts),
            FIX,
        ) from error
