"""A byte-level tokenizer from texts: no text falls out of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies
from transformers import AutoTokenizer

from tests.support.language_toys import toy_texts, toy_vocabulary
from thawline.config import VocabularyConfig
from thawline.errors import ThawlineError
from thawline.pretraining.vocabulary import BOS, EOS, PAD, as_read, train_tokenizer

OF_ANY_KIND = strategies.text(strategies.characters(exclude_categories=["Cs"]))


def test_the_special_tokens_have_the_ids_0_1_and_2():
    learnt = toy_vocabulary()
    assert len(learnt) == 300
    assert learnt.convert_tokens_to_ids([PAD, BOS, EOS]) == [0, 1, 2]
    assert (learnt.pad_token_id, learnt.bos_token_id, learnt.eos_token_id) == (0, 1, 2)
    assert learnt.unk_token_id is None
    assert (learnt.model_max_length, learnt.padding_side) == (32, "right")


def test_a_text_is_read_with_bos_before_it_and_no_eos():
    ids = toy_vocabulary()("a film")["input_ids"]
    assert ids[0] == 1
    assert not {0, 1, 2} & set(ids[1:])
    assert toy_vocabulary()("")["input_ids"] == [1]
    one, other = ids[1:], toy_vocabulary()("the plot")["input_ids"][1:]
    assert toy_vocabulary()("a film", "the plot")["input_ids"] == [1, *one, 1, *other]


@given(OF_ANY_KIND)
@example("emoji 🎬👍🏽, Ünïcode, 日本語,\ttabs\n\n  and  spaces ")
def test_every_text_is_spelt_again(text):
    learnt = toy_vocabulary()
    ids = learnt(text, add_special_tokens=False)["input_ids"]
    assert learnt.decode(ids) == as_read(learnt, text)
    if "<br" not in text.lower():
        assert as_read(learnt, text) == text


@pytest.mark.parametrize("written", ["<br />", "<br>", "<br/>", "<BR />"])
def test_a_line_break_is_a_newline(written):
    learnt = toy_vocabulary()
    ids = learnt(f"a film{written}the plot")["input_ids"]
    assert ids == learnt("a film\nthe plot")["input_ids"]
    assert as_read(learnt, f"a{written}b") == "a\nb"
    assert as_read(learnt, "a <bright> b") == "a <bright> b"


def test_what_is_saved_reads_the_same(tmp_path):
    toy_vocabulary().save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "a film<br />of 🎬"
    assert loaded(text)["input_ids"] == toy_vocabulary()(text)["input_ids"]
    assert (loaded.pad_token_id, loaded.bos_token_id, loaded.eos_token_id) == (0, 1, 2)


def test_more_tokens_read_a_text_in_fewer():
    text = " ".join(toy_texts(5))
    lengths = [len(toy_vocabulary(size)(text)["input_ids"]) for size in (300, 340)]
    assert lengths[0] > lengths[1]


def test_a_vocabulary_that_the_texts_cannot_fill_is_refused():
    with pytest.raises(ThawlineError) as caught:
        train_tokenizer(["ab ab", "ab ab"], VocabularyConfig(size=1_000), 32)
    assert str(caught.value) == (
        "expected texts with enough repeated words for 1,000 tokens, found enough for 261; "
        "give --vocabulary 261, or add texts"
    )
