from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import write_set, write_table
from tests.support.toys import BAD, GOOD, toy_tokenizer
from thawline.config import Config, DataConfig, PreflightConfig, TokensConfig
from thawline.data import Dataset, LabelledTexts, Labels
from thawline.data.lengths import Tokenization
from thawline.data.preflight.inspection import inspect_dataset
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
    """Make a data set from three lists of (text, label)."""
    parts = {
        name: split(name, [text for text, _ in rows], [label for _, label in rows])
        for name, rows in zip(SPLITS, (train, validation, test), strict=True)
    }
    return Dataset("toy", labels, **parts, protocol={}, warnings=())


def inspected(data, max_length=12, side="right", settings=SETTINGS, **options):
    tokenization = Tokenization(toy_tokenizer(), max_length, side)
    return inspect_dataset(data, tokenization, settings, Reporter(), **options).to_dict()


def words(number, start=0):
    """A text with a number of words, different for each start."""
    return " ".join(f"w{start}x{place}" for place in range(number))


def some(rows, label, start=0, length=5):
    return [(words(length, start + row), label) for row in range(rows)]


def kinds(report):
    """The kind of each finding, which stands before its colon."""
    return [finding.partition(":")[0] for finding in report["findings"]]


def finding(report, kind):
    """The only finding of a kind."""
    (found,) = [line for line in report["findings"] if line.startswith(f"{kind}:")]
    return found


@pytest.fixture
def config(toy_backbone):
    def make(data, **tokens):
        where = DataConfig(data=str(data), labels=("neg", "pos"))
        return Config(backbone=str(toy_backbone()), data=where, tokens=TokensConfig(**tokens))

    return make


# -- each split, and all of them ----------------------------------------------------------------


def test_rows_are_counted_by_class_and_split():
    data = dataset(some(6, 0) + some(2, 1, 10), some(1, 0, 20), some(3, 1, 30) + some(1, 0, 40))
    report = inspected(data)
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
    report = inspected(dataset(train, some(2, 0, 50, length=4), some(2, 1, 60, length=11)))
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


def test_a_quick_inspection_weights_a_sample():
    settings = replace(SETTINGS, sample=20)
    long, short = some(10, 1, 900, length=30), some(90, 0)
    data = dataset(some(300, 0) + long, short, some(20, 1, 2_000, length=30))
    report = inspected(data, settings=settings, quick=True)
    assert [part["lengths_of"] for part in report["splits"].values()] == [20, 20, 20]
    assert report["all"]["lengths_of"] == 60
    train = report["splits"]["train"]["truncated"]
    assert report["all"]["truncated"] == pytest.approx((train * 310 + 20) / 420)
    assert report["duplicates"]["near"] is None
    assert report["leakage"]["near"] is None
    again = inspected(data, settings=settings, quick=True)
    assert again | {"seconds": None} == report | {"seconds": None}
    assert inspected(data, settings=settings)["all"]["truncated"] == pytest.approx(30 / 420)


def test_shown_rows_are_short_and_from_different_classes():
    data = dataset(some(99, 0, length=200) + some(1, 1, 700), some(3, 0, 800), some(1, 1, 900))
    shown = {name: part["shown"] for name, part in inspected(data)["splits"].items()}
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
    report = inspected(dataset(train, [("", 0)], some(1, 1)))
    assert [part["empty"] for part in report["splits"].values()] == [3, 1, 0]
    assert report["all"]["empty"] == 4
    assert report["splits"]["train"]["rows"] == 5
    empty = [line for line in report["findings"] if line.startswith("empty:")]
    assert ["train" in line and " 3 " in line for line in empty] == [True, False]
    assert ["validation" in line and " 1 " in line for line in empty] == [False, True]


# -- duplicates ---------------------------------------------------------------------------------

BASE = words(20, 7)


def test_leakage_counts_test_texts_in_train_or_validation():
    data = dataset(
        [*some(4, 0), ("a", 0), ("b", 0)],
        [("c", 1), ("b", 0)],
        [("a", 0), ("a", 0), ("b", 1), ("c", 1), ("own", 1)],
    )
    report = inspected(data)
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
    assert kinds(report)[:3] == ["leakage", "leakage", "labels"]
    validation, leakage, labels = report["findings"][:3]
    assert " 1 validation " in validation
    assert " 3 test " in leakage
    assert "(1 " in leakage
    assert " 1 " in labels


def test_copies_in_other_case_or_white_space_are_leakage():
    data = dataset(
        [*some(4, 0), ("A good  film", 0), ("so", 1)],
        [("a good film ", 0), ("new", 1)],
        [("A GOOD FILM", 1), ("cafe\u0301", 1), ("so", 1)],
    )
    for quick in (True, False):
        report = inspected(data, quick=quick)
        assert report["leakage"]["exact"]["texts"] == 1
        validation, test = report["leakage"]["copies"]
        assert validation == {
            "split": "validation",
            "others": ["train"],
            "texts": 1,
            "exact": 0,
            "conflicting": 0,
            "swapped": 0,
        }
        assert test["others"] == ["train", "validation"]
        assert (test["texts"], test["exact"], test["conflicting"]) == (2, 1, 1)
        assert report["duplicates"]["conflicting"] == 1
        assert kinds(report)[:3] == ["leakage", "leakage", "labels"]
    assert report["leakage"]["near"]["texts"] == 0


def test_swapped_pairs_are_leakage_of_their_own():
    train = [(("a", "b"), 0), (("c", "d"), 1), (("e", "f"), 0)]
    data = dataset(train, [(("B ", "a"), 0)], [(("c", "d"), 1), (("d", "c"), 1), (("g", "a"), 0)])
    validation, test = inspected(data)["leakage"]["copies"]
    assert (validation["texts"], validation["swapped"]) == (0, 1)
    assert (test["texts"], test["swapped"]) == (1, 1)
    assert kinds(inspected(data))[:3] == ["leakage", "leakage", "leakage"]


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (("Pos", "neg", "pos"), [["Pos", "pos"]]),
        (("neg", "pos", "pos "), [["pos", "pos "]]),
        (("0", "1", "1.0", "True"), [["1", "1.0", "True"]]),
        (("neg", "pos"), []),
    ],
)
def test_class_names_that_look_alike_are_a_finding(names, groups):
    labels = Labels(names, names)
    rows = [(words(3, at), at % len(names)) for at in range(3 * len(names))]
    report = inspected(dataset(rows, rows, rows, labels), quick=True)
    assert report["similar_labels"] == groups
    found = [line for line in report["findings"] if line.startswith("labels: ")]
    assert len(found) == len(groups)
    assert all(repr(name) in found[0] for group in groups for name in group)


def test_names_with_stray_characters_are_a_finding():
    names = (' "neg"', ' "pos"')
    rows = [(words(3, at), at % 2) for at in range(6)]
    (found,) = [
        line
        for line in inspected(dataset(rows, (), (), Labels(names, names)))["findings"]
        if line.startswith("labels: ")
    ]
    assert all(repr(name) in found for name in names)


def test_texts_that_are_missing_values_are_a_finding():
    train = [*some(20, 0), ("nan", 1), ("#NAME?", 1), ("nan and more", 1)]
    found = finding(inspected(dataset(train)), "missing")
    assert "2 train" in found
    assert "'nan'" in found


def test_near_duplicates_are_counted_apart_from_exact_ones():
    data = dataset([(BASE, 0), *some(3, 1)], some(2, 0, 30), [(BASE, 0), (f"{BASE} end", 0)])
    report = inspected(data)
    assert report["leakage"]["exact"]["texts"] == 1
    assert report["leakage"]["near"]["texts"] == 1
    assert report["duplicates"]["near"]["within"]["test"]["texts"] == 2
    exact, near = [line for line in report["findings"] if line.startswith("leakage:")]
    assert " 1 " in exact
    assert " 1 " in near


def test_texts_to_compare_with_are_counted_in_each_split():
    data = dataset(some(4, 0), some(2, 1, 20), some(3, 1, 30))
    others = [words(5, 0), words(5, 0), words(5, 20), *(words(5, row) for row in (30, 31)), "new"]
    report = inspected(data, against=others)
    assert report["against"] == {
        "texts": 6,
        "distinct": 5,
        "in": {"train": 1, "validation": 1, "test": 2},
    }
    # Texts of train are not leakage, because they may be trained on.
    assert kinds(report) == ["leakage", "leakage", "classes", "classes", "classes"]
    validation, test, *classes = report["findings"]
    assert " 1 validation " in validation
    assert " 2 test " in test
    assert [line.endswith(" pos") for line in classes] == [True, False, False]
    assert [line.endswith(" neg") for line in classes] == [False, True, True]
    assert inspected(data)["against"] is None


# -- findings -----------------------------------------------------------------------------------


def both(rows, start):
    return some(rows, 0, start) + some(rows, 1, start + rows)


def test_a_clean_data_set_has_no_findings():
    report = inspected(dataset(both(10, 0), both(3, 100), both(5, 200)))
    assert report["findings"] == []
    assert report["duplicates"]["exact"]["within"]["train"]["texts"] == 0


def test_imbalance_is_reported_above_a_ratio_and_only_for_train():
    lopsided = some(19, 0) + some(2, 1, 100)
    even, rest = both(3, 200), both(3, 300)
    report = inspected(dataset(lopsided, even, rest))
    assert kinds(report) == ["imbalance"]
    assert re.search(r"train .* 9\.5 .* neg .* pos", finding(report, "imbalance"))
    assert inspected(dataset(lopsided[1:], even, rest))["findings"] == []
    assert inspected(dataset(even, lopsided, rest))["findings"] == []


def test_imbalance_ignores_classes_without_rows():
    labels = Labels(("neg", "none", "pos"), (0, 1, 2))
    data = dataset(some(40, 0) + some(2, 2, 100), (), (), labels)
    report = inspected(data)
    assert kinds(report) == ["classes", "imbalance", "classes", "classes"]
    train, _, validation, test = report["findings"]
    assert re.search(r"train .* none$", train)
    assert re.search(r"train .* 20\.0 .* neg .* pos", finding(report, "imbalance"))
    assert re.search(r"validation .* neg, none, pos$", validation)
    assert re.search(r"test .* neg, none, pos$", test)


def test_truncation_findings_name_the_lost_side():
    train = both(3, 0) + some(2, 0, 50, length=30)
    data = dataset(train, both(2, 100), both(2, 200))
    right, left = inspected(data), inspected(data, side="left")
    assert kinds(right) == kinds(left) == ["length"]
    assert re.search(r"25 % .* train .* 12 .* end\b", finding(right, "length"))
    assert re.search(r"25 % .* train .* 12 .* start\b", finding(left, "length"))
    assert inspected(data, max_length=32)["findings"] == []
    sampled = inspected(data, settings=replace(SETTINGS, sample=7), quick=True)
    assert kinds(sampled) == ["length"]
    assert " about " in finding(sampled, "length")


def test_splits_without_rows_have_no_lengths():
    report = inspected(dataset(both(3, 0)))
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
    report = preflight(config(folder), notebook).to_dict()
    assert [part["rows"] for part in report["splits"].values()] == [36, 4, 20]
    assert report["splits"]["validation"]["source"] == "train"
    assert (report["data"], report["max_length"], report["file"]) == ("reviews", 40, None)
    assert report["notes"] == notebook.notes
    assert any("validation" in note and "(4 rows)" in note for note in notebook.notes)
    assert set(report["seconds"]) == {"tokens", "duplicates", "total"}
    assert all(part > 0 for part in report["seconds"].values())
    assert report["splits"]["train"]["shown"][0]["label"] in ("neg", "pos")


def test_limits_come_from_the_config(config):
    folder = write_set(Path("reviews"), {"train": reviews(40, 1), "test": reviews(20, 2)})
    short = config(folder, max_length=5, truncation_side="left")
    report = preflight(
        replace(short, data=replace(short.data, limit=(20, 10))), Reporter()
    ).to_dict()
    assert [part["rows"] for part in report["splits"].values()] == [18, 2, 10]
    assert (report["max_length"], report["truncation_side"]) == (5, "left")
    assert report["splits"]["test"]["truncated"] == 1.0


def test_a_file_of_texts_needs_no_labels(config):
    train, test = reviews(40, 1), reviews(20, 2)
    folder = write_set(Path("reviews"), {"train": train, "test": test})
    file = write_table(Path("unsup.csv"), [*test[0][:3], train[0][0], "new"], [-1] * 5)
    report = preflight(config(folder), Reporter(), file).to_dict()
    assert (report["against"]["texts"], report["against"]["in"]["test"]) == (5, 3)
    assert report["file"] == "unsup.csv"


def test_unreadable_files_are_reported_before_the_backbone_is_loaded(config, monkeypatch):
    folder = write_set(Path("reviews"), {"train": reviews(40, 1), "test": reviews(20, 2)})
    monkeypatch.setattr("thawline.jobs.preflight.open_backbone", None)
    with pytest.raises(ThawlineError) as missing:
        preflight(config(folder), Reporter(), Path("missing.csv"))
    assert "missing.csv" in missing.value.expected
    Path("other.csv").write_text("words,label\nfilm,1\n")
    with pytest.raises(ThawlineError) as other:
        preflight(config(folder), Reporter(), Path("other.csv"))
    assert other.value.setting == "data.text"
    assert "words, label" in other.value.found


@pytest.mark.parametrize(
    ("tokens", "found"), [({"truncation_side": "middle"}, "middle"), ({"max_length": 41}, "41")]
)
def test_token_settings_are_validated_as_in_fit(config, tokens, found):
    folder = write_set(Path("reviews"), {"train": reviews(40, 1), "test": reviews(20, 2)})
    with pytest.raises(ThawlineError) as error:
        preflight(config(folder, **tokens), Reporter())
    assert found in error.value.found
