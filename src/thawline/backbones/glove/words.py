"""The tokenizer of the encoder, in which each word is one token."""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import models, processors
from transformers import PreTrainedTokenizerFast

from thawline.backbones.vectors.words import UNKNOWN, word_splitter

PAD, BOUNDARY = "[PAD]", "[SEP]"
SPECIAL = (PAD, UNKNOWN, BOUNDARY)
"""The first words of every vocabulary: padding, unknown words and the boundary of a pair."""


def word_tokenizer(
    vocabulary: Mapping[str, int], limit: int, *, split_special_tokens: bool = True
) -> PreTrainedTokenizerFast:
    """Build a fast tokenizer for a vocabulary.

    A single text gets no special tokens. A pair gets one between its two texts.

    Args:
        vocabulary: The token id of each word, including those of `SPECIAL`.
        limit: Maximum number of tokens in a text.
        split_special_tokens: Whether special tokens that are written in a text are read as text.
    """
    tokenizer = word_splitter()
    tokenizer.model = models.WordLevel(dict(vocabulary), unk_token=UNKNOWN)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A",
        pair=f"$A {BOUNDARY} $B",
        special_tokens=[(BOUNDARY, vocabulary[BOUNDARY])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        sep_token=BOUNDARY,
        model_max_length=limit,
        split_special_tokens=split_special_tokens,
    )
