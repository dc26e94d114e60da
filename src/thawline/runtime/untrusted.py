"""Read files that may come from an untrusted source: only regular files, and only up to a limit.

Opening a named pipe blocks, a device such as ``/dev/zero`` never ends, and a link can lead
anywhere. The functions of this module check a file before they read it.

"""

from __future__ import annotations

import json
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any

from thawline.errors import ThawlineError
from thawline.runtime.failures import first_line

MAX_JSON_BYTES = 64 * 2**20
"""The largest JSON file that `read_json` reads by default, in bytes. A tokenizer takes 20 MB."""

MAX_JSON_DEPTH = 64
"""How deeply lists and objects of a JSON file may be nested."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes. A symbolic link to a regular file is followed.

    Args:
        path: The path of the file.

    Raises:
        ThawlineError: If the path is a folder, a named pipe, a socket or a device.
        OSError: If the file does not exist or cannot be read.
    """
    # Without O_NONBLOCK, opening a named pipe waits until another process writes to it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise _not_regular(path, mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: Path, *, limit: int | None = None, inside: Path | None = None) -> int:
    """Check a file before another library opens it, and return its size in bytes.

    Args:
        path: The path of the file.
        limit: The largest size that is allowed, in bytes. If None, every size is allowed.
        inside: The folder in which the file must lie after links are followed. If None, a link may
            lead anywhere.

    Raises:
        ThawlineError: If the path is not a regular file, is too large or leads out of the folder.
        OSError: If the file does not exist.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise _not_regular(path, found.st_mode)
    if inside is not None and not path.resolve().is_relative_to(inside.resolve()):
        raise ThawlineError(
            f"only files inside '{inside}'",
            f"'{path.name}', a link that leads to '{path.resolve()}'",
            "replace the link with a copy of the file",
        )
    if limit is not None and found.st_size > limit:
        raise _too_large(path, limit, f"{found.st_size:,} bytes")
    return found.st_size


def read_regular(path: Path, *, limit: int) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: The path of the file.
        limit: The largest size that is allowed, in bytes.

    Raises:
        ThawlineError: If the path is not a regular file or is too large.
        OSError: If the file does not exist or cannot be read.
    """
    with open_regular(path) as file:
        # Python reserves memory for as many bytes as are asked for.
        size = os.fstat(file.fileno()).st_size
        content = file.read(min(size, limit) + 1)
        if size < len(content) <= limit:  # the file has grown, or its system does not know its size
            content += file.read(limit + 1 - len(content))
    if len(content) > limit:
        raise _too_large(path, limit, "a larger one")
    return content


def read_json(path: Path, *, limit: int = MAX_JSON_BYTES) -> Any:
    """Return the value of a JSON file in UTF-8, with or without a byte order mark.

    Args:
        path: The path of the file.
        limit: The largest size that is allowed, in bytes.

    Raises:
        ThawlineError: If the path is not a regular file, is too large, is not JSON in UTF-8, or if
            its values are nested too deeply.
        OSError: If the file does not exist or cannot be read.
    """
    try:
        return parse_json(read_regular(path, limit=limit))
    except ValueError as error:
        if isinstance(error, ThawlineError):
            raise
        raise ThawlineError(
            f"valid JSON in '{path}'",
            first_line(error),
            "restore the file from a copy, or create it again",
        ) from error


def parse_json(content: bytes | str) -> Any:
    """Return the value of a JSON text.

    Args:
        content: The text, as a string or in UTF-8, with or without a byte order mark.

    Raises:
        ValueError: If it is not JSON in UTF-8, or if its values are nested too deeply.
    """
    text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    try:
        value = json.loads(text)
        too_deep = depth_exceeds(value, MAX_JSON_DEPTH)
    except RecursionError:
        too_deep = True
    if too_deep:
        raise ValueError(f"values that are nested more than {MAX_JSON_DEPTH} levels deep")
    return value


def show_value(value: object) -> str:
    """Return a JSON value for an error message: short, on one line, without control characters.

    Args:
        value: The value. A string is put in single quotes.
    """
    if isinstance(value, list | dict) and len(value) > 20:
        return f"a {'list' if isinstance(value, list) else 'object'} of {len(value):,} values"
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    shown = text if len(text) <= 80 else f"{text[:80]}…"
    escaped = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in shown
    )
    return f"'{escaped}'" if isinstance(value, str) else escaped


def depth_exceeds(value: object, limit: int) -> bool:
    """Return whether lists and dicts are nested more than a number of levels deep."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _not_regular(path: Path, mode: int) -> ThawlineError:
    kind = next((name for test, name in _KINDS if test(mode)), "something else")
    return ThawlineError("a regular file", f"{kind} at '{path}'", "replace it with a regular file")


def _too_large(path: Path, limit: int, found: str) -> ThawlineError:
    return ThawlineError(
        f"a file of at most {limit:,} bytes ('{path}')", found, "check that this is the right file"
    )
