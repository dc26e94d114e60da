"""Locate the folder of Thawline's cache, and make paths independent of the working folder."""

from __future__ import annotations

import os
from pathlib import Path

from thawline.errors import ThawlineError


def expand(path: Path | str) -> Path:
    """Return a path in which ``~`` or ``~user`` at the start is replaced by the home directory.

    A shell does this too, but not in ``--out=~/run``, in a configuration file or in Python.

    Raises:
        ThawlineError: If it is not a path, or if the home directory cannot be found.
    """
    try:
        return Path(path).expanduser()
    except TypeError as error:
        found = f"a value of type {type(path).__name__}"
        raise ThawlineError("a path", found, "give a string or a Path") from error
    except RuntimeError as error:
        found = f"'{path}', whose home directory is unknown"
        raise ThawlineError("a path", found, "write the complete path") from error


def home() -> Path:
    """Return Thawline's cache folder: ``THAWLINE_HOME``, or by default ``~/.cache/thawline``.

    Raises:
        ThawlineError: If the path contains a home directory (``~``) that cannot be found.
    """
    named = os.environ.get("THAWLINE_HOME")
    try:
        return Path(named).expanduser() if named else Path.home() / ".cache" / "thawline"
    except RuntimeError as error:  # this machine has no such user
        raise ThawlineError(
            "a folder for the store",
            f"'{named}', whose user does not exist" if named else "no home directory",
            "set THAWLINE_HOME to a folder",
        ) from error


def absolute_name(name: str) -> str:
    """Return the absolute path if a name is an existing folder, otherwise the name itself.

    Args:
        name: The name of a model: a folder, a packaged name or a hub id.
    """
    return str(Path(name).absolute()) if Path(name).is_dir() else name
