"""Test that the trained tokenizer encodes every text."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies
from transformers import AutoTokenizer

from tests.support.language_toys import toy_texts, toy_vocabulary
from thawline.config import VocabularyConfig
from thawline.errors import ThawlineError
from thawline.pretraining.vocabulary import BOS, EOS, PAD, as_read, train_tokenizer

ANY_TEXT = strategies.text(strategies.characters(exclude_categories=["Cs"]))


def test_special_tokens():
    learnt = toy_vocabulary()
    assert len(learnt) == 300
    assert learnt.convert_tokens_to_ids([PAD, BOS, EOS]) == [0, 1, 2]
    assert (learnt.pad_token_id, learnt.bos_token_id, learnt.eos_token_id) == (0, 1, 2)
    assert learnt.unk_token_id is None
    assert (learnt.model_max_length, learnt.padding_side) == (32, "right")


def test_text_is_encoded_with_bos_and_without_eos():
    ids = toy_vocabulary()("a film")["input_ids"]
    assert ids[0] == 1
    assert not {0, 1, 2} & set(ids[1:])
    assert toy_vocabulary()("")["input_ids"] == [1]
    one, other = ids[1:], toy_vocabulary()("the plot")["input_ids"][1:]
    assert toy_vocabulary()("a film", "the plot")["input_ids"] == [1, *one, 1, *other]


@given(ANY_TEXT)
@example("emoji 🎬👍🏽, Ünïcode, 日本語,\ttabs\n\n  and  spaces ")
def test_decoding_returns_the_text(text):
    learnt = toy_vocabulary()
    ids = learnt(text, add_special_tokens=False)["input_ids"]
    assert learnt.decode(ids) == as_read(learnt, text)
    if "<br" not in text.lower():
        assert as_read(learnt, text) == text


@pytest.mark.parametrize("tag", ["<br />", "<br>", "<br/>", "<BR />"])
def test_html_line_break_is_a_newline(tag):
    learnt = toy_vocabulary()
    ids = learnt(f"a film{tag}the plot")["input_ids"]
    assert ids == learnt("a film\nthe plot")["input_ids"]
    assert as_read(learnt, f"a{tag}b") == "a\nb"
    assert as_read(learnt, "a <bright> b") == "a <bright> b"


def test_loaded_equals_saved(tmp_path):
    toy_vocabulary().save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "a film<br />of 🎬"
    assert loaded(text)["input_ids"] == toy_vocabulary()(text)["input_ids"]
    assert (loaded.pad_token_id, loaded.bos_token_id, loaded.eos_token_id) == (0, 1, 2)


def test_larger_vocabulary_gives_fewer_tokens():
    text = " ".join(toy_texts(5))
    lengths = [len(toy_vocabulary(size)(text)["input_ids"]) for size in (300, 340)]
    assert lengths[0] > lengths[1]


def test_too_large_vocabulary_is_an_error():
    with pytest.raises(ThawlineError) as caught:
        train_tokenizer(["ab ab", "ab ab"], VocabularyConfig(size=1_000), 32)
    error = caught.value
    assert error.setting == "vocabulary.size"
    assert "1,000" in error.expected
    assert "261" in error.found
    assert "`vocabulary.size=261`" in error.fix
