"""Features: pooled states of some stages, gathered from a store's chunks."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


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
