"""Errors that come from below Thawline, in the words of a message."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its name where it has none.

    Where that line ends with a colon, the next one is added: it says what was announced.
    """
    if isinstance(error, KeyError):
        return f"{error}, which is unknown or missing"
    lines = [line.strip() for line in str(error).splitlines()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory, a GPU's or this machine's, was not enough."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


@contextmanager
def system_errors(place: Path) -> Iterator[None]:
    """Make whatever the operating system refuses an OSError that names what is being written.

    Of a full disk Python names no file, and safetensors and tokenizers, which write files
    themselves, say no more than a text that ends in ``(os error 28)``.

    Args:
        place: what is being written.
    """
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(place), None
        raise
    except Exception as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(place)) from error
