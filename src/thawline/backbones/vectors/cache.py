"""Cache text files of word vectors in a binary format that can be mapped into memory.

Below ``THAWLINE_HOME``::

    vectors/<key>/vectors.npy   the matrix
    vectors/<key>/words.txt     one word per line
    vectors/<key>/cache.json    the sizes and checksums of both, and of the text file

The key depends on the content of the file, not on its path or its times. The folder is created
atomically. All checksums are verified when the vectors are loaded, and a damaged cache is built
again. Hashing a file takes about a second per GB, which is little compared to parsing it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.filesize import decimal

from thawline.backbones.vectors.reading import read_blocks
from thawline.backbones.vectors.table import Vectors
from thawline.data.sources.files import DataFile, file_errors
from thawline.errors import ThawlineError
from thawline.runtime.aside import is_plain_file, is_plain_folder, make_way, size_of
from thawline.runtime.failures import describe_system_error
from thawline.runtime.files import is_temporary, new_folder, remove_leftovers
from thawline.runtime.paths import home
from thawline.runtime.progress import Reporter
from thawline.runtime.untrusted import check_regular, open_regular, read_json, read_regular

FORMAT = 2
MATRIX, WORDS, MANIFEST = "vectors.npy", "words.txt", "cache.json"
NAMES = {MATRIX, WORDS, MANIFEST}

_KEY = re.compile(r"[0-9a-f]{32}")
_MAX_MANIFEST_BYTES = 2**16


def cache_folder() -> Path:
    """Return the folder that contains all caches."""
    return home() / "vectors"


def cached_vectors(file: DataFile, name: str, reporter: Reporter) -> Vectors:
    """Return the vectors of a text file; on first use, cache them in the binary format.

    If the cache cannot be written, the vectors stay in memory, with a warning.

    Args:
        file: The text file, plain or compressed.
        name: The name that the user gave to the vectors.
        reporter: Receives the progress if the text file is read, and a message if the cache is
            damaged.

    Returns:
        The vectors, with a matrix that is mapped into memory.

    Raises:
        ThawlineError: If the text file cannot be read, has an invalid line, or changes while it is
            read.
    """
    source = _source_digest(file)
    folder = cache_folder() / _key(source, file)
    _remove_unfinished(folder.parent, reporter)
    cached = _load(folder, name, source)
    if cached is not None:
        return cached
    if os.path.lexists(folder):
        reporter.message(f"the cache of the word vectors '{name}' is damaged and is built again")
    try:
        is_ours = _has_own_names_only(folder)
        if not is_ours:
            make_way(folder)
        with new_folder(folder, replace=is_ours) as temporary:
            _write(file, temporary, source, reporter)
            _check_unchanged(file, source)
        cached = _load(folder, name, source)
        if cached is None:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(folder))
    except OSError as error:
        cached = _load(folder, name, source)  # another process may have written it in the meantime
        if cached is None:
            warnings.warn(
                f"the cache of the word vectors '{name}' cannot be written "
                f"({describe_system_error(error)}), so the next run reads the file again; free "
                "disk space or set THAWLINE_HOME to a folder that can be written",
                stacklevel=2,
            )
            return _read(file, name, reporter)
    return cached


@dataclass(frozen=True)
class CachedFolder:
    """A cache, as `cached_folders` lists it.

    Attributes:
        name: The name of its folder.
        bytes: The size of its files.
    """

    name: str
    bytes: int


def cached_folders() -> list[CachedFolder]:
    """List the caches of word vectors, without verifying checksums."""
    return [
        CachedFolder(folder.name, sum(size_of(folder / name) for name in NAMES))
        for folder in _own_folders()
    ]


def foreign_paths() -> list[Path]:
    """Return the files and folders among the caches that Thawline did not write."""
    found: list[Path] = []
    own = set(_own_folders())
    with suppress(OSError):
        for path in sorted(cache_folder().iterdir()):
            if path in own:
                found += [p for p in sorted(path.iterdir()) if p.name not in NAMES or p.is_dir()]
            elif not is_temporary(path):
                found.append(path)
    return found


def clear() -> int:
    """Delete the caches of word vectors. Only files that Thawline wrote are deleted.

    Returns:
        The number of bytes that were freed.

    Raises:
        OSError: If a file cannot be deleted.
    """
    freed = remove_leftovers(cache_folder()).bytes
    for folder in _own_folders():
        for name in (MATRIX, WORDS, MANIFEST):  # the manifest last, so that the rest is recognised
            path = folder / name
            if not is_plain_folder(path):
                size = size_of(path)
                path.unlink(missing_ok=True)
                freed += size
        with suppress(OSError):
            folder.rmdir()
    return freed


# -- identity -------------------------------------------------------------------------------------


def _source_digest(file: DataFile) -> str:
    """Return the SHA-256 of the file on disk, which may be compressed."""
    with file_errors(file.path), open_regular(file.path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _key(source: str, file: DataFile) -> str:
    identity = json.dumps([FORMAT, source, file.member, file.is_packed])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _check_unchanged(file: DataFile, source: str) -> None:
    if _source_digest(file) != source:
        raise ThawlineError(
            f"a file of word vectors that does not change while it is read ('{file.path}')",
            "other content after reading than before",
            "wait until the file is complete, and run the command again",
        )


def _own_folders() -> list[Path]:
    """Return the folders that Thawline wrote: by their name and by the content of their files."""
    with suppress(OSError):
        return [path for path in sorted(cache_folder().iterdir()) if _is_own(path)]
    return []


def _is_own(folder: Path) -> bool:
    if not (_KEY.fullmatch(folder.name) and is_plain_folder(folder)):
        return False
    with suppress(OSError, ValueError, LookupError, TypeError):
        manifest = read_json(folder / MANIFEST, limit=_MAX_MANIFEST_BYTES)
        return bool(manifest["thawline"] == "vectors")
    # A cache of format 1, or one whose manifest is damaged.
    is_complete = _has_own_names_only(folder) and is_plain_file(folder / WORDS)
    return is_complete and _map_matrix(folder / MATRIX) is not None


def _has_own_names_only(folder: Path) -> bool:
    """Return whether a path is a folder that has only the files of a cache."""
    with suppress(OSError):
        return is_plain_folder(folder) and all(
            path.name in NAMES and not is_plain_folder(path) for path in folder.iterdir()
        )
    return False


def _remove_unfinished(folder: Path, reporter: Reporter) -> None:
    items, size = remove_leftovers(folder)
    if items:
        caches = "1 unfinished cache" if items == 1 else f"{items} unfinished caches"
        reporter.message(f"deleted {caches} ({decimal(size)}) of word vectors of stopped processes")


# -- reading and writing --------------------------------------------------------------------------


def _load(folder: Path, name: str, source: str) -> Vectors | None:
    """Return cached vectors, or None if the cache is missing or damaged."""
    try:
        manifest = read_json(folder / MANIFEST, limit=_MAX_MANIFEST_BYTES)
        if (manifest["format"], manifest["source"]) != (FORMAT, source):
            return None
        if not all(_is_intact(folder / file, manifest[file]) for file in (MATRIX, WORDS)):
            return None
        content = read_regular(folder / WORDS, limit=manifest[WORDS]["bytes"])
        # `splitlines` would also split at line separators of Unicode, which may be words.
        words = content.decode("utf-8").split("\n")[:-1]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    matrix = _map_matrix(folder / MATRIX)
    return None if matrix is None or len(matrix) != len(words) else Vectors(name, words, matrix)


def _map_matrix(path: Path) -> NDArray[np.float32] | None:
    """Map a matrix into memory, or return None if the file has none."""
    try:
        check_regular(path)
        matrix = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, TypeError, EOFError, OverflowError, MemoryError, RecursionError):
        return None
    return matrix if matrix.dtype == np.float32 and matrix.ndim == 2 and len(matrix) else None


def _is_intact(path: Path, listed: dict[str, Any]) -> bool:
    """Return whether a file has the size and the SHA-256 that the manifest lists."""
    has_size = check_regular(path) == listed["bytes"]  # a huge file is not read to its end
    return has_size and _digest(path) == str(listed["sha256"])


def _digest(path: Path) -> str:
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(file: DataFile, name: str, reporter: Reporter) -> Vectors:
    """Read the text file into memory."""
    words: list[str] = []
    blocks = []
    for names, block in read_blocks(file, reporter):
        words += names
        blocks.append(block)
    return Vectors(name, words, np.concatenate(blocks))


def _write(file: DataFile, folder: Path, source: str, reporter: Reporter) -> None:
    rows, width = 0, 0
    with (folder / MATRIX).open("wb") as matrix, (folder / WORDS).open("wb") as words:
        for names, block in read_blocks(file, reporter):
            if not rows:
                width = block.shape[1]
                _write_header(matrix, 0, width)
            matrix.write(block.tobytes())
            words.write("".join(f"{name}\n" for name in names).encode())
            rows += len(names)
        # The number of rows is only known now. numpy reserves space for it in the header.
        matrix.seek(0)
        _write_header(matrix, rows, width)
    manifest: dict[str, Any] = {"thawline": "vectors", "format": FORMAT, "source": source}
    for path in (folder / MATRIX, folder / WORDS):
        manifest[path.name] = {"bytes": path.stat().st_size, "sha256": _digest(path)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _write_header(stream: object, rows: int, width: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    np.lib.format.write_array_header_1_0(stream, header)  # type: ignore[arg-type]
