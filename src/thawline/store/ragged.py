"""Gather token states, stored without padding in a store's chunks, as padded batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from thawline.store.chunks import Content
from thawline.store.use import Use


class TokenStates:
    """The token states of texts at one line, which are read from memory-mapped chunks.

    Args:
        contents: Contents of the chunks that hold the texts.
        chunks: Index in ``contents`` of each text's chunk, ``(texts,)``.
        rows: Row of each text in its chunk, ``(texts,)``.
        use: The claim on the entry, which is kept as long as this object exists.

    Attributes:
        lengths: Number of tokens of each text, ``(texts,)``.
    """

    def __init__(
        self,
        contents: Sequence[Content],
        *,
        chunks: NDArray[np.int64],
        rows: NDArray[np.int64],
        use: Use | None = None,
    ) -> None:
        self._use = use
        self._states = [content["states"] for content in contents]
        self._chunks = chunks
        self._ends = np.empty(len(rows), dtype=np.int64)
        self.lengths: NDArray[np.int64] = np.empty(len(rows), dtype=np.int64)
        for number, content in enumerate(contents):
            in_chunk = chunks == number
            lengths = content["lengths"].numpy().astype(np.int64)
            self.lengths[in_chunk] = lengths[rows[in_chunk]]
            self._ends[in_chunk] = lengths.cumsum()[rows[in_chunk]]

    def __len__(self) -> int:
        return len(self.lengths)

    @torch.inference_mode(False)
    def take(self, positions: NDArray[np.int64]) -> Tensor:
        """Return the states of some texts, in the layout of `TokenizedTexts.batch`.

        Args:
            positions: Positions of the texts, ``(batch,)``.

        Returns:
            A copy of the states, ``(batch, tokens, hidden)``, in the stored dtype and zero at
            padding. The copy can be used in autograd, even if it was made in inference mode.
        """
        ends = self._ends[positions]
        places = zip(self._chunks[positions], ends - self.lengths[positions], ends, strict=True)
        rows = [self._states[chunk][start:end] for chunk, start, end in places]
        return pad_sequence(rows, batch_first=True)
