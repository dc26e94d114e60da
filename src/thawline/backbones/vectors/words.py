"""Split texts into words in the same way as the texts that GloVe's vectors were trained on.

The 6B vectors were trained on lower-case text that Stanford's tokenizer had split by the rules of
the Penn Treebank. Punctuation is separate, and ``do n't`` and ``it 's`` are two words each.
"""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

UNKNOWN = "[UNK]"
"""The word that stands for all words outside the vocabulary."""

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
"""Patterns of spelling variants, each with the spelling that the vectors know.

The characters below 00A0 are quotes and dashes of Windows-1252 that were decoded as Latin-1.
"""

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
"""Pattern of a word: the first alternative that matches."""


def word_splitter() -> Tokenizer:
    """Build a tokenizer that normalises texts and splits them into words, without a vocabulary."""
    tokenizer = Tokenizer(models.WordLevel({UNKNOWN: 0}, unk_token=UNKNOWN))
    plain = [normalizers.Replace(Regex(found), instead) for found, instead in _PLAIN]
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Lowercase(), *plain]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD), "removed", invert=True)
    return tokenizer
