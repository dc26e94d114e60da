"""Tokenise once; then batches of like length under a token budget."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from thawline.data import Text

Inputs = Mapping[str, Tensor]
"""A batch as a model's keyword arguments: ``input_ids``, ``(batch, tokens)`` int64, padded on the
right; ``attention_mask`` where something is padded; ``token_type_ids`` where there are pairs."""

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
        types: ``(all tokens,)`` int8, 1 in the second text of a pair; None where a model knows no
            such types, or where there is no pair.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    pad_id: int
    types: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.truncated)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, ``(texts,)``."""
        return np.diff(self.offsets)

    def select(self, positions: NDArray[np.int64]) -> TokenizedTexts:
        """Return some of the texts, in this order."""
        lengths = self.lengths[positions]
        offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
        # Each token's place here: its place in its text, plus where its text starts here.
        taken = np.arange(offsets[-1]) + np.repeat(self.offsets[positions] - offsets[:-1], lengths)
        types = None if self.types is None else self.types[taken]
        return TokenizedTexts(
            self.ids[taken], offsets, self.truncated[positions], self.pad_id, types
        )

    def batch(self, positions: NDArray[np.int64]) -> dict[str, Tensor]:
        """Return some texts as a model's keyword arguments (`Inputs`).

        There is no mask where nothing had to be padded: attention is faster without one.
        """
        lengths = self.lengths[positions]
        inputs = {"input_ids": self._padded(self.ids, positions, self.pad_id)}
        if self.types is not None:
            inputs["token_type_ids"] = self._padded(self.types, positions, 0)
        if lengths.min() < lengths.max():
            mask = np.arange(lengths.max()) < lengths[:, None]
            inputs["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
        return inputs

    def _padded(self, ragged: NDArray[Any], positions: NDArray[np.int64], filling: int) -> Tensor:
        lengths = self.lengths[positions]
        padded = np.full((len(positions), lengths.max()), filling, dtype=np.int64)
        for row, position in enumerate(positions):
            start = self.offsets[position]
            padded[row, : lengths[row]] = ragged[start : start + lengths[row]]
        return torch.from_numpy(padded)


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[Text],
    *,
    max_length: int,
    truncation_side: str,
    advance: Callable[[int], None] = lambda texts: None,
) -> TokenizedTexts:
    """Tokenise texts in parallel (the tokenizer's own threads), special tokens included.

    A pair becomes one row of ids in the tokenizer's own form, or on two lines where it knows none;
    where it is too long, the longer of the two is cut.

    Args:
        tokenizer: a fast tokenizer with a pad token.
        texts: any number of texts or pairs, empty ones too.
        max_length: the most tokens kept, special tokens counted.
        truncation_side: ``right`` or ``left``, the side that is cut off.
        advance: told the number of texts done since the last call.
    """
    tokenizer.truncation_side = truncation_side
    special = tokenizer.num_special_tokens_to_add
    # Causal tokenizers put nothing between the texts of a pair.
    parted = special(pair=True) > special(pair=False)

    def joined(text: Text) -> Text:
        return text if parted or isinstance(text, str) else "\n".join(text)

    pad_id = int(tokenizer.pad_token_id)
    ids, types, lengths, truncated = array("i"), array("b"), array("q", [0]), array("b")
    for start in range(0, len(texts), TEXTS_PER_CALL):
        chunk = [joined(text) for text in texts[start : start + TEXTS_PER_CALL]]
        encoded = tokenizer(chunk, truncation=True, max_length=max_length)
        # A causal tokenizer makes nothing at all of an empty text; one pad token stands in for it.
        rows = [row or [pad_id] for row in encoded["input_ids"]]
        lengths.extend(map(len, rows))
        ids.extend(chain.from_iterable(rows))
        types.extend(chain.from_iterable(row or [0] for row in encoded.get("token_type_ids", ())))
        truncated.extend(bool(encoding.overflowing) for encoding in encoded.encodings)
        del encoded, rows  # before the next call: they take more room than all ids before them
        advance(len(chunk))
    kinds = np.frombuffer(types, dtype=np.int8)
    return TokenizedTexts(
        ids=np.frombuffer(ids, dtype=np.int32),
        offsets=np.cumsum(lengths, dtype=np.int64),
        truncated=np.frombuffer(truncated, dtype=np.bool_),
        pad_id=pad_id,
        types=kinds if kinds.any() else None,
    )
