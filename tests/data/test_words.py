"""Words and pairs of words of texts in several languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from thawline.data.words import count_words, find_terms, find_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Warm, funny film; it's 10/10!", ["warm", "funny", "film", "it", "10", "10"]),
        ("Ça m'a plu", ["ça", "plu"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),  # accents as characters of their own
        ("Größe ĞÜÇ", ["größe", "ğüç"]),
        ("यह फिल्म अच्छी है।", ["यह", "फिल्म", "अच्छी", "है"]),
        ("한국 영화", ["한국", "영화"]),
        ("电影很好 ok", ["电", "影", "很", "好", "ok"]),
        ("とてもABC", ["と", "て", "も", "abc"]),
        ("ดีมาก", ["ดี", "ม", "า", "ก"]),
        ("می‌خواهم", ["می\u200cخواهم"]),
        ("", []),
        ("! ?\n\t", []),
    ],
)
def test_find_words(text: str, words: list[str]) -> None:
    assert find_words(text) == words
    assert count_words(text) == len(words)


def test_terms_are_words_and_pairs_within_each_text() -> None:
    assert find_terms("a good old film") == ["good", "old", "film", "good old", "old film"]
    terms = ["good", "man", "good man", "2:not", "2:bad", "2:not bad"]
    assert find_terms(("a good man", "not bad")) == terms
    assert count_words(("a good man", "not bad")) == 4


@given(st.text(st.characters(max_codepoint=0x17F)))
def test_terms_of_latin_texts_are_those_of_scikit_learn(text: str) -> None:
    text = text.replace("\u0130", "i")  # its lower case has a mark, which scikit-learn splits off
    assert find_terms(text) == CountVectorizer(ngram_range=(1, 2)).build_analyzer()(text)


@given(st.text())
def test_no_word_has_the_characters_that_separate_terms(text: str) -> None:
    for word in find_words(text):
        assert not set(word) & {" ", ":"}
