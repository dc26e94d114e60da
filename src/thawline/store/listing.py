"""List and delete the entries of the store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import filelock

from thawline.store import chunks, ownership
from thawline.store.keys import StoreKey, entry_folders, lock_of, store_folder
from thawline.store.use import unused


@dataclass(frozen=True)
class StoredEntry:
    """An entry of the store, as `entries` lists it.

    The fields of its key are None if they are unknown, because the entry is damaged or of an older
    format.

    Attributes:
        entry: The name of its folder.
        name: The name of the backbone.
        backbone: A digest of the backbone's weights, config and tokenizer.
        max_length: The maximum number of tokens of a text.
        truncation_side: The side on which longer texts are truncated, ``right`` or ``left``.
        dtype: The dtype of the computation.
        format: The version of the store's format.
        line: The line that the token states reach. None for pooled states.
        stage: The last stage of pooled states. None for pooled states of all stages and for token
            states.
        texts: The number of texts.
        bytes: The size of the entry's files, in bytes.
        problem: What is wrong with the entry: a damaged or missing manifest, missing chunks or an
            older format. None if nothing is wrong.
    """

    entry: str
    name: str
    backbone: str | None
    max_length: int | None
    truncation_side: str | None
    dtype: str | None
    format: int | None
    line: int | None
    stage: int | None
    texts: int
    bytes: int
    problem: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return asdict(self)


def entries(root: Path | None = None) -> list[StoredEntry]:
    """List the entries of the store, without verifying checksums.

    Args:
        root: The cache folder that contains the store. If None, `home`.
    """
    folders = filter(ownership.is_entry, entry_folders(store_folder(root)))
    return [entry for entry in map(_describe, folders) if entry.bytes]


def foreign_paths(root: Path | None = None) -> list[Path]:
    """Return the files and folders in the store's folder that Thawline did not write.

    Args:
        root: The cache folder that contains the store. If None, `home`.
    """
    return ownership.foreign_paths(store_folder(root))


def _describe(folder: Path) -> StoredEntry:
    paths = list(chunks.files(folder))
    name, key, rows, problem = _summarise(folder, paths)
    known = {field.name: key.get(field.name) for field in fields(StoreKey)}
    return StoredEntry(
        folder.name, name, **_typed(known), texts=rows, bytes=chunks.size(paths), problem=problem
    )


def _typed(known: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a key, with None for values of another type than a key has."""
    text = ("backbone", "truncation_side", "dtype")
    return {
        name: value if type(value) is (str if name in text else int) else None
        for name, value in known.items()
    }


def _summarise(folder: Path, paths: Sequence[Path]) -> tuple[str, chunks.Key, int, str | None]:
    """Return an entry's name, its key, its number of texts and its problem."""
    manifest, older = chunks.read_manifest(folder), chunks.read_older_manifest(folder)
    if manifest is not None:
        existing = [c for c in manifest.chunks if chunks.path_of(folder, c.sha256) in paths]
        total, rows = len(manifest.chunks), sum(chunk.rows for chunk in existing)
        missing = total - len(existing)
        problem = f"{missing} of {total} chunks missing; the next run computes them again"
        return manifest.name, manifest.key, rows, problem if missing else None
    if older is not None:
        problem = f"the older format {older.key['format']} is not read; store clear deletes it"
        return older.name, older.key, 0, problem
    headers = [chunks.read_header(path) for path in paths if path.suffix == chunks.CHUNK]
    keys = [key for key, _ in headers if key is not None]
    is_damaged = folder / chunks.MANIFEST in paths
    problem = "damaged manifest" if is_damaged else "unfinished"
    texts = sum(rows for _, rows in headers)
    return "(unknown)", keys[0] if keys else {}, texts, f"{problem}; the next run repairs it"


@dataclass(frozen=True)
class Cleared:
    """What `clear` did.

    Attributes:
        freed: The number of bytes that were freed.
        kept: The names of the entries that a process is filling or reading.
    """

    freed: int
    kept: tuple[str, ...]


def clear(root: Path | None = None) -> Cleared:
    """Delete all entries except those that a process is filling or reading.

    Only files that Thawline wrote are deleted; see `foreign_paths`.

    Args:
        root: The cache folder that contains the store. If None, `home`.

    Raises:
        OSError: If the store is not writable.
    """
    store, freed, kept = store_folder(root), 0, []
    for folder in filter(ownership.is_entry, entry_folders(store)):
        before = chunks.size(chunks.files(folder))
        if _clear_entry(folder):
            freed += before - chunks.size(chunks.files(folder))
        else:
            kept.append(folder.name)
    ownership.delete_unused_locks(store)
    return Cleared(freed, tuple(kept))


def _clear_entry(folder: Path) -> bool:
    """Delete the files of an entry, or return False if a process is filling or reading it."""
    lock = lock_of(folder)
    ownership.prepare_lock(lock)
    try:
        with filelock.FileLock(lock, timeout=0), unused(folder) as is_unused:
            if is_unused:
                ownership.delete_entry(folder)
            return is_unused
    except (filelock.Timeout, FileNotFoundError):  # it has been deleted in the meantime
        return not folder.exists()
    except PermissionError:
        if sys.platform != "win32":
            raise
        return False  # Windows does not delete files that a process has mapped into memory
