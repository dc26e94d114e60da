"""The files of a store's entry: chunks that prove themselves, and the manifest that lists them.

A chunk is one safetensors file: its content, the keys of the texts that it belongs to, and in its
header what it depends on. Its name is the SHA-256 of its content, so a flipped byte or a missing
end shows. The manifest carries a checksum of its own; whatever is wrong with it, it can be written
again from the chunks.

Every file is written under a temporary name and renamed: a name that stands in the folder stands
for a whole file, unless the disk has spoilt it since.
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
"""The version of all that is described here; part of every key."""

KEY_BYTES = 16
"""Of each text's key."""

LISTED_BYTES = 512
"""The most that a chunk takes in the manifest."""

MANIFEST, CHUNK, TEMPORARY = "manifest.json", ".safetensors", ".tmp"

_KEYS = "keys"

Key = dict[str, Any]
"""All that states depend on, apart from the text, as JSON values; ``format`` is among them."""

Content = Mapping[str, Tensor]
"""The tensors of texts, by name, on the CPU.

Pooled states: ``states``, ``(texts, stages, 3, hidden)``. Token states: ``states``,
``(all tokens, hidden)``, one text after the other without padding, and ``lengths``, ``(texts,)``
int32, the tokens of each.
"""


@dataclass(frozen=True)
class Chunk:
    """One chunk as the manifest lists it; ``sha256`` is also the file's name."""

    sha256: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What an entry holds; the name is the backbone's, for people."""

    name: str
    key: Key
    chunks: tuple[Chunk, ...]


def path_of(folder: Path, sha256: str) -> Path:
    """Return where the chunk of this checksum is."""
    return folder / f"{sha256}{CHUNK}"


def pack(key: Key, keys: bytes, content: Content) -> bytes:
    """Return the bytes of a chunk's file.

    Args:
        key: what the content depends on.
        keys: `KEY_BYTES` of each text, one after the other.
        content: of these texts.
    """
    rows = torch.frombuffer(bytearray(keys), dtype=torch.uint8).view(-1, KEY_BYTES)
    tensors = {name: tensor.contiguous() for name, tensor in content.items()}
    header = {"thawline": json.dumps(key, sort_keys=True)}
    return bytes(save(tensors | {_KEYS: rows}, metadata=header))


def checksum(packed: bytes) -> str:
    """Return the SHA-256 of what `pack` returned, in hexadecimal digits."""
    return hashlib.sha256(packed).hexdigest()


def write_chunk(folder: Path, packed: bytes) -> None:
    """Write what `pack` returned.

    Raises:
        OSError: the folder cannot be written, or the disk is full; nothing is left behind.
    """
    _write(path_of(folder, checksum(packed)), packed)


def read_keys(path: Path, key: Key) -> bytes | None:
    """Return the keys in a chunk, one after the other; None where the chunk is not whole.

    Args:
        path: the chunk's file.
        key: what the content has to depend on.

    Raises:
        OSError: the file cannot be read, which says nothing about its content.
    """
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != path.stem:
            return None
    if read_header(path)[0] != key:
        return None
    with safe_open(path, "np") as arrays:
        return bytes(arrays.get_tensor(_KEYS).tobytes())


def map_content(path: Path) -> Content:
    """Return the memory-mapped content of a chunk that is known to be whole.

    Raises:
        OSError: the file is gone, or cannot be read.
    """
    with safe_open(path, "pt") as tensors:
        names = set(tensors.keys()) - {_KEYS}
        return {name: tensors.get_tensor(name) for name in names}


def read_header(path: Path) -> tuple[Key | None, int]:
    """Return what a chunk says of itself, unproven: its key, and its number of rows."""
    try:
        with safe_open(path, "pt") as tensors:
            key = json.loads(tensors.metadata()["thawline"])
            return _of_this_format(key), tensors.get_slice(_KEYS).get_shape()[0]
    except (OSError, SafetensorError, LookupError, TypeError, ValueError):
        return None, 0


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write what an entry holds, with a checksum over it.

    Raises:
        OSError: the folder cannot be written.
    """
    described = asdict(manifest)
    text = json.dumps(described | {"sha256": _canonical_checksum(described)}, indent=1)
    _write(folder / MANIFEST, text.encode())


def read_manifest(folder: Path) -> Manifest | None:
    """Return an entry's manifest; None where there is none, or a damaged one, or another format."""
    try:
        described = json.loads((folder / MANIFEST).read_bytes())
        if described.pop("sha256") != _canonical_checksum(described):
            return None
        chunks = tuple(Chunk(**chunk) for chunk in described["chunks"])
        return Manifest(described["name"], _of_this_format(described["key"]), chunks)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def read_older_manifest(folder: Path) -> Manifest | None:
    """Return a manifest of format 1, without its chunks; None where there is none.

    Format 1 had neither checksums over its manifests nor names of chunks that follow from their
    content. Its entries are listed, so that they can be freed, and never read.
    """
    try:
        described = json.loads((folder / MANIFEST).read_bytes())
        older = Manifest(str(described["name"]), dict(described["key"]), ())
        return older if older.key["format"] == 1 else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that are a store's own: chunks, manifests, unfinished ones."""
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.name == MANIFEST or path.suffix in (CHUNK, TEMPORARY):
                yield path


def size(paths: Iterable[Path]) -> int:
    """Return how many bytes files have together; those that have just gone count nothing."""
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def remove(path: Path) -> None:
    """Delete a file; one that cannot be (read-only; mapped, on Windows) stays for the next time."""
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


def _of_this_format(key: Key) -> Key:
    """Return the key, unless it is of another format; then raise a `ValueError`."""
    if key["format"] != FORMAT:
        raise ValueError(f"format {key['format']}")
    return key


def _canonical_checksum(described: dict[str, Any]) -> str:
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
