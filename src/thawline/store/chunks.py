"""Read and write the files of a store's entry: chunks, and the manifest that lists them.

A chunk is one safetensors file. It holds the states and the keys of some texts, and its header
holds the entry's key. The file's name is the SHA-256 of its content, which reveals changed bytes
and truncation. The manifest has a checksum of its own and can be written again from the chunks.

Every file is written under a temporary name and then renamed. A file under its final name is
therefore complete, unless the disk has damaged it later.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

FORMAT = 3
"""Version of the format of chunks and manifests; it is part of every key."""

KEY_BYTES = 16
"""Size of a text's key, in bytes."""

LISTED_BYTES = 512
"""Maximum size that a chunk's description adds to the manifest, in bytes."""

MANIFEST, CHUNK, TEMPORARY = "manifest.json", ".safetensors", ".tmp"

_KEYS = "keys"

Key = dict[str, Any]
"""Everything that states depend on except the text, as JSON values, including ``format``."""

Content = Mapping[str, Tensor]
"""The tensors of some texts by name, on the CPU.

Pooled states are one tensor: ``states``, ``(texts, stages, 3, hidden)``. Token states are two:
``states``, ``(all tokens, hidden)``, with the texts one after the other and without padding, and
``lengths``, ``(texts,)`` int32, with the number of tokens of each text.
"""


@dataclass(frozen=True)
class Chunk:
    """A chunk, as the manifest lists it.

    Attributes:
        sha256: SHA-256 of the file in hexadecimal digits, which is also the file's name.
        rows: Number of texts.
        bytes: Size of the file.
    """

    sha256: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """The content of an entry's manifest.

    Attributes:
        name: Name of the backbone, for display only.
        key: The entry's key.
        chunks: The entry's chunks.
    """

    name: str
    key: Key
    chunks: tuple[Chunk, ...]


def path_of(folder: Path, sha256: str) -> Path:
    """Return the path of the chunk with a checksum."""
    return folder / f"{sha256}{CHUNK}"


def pack(key: Key, keys: bytes, content: Content) -> bytes:
    """Return the bytes of a chunk's file.

    Args:
        key: The entry's key.
        keys: The keys of the texts, `KEY_BYTES` each, one after the other.
        content: The states of the texts.
    """
    rows = torch.frombuffer(bytearray(keys), dtype=torch.uint8).view(-1, KEY_BYTES)
    tensors = {name: tensor.contiguous() for name, tensor in content.items()}
    header = {"thawline": json.dumps(key, sort_keys=True)}
    return bytes(save(tensors | {_KEYS: rows}, metadata=header))


def checksum(packed: bytes) -> str:
    """Return the SHA-256 of a packed chunk, in hexadecimal digits."""
    return hashlib.sha256(packed).hexdigest()


def write_chunk(folder: Path, packed: bytes) -> None:
    """Write a chunk that `pack` returned.

    Raises:
        OSError: If the folder is not writable or the disk is full. No unfinished file remains.
    """
    _write(path_of(folder, checksum(packed)), packed)


def read_keys(path: Path, key: Key) -> bytes | None:
    """Verify a chunk and return the keys of its texts.

    Args:
        path: The chunk's file.
        key: The entry's key, which the chunk must have.

    Returns:
        The keys, one after the other. None if the chunk is damaged or belongs to another entry.

    Raises:
        OSError: If the file cannot be read. This does not mean that it is damaged.
    """
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != path.stem:
            return None
    if read_header(path)[0] != key:
        return None
    with safe_open(path, "np") as arrays:
        return bytes(arrays.get_tensor(_KEYS).tobytes())


def map_content(path: Path) -> Content:
    """Return the memory-mapped content of a verified chunk.

    Raises:
        OSError: If the file is missing or cannot be read.
    """
    with safe_open(path, "pt") as tensors:
        names = set(tensors.keys()) - {_KEYS}
        return {name: tensors.get_tensor(name) for name in names}


def read_header(path: Path) -> tuple[Key | None, int]:
    """Return the key and the number of texts in a chunk's header, without verifying the chunk."""
    try:
        with safe_open(path, "pt") as tensors:
            key = json.loads(tensors.metadata()["thawline"])
            return _check_format(key), tensors.get_slice(_KEYS).get_shape()[0]
    except (OSError, SafetensorError, LookupError, TypeError, ValueError):
        return None, 0


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write an entry's manifest together with its checksum.

    Raises:
        OSError: If the folder is not writable.
    """
    described = asdict(manifest)
    text = json.dumps(described | {"sha256": _canonical_checksum(described)}, indent=1)
    _write(folder / MANIFEST, text.encode())


def read_manifest(folder: Path) -> Manifest | None:
    """Return an entry's manifest, or None if it is missing, damaged or of another format."""
    try:
        described = json.loads((folder / MANIFEST).read_bytes())
        if described.pop("sha256") != _canonical_checksum(described):
            return None
        chunks = tuple(Chunk(**chunk) for chunk in described["chunks"])
        return Manifest(described["name"], _check_format(described["key"]), chunks)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def read_older_manifest(folder: Path) -> Manifest | None:
    """Return a manifest of format 1 without its chunks, or None if there is no such manifest.

    Format 1 has no checksums. Entries of that format are listed so that users can delete them, but
    their states are never read.
    """
    try:
        described = json.loads((folder / MANIFEST).read_bytes())
        older = Manifest(str(described["name"]), dict(described["key"]), ())
        return older if older.key["format"] == 1 else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of an entry: chunks, the manifest and unfinished files."""
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.name == MANIFEST or path.suffix in (CHUNK, TEMPORARY):
                yield path


def size(paths: Iterable[Path]) -> int:
    """Return the total size of files in bytes, ignoring files that no longer exist."""
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def remove(path: Path) -> None:
    """Delete a file if the operating system allows it; on Windows it keeps mapped files."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{uuid.uuid4().hex}{TEMPORARY}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def _check_format(key: Key) -> Key:
    """Return the key, or raise ValueError if it is of another format."""
    if key["format"] != FORMAT:
        raise ValueError(f"format {key['format']}")
    return key


def _canonical_checksum(described: dict[str, Any]) -> str:
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
