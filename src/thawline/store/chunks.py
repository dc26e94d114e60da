"""Read and write the files of a store's entry: chunks, and the manifest that lists them.

A chunk is one safetensors file. It holds the states and the keys of some texts, and its header
holds the entry's key. The file's name is the SHA-256 of its content, which reveals changed bytes
and truncation. The manifest has a checksum of its own and can be written again from the chunks.

Every file is written under a temporary name, flushed to the disk and then renamed. A file under its
final name is therefore complete, unless the disk has damaged it later. Anything that is not a
regular file, such as a folder or a named pipe under the name of a chunk, is a damaged chunk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from thawline.errors import ThawlineError
from thawline.runtime.aside import make_way, size_of
from thawline.runtime.files import is_temporary, make_folder, write_file
from thawline.runtime.untrusted import check_regular, open_regular, parse_json, read_json

FORMAT = 3
"""Version of the format of chunks and manifests; it is part of every key."""

KEY_BYTES = 16
"""Size of a text's key, in bytes."""

LISTED_BYTES = 512
"""Maximum size that a chunk's description adds to the manifest, in bytes."""

MANIFEST, CHUNK = "manifest.json", ".safetensors"

_KEYS, _STATES, _LENGTHS = "keys", "states", "lengths"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_NAME = re.compile(r"(?:[0-9a-f]{64}|[0-9a-f]{32})\.safetensors")  # 32 digits in format 1
_NOT_TENSORS = (SafetensorError, RuntimeError)  # RuntimeError: too large to be mapped
_OLDER_TEMPORARY = re.compile(r"[0-9a-f]{32}\.tmp")

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
        seconds: The seconds of the computation of states, over all fills that were completed.
        tokens: The number of tokens of the texts of these fills.
    """

    name: str
    key: Key
    chunks: tuple[Chunk, ...]
    seconds: float = 0.0
    tokens: int = 0


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
    try:
        with open_regular(path) as file:
            # The header reveals the expected size, so that a huge file is not read to its end.
            if read_header(path)[0] != key:
                return None
            if hashlib.file_digest(file, "sha256").hexdigest() != path.stem:
                return None
        return _read_rows(path, is_ragged=key.get("line") is not None)
    except (ThawlineError, *_NOT_TENSORS):
        return None


def _read_rows(path: Path, *, is_ragged: bool) -> bytes | None:
    """Return the keys of a chunk, or None if its tensors do not have the layout of `Content`."""
    with safe_open(path, "pt") as tensors:
        if not {_KEYS, _STATES} <= set(tensors.keys()):
            return None
        keys, states = tensors.get_tensor(_KEYS), tensors.get_slice(_STATES).get_shape()
        if keys.dtype != torch.uint8 or keys.dim() != 2 or keys.shape[1] != KEY_BYTES:
            return None
        if is_ragged:
            if len(states) != 2 or _LENGTHS not in tensors.keys():  # noqa: SIM118
                return None
            lengths = tensors.get_tensor(_LENGTHS)
            if lengths.dtype != torch.int32 or lengths.shape != keys.shape[:1]:
                return None
            if (lengths < 0).any() or int(lengths.sum()) != states[0]:
                return None
        elif len(states) != 4 or states[0] != len(keys):
            return None
        return bytes(keys.numpy().tobytes())


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
    key, rows = _read_header(path)
    return (key, rows) if key is not None and key["format"] == FORMAT else (None, 0)


def _read_header(path: Path) -> tuple[Key | None, int]:
    """Return the key in a chunk's header, of any format, and the number of texts."""
    try:
        check_regular(path)
        with safe_open(path, "pt") as tensors:
            key = _check_key(parse_json(tensors.metadata()["thawline"]))
            return key, tensors.get_slice(_KEYS).get_shape()[0]
    except (OSError, *_NOT_TENSORS, LookupError, TypeError, ValueError):
        return None, 0


def written_keys(folder: Path) -> Iterator[Key]:
    """Yield the keys, of any format, in an entry's manifest and in the headers of its chunks."""
    with contextlib.suppress(OSError, LookupError, TypeError, ValueError):
        yield _check_key(read_json(folder / MANIFEST)["key"])
    for path in files(folder):
        if path.suffix == CHUNK:
            key, _ = _read_header(path)
            if key is not None:
                yield key


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
        described = read_json(folder / MANIFEST)
        if described.pop("sha256") != _canonical_checksum(described):
            return None
        key, name = _check_key(described["key"]), described["name"]
        chunks = tuple(_check_chunk(Chunk(**chunk)) for chunk in described["chunks"])
        if key["format"] != FORMAT or not isinstance(name, str):
            return None
        seconds, tokens = described.get("seconds", 0.0), described.get("tokens", 0)
        if type(seconds) is not float or type(tokens) is not int or min(seconds, tokens) < 0:
            return None
        return Manifest(name, key, chunks, seconds, tokens)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def read_older_manifest(folder: Path) -> Manifest | None:
    """Return a manifest of format 1 without its chunks, or None if there is no such manifest.

    Format 1 has no checksums. Entries of that format are listed so that users can delete them, but
    their states are never read.
    """
    try:
        described = read_json(folder / MANIFEST)
        older = Manifest(str(described["name"]), dict(described["key"]), ())
        return older if older.key["format"] == 1 else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def files(folder: Path) -> Iterator[Path]:
    """Yield everything that has the name of a chunk, a manifest or an unfinished file."""
    with contextlib.suppress(OSError):
        yield from (path for path in sorted(folder.iterdir()) if is_own_name(path))


def is_own_name(path: Path) -> bool:
    """Return whether a file in an entry's folder has a name that the store gives."""
    return (
        path.name == MANIFEST or _CHUNK_NAME.fullmatch(path.name) is not None or is_unfinished(path)
    )


def is_unfinished(path: Path) -> bool:
    """Return whether a file has the temporary name of a file that is being written."""
    return is_temporary(path) or _OLDER_TEMPORARY.fullmatch(path.name) is not None


def size(paths: Iterable[Path]) -> int:
    """Return the total size of files in bytes, ignoring files that no longer exist."""
    return sum(map(size_of, paths))


def remove(path: Path) -> None:
    """Delete a file if the operating system allows it; on Windows it keeps mapped files.

    A folder that is in the place of a file is renamed if it is not empty.
    """
    with contextlib.suppress(OSError):
        make_way(path)


def _write(path: Path, content: bytes) -> None:
    make_folder(path.parent)
    if path.is_dir():
        make_way(path)
    write_file(path, content)


def _check_key(key: Any) -> Key:
    """Return a key, or raise an error if it is not a dict with a format."""
    if not isinstance(key, dict) or type(key["format"]) is not int:
        raise ValueError("not a key of the store")
    return key


def _check_chunk(chunk: Chunk) -> Chunk:
    """Return a chunk of a manifest, or raise an error if a field has a wrong type."""
    if not _SHA256.fullmatch(chunk.sha256) or {type(chunk.rows), type(chunk.bytes)} != {int}:
        raise ValueError("not a chunk of the store")
    return chunk


def _canonical_checksum(described: dict[str, Any]) -> str:
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
