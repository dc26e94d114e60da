"""Make room for a file of Thawline's cache where something else has its name."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

SUFFIX = ".aside"
"""The suffix of a folder that `make_way` renamed."""


def make_way(path: Path, *, keep_file: bool = False) -> None:
    """Remove whatever is in the place of a file, but keep everything that may be of value.

    A file, a link, a named pipe, a socket and an empty folder are deleted; what a link leads to is
    not touched. A folder that is not empty is renamed, because Thawline did not write it.

    Args:
        path: The path. Nothing may exist there.
        keep_file: Whether to keep a regular file.

    Raises:
        OSError: If the operating system does not allow it.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        with suppress(OSError):
            path.rmdir()
            return
        os.rename(path, path.with_name(f"{path.name}.{secrets.token_hex(8)}{SUFFIX}"))
    elif not (keep_file and stat.S_ISREG(mode)):
        path.unlink(missing_ok=True)


def is_plain_file(path: Path) -> bool:
    """Return whether a path is a regular file and not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def is_plain_folder(path: Path) -> bool:
    """Return whether a path is a folder and not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def size_of(path: Path) -> int:
    """Return the size of a file in bytes, of a link itself, or 0 if nothing exists."""
    with suppress(OSError):
        status = path.lstat()
        return 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return 0
