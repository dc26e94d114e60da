from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.config import PreflightConfig
from thawline.data import LabelledTexts, Labels
from thawline.data.preflight.duplicates import Duplicates
from thawline.data.preflight.near_duplicates import NearDuplicates, find_near_duplicates
from thawline.data.texts import one_line, one_string

CONFIG = PreflightConfig()
LABELS = Labels(("neg", "pos", "mixed"), (0, 1, 2))
SPLITS = ("train", "validation", "test")


def split(rows, name="train"):
    """Make a split of (text, label) rows; the row numbers are tens."""
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    numbers = np.arange(len(rows), dtype=np.int64) * 10
    return LabelledTexts(texts, np.array(labels, dtype=np.int64), numbers, name)


def duplicates(train, validation, test, config=CONFIG):
    parts = {"train": split(train), "validation": split(validation), "test": split(test)}
    return Duplicates(parts, LABELS, config)


def near_pairs(found):
    return find_near_duplicates(found.texts, found.rows > 0, CONFIG)


def counts(found):
    return found["texts"], found["conflicting"]


TRAIN = [("a good film", 1), ("a bad film", 0), ("a good film", 1), ("so so", 0), ("so so", 1)]
VALIDATION = [("a bad film", 0), ("new", 1)]
TEST = [("a good film", 1), ("a bad film", 1), ("own", 0), ("a bad film", 1), ("own", 0)]


def test_texts_within_a_split_are_counted_once():
    found = duplicates(TRAIN, VALIDATION, TEST)
    assert counts(found.describe_exact("train")) == (2, 1)
    assert counts(found.describe_exact("validation")) == (0, 0)
    assert counts(found.describe_exact("test")) == (2, 0)
    assert found.describe_exact("validation")["examples"] == []


def test_copies_across_splits_count_distinct_texts_of_the_later_split():
    found = duplicates(TRAIN, VALIDATION, TEST)
    assert counts(found.describe_exact("test", ("train",))) == (2, 1)
    assert counts(found.describe_exact("test", ("validation",))) == (1, 1)
    assert counts(found.describe_exact("test", ("train", "validation"))) == (2, 1)
    assert counts(found.describe_exact("validation", ("train",))) == (1, 0)
    assert found.conflicting == 2  # "so so" within train; "a bad film" across


def test_an_example_lists_splits_rows_labels_and_text():
    found = duplicates(TRAIN, VALIDATION, TEST).describe_exact("test", ("train", "validation"))
    conflict, agreement = found["examples"]
    assert [(copy["split"], copy["rows"], copy["labels"]) for copy in conflict["copies"]] == [
        ("test", [10, 30], ["pos"]),
        ("train", [10], ["neg"]),
        ("validation", [0], ["neg"]),
    ]
    assert conflict["similarity"] == 1
    assert [copy["split"] for copy in agreement["copies"]] == ["test", "train"]
    assert agreement["copies"][1] == {
        "split": "train",
        "copies": 2,
        "rows": [0, 20],
        "labels": ["pos"],
        "text": "a good film",
    }
    assert json.loads(json.dumps(found)) == found


def test_an_example_within_a_split_lists_all_labels():
    (conflict, _) = duplicates(TRAIN, VALIDATION, TEST).describe_exact("train")["examples"]
    (place,) = conflict["copies"]
    assert (place["rows"], place["labels"], place["copies"]) == ([30, 40], ["neg", "pos"], 2)


def test_examples_are_few_and_short():
    long = "word " * 100
    train = [(f"{long}{number}", 0) for number in range(9)] + [("same", 1)] * 9
    found = duplicates(train, [], train)
    examples = found.describe_exact("test", ("train",))["examples"]
    assert len(examples) == CONFIG.shown_copies == 5
    assert {len(copy["text"]) for one in examples for copy in one["copies"]} == {160}
    (same,) = found.describe_exact("train")["examples"]
    assert (same["copies"][0]["copies"], same["copies"][0]["rows"]) == (9, [90, 100, 110, 120, 130])


def test_texts_that_differ_in_one_character_are_distinct():
    train = [("Good film", 1), ("good film ", 1), ("caf\u00e9", 1)]
    test = [("good film", 1), ("good film.", 1), ("cafe\u0301", 1)]
    assert counts(duplicates(train, [], test).describe_exact("test", ("train",))) == (0, 0)


def test_pairs_are_equal_if_both_texts_are_equal():
    train = [(("premise", "one"), 1), (("premise", "two"), 0)]
    test = [(("premise", "one"), 0), (("one", "premise"), 1), (("premise", "three"), 1)]
    found = duplicates(train, [], test)
    assert counts(found.describe_exact("test", ("train",))) == (1, 1)
    assert (
        found.describe_exact("test", ("train",))["examples"][0]["copies"][0]["text"]
        == "premise one"
    )
    assert one_string(("premise", "one")) == "premise\none"


def test_a_shortened_line_ends_with_an_ellipsis():
    assert one_line("a\n  good\tfilm", 11) == "a good film"
    assert one_line("a good film", 10) == "a good fi…"


# Near duplicates

LONG = "this film was so very good that we all saw it again and then again the week after"
OTHER = "a slow and silly story about people who talk too much and do too little all day long"


def test_near_duplicates_do_not_include_exact_copies():
    train = [(LONG, 1), (OTHER, 0), ("short", 1)]
    test = [(LONG, 1), (LONG.upper() + "!", 0), (OTHER + " indeed", 0), ("shorter", 1)]
    found = duplicates(train, [], test)
    pairs = near_pairs(found)
    near = found.describe_near(pairs, "test", ("train", "validation"))
    assert counts(near) == (2, 1)
    assert counts(found.describe_exact("test", ("train",))) == (1, 0)
    assert counts(found.describe_near(pairs, "test")) == (
        2,
        2,
    )  # the first two of test, near to each other
    assert counts(found.describe_near(pairs, "train")) == (0, 0)

    conflict, agreement = near["examples"]
    assert conflict["similarity"] == 1
    assert [copy["labels"] for copy in conflict["copies"]] == [["neg"], ["pos"]]
    assert [(copy["split"], copy["rows"]) for copy in agreement["copies"]] == [
        ("test", [20]),
        ("train", [10]),
    ]
    assert agreement["similarity"] == pytest.approx(16 / 17)


def test_a_text_with_an_exact_copy_is_not_counted_as_near():
    found = duplicates([(LONG, 1), (f"{LONG} too", 1)], [(f"{LONG} also", 1)], [(LONG, 1)])
    pairs = near_pairs(found)
    assert counts(found.describe_near(pairs, "test", ("train",))) == (0, 0)
    assert counts(found.describe_near(pairs, "test", ("validation",))) == (1, 0)


def test_a_pair_within_a_split_is_shown_once():
    found = duplicates([(LONG, 1), (LONG + " too", 1)], [], [])
    near = found.describe_near(near_pairs(found), "train")
    assert counts(near) == (2, 0)
    (example,) = near["examples"]
    assert [copy["rows"] for copy in example["copies"]] == [[0], [10]]


def test_examples_are_ordered_by_conflict_and_then_similarity():
    train = [(f"{LONG} one", 1)]
    test = [(LONG, 1), (f"{LONG} one two", 1), (f"{LONG} one two three", 0)]
    found = duplicates(train, [], test)
    examples = found.describe_near(near_pairs(found), "test", ("train",))["examples"]
    assert [one["copies"][0]["rows"] for one in examples] == [[20], [10], [0]]
    similarity = [one["similarity"] for one in examples]
    assert similarity == pytest.approx([17 / 19, 17 / 18, 16 / 17])


def test_without_pairs_there_are_no_near_duplicates():
    found = duplicates(TRAIN, VALIDATION, TEST)
    none = NearDuplicates(*(np.empty(0, dtype=kind) for kind in (np.int64, np.int64, np.float64)))
    for where in (("train",), ("test", ("train", "validation"))):
        assert found.describe_near(none, *where) == {"texts": 0, "conflicting": 0, "examples": []}


def test_other_texts_are_counted_in_each_split():
    found = duplicates(TRAIN, VALIDATION, TEST)
    assert found.shared_with(["own", "own", "a bad film", "nowhere"]) == {
        "train": 1,
        "validation": 1,
        "test": 2,
    }
    assert found.shared_with(["nowhere"]) == found.shared_with([]) == dict.fromkeys(SPLITS, 0)


# Comparison with plain Python sets

rows = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 2)), max_size=12)


@given(rows, rows, rows)
def test_counts_equal_those_of_plain_sets(train, validation, test):
    parts = {"train": train, "validation": validation, "test": test}
    found = duplicates(train, validation, test)

    def labels_of(text, names):
        return {label for name in names for one, label in parts[name] if one == text}

    texts = {name: [text for text, _ in part] for name, part in parts.items()}
    for name, own in texts.items():
        twice = {text for text in own if own.count(text) > 1}
        mixed = {text for text in twice if len(labels_of(text, [name])) > 1}
        assert counts(found.describe_exact(name)) == (len(twice), len(mixed))
    for earlier in (("train",), ("validation",), ("train", "validation")):
        shared = set(texts["test"]) & {text for name in earlier for text in texts[name]}
        mixed = {text for text in shared if len(labels_of(text, ["test", *earlier])) > 1}
        assert counts(found.describe_exact("test", earlier)) == (len(shared), len(mixed))
    everything = {text for own in texts.values() for text in own}
    assert sorted(found.texts) == sorted(everything)
    assert found.conflicting == sum(len(labels_of(text, SPLITS)) > 1 for text in everything)
    assert found.rows.sum() == len(train) + len(validation) + len(test)
