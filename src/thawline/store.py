"""The prefix's outputs on disk: pooled states by text, memory-mapped, checked.

Layout, below ``THAWLINE_HOME`` (by default ``~/.cache/thawline``)::

    store/<key>/manifest.json          what the entry depends on, and its chunks; written last
    store/<key>/<chunk>.safetensors    states (texts, stages, poolings, hidden) and the texts' keys
    store/<key>.lock                   held while an entry is filled

An entry belongs to one backbone, tokenizer, length limit, truncation side and dtype. Texts are
found in it by the hash of their characters, so that every split, fold and learning curve shares
what any of them computed. A chunk that does not match its checksum is dropped and its texts are
computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import filelock
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from thawline.backbones.pooling import POOLINGS

FORMAT = 1


def home() -> Path:
    """Return the folder that holds the store: ``THAWLINE_HOME``, or ``~/.cache/thawline``."""
    named = os.environ.get("THAWLINE_HOME")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "thawline"


@dataclass(frozen=True)
class StoreKey:
    """All that pooled states depend on, apart from the text itself."""

    backbone: str  # digest of weights, config and tokenizer
    max_length: int
    truncation_side: str
    dtype: str
    format: int = FORMAT

    def digest(self) -> str:
        """Return the entry's name."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]


def text_key(text: str) -> bytes:
    """Return a text's key within an entry: 16 bytes of SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


@dataclass(frozen=True)
class Place:
    """Where a text's states are: a chunk's index and a row in it."""

    chunk: int
    row: int


class Entry:
    """One backbone's pooled states, opened for reading and adding.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, key: StoreKey, *, name: str = "", root: Path | None = None) -> None:
        self.key = key
        self.name = name
        self.folder = (home() if root is None else root) / "store" / key.digest()
        self._chunks: list[dict[str, Any]] = []
        self._tensors: list[Tensor] = []
        self._places: dict[bytes, Place] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read what other processes have added since; verify each chunk that is new here."""
        manifest = _read_manifest(self.folder)
        for chunk in manifest["chunks"] if manifest["key"] == asdict(self.key) else []:
            if chunk in self._chunks:
                continue
            loaded = _load_chunk(self.folder / chunk["file"], chunk["sha256"])
            if loaded is not None:
                self._adopt(chunk, loaded)

    def _adopt(self, chunk: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        index = len(self._chunks)
        self._chunks.append(chunk)
        self._tensors.append(tensors["states"])
        for row, key in enumerate(tensors["keys"].numpy()):
            self._places[key.tobytes()] = Place(index, row)

    def missing(self, texts: Sequence[str]) -> list[int]:
        """Return the positions of texts whose states are not here, each distinct text once."""
        wanted: dict[bytes, int] = {}
        for position, text in enumerate(texts):
            key = text_key(text)
            if key not in self._places:
                wanted.setdefault(key, position)
        return list(wanted.values())

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Hold the entry's lock: what another process computes now is waited for, not redone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{self.folder}.lock"):
            self.refresh()
            yield

    def add(self, texts: Sequence[str], states: Tensor) -> None:
        """Write one chunk, then the manifest that names it. Call this within `filling`.

        Args:
            texts: the texts that the rows belong to.
            states: ``(texts, stages, 3, hidden)``.
        """
        keys = torch.frombuffer(bytearray(b"".join(map(text_key, texts))), dtype=torch.uint8)
        tensors = {"states": states.contiguous(), "keys": keys.view(len(texts), 16)}
        file = f"{uuid.uuid4().hex}.safetensors"
        temporary = self.folder / f"{file}.tmp"
        save_file(tensors, temporary)
        digest = _sha256(temporary)
        os.replace(temporary, self.folder / file)
        chunk = {"file": file, "rows": len(texts), "sha256": digest}
        self._adopt(chunk, load_file(self.folder / file))
        self._write_manifest()

    def _write_manifest(self) -> None:
        manifest = {"name": self.name, "key": asdict(self.key), "chunks": self._chunks}
        temporary = self.folder / f"manifest.{uuid.uuid4().hex}.tmp"
        temporary.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        os.replace(temporary, self.folder / "manifest.json")

    def features(self, texts: Sequence[str], stages: Sequence[int], pooling: str) -> Features:
        """Return a view of some texts' states; nothing is read before it is asked for.

        Raises:
            KeyError: a text's states are not here; `missing` tells which.
        """
        places = [self._places[text_key(text)] for text in texts]
        return Features(
            self._tensors,
            chunks=torch.tensor([place.chunk for place in places], dtype=torch.int64),
            rows=torch.tensor([place.row for place in places], dtype=torch.int64),
            stages=tuple(stages),
            pooling=POOLINGS.index(pooling),
        )

    def digest(self, texts: Sequence[str]) -> str:
        """Return a SHA-256 over the checksums of the chunks that hold these texts."""
        used = {self._places[text_key(text)].chunk for text in texts}
        checksums = sorted(self._chunks[index]["sha256"] for index in used)
        return hashlib.sha256("".join(checksums).encode()).hexdigest()


class Features:
    """Features of texts, gathered from memory-mapped chunks in pieces.

    Attributes:
        width: stages x hidden.
    """

    def __init__(
        self,
        tensors: list[Tensor],
        *,
        chunks: Tensor,
        rows: Tensor,
        stages: tuple[int, ...],
        pooling: int,
    ) -> None:
        self._tensors, self._chunks, self._rows = tensors, chunks, rows
        self._stages, self._pooling = stages, pooling
        self.width = len(stages) * tensors[0].shape[-1] if tensors else 0

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, positions: Tensor) -> Tensor:
        """Return the features of some texts, ``(positions, width)`` in fp32."""
        taken = torch.empty(len(positions), self.width)
        chunks = self._chunks[positions]
        for chunk in chunks.unique().tolist():
            where = (chunks == chunk).nonzero()[:, 0]
            states = self._tensors[chunk][:, :, self._pooling]
            rows = self._rows[positions[where]]
            for index, stage in enumerate(self._stages):
                hidden = states.shape[-1]
                taken[where, index * hidden : (index + 1) * hidden] = states[rows, stage].float()
        return taken

    def blocks(self, rows: int) -> Iterator[Tensor]:
        """Yield all features in order, ``(rows, width)`` at a time."""
        for positions in torch.arange(len(self)).split(rows):
            yield self.take(positions)


def entries(root: Path | None = None) -> list[dict[str, Any]]:
    """List the store: for each entry its key, the texts it holds and its size in bytes.

    An entry whose manifest is damaged holds no texts: they are computed again.
    """
    folder = (home() if root is None else root) / "store"
    found = []
    for path in sorted(folder.glob("*/manifest.json")):
        manifest = _read_manifest(path.parent)
        found.append(
            {
                "entry": path.parent.name,
                "name": manifest["name"],
                **manifest["key"],
                "texts": sum(chunk["rows"] for chunk in manifest["chunks"]),
                "bytes": sum(file.stat().st_size for file in path.parent.iterdir()),
            }
        )
    return found


def clear(root: Path | None = None) -> int:
    """Delete every entry; return the number of bytes that were freed."""
    folder = (home() if root is None else root) / "store"
    freed = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    shutil.rmtree(folder, ignore_errors=True)
    return freed


def _read_manifest(folder: Path) -> dict[str, Any]:
    """Return an entry's manifest: one without chunks where there is none, or a damaged one."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return {part: manifest[part] for part in ("name", "key", "chunks")}
    except (OSError, ValueError, KeyError, TypeError):
        unknown = dict.fromkeys(field.name for field in fields(StoreKey))
        return {"name": "(damaged)", "key": unknown, "chunks": []}


def _load_chunk(path: Path, sha256: str) -> dict[str, Tensor] | None:
    if not path.is_file() or _sha256(path) != sha256:
        return None
    return dict(load_file(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
