"""Tokenize texts once and build padded batches from the token ids."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase

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
        tokenizer: A fast tokenizer with a pad token. It is not changed, so that several threads may
            use it at the same time, each with its own maximum length.
        texts: Any number of texts or pairs, which may be empty.
        max_length: The maximum number of tokens of a row, special tokens included.
        truncation_side: The side on which longer texts are truncated, ``right`` or ``left``.
        advance: Called with the number of texts completed since the last call.
    """
    backend = _without_truncation(tokenizer.backend_tokenizer)
    special = backend.num_special_tokens_to_add
    # Tokenizers of causal models put no special token between the texts of a pair.
    has_separator = special(True) > special(False)
    has_types = "token_type_ids" in tokenizer.model_input_names

    def joined(text: Text) -> Text:
        return text if has_separator or isinstance(text, str) else "\n".join(text)

    pad_id = int(tokenizer.pad_token_id)
    ids, types, lengths, truncated = array("i"), array("b"), array("q", [0]), array("b")
    for start in range(0, len(texts), TEXTS_PER_CALL):
        chunk = [joined(text) for text in texts[start : start + TEXTS_PER_CALL]]
        for encoding in _encode(backend, chunk):
            # Tokenizers of causal models return no tokens for an empty text. Use one pad token.
            row = encoding.ids or [pad_id]
            row_types = (encoding.type_ids or [0]) if has_types else []
            removed = truncated_tokens(encoding, max_length, truncation_side)
            for part in removed:
                del row[part], row_types[part]
            ids.extend(row)
            types.extend(row_types)
            lengths.append(len(row))
            truncated.append(bool(removed))
        advance(len(chunk))
    token_types = np.frombuffer(types, dtype=np.int8)
    return TokenizedTexts(
        ids=np.frombuffer(ids, dtype=np.int32),
        offsets=np.cumsum(lengths, dtype=np.int64),
        truncated=np.frombuffer(truncated, dtype=np.bool_),
        pad_id=pad_id,
        types=token_types if token_types.any() else None,
    )


def _encode(tokenizer: Tokenizer, texts: Sequence[Text]) -> list[Encoding]:
    try:
        return tokenizer.encode_batch_fast(texts)
    except BaseException as error:
        # For example, a search with a regular expression of the tokenizer was given up.
        if not is_panic(error):
            raise
        raise ThawlineError(
            "a tokenizer that can read every text",
            first_line(error),
            "use another backbone, or remove the text that its tokenizer cannot read",
        ) from error


def _without_truncation(tokenizer: Tokenizer) -> Tokenizer:
    """Return a tokenizer that neither truncates nor pads, or a copy if it does.

    `load_tokenizer` switches both off. A call of a transformers tokenizer switches them on again.
    """
    if tokenizer.truncation is None and tokenizer.padding is None:
        return tokenizer
    copied = Tokenizer.from_str(tokenizer.to_str())
    copied.no_truncation()
    copied.no_padding()
    return copied


def truncated_tokens(encoding: Encoding, max_length: int, truncation_side: str) -> list[slice]:
    """Return the slices of tokens that truncation removes from a text or a pair, last slice first.

    The result is that of the strategy ``longest_first`` of tokenizers. That library takes the limit
    from the tokenizer object, which another thread may be using with another limit.

    Args:
        encoding: A text or a pair with its special tokens.
        max_length: The maximum number of tokens, special tokens included.
        truncation_side: The side on which each text is truncated, ``right`` or ``left``.
    """
    if len(encoding) <= max_length:
        return []
    sequences = encoding.sequence_ids  # 0 and 1 for the two texts, None for special tokens
    lengths = sequences.count(0), sequences.count(1)
    room = max_length - sequences.count(None)
    shorter = min(*lengths, room // 2)
    first_is_shorter = lengths[0] <= lengths[1]
    sizes = (shorter, room - shorter) if first_is_shorter else (room - shorter, shorter)
    removed = []
    for text in (1, 0):
        if lengths[text] > sizes[text]:
            start = sequences.index(text)
            kept = sizes[text] if truncation_side == "right" else 0
            removed.append(slice(start + kept, start + kept + lengths[text] - sizes[text]))
    return removed
