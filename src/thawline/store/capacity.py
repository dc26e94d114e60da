"""What may be written to the store, and what is done with states that may not."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.filesize import decimal

from thawline.config import STORE_SHARE
from thawline.errors import ThawlineError
from thawline.runtime.hardware import available_memory_bytes
from thawline.store.chunks import size

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Obstacle:
    """Why states cannot be written ("the store …"), and what would fix it."""

    why: str
    fix: str


@dataclass(frozen=True)
class Capacity:
    """The bytes that a store holds, may hold, and finds free on its disk."""

    held: int
    limit: int
    free: int

    @classmethod
    def of(cls, folder: Path, limit: int | None) -> Capacity:
        """Measure a store.

        Args:
            folder: the store's; it need not exist.
            limit: the most that it may hold, in bytes; None: a quarter of the disk that it has or
                could have.
        """
        held = size(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
        free = shutil.disk_usage(_nearest(folder)).free
        return cls(held, int(STORE_SHARE * (free + held)) if limit is None else limit, free)

    def obstacle(self, more: int) -> Obstacle | None:
        """Return what keeps so many more bytes from being written, if anything does."""
        if self.held + more > self.limit:
            return Obstacle(
                f"may hold {decimal(self.limit)} and holds {decimal(self.held)}",
                "raise --store-limit or run thawline store clear",
            )
        if more > self.free:
            return Obstacle(
                f"has {decimal(self.free)} of free disk",
                "free some disk or run thawline store clear",
            )
        return None


class NoRoom(Exception):
    """States that may not be written to the store, and are not kept in memory either.

    Args:
        size: of these states, in bytes.
        obstacle: why not, and what would fix it.
    """

    def __init__(self, size: int, obstacle: Obstacle) -> None:
        super().__init__(f"the store {obstacle.why}: no room for {decimal(size)}")
        self.size, self.obstacle = size, obstacle


def unwritable(folder: Path) -> Obstacle | None:
    """Return what keeps files from being made in a folder, by making one."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return obstacle_of(error)


def obstacle_of(error: Exception) -> Obstacle:
    """Return what a failed write says of the store."""
    reason = (error.strerror if isinstance(error, OSError) else None) or " ".join(
        str(error).split()
    )
    if isinstance(error, OSError) and error.errno in _FULL:
        return Obstacle(
            f"cannot be written ({reason})", "free some disk or run thawline store clear"
        )
    return Obstacle(
        f"cannot be written ({reason})", "set THAWLINE_HOME to a folder that can be written"
    )


def in_memory_instead(more: int, obstacle: Obstacle) -> str:
    """Return what the user is told of states that stay in memory.

    Raises:
        ThawlineError: memory has no room for them either.
    """
    available = available_memory_bytes()
    if more > available:
        raise ThawlineError(
            f"room for {decimal(more)} of states in the store or in memory",
            f"a store that {obstacle.why} and {decimal(available)} of available memory",
            f"{obstacle.fix}, or take fewer texts",
        )
    return (
        f"the store {obstacle.why}: {decimal(more)} of states stay in memory for this run, and "
        f"the next computes them again; {obstacle.fix}"
    )


def _nearest(folder: Path) -> Path:
    """Return the folder itself or the nearest above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))
