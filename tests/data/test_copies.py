"""Number the texts of rows, so that copies have the same number."""

from __future__ import annotations

import numpy as np

from thawline.data import LabelledTexts
from thawline.data.copies import number_copies
from thawline.data.texts import Text, copy_key

PIECES = ["Ab", "aB", "é", "e\u0301", "ß", "SS", " ", "\t \u2003", "\n", "c d e f", "C D  E F", ""]


def random_texts(pairs: bool) -> list[Text]:
    generator = np.random.default_rng(0)

    def one() -> str:
        return "".join(generator.choice(PIECES, size=generator.integers(0, 7)))

    return [(one(), one()) if pairs else one() for _ in range(400)]


def test_numbers_are_those_of_the_complete_keys_in_the_order_of_the_texts() -> None:
    for texts in (random_texts(pairs=False), random_texts(pairs=True)):
        first: dict[bytes, int] = {}
        expected = [first.setdefault(copy_key(text), len(first)) for text in texts]
        assert len(first) < len(texts)
        assert number_copies(texts).tolist() == expected


def test_texts_that_differ_only_in_the_middle_are_no_copies() -> None:
    texts = ["one two three four five six seven", "One two three 4  five six seven"]
    assert number_copies(texts).tolist() == [0, 1]
    assert number_copies([texts[0], texts[0].upper().replace(" ", "\n")]).tolist() == [0, 0]
    assert number_copies([("a", "b"), ("b", "a"), ("A", "b ")]).tolist() == [0, 1, 0]
    assert number_copies([]).tolist() == []


def test_a_part_numbers_its_copies_once() -> None:
    part = LabelledTexts(["a", "b", "A "], np.zeros(3, dtype=np.int64), np.arange(3), "test")
    assert part.copies.tolist() == [0, 1, 0]
    assert part.copies is part.copies
    assert part.take([1, 2]).copies.tolist() == [0, 1]
