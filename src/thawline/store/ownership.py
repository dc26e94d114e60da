"""Tell the files of the store from files that Thawline did not write, and delete only its own."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import filelock

from thawline.runtime.aside import is_plain_file, is_plain_folder, make_way, size_of
from thawline.runtime.files import Leftovers, remove_leftovers
from thawline.store import chunks
from thawline.store.keys import digest_of, entry_folders, lock_of

_LOCK_NAME = re.compile(r"[0-9a-f]{32}\.lock")


def is_entry(folder: Path) -> bool:
    """Return whether Thawline wrote the folder of an entry.

    The name of the folder is a digest of the key, which the manifest and each chunk contain. If a
    process was killed before the first chunk was complete, or if every file is damaged, an empty
    lock must exist and every file must have a name that the store gives.

    Args:
        folder: A folder that has the name of an entry.
    """
    if any(digest_of(key) == folder.name for key in chunks.written_keys(folder)):
        return True
    lock = lock_of(folder)
    if not is_plain_file(lock) or size_of(lock):
        return False
    with suppress(OSError):
        return all(chunks.is_own_name(path) and is_plain_file(path) for path in folder.iterdir())
    return False


def foreign_paths(folder: Path) -> list[Path]:
    """Return what Thawline did not write: in the folder of the store, and in its entries.

    Args:
        folder: The folder of the store.
    """
    found: list[Path] = []
    entries = {path for path in entry_folders(folder) if is_entry(path)}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path in entries:
            inside = sorted(path.iterdir())
            found += [p for p in inside if not chunks.is_own_name(p) or is_plain_folder(p)]
        elif not _is_lock(path):
            found.append(path)
    return found


def delete_entry(folder: Path) -> None:
    """Delete the files of an entry, and its folder if nothing else is in it.

    Links are deleted, but not the files that they lead to.

    Raises:
        OSError: If a file cannot be deleted.
    """
    # The manifest goes last: until then, an interrupted `clear` leaves a folder that is recognised.
    for path in sorted(chunks.files(folder), key=lambda path: path.name == chunks.MANIFEST):
        if not is_plain_folder(path):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def prepare_lock(lock: Path) -> None:
    """Make sure that a lock can be created, and that locking it does not follow a link.

    Raises:
        OSError: If something in its place cannot be removed.
    """
    make_way(lock, keep_file=True)


def delete_unused_locks(folder: Path) -> None:
    """Delete the locks whose entries no longer exist.

    Args:
        folder: The folder of the store.
    """
    for lock in sorted(folder.glob("*.lock")):
        if _is_lock(lock) and not os.path.lexists(lock.with_suffix("")):
            with suppress(OSError, filelock.Timeout), filelock.FileLock(lock, timeout=0):
                lock.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> Leftovers:
    """Delete the unfinished files of an entry. Call this while its lock is held."""
    older = [p for p in chunks.files(folder) if chunks.is_unfinished(p) and is_plain_file(p)]
    found = remove_leftovers(folder, locked=True)
    items, freed = found
    for path in older:
        if path.exists():
            size = size_of(path)
            chunks.remove(path)
            items, freed = items + 1, freed + size
    return Leftovers(items, freed)


def remove_all_unfinished(folder: Path) -> Leftovers:
    """Delete the unfinished files of all entries that no process is filling.

    Args:
        folder: The folder of the store.
    """
    items = freed = 0
    for entry in entry_folders(folder):
        lock = lock_of(entry)
        if any(map(chunks.is_unfinished, chunks.files(entry))) and is_plain_file(lock):
            with suppress(OSError, filelock.Timeout), filelock.FileLock(lock, timeout=0):
                found = remove_unfinished(entry)
                items, freed = items + found.items, freed + found.bytes
    return Leftovers(items, freed)


def _is_lock(path: Path) -> bool:
    named = _LOCK_NAME.fullmatch(path.name) is not None
    return named and is_plain_file(path) and not size_of(path)
