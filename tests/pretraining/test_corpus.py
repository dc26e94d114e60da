"""Test that a corpus has each text once and no text that is to be left out."""

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


def test_copies_are_read_once():
    texts = toy_texts(20)
    corpus = read(table("one.csv", [*texts, texts[3]]), table("two.csv", [texts[5], "another"]))
    assert sorted(every(corpus)) == sorted([*texts, "another"])
    assert corpus.counts == {"read": 23, "copies": 2, "left_out": 0, "train": 20, "held_out": 1}
    assert corpus.sources == ("one.csv: 21 texts", "two.csv: 2 texts")
    assert corpus.warnings == ()


def test_texts_are_left_out_in_every_split():
    texts = toy_texts(24)
    write_set(Path("reviews"), {
        "train": (texts[:8], ["pos"] * 8),
        "validation": (texts[8:12], ["pos"] * 4),
        "test": (texts[12:16], ["pos"] * 4),
    })  # fmt: skip
    # The training texts contain copies of texts of all three splits.
    more = table("more.csv", [*texts[16:], texts[0], texts[9], texts[13], texts[13]])
    corpus = read(more, without=("reviews",))
    assert sorted(every(corpus)) == sorted(texts[16:])
    assert corpus.counts == {"read": 12, "copies": 1, "left_out": 3, "train": 7, "held_out": 1}


def test_test_split_is_not_read():
    texts = toy_texts(20)
    splits = {"train": (texts[:12], ["pos"] * 12), "test": (texts[10:], ["pos"] * 10)}
    folder = write_set(Path("reviews"), splits)
    assert sorted(every(read(str(folder)))) == sorted(texts[:12])
    kept = read(str(folder), without=(str(folder / "test.csv"),))
    assert sorted(every(kept)) == sorted(texts[:10])
    assert kept.counts["left_out"] == 2


@pytest.mark.parametrize("name", ["test.csv", "test-00000-of-00001.csv"])
def test_explicit_test_file_is_read_with_a_warning(name):
    corpus = read(table(name, toy_texts(5)))
    assert len(every(corpus)) == 5
    (warning,) = corpus.warnings
    assert name in warning


def test_ignored_file_of_a_folder_is_a_warning():
    folder = write_set(Path("reviews"), {"train": (toy_texts(5), ["pos"] * 5)})
    table("reviews/unsup.csv", toy_texts(5, 1))
    corpus = read(str(folder))
    assert corpus.counts["read"] == 5
    (warning,) = corpus.warnings
    assert "unsup.csv" in warning


def test_held_out_texts_and_order_are_fixed():
    name = table("one.csv", toy_texts(50))
    corpus = read(name, held_out=0.1)
    assert len(corpus.held_out) == 5
    assert read(name, held_out=0.1) == corpus
    assert not set(corpus.held_out) & set(corpus.train)
    assert corpus.train != sorted(corpus.train)
    # A larger share holds out the same texts and some more.
    assert read(name, held_out=0.2).held_out[:5] == corpus.held_out
    assert len(read(name, held_out=0.001).held_out) == 1


def test_limit():
    corpus = read(table("one.csv", toy_texts(50)), limit=20, held_out=0.1)
    assert (len(corpus.train), len(corpus.held_out)) == (18, 2)


def test_blank_texts_are_left_out():
    corpus = read(table("one.csv", [*toy_texts(4), "   "]))
    assert sorted(every(corpus)) == toy_texts(4)


def test_a_text_file_has_a_text_per_line():
    texts = toy_texts(6)
    Path("own.txt").write_text("\n".join(texts[:4]) + "\r\n\n  \n", "utf-8")
    Path("test.txt").write_text(f"__label__pos {texts[4]}\n__label__neg {texts[5]}\n", "utf-8")
    corpus = read("own.txt", "test.txt")
    assert sorted(every(corpus)) == texts
    assert corpus.sources == ("own.txt: 4 texts", "test.txt: 2 texts")
    assert len(corpus.warnings) == 2  # the format of fastText, and the name of a test split
    assert sorted(every(read("own.txt", without=("test.txt",)))) == texts[:4]
    labelled = "".join(f"{text};{label}\n" for text, label in zip(texts, "ababab", strict=True))
    Path("emotion.txt").write_text(labelled, "utf-8")
    assert sorted(every(read("emotion.txt", text="review"))) == texts


@pytest.mark.parametrize("name", ["own.txt", "own.csv"])
def test_a_source_without_texts_is_an_error(name):
    content = "\n \n" if name.endswith("txt") else "text\n \n\n"
    Path(name).write_text(content, "utf-8")
    with pytest.raises(ThawlineError) as caught:
        read(name, table("more.csv", toy_texts(4)))
    assert name in caught.value.expected


def test_a_pair_is_one_text():
    Path("pairs.csv").write_text("premise,hypothesis\na film,a cat\nthe plot,a dog\n", "utf-8")
    assert sorted(every(read("pairs.csv"))) == ["a film\na cat", "the plot\na dog"]


def test_digest_depends_on_the_texts_and_their_order():
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


def test_n_bytes_counts_utf_8():
    assert n_bytes(["abc", "é", "🎬"]) == 3 + 2 + 4


@pytest.mark.parametrize(("texts", "without", "found"), [
    (["a film"], (), 1), (["a", "a", "  "], (), 1), (["a", "b"], ("few.csv",), 0)
])  # fmt: skip
def test_fewer_than_two_texts_are_an_error(texts, without, found):
    name = table("few.csv", texts)
    with pytest.raises(ThawlineError) as caught:
        read(name, without=without)
    error = caught.value
    assert "2" in error.expected
    assert error.found.split()[0] == str(found)
    assert "corpus.limit" in error.fix


def test_missing_source_is_an_error():
    with pytest.raises(ThawlineError) as caught:
        read()
    assert caught.value.setting == "corpus.data"
