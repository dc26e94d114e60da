"""The store as a whole: what it holds, and how it is emptied."""

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
    """List the store: for each entry its key, the texts it holds, its bytes and its ``problem``.

    Checksums are not looked at. A problem is one line for people, or None: the manifest is damaged
    or missing, chunks are gone, or another format's entry is never read.
    """
    described = map(_describe, entry_folders(root))
    return [entry for entry in described if entry["bytes"]]


def _describe(folder: Path) -> dict[str, Any]:
    own = list(chunks.files(folder))
    name, key, rows, problem = _contents(folder, own)
    described = dict.fromkeys(field.name for field in fields(StoreKey)) | key
    size = chunks.size(own)
    return {
        "entry": folder.name,
        "name": name,
        **described,
        "texts": rows,
        "bytes": size,
        "problem": problem,
    }


def _contents(folder: Path, own: Sequence[Path]) -> tuple[str, chunks.Key, int, str | None]:
    """Return an entry's name, its key, its number of texts, and what is wrong with it."""
    manifest, older = chunks.read_manifest(folder), chunks.read_older_manifest(folder)
    if manifest is not None:
        there = [c for c in manifest.chunks if chunks.path_of(folder, c.sha256) in own]
        gone = len(manifest.chunks) - len(there)
        problem = f"{gone} of {len(manifest.chunks)} chunks gone: computed again" if gone else None
        return manifest.name, manifest.key, sum(chunk.rows for chunk in there), problem
    if older is not None:
        problem = f"of format {older.key['format']}: not read, freed by store clear"
        return older.name, older.key, 0, problem
    headers = [chunks.read_header(path) for path in own if path.suffix == chunks.CHUNK]
    keys = [key for key, _ in headers if key is not None]
    damaged = folder / chunks.MANIFEST in own
    problem = "manifest damaged: written again" if damaged else "unfinished: completed"
    texts = sum(rows for _, rows in headers)
    return "(unknown)", keys[0] if keys else {}, texts, f"{problem} by the next fill"


def clear(root: Path | None = None) -> int:
    """Delete every entry but those that are being filled; return the bytes that were freed.

    Raises:
        OSError: the store cannot be written.
    """
    freed = 0
    for folder in entry_folders(root):
        lock = lock_of(folder)
        with suppress(filelock.Timeout), filelock.FileLock(lock, timeout=0):
            held = chunks.size(chunks.files(folder))
            shutil.rmtree(folder, ignore_errors=True)
            freed += held - chunks.size(chunks.files(folder))
        if not folder.exists():
            chunks.remove(lock)
    return freed
