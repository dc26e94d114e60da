"""Words as GloVe's texts were cut."""

from __future__ import annotations

import pytest

from thawline.backbones.vectors.words import word_splitter


def words(text: str) -> list[str]:
    splitter = word_splitter()
    plain = splitter.normalizer.normalize_str(text)
    return [word for word, _ in splitter.pre_tokenizer.pre_tokenize_str(plain)]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("A warm, funny FILM.", "a warm , funny film ."),
        ("one<br /><br/>two< BR >three</br>", "one two three"),
        ("I don't, can't and won't", "i do n't , ca n't and wo n't"),
        ("It's John’s; they'll've", "it 's john 's ; they 'll 've"),
        ("'quoted' o'clock", "' quoted ' o ' clock"),
        ("well-known -- really", "well - known -- really"),
        ("in the U.S. by Mr. Smith", "in the u.s. by mr. smith"),
        ("so... long…", "so ... long ..."),
        ("$1,000.50 at 8:30", "$ 1,000.50 at 8:30"),
        ("Reuters #39;s &quot;word&quot; &amp; more", 'reuters \'s " word " & more'),
        ("a \x96 b", "a -- b"),
        ("Amélie", "amélie"),
        ("", ""),
    ],
)
def test_a_text_is_cut_into_words(text, cut):
    assert words(text) == cut.split()
