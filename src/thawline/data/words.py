"""Split texts of any language into words, without a model."""

from __future__ import annotations

import re
from itertools import pairwise

from thawline.data.texts import Text

SECOND = "2:"
"""The start of each term of the second text of a pair. No word has a colon."""

_NO_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3040-\u30ff\uff66-\uff9f"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # Chinese characters
)
"""The letters of scripts that have no spaces between words."""

_MARKS = (
    "\u0300-\u036f\u0483-\u0487"  # accents
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"  # Arabic
    "\u0900-\u0963\u0966-\u0dff"  # the scripts of India, without the danda, which ends a sentence
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd"  # Thai, Lao
    "\u0f71-\u0f84\u0f90-\u0fbc\u102b-\u103e\u1056-\u1059\u17b4-\u17d3"  # Tibetan, Burmese, Khmer
    "\u200c\u200d"  # joiners within words
)
"""Characters within words that ``\\w`` does not match, such as vowel signs."""

_WORDS = re.compile(rf"[{_NO_SPACES}][{_MARKS}]*|(?:[^\W{_NO_SPACES}]|[{_MARKS}]){{2,}}")
_ASCII_WORDS = re.compile(r"\w\w+")
"""The same pattern for texts in ASCII. It is faster."""


def find_words(text: str) -> list[str]:
    """Return the words of a text in lower case, in order.

    A word consists of at least two letters, digits or underscores, as by default in scikit-learn.
    Vowel signs and other marks are part of it. In scripts without spaces between words, such as
    Chinese and Japanese, every character is a word.

    Args:
        text: The text.
    """
    text = text.lower()
    return (_ASCII_WORDS if text.isascii() else _WORDS).findall(text)


def find_terms(text: Text) -> list[str]:
    """Return the words of a text and the pairs of neighbouring words, joined by a space.

    Args:
        text: A text, or a pair of texts. The terms of its second text begin with `SECOND`, and no
            pair of words contains words of both texts.
    """
    if not isinstance(text, str):
        first, second = map(find_terms, text)
        return first + [SECOND + term for term in second]
    words = find_words(text)
    return words + [f"{one} {next_one}" for one, next_one in pairwise(words)]


def count_words(text: Text) -> int:
    """Return the number of words of a text, or of both texts of a pair."""
    return sum(len(find_words(part)) for part in ((text,) if isinstance(text, str) else text))
