"""Tokenize texts once and build padded batches from the token ids."""

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
from transformers import BatchEncoding, PreTrainedTokenizerBase

from thawline.data import Text
from thawline.errors import ThawlineError
from thawline.runtime.failures import first_line, is_panic

Inputs = Mapping[str, Tensor]
"""A batch as keyword arguments of a model, ``(batch, tokens)`` int64 each: ``input_ids``, padded on
the right; ``attention_mask`` if there is padding; ``token_type_ids`` if there are pairs."""

TEXTS_PER_CALL = 1_000
"""Number of texts passed to the tokenizer at once: enough to keep all of its threads busy."""


@dataclass(frozen=True)
class TokenizedTexts:
    """The token ids of many texts, concatenated without padding.

    Attributes:
        ids: The token ids of all texts, ``(all tokens,)`` int32.
        offsets: The start of each text in ``ids``, ``(texts + 1,)`` int64. Text i is
            ``ids[offsets[i]:offsets[i + 1]]``.
        truncated: Whether each text was truncated, ``(texts,)`` bool.
        pad_id: The token id for padding.
        types: The token types, ``(all tokens,)`` int8: 1 in the second text of a pair. None if the
            model has no token types, or if there are no pairs.
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
        """The number of tokens of each text, ``(texts,)``."""
        return np.diff(self.offsets)

    def select(self, positions: NDArray[np.int64]) -> TokenizedTexts:
        """Return the texts at these positions, in the given order."""
        lengths = self.lengths[positions]
        offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
        # The index of a token is its offset in its text plus the start of that text in `ids`.
        taken = np.arange(offsets[-1]) + np.repeat(self.offsets[positions] - offsets[:-1], lengths)
        types = None if self.types is None else self.types[taken]
        return TokenizedTexts(
            self.ids[taken], offsets, self.truncated[positions], self.pad_id, types
        )

    def batch(self, positions: NDArray[np.int64]) -> dict[str, Tensor]:
        """Return the texts at these positions as keyword arguments of a model (`Inputs`).

        If no text is padded, the attention mask is omitted, because attention is faster then.
        """
        lengths = self.lengths[positions]
        inputs = {"input_ids": self._padded(self.ids, positions, self.pad_id)}
        if self.types is not None:
            inputs["token_type_ids"] = self._padded(self.types, positions, 0)
        if lengths.min() < lengths.max():
            mask = np.arange(lengths.max()) < lengths[:, None]
            inputs["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
        return inputs

    def _padded(self, ragged: NDArray[Any], positions: NDArray[np.int64], fill: int) -> Tensor:
        lengths = self.lengths[positions]
        padded = np.full((len(positions), lengths.max()), fill, dtype=np.int64)
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
    """Tokenize texts, special tokens included, in the threads of the tokenizer.

    The two texts of a pair become one row of ids, in the format of the tokenizer. If the tokenizer
    has no format for pairs, a line break separates the two texts. If a pair is too long, its longer
    text is truncated.

    Args:
        tokenizer: A fast tokenizer with a pad token.
        texts: Any number of texts or pairs, which may be empty.
        max_length: The maximum number of tokens of a row, special tokens included.
        truncation_side: The side on which longer texts are truncated, ``right`` or ``left``.
        advance: Called with the number of texts completed since the last call.
    """
    tokenizer.truncation_side = truncation_side
    special = tokenizer.num_special_tokens_to_add
    # Tokenizers of causal models put no special token between the texts of a pair.
    has_separator = special(pair=True) > special(pair=False)

    def joined(text: Text) -> Text:
        return text if has_separator or isinstance(text, str) else "\n".join(text)

    pad_id = int(tokenizer.pad_token_id)
    ids, types, lengths, truncated = array("i"), array("b"), array("q", [0]), array("b")
    for start in range(0, len(texts), TEXTS_PER_CALL):
        chunk = [joined(text) for text in texts[start : start + TEXTS_PER_CALL]]
        encoded = _encode(tokenizer, chunk, max_length)
        # Tokenizers of causal models return no tokens for an empty text. Use one pad token then.
        rows = [row or [pad_id] for row in encoded["input_ids"]]
        lengths.extend(map(len, rows))
        ids.extend(chain.from_iterable(rows))
        types.extend(chain.from_iterable(row or [0] for row in encoded.get("token_type_ids", ())))
        truncated.extend(bool(encoding.overflowing) for encoding in encoded.encodings)
        del encoded, rows  # free them before the next call: they need more memory than all ids
        advance(len(chunk))
    token_types = np.frombuffer(types, dtype=np.int8)
    return TokenizedTexts(
        ids=np.frombuffer(ids, dtype=np.int32),
        offsets=np.cumsum(lengths, dtype=np.int64),
        truncated=np.frombuffer(truncated, dtype=np.bool_),
        pad_id=pad_id,
        types=token_types if token_types.any() else None,
    )


def _encode(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[Text], max_length: int
) -> BatchEncoding:
    try:
        return tokenizer(texts, truncation=True, max_length=max_length)
    except BaseException as error:
        # For example, a search with a regular expression of the tokenizer was given up.
        if not is_panic(error):
            raise
        raise ThawlineError(
            "a tokenizer that can read every text",
            first_line(error),
            "use another backbone, or remove the text that its tokenizer cannot read",
        ) from error
