"""How long texts are in tokens before anything is cut off, and how many would be cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from thawline.data import Text
from thawline.data.tokens import tokenize

QUANTILES = {"min": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "99 %": 0.99, "max": 1.0}
"""What is said of the lengths; each is the length of a real text."""

_WHOLE_TEXT = 10**9
_TEXTS_PER_CALL = 10_000


@dataclass(frozen=True)
class Tokenization:
    """How texts become tokens: by which tokenizer, and where a long one is cut off."""

    tokenizer: PreTrainedTokenizerBase
    max_length: int
    truncation_side: str


def count_tokens(
    texts: Sequence[Text],
    tokenization: Tokenization,
    advance: Callable[[int], None] = lambda texts: None,
) -> npt.NDArray[np.int64]:
    """Return the tokens of each text, special tokens included and nothing cut off, ``(texts,)``.

    The ids are not kept, so that memory does not grow with the texts.

    Args:
        texts: any number of texts or pairs.
        tokenization: how they become tokens.
        advance: told the number of texts done since the last call.
    """
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
    max_length: int,
    weights: npt.NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Return the quantiles of lengths, and the share of texts that are cut.

    Args:
        lengths: tokens of each text, ``(texts,)``.
        max_length: tokens that are kept of a text.
        weights: ``(texts,)``, how many texts each one stands for; None: itself.

    Returns:
        JSON values: ``tokens``, by the names of `QUANTILES`; ``truncated``, a share;
        ``lengths_of``, the number of texts. Without texts the first two are None.
    """
    if not len(lengths):
        return {"tokens": dict.fromkeys(QUANTILES), "truncated": None, "lengths_of": 0}
    values = np.quantile(lengths, list(QUANTILES.values()), weights=weights, method="inverted_cdf")
    return {
        "tokens": dict(zip(QUANTILES, map(int, values), strict=True)),
        "truncated": float(np.average(lengths > max_length, weights=weights)),
        "lengths_of": len(lengths),
    }
