"""Lock the folder of a run or of a ladder, so that only one process works on it.

The lock belongs to a process and ends with it, however the process ends. A file left by a killed
process is therefore no obstacle. A second file names the process that holds the lock.
"""

from __future__ import annotations

import errno
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from thawline.errors import ThawlineError
from thawline.runs.layout import load_json
from thawline.runtime.files import is_temporary, remove

LOCK, OWNER = ".lock", ".owner"

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
"""Errors of file systems that do not support locks."""


def is_bookkeeping(path: Path) -> bool:
    """Return whether a file is a lock or a temporary file, which never blocks a new run."""
    return path.name in (LOCK, OWNER) or is_temporary(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of an existing folder. On a file system without locks, hold none.

    Args:
        folder: The folder of a run or of a ladder.

    Raises:
        ThawlineError: If another process, or another thread, holds the lock.
        OSError: If the folder is not writable.
    """
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise _in_use(folder) from error
    except NotImplementedError:
        pass
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        with suppress(OSError):  # the disk may be full
            remove(folder / OWNER)  # of a killed process, or a link
            with (folder / OWNER).open("x", encoding="utf-8") as file:
                json.dump({"pid": os.getpid(), "host": platform.node()}, file)
        yield
    finally:
        remove(folder / OWNER)
        # Deleted before the release: later, it might be the file of another process.
        remove(folder / LOCK)
        lock.release()


def _in_use(folder: Path) -> ThawlineError:
    """Return the error for a folder on which another process works."""
    found = "another process that works on it"
    try:
        owner = load_json(folder / OWNER)
    except (OSError, ValueError):  # the other process is only starting
        owner = None
    if isinstance(owner, dict) and isinstance(owner.get("pid"), int):
        found = f"process {owner['pid']} on '{owner.get('host')}', which works on it"
    return ThawlineError(
        f"a folder that no other process works on ('{folder}')",
        found,
        "wait until that process has ended, or choose another folder",
    )
