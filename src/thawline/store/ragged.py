"""Token states of texts, ragged in a store's chunks, padded when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from thawline.store.chunks import Content


class TokenStates:
    """The states of texts' tokens at one line, gathered from memory-mapped chunks.

    Args:
        contents: of the chunks that hold the texts.
        chunks: ``(texts,)``, where in ``contents`` each text's chunk is.
        rows: ``(texts,)``, where in that chunk it is.

    Attributes:
        lengths: tokens of each text, ``(texts,)``.
    """

    def __init__(
        self,
        contents: Sequence[Content],
        *,
        chunks: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> None:
        self._states = [content["states"] for content in contents]
        self._chunks = chunks
        self._ends = np.empty(len(rows), dtype=np.int64)
        self.lengths: NDArray[np.int64] = np.empty(len(rows), dtype=np.int64)
        for number, content in enumerate(contents):
            here = chunks == number
            lengths = content["lengths"].numpy().astype(np.int64)
            self.lengths[here] = lengths[rows[here]]
            self._ends[here] = lengths.cumsum()[rows[here]]

    def __len__(self) -> int:
        return len(self.lengths)

    @torch.inference_mode(False)
    def take(self, positions: NDArray[np.int64]) -> Tensor:
        """Return the states of some texts, as `TokenizedTexts.batch` has their tokens.

        Returns:
            ``(batch, tokens, hidden)`` in the stored dtype, zero at padded places; a copy that may
            enter a graph, whatever mode it was asked for in.
        """
        ends = self._ends[positions]
        places = zip(self._chunks[positions], ends - self.lengths[positions], ends, strict=True)
        rows = [self._states[chunk][start:end] for chunk, start, end in places]
        return pad_sequence(rows, batch_first=True)
