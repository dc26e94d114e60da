"""The words that an encoder knows, and its tokenizer."""

from __future__ import annotations

import numpy as np

from thawline.backbones.glove.vocabulary import build_vocabulary, count_words
from thawline.backbones.glove.words import SPECIAL, word_tokenizer
from thawline.backbones.vectors import Vectors
from thawline.config import EncoderConfig

TEXTS = ["The film, the odd film!", ("the oddity", "a film")]
VECTORS = Vectors(
    "own",
    ["the", "[UNK]", "well-known", "film", "zebra", "a", "yacht"],
    np.arange(14, dtype=np.float32).reshape(7, 2),
)


def vocabulary(texts=TEXTS, vectors=VECTORS, **settings):
    return build_vocabulary(texts, vectors, EncoderConfig(**settings))


def test_words_are_counted_the_most_frequent_first():
    assert list(count_words(TEXTS).items()) == [
        ("film", 3),
        ("the", 3),
        ("!", 1),
        (",", 1),
        ("a", 1),
        ("odd", 1),
        ("oddity", 1),
    ]
    assert count_words([]) == {}


def test_a_rare_word_with_a_vector_is_kept():
    found = vocabulary(min_count=2, frequent_words=0)
    assert found.words == (*SPECIAL, "film", "the", "a")
    assert found.rows.tolist() == [-1, -1, -1, 3, 0, 5]


def test_a_word_without_one_has_to_stand_there_often_enough():
    assert "odd" in vocabulary(min_count=1).ids
    assert "odd" not in vocabulary(min_count=2).ids


def test_the_most_frequent_words_of_the_vectors_that_a_text_can_hold_come_along():
    # Neither "[UNK]" nor "well-known" is ever one word here.
    found = vocabulary(min_count=2, frequent_words=3)
    assert found.words[len(SPECIAL) :] == ("film", "the", "a", "zebra")


def test_the_share_of_tokens_that_the_vectors_cover():
    found = vocabulary()
    assert (found.tokens, found.covered) == (11, 7)
    assert found.coverage == 7 / 11
    assert vocabulary(texts=[]).coverage is None


def test_without_vectors_there_are_the_words_of_the_texts():
    found = vocabulary(vectors=None, min_count=3)
    assert found.words == (*SPECIAL, "film", "the")
    assert (found.rows == -1).all()


def test_the_tokenizer_gives_the_unknown_word_its_row_and_pairs_a_boundary(tmp_path):
    ids = vocabulary(min_count=2, frequent_words=0).ids
    tokenizer = word_tokenizer(ids, 40)
    assert tokenizer("The film<br />unheard")["input_ids"] == [ids["the"], ids["film"], 1]
    assert tokenizer("a", "film")["input_ids"] == [ids["a"], 2, ids["film"]]
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.is_fast) == (0, 1, True)
    tokenizer.save_pretrained(tmp_path)
    again = type(tokenizer).from_pretrained(tmp_path)
    assert again("It isn't a film.")["input_ids"] == tokenizer("It isn't a film.")["input_ids"]
