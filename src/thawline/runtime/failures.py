"""Recognise errors of the system and of other libraries, and shorten their messages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thawline.errors import join_lines


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the error's type if it has no message.

    If the line ends with a colon, the next line is appended.
    """
    if isinstance(error, KeyError):
        return f"{error}, which is unknown or missing"
    lines = [line.strip() for line in str(error).splitlines()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


def describe_system_error(error: OSError) -> str:
    """Return a noun phrase for an error of the operating system, without the file's name."""
    return f"the system error: {error.strerror or join_lines(error)}"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the memory of a GPU or of this machine is exhausted."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def is_panic(error: BaseException) -> bool:
    """Return whether an error is a panic: a failure in the compiled code of tokenizers.

    Such an error does not derive from Exception.
    """
    return type(error).__name__ == "PanicException"


@contextmanager
def system_errors(path: Path) -> Iterator[None]:
    """Turn every error of the operating system into an OSError that names the path.

    When a disk is full, Python's OSError names no file. safetensors and tokenizers write files
    themselves and raise other errors, whose messages end with ``(os error 28)``.

    Args:
        path: The file or folder that is being written.

    Raises:
        OSError: If the operating system reports an error.
    """
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        if error.filename2 is not None:  # otherwise the message would end with "-> None"
            del error.filename2
        raise
    except Exception as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
