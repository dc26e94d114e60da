"""Tokenise once; then batches of like length under a token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

TEXTS_PER_CALL = 1_000
"""Texts handed to the tokenizer's threads at once: enough to keep them all busy."""


@dataclass(frozen=True)
class TokenizedTexts:
    """Token ids of many texts, one after the other without padding.

    Attributes:
        ids: ``(all tokens,)`` int32.
        offsets: ``(texts + 1,)`` int64; text i is ``ids[offsets[i]:offsets[i + 1]]``.
        truncated: ``(texts,)`` bool, whether something was cut off.
        pad_id: what fills a batch.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    pad_id: int

    def __len__(self) -> int:
        return len(self.truncated)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, ``(texts,)``."""
        return np.diff(self.offsets)

    def batch(self, positions: NDArray[np.int64]) -> tuple[Tensor, Tensor | None]:
        """Return ids and mask of some texts, ``(batch, tokens)`` int64, padded on the right.

        The mask is None where nothing had to be padded: attention is faster without one.
        """
        lengths = self.lengths[positions]
        ids = np.full((len(positions), lengths.max()), self.pad_id, dtype=np.int64)
        for row, position in enumerate(positions):
            ids[row, : lengths[row]] = self.ids[self.offsets[position] : self.offsets[position + 1]]
        if lengths.min() == lengths.max():
            return torch.from_numpy(ids), None
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64))


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    max_length: int,
    truncation_side: str,
    advance: Callable[[int], None] = lambda texts: None,
) -> TokenizedTexts:
    """Tokenise texts in parallel (the tokenizer's own threads), special tokens included.

    Args:
        tokenizer: a fast tokenizer with a pad token.
        texts: any number of texts, empty ones too.
        max_length: the most tokens kept, special tokens counted.
        truncation_side: ``right`` or ``left``, the side that is cut off.
        advance: told the number of texts done since the last call.
    """
    tokenizer.truncation_side = truncation_side
    pieces: list[NDArray[np.int32]] = []
    truncated: list[bool] = []
    for start in range(0, len(texts), TEXTS_PER_CALL):
        chunk = list(texts[start : start + TEXTS_PER_CALL])
        encoded = tokenizer(chunk, truncation=True, max_length=max_length)
        pieces += [np.array(ids, dtype=np.int32) for ids in encoded["input_ids"]]
        truncated += [bool(encoding.overflowing) for encoding in encoded.encodings]
        advance(len(chunk))
    # A causal tokenizer makes nothing at all of an empty text; one pad token stands in for it.
    pad_id = int(tokenizer.pad_token_id)
    pieces = [piece if len(piece) else np.array([pad_id], dtype=np.int32) for piece in pieces]
    return TokenizedTexts(
        ids=np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32),
        offsets=np.cumsum([0, *map(len, pieces)], dtype=np.int64),
        truncated=np.array(truncated, dtype=bool),
        pad_id=pad_id,
    )


def plan_batches(
    lengths: NDArray[np.int64], *, tokens_per_batch: int, density: float
) -> list[NDArray[np.int64]]:
    """Group texts of like length, longest first, so that memory peaks at the start.

    A batch is closed before its padded size would pass the budget or its share of real tokens
    would fall below ``density``; a text alone may be longer than the budget.

    Args:
        lengths: tokens of each text, ``(texts,)``.
        tokens_per_batch: the most tokens of a batch, padding counted.
        density: the least share of real tokens, 0 to 1.

    Returns:
        Arrays of positions into ``lengths``; each position occurs once.
    """
    order = np.argsort(-lengths, kind="stable")
    batches: list[NDArray[np.int64]] = []
    start, real = 0, 0
    for end, length in enumerate(lengths[order]):
        padded = int(lengths[order[start]]) * (end - start + 1)
        if end > start and (padded > tokens_per_batch or real + length < density * padded):
            batches.append(order[start:end])
            start, real = end, 0
        real += int(length)
    if len(order):
        batches.append(order[start:])
    return batches


def padding_density(
    lengths: NDArray[np.int64], batches: Sequence[NDArray[np.int64]]
) -> float | None:
    """Return the share of real tokens among all that the batches hold; None without batches."""
    if not batches:
        return None
    padded = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    return float(sum(int(lengths[batch].sum()) for batch in batches) / padded)
