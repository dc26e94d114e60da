"""Where each text's states are among a store's chunks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thawline.store.chunks import KEY_BYTES

Keys = NDArray[np.bytes_]
"""Keys of texts, ``(texts,)`` of `KEY_BYTES` each."""


Places = NDArray[np.int64]
"""Each text's chunk and its row there, ``(texts, 2)``; -1 twice where a text is in none."""


def as_keys(joined: bytes) -> Keys:
    """Read keys that stand one after the other."""
    return np.frombuffer(joined, dtype=f"S{KEY_BYTES}")


class Index:
    """Texts' keys and their places: a sorted array of 32 bytes a text, where a dict takes 300."""

    def __init__(self) -> None:
        self._added: list[Keys] = []
        self._sorted = as_keys(b"")
        self._places = np.empty((0, 2), dtype=np.int64)

    def add(self, keys: Keys) -> None:
        """Add the rows of the next chunk."""
        self._added.append(keys)

    def find(self, keys: Keys) -> Places:
        """Return the places of texts; one that is in several chunks is found in the first."""
        self._sort()
        found = np.full((len(keys), 2), -1, dtype=np.int64)
        if len(self._sorted):
            at = np.searchsorted(self._sorted, keys).clip(max=len(self._sorted) - 1)
            there = self._sorted[at] == keys
            found[there] = self._places[at[there]]
        return found

    def _sort(self) -> None:
        """Sort once before a search, not with every chunk."""
        if len(self._sorted) == sum(map(len, self._added)):
            return
        keys = np.concatenate(self._added)
        places = [
            np.stack([np.full(len(rows), chunk), np.arange(len(rows))], axis=1)
            for chunk, rows in enumerate(self._added)
        ]
        order = np.argsort(keys, kind="stable")
        self._sorted, self._places = keys[order], np.concatenate(places)[order]
