"""One entry of the store: what is read from it, and how it is filled."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path

import filelock
import numpy as np
import torch
from rich.filesize import decimal
from torch import Tensor

from thawline.backbones.pooling import POOLINGS
from thawline.data import Text
from thawline.store import chunks
from thawline.store.capacity import (
    Capacity,
    Obstacle,
    in_memory_instead,
    obstacle_of,
    unwritable,
)
from thawline.store.chunks import KEY_BYTES, Chunk, Manifest
from thawline.store.features import Features, Index, Keys, Places, as_keys
from thawline.store.keys import StoreKey, lock_of, store_folder, text_key

Tell = Callable[[str], None]
"""Is told one line; a `Reporter`'s ``note``."""


def _keys_of(texts: Sequence[Text]) -> Keys:
    return as_keys(b"".join(map(text_key, texts)))


class Entry:
    """One backbone's pooled states, opened for reading and adding.

    Attributes:
        damaged: the names of files that the last look at the folder found to be spoilt or gone.
    """

    def __init__(self, key: StoreKey, *, name: str = "", root: Path | None = None) -> None:
        self.key, self.name = key, name
        self.folder = store_folder(root) / key.digest()
        self.damaged: list[str] = []
        self._key = asdict(key)
        self._index = Index()
        self._chunks: list[Chunk] = []
        self._states: dict[int, Tensor] = {}  # by the chunk's number: mapped when first asked for
        self._manifest: Manifest | None = None
        self._expected = 0  # bytes that the fill has still to add
        self._limit: int | None = None  # of the store, where the fill was planned
        self._obstacle: Obstacle | None = None  # why what is added now stays in memory
        self.refresh()

    def refresh(self) -> None:
        """Read what other processes have added since; verify each chunk that is new here."""
        found = {path.name: path for path in chunks.files(self.folder)}
        manifest = chunks.read_manifest(self.folder)
        self._manifest = None if manifest is None or manifest.key != self._key else manifest
        self.damaged = [chunks.MANIFEST] * (chunks.MANIFEST in found and self._manifest is None)
        listed = () if self._manifest is None else self._manifest.chunks
        paths = {chunks.path_of(self.folder, chunk.sha256) for chunk in listed}
        paths |= {path for path in found.values() if path.suffix == chunks.CHUNK}
        here = {chunks.path_of(self.folder, chunk.sha256) for chunk in self._chunks}
        for path in sorted(paths - here):
            if not self._take_in(path):
                self.damaged.append(path.name)

    def _take_in(self, path: Path) -> bool:
        """Map a chunk that proves itself; return False where it is damaged or gone.

        One that cannot be read may be sound: it is passed over, and nothing is said against it.
        """
        try:
            keys, size = chunks.read_keys(path, self._key), path.stat().st_size
        except FileNotFoundError:
            return False
        except OSError:
            return True
        if keys is None:
            return False
        self._append(Chunk(path.stem, len(keys) // KEY_BYTES, size), keys)
        return True

    def _append(self, chunk: Chunk, keys: bytes) -> None:
        self._chunks.append(chunk)
        self._index.add(as_keys(keys))

    def missing(self, texts: Sequence[Text]) -> list[int]:
        """Return the positions of texts whose states are not here, each distinct text once."""
        keys = _keys_of(texts)
        absent = np.flatnonzero(self._index.find(keys)[:, 0] < 0)
        _, first = np.unique(keys[absent], return_index=True)
        return [int(position) for position in absent[np.sort(first)]]

    @contextmanager
    def filling(self, tell: Tell = lambda line: None) -> Iterator[None]:
        """Hold the entry's lock: what another process computes now is waited for, not redone.

        The entry is mended first. Where the folder cannot be written there is no lock either, and
        what is added stays in memory.

        Args:
            tell: is told why it takes time, and what was damaged.
        """
        self._obstacle, self._limit, self._expected = None, None, 0
        with self._locked(tell):
            self.refresh()
            if self.damaged:
                tell(f"the store: {_damage(self.damaged)}; what is gone is computed again")
            self._tidy()
            try:
                yield
            finally:
                self._write_manifest()

    @contextmanager
    def _locked(self, tell: Tell) -> Iterator[None]:
        lock = filelock.FileLock(lock_of(self.folder))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                tell("waiting for another process, which fills the same entry of the store")
                lock.acquire()
        except (OSError, NotImplementedError) as error:  # the latter: a disk without locks
            self._obstacle = obstacle_of(error)
        try:
            yield
        finally:
            lock.release()

    def mend(self) -> None:
        """Delete what is damaged and write the manifest again, unless someone else is at it."""
        if not self.damaged:
            return
        with suppress(OSError), filelock.FileLock(lock_of(self.folder), timeout=0):
            self.refresh()
            self._tidy()
            self._write_manifest()

    def _tidy(self) -> None:
        """Delete damaged chunks and unfinished files. Call this under the lock, after `refresh`."""
        for path in chunks.files(self.folder):
            if path.suffix == chunks.TEMPORARY or path.name in self.damaged:
                chunks.remove(path)

    def _write_manifest(self) -> None:
        """List the chunks that are on disk. If that fails they still prove themselves."""
        there = [c for c in self._chunks if chunks.path_of(self.folder, c.sha256).exists()]
        there.sort(key=attrgetter("sha256"))  # the same chunks make the same manifest
        name = self.name if self._manifest is None else self._manifest.name
        manifest = Manifest(name, self._key, tuple(there))
        if (there or self.damaged) and manifest != self._manifest:
            with suppress(OSError):
                chunks.write_manifest(self.folder, manifest)
                self._manifest, self.damaged = manifest, []

    def plan(self, texts: int, size: int, limit: int | None, tell: Tell) -> None:
        """Decide where the states of a fill go, before any is computed. Call within `filling`.

        Args:
            texts: how many are to be added.
            size: of their states, in bytes.
            limit: the most that the store may hold, in bytes; None: a quarter of its disk.
            tell: is told the size, and what the store then holds.

        Raises:
            ThawlineError: neither the store nor memory has room for them.
        """
        capacity = Capacity.of(self.folder.parent, limit)
        self._expected, self._limit = size, capacity.limit
        obstacle = self._obstacle or unwritable(self.folder) or capacity.obstacle(size)
        if obstacle is not None:
            self._keep_in_memory(obstacle)
            return
        tell(
            f"states of {texts:,} texts: {decimal(size)} are added to the store, which then "
            f"holds {decimal(capacity.held + size)} of at most {decimal(capacity.limit)}"
        )

    def _keep_in_memory(self, obstacle: Obstacle) -> None:
        self._obstacle = obstacle
        warnings.warn(in_memory_instead(self._expected, obstacle), stacklevel=2)

    def add(self, texts: Sequence[Text], states: Tensor) -> None:
        """Add one chunk: to the folder, or to memory where it cannot go there. Within `filling`.

        Args:
            texts: the texts that the rows belong to.
            states: ``(texts, stages, 3, hidden)``.

        Raises:
            ThawlineError: the disk is full, and memory has no room for what is still to come.
        """
        keys = b"".join(map(text_key, texts))
        content = chunks.pack(self._key, keys, states)
        chunk = Chunk(chunks.checksum(content), len(texts), len(content))
        if self._obstacle is None:
            self._write(content)
        if self._obstacle is not None:
            self._states[len(self._chunks)] = states
        self._append(chunk, keys)
        self._expected = max(0, self._expected - len(content))

    def _write(self, content: bytes) -> None:
        """Write a chunk, unless others have filled the store or the disk since it was planned."""
        if self._limit is not None:
            manifest = chunks.LISTED_BYTES * (len(self._chunks) + 2)  # this chunk's, and the head
            capacity = Capacity.of(self.folder.parent, self._limit)
            full = capacity.obstacle(len(content) + manifest)
            if full is not None:
                self._keep_in_memory(full)
                return
        try:
            chunks.write_chunk(self.folder, content)
        except OSError as error:
            self._expected = max(self._expected, len(content))
            self._keep_in_memory(obstacle_of(error))

    def features(self, texts: Sequence[Text], stages: Sequence[int], pooling: str) -> Features:
        """Return a view of some texts' states; nothing is read before it is asked for.

        Raises:
            KeyError: a text's states are not here; `missing` tells which.
            OSError: a file of the entry is gone since its content was proven.
        """
        places = self._places(texts)
        used, chunk = np.unique(places[:, 0], return_inverse=True)
        return Features(
            [self._states_of(index) for index in used.tolist() or range(len(self._chunks))[:1]],
            chunks=torch.from_numpy(chunk),
            rows=torch.from_numpy(places[:, 1]),
            stages=tuple(stages),
            pooling=POOLINGS.index(pooling),
        )

    def _states_of(self, chunk: int) -> Tensor:
        if chunk not in self._states:
            path = chunks.path_of(self.folder, self._chunks[chunk].sha256)
            self._states[chunk] = chunks.map_states(path)
        return self._states[chunk]

    def _places(self, texts: Sequence[Text]) -> Places:
        places = self._index.find(_keys_of(texts))
        absent = np.flatnonzero(places[:, 0] < 0)
        if len(absent):
            raise KeyError(texts[absent[0]])
        return places

    def digest(self, texts: Sequence[Text]) -> str:
        """Return a SHA-256 over the checksums of the chunks that hold these texts."""
        used = np.unique(self._places(texts)[:, 0])
        checksums = sorted(self._chunks[index].sha256 for index in used)
        return hashlib.sha256("".join(checksums).encode()).hexdigest()


def _damage(names: Sequence[str]) -> str:
    damaged = [name for name in names if name != chunks.MANIFEST]
    found = [f"{len(damaged)} damaged chunk{'s' * (len(damaged) > 1)}"] if damaged else []
    found += ["a damaged manifest"] if len(damaged) < len(names) else []
    return " and ".join(found)
