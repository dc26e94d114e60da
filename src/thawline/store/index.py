"""The index that maps the keys of texts to their places in the chunks of an entry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thawline.store.chunks import KEY_BYTES

Keys = NDArray[np.bytes_]
"""Keys of texts, ``(texts,)``, each of `KEY_BYTES` bytes."""


Places = NDArray[np.int64]
"""Number of the chunk and row of each text, ``(texts, 2)``; both are -1 if it is in no chunk."""


def as_keys(joined: bytes) -> Keys:
    """Return concatenated keys as an array, ``(texts,)``."""
    return np.frombuffer(joined, dtype=f"S{KEY_BYTES}")


class Index:
    """Maps the keys of texts to their places.

    Sorted arrays take 32 bytes for each text; a dict would take about 300.
    """

    def __init__(self) -> None:
        self._added: list[Keys] = []
        self._sorted = as_keys(b"")
        self._places = np.empty((0, 2), dtype=np.int64)

    def add(self, keys: Keys) -> None:
        """Add the keys of the next chunk, in the order of its rows."""
        self._added.append(keys)

    def find(self, keys: Keys) -> Places:
        """Return the places of texts. A text in several chunks is found in the first of them."""
        self._sort()
        found = np.full((len(keys), 2), -1, dtype=np.int64)
        if len(self._sorted):
            at = np.searchsorted(self._sorted, keys).clip(max=len(self._sorted) - 1)
            known = self._sorted[at] == keys
            found[known] = self._places[at[known]]
        return found

    def _sort(self) -> None:
        """Sort the keys if chunks were added since the last search."""
        if len(self._sorted) == sum(map(len, self._added)):
            return
        keys = np.concatenate(self._added)
        places = [
            np.stack([np.full(len(rows), chunk), np.arange(len(rows))], axis=1)
            for chunk, rows in enumerate(self._added)
        ]
        order = np.argsort(keys, kind="stable")
        self._sorted, self._places = keys[order], np.concatenate(places)[order]
