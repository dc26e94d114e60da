"""What a language model learns from: each text once, none that is to be left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.command_line import write_set, write_table
from tests.support.language_toys import toy_texts
from thawline.config import CorpusConfig
from thawline.errors import ThawlineError
from thawline.pretraining.corpus import Corpus, n_bytes, read_corpus


def table(name: str, texts: list[str]) -> str:
    return str(write_table(Path(name), texts, ["pos"] * len(texts)))


def read(*data: str, **settings) -> Corpus:
    return read_corpus(CorpusConfig(data=data, **settings))


def every(corpus: Corpus) -> list[str]:
    return [*corpus.train, *corpus.held_out]


def test_a_copy_is_read_once_wherever_it_stands():
    texts = toy_texts(20)
    corpus = read(table("one.csv", [*texts, texts[3]]), table("two.csv", [texts[5], "another"]))
    assert sorted(every(corpus)) == sorted([*texts, "another"])
    assert corpus.counts == {"read": 23, "copies": 2, "left_out": 0, "train": 20, "held_out": 1}
    assert corpus.sources == ("one.csv: 21 texts", "two.csv: 2 texts")
    assert corpus.notes == ()


def test_what_is_to_be_left_out_is_left_out_in_every_split_of_every_source():
    texts = toy_texts(24)
    write_set(Path("reviews"), {
        "train": (texts[:8], ["pos"] * 8),
        "validation": (texts[8:12], ["pos"] * 4),
        "test": (texts[12:16], ["pos"] * 4),
    })  # fmt: skip
    # Copies of texts of all three of its splits stand among what is to be learnt from.
    more = table("more.csv", [*texts[16:], texts[0], texts[9], texts[13], texts[13]])
    corpus = read(more, without=("reviews",))
    assert sorted(every(corpus)) == sorted(texts[16:])
    assert corpus.counts == {"read": 12, "copies": 1, "left_out": 3, "train": 7, "held_out": 1}


def test_a_set_s_own_test_split_stays_out_and_its_texts_too_where_asked():
    texts = toy_texts(20)
    splits = {"train": (texts[:12], ["pos"] * 12), "test": (texts[10:], ["pos"] * 10)}
    folder = write_set(Path("reviews"), splits)
    assert sorted(every(read(str(folder)))) == sorted(texts[:12])
    kept = read(str(folder), without=(str(folder / "test.csv"),))
    assert sorted(every(kept)) == sorted(texts[:10])
    assert kept.counts["left_out"] == 2


@pytest.mark.parametrize("name", ["test.csv", "test-00000-of-00001.csv"])
def test_a_test_file_that_is_named_itself_is_learnt_from_and_a_note_says_so(name):
    corpus = read(table(name, toy_texts(5)))
    assert len(every(corpus)) == 5
    assert corpus.notes == (f"{name} looks like a test split; its texts are learnt from",)


def test_what_a_folder_leaves_alone_is_told():
    folder = write_set(Path("reviews"), {"train": (toy_texts(5), ["pos"] * 5)})
    table("reviews/unsup.csv", toy_texts(5, 1))
    corpus = read(str(folder))
    assert corpus.counts["read"] == 5
    assert corpus.notes == ("left alone, as no train, validation or test split: unsup.csv",)


def test_which_texts_are_held_out_is_fixed_and_so_is_their_order():
    name = table("one.csv", toy_texts(50))
    corpus = read(name, held_out=0.1)
    assert len(corpus.held_out) == 5
    assert read(name, held_out=0.1) == corpus
    assert not set(corpus.held_out) & set(corpus.train)
    assert corpus.train != sorted(corpus.train)
    # A larger share holds the same ones out, and others beside them.
    assert read(name, held_out=0.2).held_out[:5] == corpus.held_out
    assert len(read(name, held_out=0.001).held_out) == 1


def test_a_limit_takes_some_of_them():
    corpus = read(table("one.csv", toy_texts(50)), limit=20, held_out=0.1)
    assert (len(corpus.train), len(corpus.held_out)) == (18, 2)


def test_texts_of_nothing_but_spaces_are_not_learnt_from():
    corpus = read(table("one.csv", [*toy_texts(4), "   "]))
    assert sorted(every(corpus)) == toy_texts(4)


def test_a_pair_is_one_text():
    Path("pairs.csv").write_text("premise,hypothesis\na film,a cat\nthe plot,a dog\n", "utf-8")
    assert sorted(every(read("pairs.csv"))) == ["a film\na cat", "the plot\na dog"]


def test_the_digest_is_that_of_all_texts_in_their_order():
    texts = toy_texts(3)
    corpus = Corpus(texts[:2], texts[2:], {}, ())
    assert re.fullmatch("[0-9a-f]{64}", corpus.digest())
    assert corpus.digest() == Corpus(texts[:2], texts[2:], {"read": 7}, ("elsewhere",)).digest()
    others = [
        Corpus([texts[1], texts[0]], texts[2:], {}, ()),
        Corpus(texts, [], {}, ()),
        Corpus(["ab", "c"], ["d"], {}, ()),
        Corpus(["a", "bc"], ["d"], {}, ()),
    ]
    assert len({corpus.digest(), *(other.digest() for other in others)}) == 5


def test_bytes_are_those_of_utf_8():
    assert n_bytes(["abc", "é", "🎬"]) == 3 + 2 + 4


@pytest.mark.parametrize(("texts", "without", "found"), [
    (["a film"], (), 1), (["a", "a", "  "], (), 1), (["a", "b"], ("few.csv",), 0)
])  # fmt: skip
def test_fewer_than_two_texts_are_refused(texts, without, found):
    name = table("few.csv", texts)
    with pytest.raises(ThawlineError) as caught:
        read(name, without=without)
    expected = f"expected at least 2 texts to learn from, found {found}; "
    assert str(caught.value) == f"{expected}add a source with --data, or raise corpus.limit"


def test_no_source_is_refused():
    with pytest.raises(ThawlineError, match="expected --data, found none; add --data with a file"):
        read()
