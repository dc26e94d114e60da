"""One entry of the store: its files, what is found in them, and how it is filled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import filelock
import numpy as np
import torch
from numpy.typing import NDArray

from thawline.backbones.pooling import POOLINGS
from thawline.data import Text
from thawline.store import chunks
from thawline.store.capacity import Obstacle, obstacle_of
from thawline.store.chunks import KEY_BYTES, Chunk, Content, Manifest
from thawline.store.features import Features
from thawline.store.filling import Filling, Tell
from thawline.store.index import Index, Places, as_keys
from thawline.store.keys import StoreKey, lock_of, store_folder
from thawline.store.ragged import TokenStates
from thawline.store.texts import KeyedTexts


class Entry:
    """One backbone's states, pooled or at a line, opened for reading and adding.

    What a chunk holds of its texts is all the same here: only `features` and `token_states` look.

    Attributes:
        damaged: the names of files that the last look at the folder found to be spoilt or gone.
    """

    def __init__(self, key: StoreKey, *, name: str = "", root: Path | None = None) -> None:
        self.key, self.name = key, name
        self.folder = store_folder(root) / key.digest()
        self.damaged: list[str] = []
        self._key = key.to_dict()
        self._index = Index()
        self._chunks: list[Chunk] = []
        self._contents: dict[int, Content] = {}  # by the chunk's number: mapped when asked for
        self._manifest: Manifest | None = None
        self._filling = self._begin(None)
        self.refresh()

    def at_line(self, line: int) -> Entry:
        """Open the entry of the same backbone and settings for the token states of another line."""
        root = self.folder.parent.parent
        return Entry(replace(self.key, line=line), name=self.name, root=root)

    def _begin(self, obstacle: Obstacle | None) -> Filling:
        return Filling(self.folder, in_memory=self.key.line is None, obstacle=obstacle)

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
        keys = KeyedTexts.of(texts).keys
        absent = np.flatnonzero(self._index.find(keys)[:, 0] < 0)
        _, first = np.unique(keys[absent], return_index=True)
        return [int(position) for position in absent[np.sort(first)]]

    @contextmanager
    def filling(self, tell: Tell = lambda line: None) -> Iterator[None]:
        """Hold the entry's lock: what another process computes now is waited for, not redone.

        The entry is fixed first. Where the folder cannot be written there is no lock either.

        Args:
            tell: is told why it takes time, and what was damaged.
        """
        with self._locked(tell) as obstacle:
            self._filling = self._begin(obstacle)
            self.refresh()
            if self.damaged:
                tell(f"the store: {_damage(self.damaged)}; what is gone is computed again")
            self._tidy()
            try:
                yield
            finally:
                self._write_manifest()

    @contextmanager
    def _locked(self, tell: Tell) -> Iterator[Obstacle | None]:
        """Yield what keeps the lock from being taken, if anything does."""
        lock, obstacle = filelock.FileLock(lock_of(self.folder)), None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                tell("waiting for another process, which fills the same entry of the store")
                lock.acquire()
        except (OSError, NotImplementedError) as error:  # the latter: a disk without locks
            obstacle = obstacle_of(error)
        try:
            yield obstacle
        finally:
            lock.release()

    def repair(self) -> None:
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

        Where the store has no room for pooled states or cannot be written, they stay in memory,
        and a warning says so.

        Args:
            texts: how many are to be added.
            size: of their states, in bytes.
            limit: the most that the store may hold, in bytes; None: a quarter of its disk.
            tell: is told the size, and what the store then holds.

        Raises:
            NoRoom: the store has no room for these token states, or cannot be written.
            ThawlineError: neither the store nor memory has room for these pooled states.
        """
        self._filling.plan(texts, size, limit, tell)

    def add(self, texts: Sequence[Text], content: Content) -> None:
        """Add one chunk: to the folder, or to memory where it cannot go there. Within `filling`.

        Args:
            texts: the texts that the content belongs to.
            content: pooled or token states, as the entry's key has it.

        Raises:
            NoRoom: token states cannot be written (any more).
            ThawlineError: pooled states cannot, and memory has no room for what is still to come.
        """
        keys = KeyedTexts.of(texts).keys.tobytes()
        packed = chunks.pack(self._key, keys, content)
        if not self._filling.write(packed, len(self._chunks)):
            self._contents[len(self._chunks)] = content
        self._append(Chunk(chunks.checksum(packed), len(texts), len(packed)), keys)

    def features(self, texts: Sequence[Text], stages: Sequence[int], pooling: str) -> Features:
        """Return a view of some texts' states; nothing is read before it is asked for.

        Raises:
            KeyError: a text's states are not here; `missing` tells which.
            OSError: a file of the entry is gone since its content was proven.
        """
        contents, chunk, rows = self._located(texts)
        return Features(
            [content["states"] for content in contents],
            chunks=torch.from_numpy(chunk),
            rows=torch.from_numpy(rows),
            stages=tuple(stages),
            pooling=POOLINGS.index(pooling),
        )

    def lengths(self, texts: Sequence[Text]) -> NDArray[np.int64]:
        """Return the number of tokens that some texts' states were computed from, ``(texts,)``.

        Raises:
            KeyError: a text's states are not here; `missing` tells which.
            OSError: a file of the entry is gone since its content was proven.
        """
        contents, chunk, rows = self._located(texts)
        lengths = np.empty(len(texts), dtype=np.int64)
        for number, content in enumerate(contents):
            here = chunk == number
            lengths[here] = content["lengths"].numpy()[rows[here]]
        return lengths

    def token_states(self, texts: Sequence[Text]) -> TokenStates:
        """Return a view of some texts' states at the entry's line; they are read when asked for.

        Raises:
            KeyError: a text's states are not here; `missing` tells which.
            OSError: a file of the entry is gone since its content was proven.
        """
        contents, chunk, rows = self._located(texts)
        return TokenStates(contents, chunks=chunk, rows=rows)

    def _located(
        self, texts: Sequence[Text]
    ) -> tuple[list[Content], NDArray[np.int64], NDArray[np.int64]]:
        """Return the chunks that hold texts, each text's among these, and its row there."""
        places = self._places(texts)
        used, chunk = np.unique(places[:, 0], return_inverse=True)
        # Of no texts at all the first chunk still tells how wide they would be.
        numbers = used.tolist() or range(len(self._chunks))[:1]
        return [self._content_of(number) for number in numbers], chunk, places[:, 1]

    def _content_of(self, chunk: int) -> Content:
        if chunk not in self._contents:
            path = chunks.path_of(self.folder, self._chunks[chunk].sha256)
            self._contents[chunk] = chunks.map_content(path)
        return self._contents[chunk]

    def _places(self, texts: Sequence[Text]) -> Places:
        places = self._index.find(KeyedTexts.of(texts).keys)
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
