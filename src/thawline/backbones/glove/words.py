"""The encoder's tokenizer: each word is one token."""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import models, processors
from transformers import PreTrainedTokenizerFast

from thawline.backbones.vectors.words import UNKNOWN, word_splitter

PAD, BOUNDARY = "[PAD]", "[SEP]"
SPECIAL = (PAD, UNKNOWN, BOUNDARY)
"""The first rows of the vocabulary: padding, the unknown word, what stands between two texts."""


def word_tokenizer(vocabulary: Mapping[str, int], limit: int) -> PreTrainedTokenizerFast:
    """Return the fast tokenizer of a vocabulary.

    A text has no special tokens; a pair has one between its two texts.

    Args:
        vocabulary: the id of each word, those of `SPECIAL` included.
        limit: tokens that the model takes.
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
    )
