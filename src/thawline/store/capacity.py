"""Decide whether states fit into the store or, if they do not, into memory."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.filesize import decimal

from thawline.config import STORE_SHARE
from thawline.errors import ThawlineError, join_lines
from thawline.runtime.hardware import available_memory_bytes
from thawline.store.chunks import files, size
from thawline.store.keys import entry_folders

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Obstacle:
    """A reason why states cannot be written to the store, and how to fix it.

    Attributes:
        why: The reason, as a predicate whose subject is "the store" ("has 5 MB of free space").
        fix: The instruction.
    """

    why: str
    fix: str


@dataclass(frozen=True)
class Capacity:
    """The current and the maximum size of a store, and the free space on its disk.

    Attributes:
        used: Size of the files in the store, in bytes.
        limit: Maximum size of the store, in bytes.
        free: Free space on its disk, in bytes.
    """

    used: int
    limit: int
    free: int

    @classmethod
    def of(cls, folder: Path, limit: int | None) -> Capacity:
        """Measure a store.

        Args:
            folder: The folder of the store. It may not exist yet.
            limit: The maximum size of the store, in bytes. If None, a quarter of the sum of its
                current size and the free disk space.
        """
        used = sum(size(files(entry)) for entry in entry_folders(folder))
        free = shutil.disk_usage(_nearest_existing(folder)).free
        return cls(used, int(STORE_SHARE * (free + used)) if limit is None else limit, free)

    def obstacle(self, more: int) -> Obstacle | None:
        """Return why more data cannot be written, or None if it can.

        Args:
            more: The size of the data, in bytes.
        """
        if self.used + more > self.limit:
            return Obstacle(
                f"is limited to {decimal(self.limit)} and holds {decimal(self.used)}",
                "raise `compute.store_limit` or run thawline store clear",
            )
        if more > self.free:
            return Obstacle(
                f"has {decimal(self.free)} of free disk space",
                "free disk space or run thawline store clear",
            )
        return None


class NoRoom(Exception):
    """Raised if states can neither be written to the store nor be kept in memory.

    Args:
        size: The size of the states, in bytes.
        obstacle: Why they cannot be written, and how to fix it.
    """

    def __init__(self, size: int, obstacle: Obstacle) -> None:
        super().__init__(f"the store {obstacle.why}, so {decimal(size)} cannot be added")
        self.size, self.obstacle = size, obstacle


def unwritable(folder: Path) -> Obstacle | None:
    """Return why files cannot be created in a folder, or None if they can.

    The function tries to create a temporary file.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return obstacle_of(error)


def obstacle_of(error: Exception) -> Obstacle:
    """Return the obstacle that made a write fail."""
    reason = error.strerror if isinstance(error, OSError) else None
    reason = reason or join_lines(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        return Obstacle(
            f"cannot be written ({reason})", "free disk space or run thawline store clear"
        )
    return Obstacle(
        f"cannot be written ({reason})", "set THAWLINE_HOME to a folder that can be written"
    )


def memory_warning(more: int, obstacle: Obstacle) -> str:
    """Return the warning that states are kept in memory because they cannot be stored.

    Args:
        more: The size of the states, in bytes.
        obstacle: Why they cannot be written to the store.

    Raises:
        ThawlineError: If the states do not fit into memory either.
    """
    available = available_memory_bytes()
    if more > available:
        raise ThawlineError(
            f"space for {decimal(more)} of states in the store or in memory",
            f"a store that {obstacle.why}, and {decimal(available)} of available memory",
            f"{obstacle.fix}, or use fewer texts",
        )
    return (
        f"the store {obstacle.why}, so {decimal(more)} of states stay in memory for this run and "
        f"the next run computes them again; {obstacle.fix}"
    )


def _nearest_existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))
