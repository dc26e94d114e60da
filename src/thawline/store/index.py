"""Find the chunk and the row that hold a text's states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thawline.store.chunks import KEY_BYTES

Keys = NDArray[np.bytes_]
"""Keys of texts, ``(texts,)``, each of `KEY_BYTES` bytes."""

Places = NDArray[np.int64]
"""The chunk and the row of each text, ``(texts, 2)``; both are -1 if no chunk holds the text."""


def as_keys(joined: bytes) -> Keys:
    """Return an array of keys from bytes that hold one key after the other."""
    return np.frombuffer(joined, dtype=f"S{KEY_BYTES}")


class Index:
    """Map texts' keys to their places.

    The index is a sorted array, which takes 32 bytes per text. A dict would take about 300.
    """

    def __init__(self) -> None:
        self._added: list[Keys] = []
        self._sorted = as_keys(b"")
        self._places = np.empty((0, 2), dtype=np.int64)

    def add(self, keys: Keys) -> None:
        """Add the keys of the next chunk, in the order of its rows."""
        self._added.append(keys)

    def find(self, keys: Keys) -> Places:
        """Return the places of texts. If several chunks hold a text, the first chunk is used."""
        self._sort()
        found = np.full((len(keys), 2), -1, dtype=np.int64)
        if len(self._sorted):
            positions = np.searchsorted(self._sorted, keys).clip(max=len(self._sorted) - 1)
            known = self._sorted[positions] == keys
            found[known] = self._places[positions[known]]
        return found

    def _sort(self) -> None:
        """Sort all keys before a search, because sorting after each chunk would be slow."""
        if len(self._sorted) == sum(map(len, self._added)):
            return
        keys = np.concatenate(self._added)
        places = [
            np.stack([np.full(len(rows), chunk), np.arange(len(rows))], axis=1)
            for chunk, rows in enumerate(self._added)
        ]
        order = np.argsort(keys, kind="stable")
        self._sorted, self._places = keys[order], np.concatenate(places)[order]
