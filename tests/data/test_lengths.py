from __future__ import annotations

import numpy as np
import pytest

from tests.support.toys import LIMIT, WORDS, toy_tokenizer
from thawline.data import lengths as lengths_module
from thawline.data.lengths import QUANTILES, Tokenization, count_tokens, describe_lengths


def tokenization(side="right", *, causal=False):
    tokenizer = toy_tokenizer(causal=causal)
    if causal:
        tokenizer.pad_token = tokenizer.eos_token
    return Tokenization(tokenizer, 8, side)


@pytest.mark.parametrize("side", ["right", "left"])
def test_every_token_of_a_long_text_is_counted(side):
    texts = [" ".join(["film"] * words) for words in (0, 1, 8, 9, LIMIT + 60)]
    assert count_tokens(texts, tokenization(side)).tolist() == [2, 3, 10, 11, LIMIT + 62]


def test_an_empty_text_has_one_token_for_a_causal_tokenizer():
    assert count_tokens(["", "good film"], tokenization(causal=True)).tolist() == [1, 2]


def test_a_pair_counts_as_one_text():
    alone = count_tokens(["good film", "bad cast"], tokenization()).tolist()
    assert alone == [4, 4]
    assert count_tokens([("good film", "bad cast")], tokenization())[0] > 4


def test_chunks_do_not_change_the_counts(monkeypatch):
    texts = [" ".join(WORDS[:number]) for number in range(9)]
    whole = count_tokens(texts, tokenization())
    monkeypatch.setattr(lengths_module, "_TEXTS_PER_CALL", 4)
    done: list[int] = []
    assert np.array_equal(count_tokens(texts, tokenization(), done.append), whole)
    assert done == [4, 4, 1]
    assert count_tokens([], tokenization()).tolist() == []


def test_quantiles_are_lengths_of_texts_and_the_share_counts_truncated_texts():
    lengths = np.arange(1, 101)
    described = describe_lengths(lengths, 80)
    assert described["tokens"] == {
        "min": 1,
        "10 %": 10,
        "median": 50,
        "90 %": 90,
        "99 %": 99,
        "max": 100,
    }
    assert (described["truncated"], described["lengths_of"]) == (0.2, 100)
    assert describe_lengths(np.array([5, 5, 9]), 5)["tokens"]["median"] == 5
    assert describe_lengths(np.array([5, 5, 9]), 9)["truncated"] == 0


def test_weights_count_the_texts_that_a_text_represents():
    described = describe_lengths(np.array([10, 20]), 15, np.array([99.0, 1.0]))
    assert described["tokens"]["90 %"] == 10
    assert described["tokens"]["max"] == 20
    assert described["truncated"] == pytest.approx(0.01)
    assert described["lengths_of"] == 2


def test_without_texts_quantiles_are_none():
    assert describe_lengths(np.empty(0, dtype=np.int64), 8) == {
        "tokens": dict.fromkeys(QUANTILES),
        "truncated": None,
        "lengths_of": 0,
    }
