"""Measure the lengths of texts in tokens, and how many texts would be truncated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from thawline.data import Text
from thawline.data.tokens import tokenize
from thawline.data.words import count_words

QUANTILES = {"min": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "99 %": 0.99, "max": 1.0}
"""The quantiles that describe lengths. Each value is the length of one of the texts."""

_WHOLE_TEXT = 10**9
_TEXTS_PER_CALL = 10_000


@dataclass(frozen=True)
class Tokenization:
    """How texts are tokenized and truncated.

    Attributes:
        tokenizer: The tokenizer.
        max_length: The maximum number of tokens of a text, special tokens included.
        truncation_side: The side on which longer texts are truncated, right or left.
    """

    tokenizer: PreTrainedTokenizerBase
    max_length: int
    truncation_side: str


@dataclass(frozen=True)
class WordCount:
    """How texts are counted if a classifier reads their words and no tokens.

    Attributes:
        max_length: None, because no text is truncated.
        truncation_side: None, because no text is truncated.
    """

    max_length: None = None
    truncation_side: None = None


def count_tokens(
    texts: Sequence[Text],
    tokenization: Tokenization | WordCount,
    advance: Callable[[int], None] = lambda texts: None,
) -> npt.NDArray[np.int64]:
    """Count the tokens of each text, special tokens included, without truncation.

    The token ids are not kept, so that they need no memory.

    Args:
        texts: Any number of texts or pairs.
        tokenization: How the texts are tokenized. A `WordCount` counts their words.
        advance: Called with the number of texts completed since the last call.

    Returns:
        The number of tokens of each text, ``(texts,)`` int64.
    """
    if isinstance(tokenization, WordCount):
        words = np.fromiter(map(count_words, texts), dtype=np.int64, count=len(texts))
        advance(len(texts))
        return words
    counted = [
        tokenize(
            tokenization.tokenizer,
            texts[start : start + _TEXTS_PER_CALL],
            max_length=_WHOLE_TEXT,
            truncation_side=tokenization.truncation_side,
            advance=advance,
        ).lengths
        for start in range(0, len(texts), _TEXTS_PER_CALL)
    ]
    return np.concatenate([np.empty(0, dtype=np.int64), *counted])


def describe_lengths(
    lengths: npt.NDArray[np.int64],
    max_length: int | None,
    weights: npt.NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Describe lengths by their quantiles and the share of truncated texts.

    Args:
        lengths: The number of tokens of each text, ``(texts,)``.
        max_length: The maximum number of tokens of a text. None if no text is truncated.
        weights: How many texts each text represents, ``(texts,)``. If None, each represents one.

    Returns:
        JSON values: ``tokens``, the quantiles by the names of `QUANTILES`; ``truncated``, a share
        from 0 to 1; ``lengths_of``, the number of texts. Without texts, the quantiles and the
        share are None.
    """
    if not len(lengths):
        return {"tokens": dict.fromkeys(QUANTILES), "truncated": None, "lengths_of": 0}
    values = np.quantile(lengths, list(QUANTILES.values()), weights=weights, method="inverted_cdf")
    return {
        "tokens": dict(zip(QUANTILES, map(int, values), strict=True)),
        "truncated": 0.0 if max_length is None else _share_above(lengths, max_length, weights),
        "lengths_of": len(lengths),
    }


def _share_above(
    lengths: npt.NDArray[np.int64], limit: int, weights: npt.NDArray[np.float64] | None
) -> float:
    return float(np.average(lengths > limit, weights=weights))
