"""Altered copies of texts: which words change, reproducibility, and invalid settings."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tests.support.tasks import part
from thawline import ThawlineError
from thawline.data import augmentation, synonyms
from thawline.data.augmentation import Augmentation, parse_augmentation

TEXTS = [
    "The cast is superb, but the plot drags on.",
    "It's a well-made film; I laughed!",
    "One",
    "",
    "¡!",
]
LEXICON = {"film": ("motion picture", "flick"), "superb": ("splendid",), "cast": ("troupe",)}


@pytest.fixture(autouse=True)
def lexicon(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, tuple[str, ...]]:
    monkeypatch.setattr(augmentation, "read_synonyms", lambda: LEXICON)
    return LEXICON


def copies_of(texts: list[str], written: str, seed: int = 0) -> list[str]:
    """Return the altered copies alone."""
    given = parse_augmentation(written)
    assert given is not None
    applied = given.applied_to(part(texts, [0] * len(texts)), seed)
    assert applied.texts[: len(texts)] == texts
    return [str(text) for text in applied.texts[len(texts) :]]


def words(text: str) -> list[str]:
    return re.findall(r"\w+(?:['’-]\w+)*", text)


def test_labels_and_rows_belong_to_the_texts() -> None:
    given = part(TEXTS[:3], [0, 1, 1])
    applied = Augmentation(word_dropout=0.3, copies=2).applied_to(given, 0)
    assert len(applied) == 9
    assert applied.labels.tolist() == [0, 1, 1] * 3
    assert applied.rows.tolist() == [0, 1, 2] * 3
    assert len(set(applied.texts[0::3])) == 3, "the copies of a text differ"
    assert len(given) == 3


def test_dropped_words_leave_a_part_of_the_text_in_its_order() -> None:
    texts = [f"a{row} b, c d-e; f's g" for row in range(400)]
    dropped = copies_of(texts, "word_dropout=0.25")
    for text, copy in zip(texts, dropped, strict=True):
        kept = words(copy)
        assert [word for word in words(text) if word in kept] == kept
        assert "  " not in copy
        assert not copy.startswith(" ")
    share = 1 - sum(map(len, map(words, dropped))) / sum(map(len, map(words, texts)))
    assert 0.2 < share < 0.3


@pytest.mark.parametrize("text", ["One", "two words"])
def test_a_word_always_remains(text: str) -> None:
    for seed in range(50):
        (copy,) = copies_of([text], "word_dropout=0.99", seed)
        assert len(words(copy)) >= 1


def test_texts_without_words_stay_the_same() -> None:
    assert copies_of(["", "¡!", "😀 …"], "word_dropout=0.9,swap=0.9") == ["", "¡!", "😀 …"]


def test_swapped_words_keep_the_gaps() -> None:
    texts = [f"a{row}, b; c d" for row in range(200)]
    swapped = copies_of(texts, "swap=0.3")
    assert {re.sub(r"\w+", "w", copy) for copy in swapped} == {"w, w; w w"}
    changed = 0
    for text, copy in zip(texts, swapped, strict=True):
        assert sorted(words(copy)) == sorted(words(text))
        moves = [abs(words(text).index(word) - place) for place, word in enumerate(words(copy))]
        assert max(moves) <= 1
        changed += copy != text
    assert changed > 80


def test_synonyms_keep_the_capital_letter() -> None:
    found = copies_of(["Film: a superb FILM of 1"] * 60, "synonyms=0.9")
    assert len(set(found)) == 1, "equal texts have equal copies"
    found = copies_of([f"Film: a superb film of {n}" for n in range(60)], "synonyms=0.9")
    starts = {copy.split(":")[0] for copy in found}
    assert starts == {"Film", "Flick", "Motion picture"}
    assert all(" of " in copy and " a " in copy for copy in found)
    assert sum("splendid" in copy for copy in found) > 40


def test_copies_depend_on_the_text_the_seed_and_the_number_only() -> None:
    written = "word_dropout=0.2,swap=0.2,synonyms=0.5,copies=2"
    every = copies_of(TEXTS, written)
    assert every == copies_of(TEXTS, written)
    alone = copies_of(TEXTS[1:2], written)
    assert alone == [every[1], every[1 + len(TEXTS)]]
    assert every != copies_of(TEXTS, written, seed=1)
    assert every[: len(TEXTS)] != every[len(TEXTS) :]


def test_both_texts_of_a_pair_are_altered() -> None:
    pairs = [(f"a b c d e f {n}", f"g h i j k l {n}") for n in range(20)]
    given = part(pairs, [0] * 20)  # type: ignore[arg-type]  # pairs instead of texts
    copies = Augmentation(word_dropout=0.4).applied_to(given, 0).texts[20:]
    for (first, second), copy in zip(pairs, copies, strict=True):
        assert isinstance(copy, tuple)
        assert set(words(copy[0])) <= set(words(first))
        assert set(words(copy[1])) <= set(words(second))
    assert all(copy[0] != pair[0] for copy, pair in zip(copies[:3], pairs, strict=False))


def test_the_setting_is_read() -> None:
    assert parse_augmentation(None) is None
    assert parse_augmentation("swap=0.05") == Augmentation(swap=0.05)
    full = parse_augmentation(" word_dropout = 0.1, swap=5e-2,synonyms=0.1,copies=3")
    assert full == Augmentation(0.1, 0.05, 0.1, 3)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            "swap",
            "swap=",
            "swap=no",
            "swap=0",
            "swap=1",
            "swap=-0.1",
            "swap=nan",
            "swap=1e999",
        ),
        *("copies=2", "swap=0.1,copies=0", "swap=0.1,copies=1.5", "swap=0.1,copies=-1"),
        *("swap=0.1,copies=101", "swap=0.1,copies=" + "9" * 5000, "swap=0.1,copies=²"),
        *("swap=0.1,swap=0.2", "swop=0.1", "swap=0.1,", "swap:0.1", "check=0.1"),
    ],
)
def test_invalid_settings_are_refused(written: str) -> None:
    with pytest.raises(ThawlineError) as caught:
        parse_augmentation(written)
    assert caught.value.setting == "training.augment"


def test_the_lexicon() -> None:
    pytest.importorskip("niacin", reason='needs pip install "thawline[augment]"')
    found = synonyms.read_synonyms()
    assert len(found) > 30_000
    assert "film" in found["movie"]
    assert "not" not in found, "function words have no synonyms"
    for word, others in list(found.items())[::97]:
        assert word == word.lower()
        assert others
        assert word not in others
        assert len(set(others)) == len(others)


def test_a_missing_lexicon_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # of the fixture's lexicon
    synonyms.read_synonyms.cache_clear()
    monkeypatch.setattr(synonyms, "_MODULE", "no_such_module")
    with pytest.raises(ThawlineError) as caught:
        Augmentation(synonyms=0.1).check()
    assert "no_such_module" in caught.value.found
    assert "augment" in caught.value.fix
    assert caught.value.setting == "training.augment"
    Augmentation(word_dropout=0.1).check()
    synonyms.read_synonyms.cache_clear()
