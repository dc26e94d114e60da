from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import write_set, write_table
from tests.support.toys import BAD, GOOD, toy_tokenizer
from thawline.config import Config, DataConfig, PreflightConfig, TokensConfig
from thawline.data import Dataset, LabelledTexts, Labels
from thawline.data.lengths import Tokenization
from thawline.data.preflight.survey import survey
from thawline.errors import ThawlineError
from thawline.jobs.preflight import preflight
from thawline.runtime.progress import Reporter

SETTINGS = PreflightConfig()
LABELS = Labels(("neg", "pos"), (0, 1))
SPLITS = ("train", "validation", "test")


class Notebook(Reporter):
    def __init__(self):
        self.notes = []

    def message(self, text):
        self.notes.append(text)


def split(name, texts, labels):
    rows = np.arange(len(texts), dtype=np.int64)
    return LabelledTexts(list(texts), np.array(labels, dtype=np.int64), rows, name)


def dataset(train, validation=(), test=(), labels=LABELS):
    """Make a set of three lists of (text, label)."""
    parts = {
        name: split(name, [text for text, _ in rows], [label for _, label in rows])
        for name, rows in zip(SPLITS, (train, validation, test), strict=True)
    }
    return Dataset("toy", labels, **parts, protocol={}, notes=())


def surveyed(data, max_length=12, side="right", settings=SETTINGS, **options):
    tokenization = Tokenization(toy_tokenizer(), max_length, side)
    return survey(data, tokenization, settings, Reporter(), **options)


def words(number, start=0):
    """A text of that many words, another one for each start."""
    return " ".join(f"w{start}x{place}" for place in range(number))


def some(rows, label, start=0, length=5):
    return [(words(length, start + row), label) for row in range(rows)]


@pytest.fixture
def config(toy_backbone):
    def make(data, **tokens):
        where = DataConfig(data=str(data), labels=("neg", "pos"))
        return Config(backbone=str(toy_backbone()), data=where, tokens=TokensConfig(**tokens))

    return make


# -- each split, and all of them ----------------------------------------------------------------


def test_rows_are_counted_by_class_and_split():
    data = dataset(some(6, 0) + some(2, 1, 10), some(1, 0, 20), some(3, 1, 30) + some(1, 0, 40))
    report = surveyed(data)
    counts = {name: part["classes"] for name, part in report["splits"].items()}
    assert counts == {
        "train": {"neg": 6, "pos": 2},
        "validation": {"neg": 1, "pos": 0},
        "test": {"neg": 1, "pos": 3},
    }
    assert [part["rows"] for part in report["splits"].values()] == [8, 1, 4]
    assert [part["imbalance"] for part in report["splits"].values()] == [3, 1, 3]
    everything = report["all"]
    assert (everything["rows"], everything["classes"]) == (13, {"neg": 8, "pos": 5})
    assert everything["imbalance"] == 8 / 5
    assert json.loads(json.dumps(report)) == report


def test_lengths_are_counted_before_texts_are_cut():
    train = [(words(number), 0) for number in (1, 2, 3, 20, 30)] + [("", 1)]
    report = surveyed(dataset(train, some(2, 0, 50, length=4), some(2, 1, 60, length=11)))
    assert report["splits"]["train"]["tokens"] == {
        "min": 2,
        "10 %": 2,
        "median": 4,
        "90 %": 32,
        "99 %": 32,
        "max": 32,
    }
    shares = [part["truncated"] for part in report["splits"].values()]
    assert shares == pytest.approx([2 / 6, 0, 1])
    assert report["all"]["truncated"] == pytest.approx(4 / 10)
    assert report["all"]["lengths_of"] == 10
    assert (report["max_length"], report["truncation_side"]) == (12, "right")


def test_a_quick_look_measures_a_sample_and_weighs_it():
    settings = replace(SETTINGS, sample=20)
    long, short = some(10, 1, 900, length=30), some(90, 0)
    data = dataset(some(300, 0) + long, short, some(20, 1, 2_000, length=30))
    report = surveyed(data, settings=settings, quick=True)
    assert [part["lengths_of"] for part in report["splits"].values()] == [20, 20, 20]
    assert report["all"]["lengths_of"] == 60
    train = report["splits"]["train"]["truncated"]
    assert report["all"]["truncated"] == pytest.approx((train * 310 + 20) / 420)
    assert report["duplicates"]["near"] is None
    assert report["leakage"]["near"] is None
    again = surveyed(data, settings=settings, quick=True)
    assert again | {"seconds": None} == report | {"seconds": None}
    assert surveyed(data, settings=settings)["all"]["truncated"] == pytest.approx(30 / 420)


def test_shown_rows_are_of_different_classes_and_are_short():
    data = dataset(some(99, 0, length=200) + some(1, 1, 700), some(3, 0, 800), some(1, 1, 900))
    shown = {name: part["shown"] for name, part in surveyed(data)["splits"].items()}
    assert {row["label"] for row in shown["train"]} == {"neg", "pos"}
    (rare,) = [row for row in shown["train"] if row["label"] == "pos"]
    assert (rare["row"], rare["text"]) == (99, words(5, 700))
    (common,) = [row for row in shown["train"] if row["label"] == "neg"]
    assert len(common["text"]) == SETTINGS.shown_characters
    assert common["text"].endswith("…")
    assert [row["label"] for row in shown["validation"]] == ["neg", "neg"]
    assert len({row["row"] for row in shown["validation"]}) == 2
    assert len(shown["test"]) == 1


def test_empty_texts_are_counted_and_kept():
    train = [("", 0), (" \n", 1), (("", " "), 0), (("", "b"), 1), ("film", 1)]
    report = surveyed(dataset(train, [("", 0)], some(1, 1)))
    assert [part["empty"] for part in report["splits"].values()] == [3, 1, 0]
    assert report["all"]["empty"] == 4
    assert report["splits"]["train"]["rows"] == 5
    assert "empty: 3 texts of train, kept as any other" in report["findings"]
    assert "empty: 1 text of validation, kept as any other" in report["findings"]


# -- duplicates ---------------------------------------------------------------------------------

BASE = words(20, 7)


def test_leakage_is_what_stands_in_train_or_validation_and_in_test():
    data = dataset(
        [*some(4, 0), ("a", 0), ("b", 0)],
        [("c", 1), ("b", 0)],
        [("a", 0), ("a", 0), ("b", 1), ("c", 1), ("own", 1)],
    )
    report = surveyed(data)
    assert report["leakage"]["exact"]["texts"] == 3
    assert report["leakage"]["exact"]["conflicting"] == 1
    across = {tuple(part["splits"]): part for part in report["duplicates"]["exact"]["across"]}
    assert {pair: part["texts"] for pair, part in across.items()} == {
        ("train", "validation"): 1,
        ("train", "test"): 2,
        ("validation", "test"): 2,
    }
    assert report["duplicates"]["exact"]["within"]["test"]["texts"] == 1
    assert report["duplicates"]["conflicting"] == 1
    assert report["findings"][:2] == [
        "leakage: train and validation hold 3 test texts (1 with another label)",
        "labels: 1 text with more than one",
    ]


def test_near_duplicates_are_told_apart_from_exact_ones():
    data = dataset([(BASE, 0), *some(3, 1)], some(2, 0, 30), [(BASE, 0), (f"{BASE} end", 0)])
    report = surveyed(data)
    assert report["leakage"]["exact"]["texts"] == 1
    assert report["leakage"]["near"]["texts"] == 1
    assert report["duplicates"]["near"]["within"]["test"]["texts"] == 2
    assert "leakage: train and validation hold 1 test text" in report["findings"]
    near = "leakage: train and validation hold near duplicates of 1 other test text"
    assert near in report["findings"]


def test_texts_to_compare_with_are_counted_in_each_split():
    data = dataset(some(4, 0), some(2, 1, 20), some(3, 1, 30))
    others = [words(5, 0), words(5, 0), words(5, 20), *(words(5, row) for row in (30, 31)), "new"]
    report = surveyed(data, against=others)
    assert report["against"] == {
        "texts": 6,
        "distinct": 5,
        "in": {"train": 1, "validation": 1, "test": 2},
    }
    # Texts of train are no leakage: they are learnt from anyway.
    assert report["findings"] == [
        "leakage: validation holds 1 text of those compared with",
        "leakage: test holds 2 texts of those compared with",
        *("classes: train has no row of pos", "classes: validation has no row of neg"),
        "classes: test has no row of neg",
    ]
    assert surveyed(data)["against"] is None


# -- findings -----------------------------------------------------------------------------------


def both(rows, start):
    return some(rows, 0, start) + some(rows, 1, start + rows)


def test_nothing_stands_out_of_a_set_that_is_as_it_should_be():
    report = surveyed(dataset(both(10, 0), both(3, 100), both(5, 200)))
    assert report["findings"] == []
    assert report["duplicates"]["exact"]["within"]["train"]["texts"] == 0


def test_imbalance_is_told_above_a_ratio_and_of_train_alone():
    lopsided = some(19, 0) + some(2, 1, 100)
    even, rest = both(3, 200), both(3, 300)
    (finding,) = surveyed(dataset(lopsided, even, rest))["findings"]
    assert finding == "imbalance: train has 9.5 times as many rows of neg as of pos"
    assert surveyed(dataset(lopsided[1:], even, rest))["findings"] == []
    assert surveyed(dataset(even, lopsided, rest))["findings"] == []


def test_imbalance_leaves_out_a_class_without_rows():
    labels = Labels(("neg", "none", "pos"), (0, 1, 2))
    data = dataset(some(40, 0) + some(2, 2, 100), (), (), labels)
    assert surveyed(data)["findings"] == [
        "classes: train has no row of none",
        "imbalance: train has 20.0 times as many rows of neg as of pos",
        "classes: validation has no row of neg, none, pos",
        "classes: test has no row of neg, none, pos",
    ]


def test_heavy_truncation_names_the_side_that_is_lost():
    train = both(3, 0) + some(2, 0, 50, length=30)
    data = dataset(train, both(2, 100), both(2, 200))
    assert surveyed(data)["findings"] == ["length: 25 % of train texts lose their end at 12 tokens"]
    (left,) = surveyed(data, side="left")["findings"]
    assert left == "length: 25 % of train texts lose their start at 12 tokens"
    assert surveyed(data, max_length=32)["findings"] == []
    (sampled,) = surveyed(data, settings=replace(SETTINGS, sample=7), quick=True)["findings"]
    assert sampled.startswith("length: about ")


def test_splits_without_rows_have_no_lengths():
    report = surveyed(dataset(both(3, 0)))
    empty = report["splits"]["test"]
    assert (empty["rows"], empty["truncated"], empty["imbalance"]) == (0, None, None)
    assert set(empty["tokens"].values()) == {None}
    assert empty["shown"] == []
    assert report["all"]["rows"] == 6


# -- reading ------------------------------------------------------------------------------------


def reviews(rows, start):
    texts = [f"film {number} {(BAD, GOOD)[number % 2][number % 8]}" for number in range(rows)]
    return [f"{text} {start}" for text in texts], [number % 2 for number in range(rows)]


def test_a_set_is_read_as_fit_reads_it(config):
    folder = write_set(Path("reviews"), {"train": reviews(40, 1), "test": reviews(20, 2)})
    notebook = Notebook()
    report = preflight(config(folder), notebook)
    assert [part["rows"] for part in report["splits"].values()] == [36, 4, 20]
    assert report["splits"]["validation"]["source"] == "train"
    assert (report["data"], report["max_length"], report["file"]) == ("reviews", 40, None)
    assert report["notes"] == notebook.notes
    assert "validation was carved out of train: 10 %, stratified, seed 42 (4 rows)" in (
        notebook.notes
    )
    assert set(report["seconds"]) == {"tokens", "duplicates", "total"}
    assert all(part > 0 for part in report["seconds"].values())
    assert report["splits"]["train"]["shown"][0]["label"] in ("neg", "pos")


def test_limits_of_rows_and_tokens_are_those_of_the_config(config):
    folder = write_set(Path("reviews"), {"train": reviews(40, 1), "test": reviews(20, 2)})
    own = config(folder, max_length=5, truncation_side="left")
    report = preflight(replace(own, data=replace(own.data, limit=(20, 10))), Reporter())
    assert [part["rows"] for part in report["splits"].values()] == [18, 2, 10]
    assert (report["max_length"], report["truncation_side"]) == (5, "left")
    assert report["splits"]["test"]["truncated"] == 1.0


def test_a_file_of_texts_needs_no_labels(config):
    train, test = reviews(40, 1), reviews(20, 2)
    folder = write_set(Path("reviews"), {"train": train, "test": test})
    file = write_table(Path("unsup.csv"), [*test[0][:3], train[0][0], "new"], [-1] * 5)
    report = preflight(config(folder), Reporter(), file)
    assert (report["against"]["texts"], report["against"]["in"]["test"]) == (5, 3)
    assert report["file"] == "unsup.csv"


def test_what_cannot_be_read_is_said_before_the_backbone_is_loaded(config, monkeypatch):
    folder = write_set(Path("reviews"), {"train": reviews(40, 1), "test": reviews(20, 2)})
    monkeypatch.setattr("thawline.data.preflight.survey.open_backbone", None)
    with pytest.raises(ThawlineError, match=r"missing\.csv"):
        preflight(config(folder), Reporter(), Path("missing.csv"))
    Path("other.csv").write_text("words,label\nfilm,1\n")
    with pytest.raises(ThawlineError, match="a text column"):
        preflight(config(folder), Reporter(), Path("other.csv"))


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ({"truncation_side": "middle"}, 'truncation_side to be right or left, found "middle"'),
        ({"max_length": 41}, "tokens, the limits of"),
    ],
)
def test_settings_of_tokens_are_checked_as_fit_checks_them(config, tokens, words):
    folder = write_set(Path("reviews"), {"train": reviews(40, 1), "test": reviews(20, 2)})
    with pytest.raises(ThawlineError, match=words):
        preflight(config(folder, **tokens), Reporter())
