from __future__ import annotations

import copy
import io

import pytest
from rich.console import Console

from thawline.report import terminal
from thawline.report.preflight import preflight_sections
from thawline.runs.records import PreflightReport

LENGTHS = {"min": 3, "10 %": 11, "median": 230, "90 %": 598, "99 %": 1192, "max": 3157}


def part(rows, classes, **more):
    return {
        "rows": rows,
        "classes": classes,
        "imbalance": 2.0,
        "empty": 0,
        "tokens": LENGTHS,
        "truncated": 0.141,
        "lengths_of": rows,
        "source": "train",
        "shown": [{"row": 7, "label": "[neg]", "text": "a [bold] film " * 11}],
    } | more


def found(texts, conflicting, *examples):
    return {"texts": texts, "conflicting": conflicting, "examples": list(examples)}


def place(split, rows, labels, text="a film", copies=None):
    count = len(rows) if copies is None else copies
    return {"split": split, "rows": rows, "labels": labels, "text": text, "copies": count}


SAME = {
    "similarity": 1.0,
    "copies": [place("test", [12], ["pos"]), place("train", [3, 4, 5], ["[neg]", "pos"])],
}
NEAR = {
    "similarity": 0.876,
    "copies": [
        place("test", [9], ["pos"], "a film!"),
        place("train", [8], ["pos"], "A film indeed"),
    ],
}
TWO_LABELS = {"similarity": 1.0, "copies": [place("train", [3, 4], ["[neg]", "pos"])]}
WITHIN = {"train": found(75, 1, TWO_LABELS), "validation": found(0, 0), "test": found(191, 0)}
ACROSS = [
    {"splits": ["train", "validation"], **found(17, 0)},
    {"splits": ["train", "test"], **found(1_113, 4)},
    {"splits": ["validation", "test"], **found(10, 0)},
]
CLASSES = {"[neg]": 11_250, "pos": 11_250}
REPORT = {
    "data": "[reviews]",
    "backbone": "toy[1]",
    "file": "unsup [1].csv",
    "max_length": 512,
    "truncation_side": "left",
    "splits": {
        "train": part(22_500, CLASSES),
        "validation": part(2_500, CLASSES),
        "test": part(25_000, CLASSES, source="test", truncated=None, imbalance=None),
    },
    "all": part(50_000, CLASSES),
    "duplicates": {
        "exact": {"within": WITHIN, "across": ACROSS},
        "near": {"within": dict.fromkeys(WITHIN, found(33_442, 1_557)), "across": ACROSS},
        "conflicting": 5,
    },
    "leakage": {"exact": found(123, 2, SAME), "near": found(1, 0, NEAR)},
    "against": {
        "texts": 50_000,
        "distinct": 49_507,
        "in": {"train": 323, "validation": 33, "test": 266},
    },
    "findings": ["leakage: train and validation hold 123 test texts"],
    "notes": [],
    "seconds": {"tokens": 0.1, "duplicates": 0.2, "total": 0.3},
}


def overall(*known, **more):
    """Describe all splits together: without a source and without rows to show."""
    described = part(*known, **more)
    return {key: value for key, value in described.items() if key not in ("source", "shown")}


REPORT["all"] = overall(50_000, CLASSES)


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def printed(report):
    console = Console(file=io.StringIO(), highlight=False, soft_wrap=True, markup=False, width=80)
    for section in preflight_sections(PreflightReport(**report)):
        console.print(section)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def row(report, start):
    (line,) = [line for line in printed(report) if line.startswith(start)]
    return line.removeprefix(start).split()


def test_every_line_fits_80_columns():
    assert max(map(len, printed(REPORT))) <= 80


def test_findings_come_first():
    assert printed(REPORT)[:2] == ["findings:", f"  {REPORT['findings'][0]}"]
    assert printed(REPORT | {"findings": []})[0] == "findings: none"


def test_rows_and_lengths_are_printed_for_each_split_and_for_all():
    assert row(REPORT, "rows") == ["train", "validation", "test", "all"]
    assert row(REPORT, "[neg]") == ["11,250"] * 4
    assert row(REPORT, "all classes") == ["22,500", "2,500", "25,000", "50,000"]
    assert row(REPORT, "largest / smallest") == ["2.0", "2.0", "-", "2.0"]
    assert row(REPORT, "tokens (toy[1])") == ["train", "validation", "test", "all"]
    assert row(REPORT, "99 %") == ["1,192"] * 4
    shares = ["14.1", "%", "14.1", "%", "-", "14.1", "%"]
    assert row(REPORT, "truncated to last 512") == shares
    assert row(REPORT | {"truncation_side": "right"}, "truncated to first 512") == shares


def test_duplicates_are_counted_by_kind_and_by_different_labels():
    assert row(REPORT, "within train") == ["75", "1", "33,442", "1,557"]
    assert row(REPORT, "validation texts in train") == ["17", "0", "17", "0"]
    assert row(REPORT, "test texts in train  ") == ["1,113", "4", "1,113", "4"]
    assert row(REPORT, "test texts in train or validation  ") == ["123", "2", "1", "0"]


def test_a_missing_search_is_a_dash():
    report = copy.deepcopy(REPORT)
    report["duplicates"]["near"] = report["leakage"]["near"] = report["against"] = None
    assert row(report, "within test") == ["191", "0", "-", "-"]
    assert row(report, "test texts in validation") == ["10", "0", "-", "-"]
    assert row(report, "test texts in train or validation  ") == ["123", "2", "-", "-"]
    text = "\n".join(printed(report))
    assert "unsup [1].csv" not in text
    assert "88 %" not in text  # an example of near duplicates


def test_copies_share_a_line_and_near_duplicates_have_one_each():
    lines = [" ".join(line.split()) for line in printed(REPORT)]
    assert "test 12 = train 3, 4, … pos/[neg] a film" in lines
    assert "train 3, 4 [neg]/pos a film" in lines
    at = lines.index("test 9 pos a film!")
    assert lines[at + 1] == "88 % train 8 pos A film indeed"


def test_texts_of_the_other_file_are_counted():
    lines = printed(REPORT)
    (at,) = [place for place, line in enumerate(lines) if "unsup [1].csv" in line]
    assert {"50,000", "49,507"} <= set(lines[at + 1].split())
    assert lines[at + 2].endswith("323 in train, 33 in validation, 266 in test")


def test_the_largest_and_the_smallest_of_many_classes_are_listed():
    classes = {f"class{number:02}": 1_000 - number for number in range(77)}
    parts = {name: part(1, classes) for name in REPORT["splits"]}
    report = REPORT | {"splits": parts, "all": overall(3, classes)}
    listed = [line.split()[0] for line in printed(report) if line.startswith("class")]
    assert listed == [f"class{number:02}" for number in (*range(6), *range(71, 77))]
    assert any(line.startswith("(65 ") for line in printed(report))
    assert max(map(len, printed(report))) <= 80


def test_a_long_class_name_is_shortened():
    classes = {"x" * 120: 3, "pos": 4}
    label = {"row": 1, "label": "x" * 120, "text": "a film " * 30}
    parts = {name: part(7, classes, shown=[label]) for name in REPORT["splits"]}
    report = REPORT | {"splits": parts, "all": overall(21, classes)}
    assert max(map(len, printed(report))) <= 80
    (line,) = [line for line in printed(report) if line.startswith("  train 1 ")]
    assert line.split()[2] == 19 * "x" + "…"


def test_random_rows_are_named_by_split_and_source():
    lines = printed(REPORT)
    at = lines.index("random rows:")
    assert [line.split()[:3] for line in lines[at + 1 : at + 4]] == [
        [split, "7", "[neg]"] for split in ("train", "validation", "test")
    ]
    assert "a [bold] film a [bold]" in lines[at + 1]
    assert lines[at + 1].endswith("…")
    (note,) = lines[at + 4 :]
    assert "validation" in note
    assert "train" in note


def test_it_is_printed_with_its_name(capsys):
    terminal.print_preflight(PreflightReport(**REPORT))
    out = capsys.readouterr().out
    assert out.startswith("\n[reviews]: 50,000 texts\nfindings:")
    assert "\n\nrandom rows:\n" in out
