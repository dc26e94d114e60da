"""Open, read, fill and repair one entry of the store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import filelock
import numpy as np
import torch
from numpy.typing import NDArray
from rich.filesize import decimal

from thawline.backbones.pooling import POOLINGS
from thawline.data import Text
from thawline.runtime.files import make_folder
from thawline.store import chunks, ownership
from thawline.store.capacity import Obstacle, obstacle_of
from thawline.store.chunks import KEY_BYTES, Chunk, Content, Manifest
from thawline.store.features import Features
from thawline.store.filling import Filling, Notify
from thawline.store.index import Index, Places, as_keys
from thawline.store.keys import StoreKey, lock_of, store_folder
from thawline.store.ragged import TokenStates
from thawline.store.texts import KeyedTexts
from thawline.store.use import Use


class Entry:
    """The stored states of one backbone, either the pooled states or the token states at one line.

    As long as this object or states that it returned exist, `clear` keeps the entry.

    Args:
        key: What the states depend on.
        name: Name of the backbone, for display only.
        root: The cache folder that contains the store. If None, `home`.

    Attributes:
        damaged: Names of the files that `refresh` found to be damaged or missing.
    """

    def __init__(self, key: StoreKey, *, name: str = "", root: Path | None = None) -> None:
        self.key, self.name = key, name
        self.folder = store_folder(root) / key.digest()
        self.damaged: list[str] = []
        self._key = key.to_dict()
        self._index = Index()
        self._chunks: list[Chunk] = []
        self._contents: dict[int, Content] = {}  # by chunk number, mapped on demand
        self._manifest: Manifest | None = None
        self._seconds, self._tokens = 0.0, 0  # of the fills that the manifest does not list yet
        self._filling = self._new_filling(None)
        self._use = Use.of(self.folder)
        if self._use is not None:
            self.refresh()

    def at_line(self, line: int) -> Entry:
        """Open the entry that holds the same backbone's token states at another line."""
        root = self.folder.parent.parent
        return Entry(replace(self.key, line=line), name=self.name, root=root)

    def _new_filling(self, obstacle: Obstacle | None) -> Filling:
        return Filling(self.folder, in_memory=self.key.line is None, obstacle=obstacle)

    def refresh(self) -> None:
        """Read the chunks that other processes have added, and verify each new chunk."""
        found = {path.name: path for path in chunks.files(self.folder)}
        manifest = chunks.read_manifest(self.folder)
        self._manifest = None if manifest is None or manifest.key != self._key else manifest
        self.damaged = [chunks.MANIFEST] * (chunks.MANIFEST in found and self._manifest is None)
        listed = () if self._manifest is None else self._manifest.chunks
        paths = {chunks.path_of(self.folder, chunk.sha256) for chunk in listed}
        paths |= {path for path in found.values() if path.suffix == chunks.CHUNK}
        known = {chunks.path_of(self.folder, chunk.sha256) for chunk in self._chunks}
        for path in sorted(paths - known):
            if not self._add_chunk(path):
                self.damaged.append(path.name)

    def _add_chunk(self, path: Path) -> bool:
        """Add a chunk to the index if it is intact.

        Returns:
            False if the chunk is damaged, missing or not a file. A file that cannot be read is
            skipped and not reported as damaged, because it may be intact.
        """
        try:
            keys, size = chunks.read_keys(path, self._key), path.stat().st_size
        except FileNotFoundError:
            return False
        except OSError:
            return os.path.isfile(path)
        if keys is None:
            return False
        self._append(Chunk(path.stem, len(keys) // KEY_BYTES, size), keys)
        return True

    def _append(self, chunk: Chunk, keys: bytes) -> None:
        self._chunks.append(chunk)
        self._index.add(as_keys(keys))

    def missing(self, texts: Sequence[Text]) -> list[int]:
        """Return the positions of the texts without stored states, one for each distinct text."""
        keys = KeyedTexts.of(texts).keys
        absent = np.flatnonzero(self._index.find(keys)[:, 0] < 0)
        _, first = np.unique(keys[absent], return_index=True)
        return [int(position) for position in absent[np.sort(first)]]

    @contextmanager
    def filling(self, notify: Notify = lambda line: None) -> Iterator[None]:
        """Hold the entry's lock while states are added.

        If another process fills the entry, wait for it, so that no states are computed twice. The
        entry is repaired first. If the folder is not writable, no lock is taken.

        Args:
            notify: Function that receives a message if the process must wait or finds damage.
        """
        with self._locked(notify) as obstacle:
            self._filling = self._new_filling(obstacle)
            self.refresh()
            if self.damaged:
                damage = _describe_damage(self.damaged)
                notify(f"the store has {damage}; missing states are computed again")
            if obstacle is None:
                self._remove_damaged_files(notify)
            try:
                yield
            finally:
                if obstacle is None:
                    self._write_manifest()

    @contextmanager
    def _locked(self, notify: Notify) -> Iterator[Obstacle | None]:
        """Take the lock and yield None, or yield why the lock cannot be taken."""
        path = lock_of(self.folder)
        lock, obstacle = filelock.FileLock(path), None
        try:
            make_folder(path.parent)
            ownership.prepare_lock(path)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                notify("waiting for another process that is filling the same entry of the store")
                lock.acquire()
            make_folder(self.folder)
            self._use = Use.of(self.folder)
        except (OSError, NotImplementedError) as error:  # NotImplementedError: no file locks
            obstacle = obstacle_of(error)
        try:
            yield obstacle
        finally:
            lock.release()

    def repair(self, notify: Notify = lambda line: None) -> None:
        """Delete damaged and unfinished files, unless another process holds the lock.

        Args:
            notify: Function that receives a message if unfinished files are deleted.
        """
        if not self.damaged and not any(map(chunks.is_unfinished, chunks.files(self.folder))):
            return
        with suppress(OSError):
            ownership.prepare_lock(lock_of(self.folder))
            with filelock.FileLock(lock_of(self.folder), timeout=0):
                self.refresh()
                self._remove_damaged_files(notify)
                self._write_manifest()

    def _remove_damaged_files(self, notify: Notify) -> None:
        """Delete damaged chunks and unfinished files; call this under the lock, after `refresh`.

        The unfinished files of other entries are deleted as well.
        """
        own = ownership.remove_unfinished(self.folder)
        others = ownership.remove_all_unfinished(self.folder.parent)
        items, size = own.items + others.items, own.bytes + others.bytes
        if items:
            files = "1 unfinished file" if items == 1 else f"{items} unfinished files"
            notify(f"deleted {files} ({decimal(size)}) of stopped processes from the store")
        for path in chunks.files(self.folder):
            if path.name in self.damaged:
                chunks.remove(path)

    def _write_manifest(self) -> None:
        """Write the manifest; ignore errors, because an entry can be read without its manifest."""
        existing = [c for c in self._chunks if chunks.path_of(self.folder, c.sha256).exists()]
        existing.sort(key=attrgetter("sha256"))  # so that the same chunks give the same manifest
        name = self.name if self._manifest is None else self._manifest.name
        seconds, tokens = self._work()
        manifest = Manifest(name, self._key, tuple(existing), seconds, tokens)
        if (existing or self.damaged) and manifest != self._manifest:
            with suppress(OSError):
                chunks.write_manifest(self.folder, manifest)
                self._manifest, self.damaged = manifest, []
                self._seconds, self._tokens = 0.0, 0

    def plan(self, texts: int, size: int, limit: int | None, notify: Notify) -> None:
        """Decide before the computation whether the states go to disk; call this in `filling`.

        If the store has no space for pooled states or is not writable, a warning is given and the
        states stay in memory.

        Args:
            texts: Number of texts to add.
            size: Size of their states, in bytes.
            limit: Maximum size of the store, in bytes. If None, a quarter of the disk space that
                is free or used by the store.
            notify: Function that reports the size of the states and of the store.

        Raises:
            NoRoom: If the store has no space for token states or is not writable.
            ThawlineError: If neither the store nor memory has space for pooled states.
        """
        self._filling.plan(texts, size, limit, notify)

    def add(self, texts: Sequence[Text], content: Content) -> None:
        """Add one chunk on disk, or in memory if it cannot be written; call this in `filling`.

        Args:
            texts: The texts that the content belongs to.
            content: Pooled states or token states, according to the entry's key.

        Raises:
            NoRoom: If token states cannot be written.
            ThawlineError: If pooled states can neither be written nor kept in memory.
        """
        keys = KeyedTexts.of(texts).keys.tobytes()
        packed = chunks.pack(self._key, keys, content)
        if not self._filling.write(packed, len(self._chunks)):
            self._contents[len(self._chunks)] = content
        self._append(Chunk(chunks.checksum(packed), len(texts), len(packed)), keys)

    def record_work(self, seconds: float, tokens: int) -> None:
        """Record the work of a completed computation of states; call this in `filling`.

        Args:
            seconds: The seconds of the computation.
            tokens: The number of tokens of its texts.
        """
        self._seconds, self._tokens = self._seconds + seconds, self._tokens + tokens

    def _work(self) -> tuple[float, int]:
        """Return the seconds and the tokens of all completed fills."""
        listed = (
            (0.0, 0) if self._manifest is None else (self._manifest.seconds, self._manifest.tokens)
        )
        return listed[0] + self._seconds, listed[1] + self._tokens

    def seconds_of(self, texts: Sequence[Text]) -> float | None:
        """Return about how many seconds the computation of the states of some texts took.

        All fills of the entry have one rate, in tokens per second.

        Returns:
            The seconds. None if the manifest was written by an older version, or was lost.

        Raises:
            KeyError: If a text has no stored states; see `missing`.
        """
        seconds, tokens = self._work()
        return seconds / tokens * int(self.lengths(texts).sum()) if tokens else None

    def features(self, texts: Sequence[Text], stages: Sequence[int], pooling: str) -> Features:
        """Return the features of texts; the states are read on demand.

        Args:
            texts: The texts.
            stages: The stages whose states are concatenated.
            pooling: One of `POOLINGS`.

        Raises:
            KeyError: If a text has no stored states; see `missing`.
            OSError: If a file has been deleted since it was verified.
        """
        contents, chunk, rows = self._locate(texts)
        return Features(
            [content["states"] for content in contents],
            chunks=torch.from_numpy(chunk),
            rows=torch.from_numpy(rows),
            stages=tuple(stages),
            pooling=POOLINGS.index(pooling),
            use=self._use,
        )

    def lengths(self, texts: Sequence[Text]) -> NDArray[np.int64]:
        """Return the number of tokens of each text, ``(texts,)``.

        Raises:
            KeyError: If a text has no stored states; see `missing`.
            OSError: If a file has been deleted since it was verified.
        """
        contents, chunk, rows = self._locate(texts)
        lengths = np.empty(len(texts), dtype=np.int64)
        for number, content in enumerate(contents):
            here = chunk == number
            lengths[here] = content["lengths"].numpy()[rows[here]]
        return lengths

    def token_states(self, texts: Sequence[Text]) -> TokenStates:
        """Return the token states of texts at the entry's line; they are read on demand.

        Raises:
            KeyError: If a text has no stored states; see `missing`.
            OSError: If a file has been deleted since it was verified.
        """
        contents, chunk, rows = self._locate(texts)
        return TokenStates(contents, chunks=chunk, rows=rows, use=self._use)

    def _locate(
        self, texts: Sequence[Text]
    ) -> tuple[list[Content], NDArray[np.int64], NDArray[np.int64]]:
        """Return the contents of the chunks, and the chunk index and the row of each text."""
        places = self._places(texts)
        used, chunk = np.unique(places[:, 0], return_inverse=True)
        # For an empty list of texts, the first chunk is kept because it defines the width.
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
        """Return a SHA-256 of the checksums of the chunks that contain the texts."""
        used = np.unique(self._places(texts)[:, 0])
        checksums = sorted(self._chunks[index].sha256 for index in used)
        return hashlib.sha256("".join(checksums).encode()).hexdigest()


def _describe_damage(names: Sequence[str]) -> str:
    damaged = [name for name in names if name != chunks.MANIFEST]
    found = [f"{len(damaged)} damaged chunk{'s' * (len(damaged) > 1)}"] if damaged else []
    found += ["a damaged manifest"] if len(damaged) < len(names) else []
    return " and ".join(found)
