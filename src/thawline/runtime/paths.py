"""Locate the folder of Thawline's cache, and make paths independent of the working folder."""

from __future__ import annotations

import os
from pathlib import Path

from thawline.errors import ThawlineError


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
