"""Where Thawline keeps what it may throw away."""

from __future__ import annotations

import os
from pathlib import Path

from thawline.errors import ThawlineError


def home() -> Path:
    """Return the folder that holds the store: ``THAWLINE_HOME``, or ``~/.cache/thawline``."""
    named = os.environ.get("THAWLINE_HOME")
    try:
        return Path(named).expanduser() if named else Path.home() / ".cache" / "thawline"
    except RuntimeError as error:  # of a user that this machine does not have
        fix = "set THAWLINE_HOME to a folder"
        found = f"'{named}'" if named else "none in this account"
        raise ThawlineError("a home for the store", found, fix) from error
