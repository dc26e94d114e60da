"""List and delete the entries of the store."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import filelock

from thawline.store import chunks
from thawline.store.keys import StoreKey, entry_folders, lock_of


def entries(root: Path | None = None) -> list[dict[str, Any]]:
    """List the entries of the store, without verifying checksums.

    Args:
        root: The cache folder that contains the store. If None, `home`.

    Returns:
        A dict for each entry with ``entry`` (the name of its folder), ``name`` (of the backbone),
        the fields of its `StoreKey`, ``texts`` (their number), ``bytes`` and ``problem``. The
        problem is one line of text: the manifest is damaged or missing, chunks are missing, or the
        entry is of an older format. None if the entry has no problem.
    """
    described = map(_describe, entry_folders(root))
    return [entry for entry in described if entry["bytes"]]


def _describe(folder: Path) -> dict[str, Any]:
    paths = list(chunks.files(folder))
    name, key, rows, problem = _summarise(folder, paths)
    described = dict.fromkeys(field.name for field in fields(StoreKey)) | key
    size = chunks.size(paths)
    return {
        "entry": folder.name,
        "name": name,
        **described,
        "texts": rows,
        "bytes": size,
        "problem": problem,
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


def clear(root: Path | None = None) -> int:
    """Delete all entries except those that a process is filling.

    Args:
        root: The cache folder that contains the store. If None, `home`.

    Returns:
        The number of bytes that were freed.

    Raises:
        OSError: If the store is not writable.
    """
    freed = 0
    for folder in entry_folders(root):
        lock = lock_of(folder)
        with suppress(filelock.Timeout), filelock.FileLock(lock, timeout=0):
            before = chunks.size(chunks.files(folder))
            shutil.rmtree(folder, ignore_errors=True)
            freed += before - chunks.size(chunks.files(folder))
        if not folder.exists():
            chunks.remove(lock)
    return freed
