"""The encoder's tokenizer: English words as GloVe's were cut, each of them one token.

The 6B vectors were made of text that Stanford's tokenizer had cut in the way of the Penn Treebank:
small letters, punctuation on its own, ``do n't`` and ``it 's`` as two words each.
"""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PAD, UNKNOWN, BOUNDARY = "[PAD]", "[UNK]", "[SEP]"
SPECIAL = (PAD, UNKNOWN, BOUNDARY)
"""The first rows of the vocabulary: padding, the unknown word, what stands between two texts."""

_PLAIN = (
    (r"(?i)<\s*/?\s*br\s*/?\s*>", " "),
    (r"(?i)&?#0*39;|&apos;|[’‘`´\u0091\u0092]", "'"),
    (r"(?i)&?quot;|[“”„]", '"'),
    (r"(?i)&nbsp;", " "),
    (r"(?i)&?amp;", "&"),
    (r"(?i)&?\blt;", "<"),
    (r"(?i)&?\bgt;", ">"),
    (r"\.{2,}|…", " ... "),
    (r"-{2,}|[–—\u0096\u0097]", " -- "),
)
"""What is written in several ways, and the one way that the vectors know. Below 00A0 stand quotes
and dashes of Windows that were taken for Latin-1."""

_WORD = "|".join(
    (
        r"\.\.\.|--",
        r"n't(?!\p{L})",
        r"'(?:s|m|d|re|ve|ll)(?!\p{L})",
        r"(?:\p{L}\.){2,}",  # u.s.
        r"(?:mr|mrs|ms|dr|st|jr|vs)\.(?!\p{L})",
        r"\p{L}[\p{L}\p{M}]*?(?=n't(?!\p{L}))",  # the do of don't
        r"\p{L}[\p{L}\p{M}]*",
        r"\p{N}+(?:[.,:]\p{N}+)*",
        r"[^\s]",
    )
)
"""A word: the first of these that fits."""


def word_splitter() -> Tokenizer:
    """Return a tokenizer that cuts texts into words and knows none."""
    tokenizer = Tokenizer(models.WordLevel({UNKNOWN: 0}, unk_token=UNKNOWN))
    plain = [normalizers.Replace(Regex(found), instead) for found, instead in _PLAIN]
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Lowercase(), *plain]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD), "removed", invert=True)
    return tokenizer


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
