"""Mark an entry as in use while its states are read, so that `clear` keeps it.

A reader holds a shared lock on the entry's folder itself, so no file is written and a process that
is killed leaves nothing behind. `clear` needs the exclusive lock. On Windows, which has no such
locks, a file that is mapped into memory cannot be deleted anyway.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class Use:
    """A claim on an entry. It ends when the object is deleted or the process ends.

    Args:
        descriptor: An open descriptor of the entry's folder that holds a shared lock. None if the
            system or the file system has no such locks.
    """

    def __init__(self, descriptor: int | None) -> None:
        if descriptor is not None:
            weakref.finalize(self, os.close, descriptor)

    @classmethod
    def of(cls, folder: Path) -> Use | None:
        """Claim an entry, or return None if it is not a folder.

        Args:
            folder: The entry's folder.
        """
        try:
            while True:
                descriptor = _lock_shared(folder)
                if descriptor is None or os.path.samestat(os.fstat(descriptor), folder.stat()):
                    return cls(descriptor)
                os.close(descriptor)  # the entry was deleted and filled again in the meantime
        except OSError:
            return None


@contextmanager
def unused(folder: Path) -> Iterator[bool]:
    """Yield whether nobody uses an entry; until the end of the block, nobody can claim it.

    Args:
        folder: The entry's folder.
    """
    if sys.platform == "win32":
        yield True
        return
    descriptor = _open(folder)
    try:
        yield _lock_alone(descriptor)
    finally:
        os.close(descriptor)


def _lock_shared(folder: Path) -> int | None:
    """Return a descriptor with a shared lock, or None if there are no such locks."""
    if sys.platform == "win32":
        folder.stat()
        return None
    try:
        descriptor = _open(folder)
    except PermissionError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # this waits only while `clear` deletes the entry
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))


def _lock_alone(descriptor: int) -> bool:
    """Return whether the exclusive lock was taken, or cannot exist on this file system."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # this file system has no locks on folders, so readers have none either
            return True
    return True
