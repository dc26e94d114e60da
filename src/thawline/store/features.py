"""Where each text's states are among a store's chunks, and features gathered from them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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


class Features:
    """Features of texts, gathered from memory-mapped chunks in pieces.

    Args:
        tensors: the states in each chunk, ``(texts, stages, poolings, hidden)``.
        chunks: ``(texts,)``, where in ``tensors`` each text's chunk is.
        rows: ``(texts,)``, where in that chunk it is.
        stages: whose states are put side by side.
        pooling: the number of the pooling in `POOLINGS`.

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
        chunks, rows = self._chunks[positions], self._rows[positions]
        for chunk in chunks.unique().tolist():
            where = (chunks == chunk).nonzero()[:, 0]
            states = self._tensors[chunk][:, :, self._pooling]
            hidden = states.shape[-1]
            for index, stage in enumerate(self._stages):
                side = slice(index * hidden, (index + 1) * hidden)
                taken[where, side] = states[rows[where], stage].float()
        return taken

    def blocks(self, rows: int) -> Iterator[Tensor]:
        """Yield all features in order, ``(rows, width)`` at a time."""
        for positions in torch.arange(len(self)).split(rows):
            yield self.take(positions)
