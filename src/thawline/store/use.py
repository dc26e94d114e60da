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
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class Use:
    """A claim on an entry. It ends when the object is deleted or the process ends.

    Args:
        descriptor: An open descriptor of the entry's folder that holds a shared lock.
    """

    def __init__(self, descriptor: int) -> None:
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def of(cls, folder: Path) -> Use | None:
        """Claim an entry, or return None if it does not exist or its system has no such locks.

        Args:
            folder: The entry's folder.
        """
        if sys.platform == "win32":
            return None
        with suppress(OSError):
            while True:
                descriptor = _open(folder)
                try:
                    # This waits only while `clear` deletes the entry.
                    fcntl.flock(descriptor, fcntl.LOCK_SH)
                    if os.path.samestat(os.fstat(descriptor), folder.stat()):
                        return cls(descriptor)
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)  # the entry was deleted and filled again in the meantime
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
