"""Gather features, the pooled states of some stages, from a store's chunks."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from thawline.store.use import Use


class Features:
    """The features of texts, which are read from memory-mapped chunks when they are needed.

    Args:
        tensors: The states in each chunk, ``(texts in the chunk, stages, poolings, hidden)``.
        chunks: Index in ``tensors`` of each text's chunk, ``(texts,)``.
        rows: Row of each text in its chunk, ``(texts,)``.
        stages: The stages whose states are concatenated.
        pooling: Index of the pooling in `POOLINGS`.
        use: The claim on the entry, which is kept as long as this object exists.

    Attributes:
        width: Number of features, which is stages x hidden.
    """

    def __init__(
        self,
        tensors: list[Tensor],
        *,
        chunks: Tensor,
        rows: Tensor,
        stages: tuple[int, ...],
        pooling: int,
        use: Use | None = None,
    ) -> None:
        self._use = use
        self._tensors, self._chunks, self._rows = tensors, chunks, rows
        self._stages, self._pooling = stages, pooling
        self.width = len(stages) * tensors[0].shape[-1] if tensors else 0

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, positions: Tensor) -> Tensor:
        """Return the features of the texts at these positions, ``(positions, width)`` in fp32."""
        taken = torch.empty(len(positions), self.width)
        chunks, rows = self._chunks[positions], self._rows[positions]
        for chunk in chunks.unique().tolist():
            in_chunk = (chunks == chunk).nonzero()[:, 0]
            states = self._tensors[chunk][:, :, self._pooling]
            hidden = states.shape[-1]
            for index, stage in enumerate(self._stages):
                columns = slice(index * hidden, (index + 1) * hidden)
                taken[in_chunk, columns] = states[rows[in_chunk], stage].float()
        return taken

    def blocks(self, rows: int) -> Iterator[Tensor]:
        """Yield all features in order, as blocks of ``(rows, width)``."""
        for positions in torch.arange(len(self)).split(rows):
            yield self.take(positions)
