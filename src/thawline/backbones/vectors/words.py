"""Words: how texts are cut into them, as the texts were that GloVe's vectors were made of.

The 6B vectors were made of text that Stanford's tokenizer had cut in the way of the Penn Treebank:
small letters, punctuation on its own, ``do n't`` and ``it 's`` as two words each.
"""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

UNKNOWN = "[UNK]"
"""The word for all that have no place of their own."""

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
