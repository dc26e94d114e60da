"""`thawline preflight`, and the same inspection in `thawline fit`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import ProverHere, thawline, write_set, write_table
from tests.support.toys import BAD, GOOD, LIMIT, WORDS

NAMED = ("--labels", "neg,pos")
QUICK = ("--epochs", "1", "--out", "run", "--json")
LEAKED, NEAR = 3, 2
FINDINGS = tuple(f"  {kind}: " for kind in ("leakage", "labels", "length", "empty"))


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def splits():
    """Reviews of 20 to 30 words; of train's, some stand in test, and some almost."""
    random = np.random.default_rng(3)
    labels = [row % 2 for row in range(90)]
    texts = [
        " ".join([*random.choice((BAD, GOOD)[label], 4), *random.choice(WORDS, 24)])
        for label in labels
    ]
    train, test = (texts[:60], labels[:60]), (texts[60:], labels[60:])
    for row in range(LEAKED):
        test[0][row], test[1][row] = train[0][row], 1 - train[1][row]
    for row in range(LEAKED, LEAKED + NEAR):
        test[0][row], test[1][row] = f"{train[0][row]} indeed", train[1][row]
    test[0][-1] = " "
    return {"train": train, "test": test}


@pytest.fixture
def data(splits):
    return write_set(Path("reviews"), splits, "jsonl")


@pytest.fixture
def look_at(data, toy_backbone):
    def run(*options):
        return thawline("preflight", "--data", data, "--backbone", toy_backbone(), *options)

    return run


def test_the_output_shows_the_findings_within_80_columns(look_at):
    done = look_at(*NAMED)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert "reviews: 90 texts" in lines
    first = [line.split() for line in lines if line.startswith(FINDINGS)]
    assert [words[0] for words in first[:3]] == ["leakage:", "leakage:", "labels:"]
    assert [number in words for number, words in zip("323", first, strict=False)] == [True] * 3
    (empty,) = [words for words in first if words[0] == "empty:"]
    assert "1" in empty
    assert max(map(len, lines)) <= 80
    assert all(number in done.err for number in ("10 %", "42", "6 rows"))  # of validation
    assert "\x1b" not in done.out


def test_json_is_one_object(look_at):
    report = look_at(*NAMED, "--json").json
    assert report["leakage"]["exact"]["texts"] == LEAKED
    assert report["leakage"]["near"]["texts"] == NEAR
    assert report["splits"]["train"]["classes"] == {"neg": 27, "pos": 27}
    assert report["splits"]["test"]["lengths_of"] == report["splits"]["test"]["rows"] == 30
    assert report["splits"]["test"]["empty"] == 1
    assert report["max_length"] == LIMIT
    assert report["against"] is None


def test_options_mean_the_same_as_in_fit(look_at):
    cut = look_at("--max-length", "10", "--truncation-side", "left", "--limit", "40,20", "--json")
    report = cut.json
    assert [part["rows"] for part in report["splits"].values()] == [36, 4, 20]
    assert (report["max_length"], report["truncation_side"]) == (10, "left")
    assert report["splits"]["train"]["truncated"] == 1
    (finding,) = [f for f in report["findings"] if f.startswith("length: ") and "train" in f]
    assert all(number in finding for number in ("100 %", "10 tokens"))
    small = look_at("--small", "--json")
    assert small.json["all"]["rows"] == 90
    assert "4,000" in small.err


def test_a_run_s_config_and_single_settings_are_taken(look_at):
    Path("own.toml").write_text('[tokens]\nmax_length = 12\ntruncation_side = "left"\n')
    report = look_at("--config", "own.toml", "--set", "tokens.max_length=14", "--json").json
    assert (report["max_length"], report["truncation_side"]) == (14, "left")


def test_texts_can_be_compared_with_the_splits(look_at, splits):
    texts = [*splits["test"][0][10:14], splits["train"][0][20], "a new film"]
    write_table(Path("unsup.parquet"), texts, [-1] * 6)
    done = look_at("--against", "unsup.parquet")
    findings = [line for line in done.out.splitlines() if line.startswith("  leakage: ")]
    assert any({"4", "test"} <= set(finding.split()) for finding in findings)
    assert "unsup.parquet:\n  6 texts" in done.out
    held = look_at("--against", "unsup.parquet", "--json").json["against"]["in"]
    assert held["test"] == 4
    assert held["train"] + held["validation"] == 1
    Path("unsup.txt").write_text("\n".join(texts), encoding="utf-8")
    assert look_at("--against", "unsup.txt", "--json").json["against"]["in"] == held


def test_named_columns_are_read(toy_backbone, splits):
    rows = zip(*splits["train"], strict=True)
    Path("own.jsonl").write_text(
        "".join(json.dumps({"what": text, "how": label}) + "\n" for text, label in rows)
    )
    options = ("--text", "what", "--label", "how", "--backbone", toy_backbone(), "--json")
    assert thawline("preflight", "--data", "own.jsonl", *options).json["all"]["rows"] == 60


WRONG = {
    "no data": ((), "--data"),
    "no such set": (("--data", "imbd"), "'imdb'"),
    "no such option": (("--dta", "imdb"), "'--data'"),
    "a side": (("--truncation-side", "middle"), "'middle'"),
    "too many tokens": (("--max-length", "41"), "40"),
    "no such file": (("--against", "missing.csv"), "missing.csv"),
    "another kind of file": (("--against", "unsup.docx"), ".parquet"),
    "no texts in it": (("--against", "labels.csv"), "labels.csv"),
    "two limits": (("--small", "--limit", "4,2"), "--small"),
    "no such backbone": (("--backbone", "nowhere"), "nowhere"),
}
"""Options, and a datum that the error must show."""


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_line_and_exit_code_2(case, data, toy_backbone):
    options, words = WRONG[case]
    Path("unsup.docx").write_text("a film")
    Path("labels.csv").write_text("label\n1\n")
    given = {"--data": data, "--backbone": toy_backbone()}
    if case == "no data":
        del given["--data"]
    fixed = [word for pair in given.items() if pair[0] not in options for word in pair]
    done = thawline("preflight", *fixed, *options)
    assert (done.code, done.out) == (2, "")
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert words in line
    assert "Traceback" not in done.err


def test_fit_reports_findings_of_the_quick_inspection(data, toy_backbone, monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    options = ("--backbone", toy_backbone(), "--max-length", "10", *QUICK)
    done = thawline("fit", "--data", data, *NAMED, *options)
    assert done.code == 0, done.err
    looked_at = done.json["preflight"]
    assert looked_at == json.loads(Path("run/record.json").read_text())["preflight"]
    assert looked_at["leakage"]["exact"]["texts"] == LEAKED
    assert looked_at["duplicates"]["near"] is None
    assert looked_at["splits"]["train"]["truncated"] == 1
    assert looked_at["seconds"]["total"] > 0
    notes = done.err.splitlines()
    kinds = [finding.partition(":")[0] for finding in looked_at["findings"]]
    assert {"leakage", "labels", "length", "empty"} <= set(kinds)
    assert set(looked_at["findings"]) <= set(notes)


def test_fit_counts_the_tokens_of_few_rows_of_a_large_set(toy_backbone, toy_reviews, monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    folder = write_set(Path("large"), {"train": toy_reviews(400, 1), "test": toy_reviews(32, 2)})
    options = ("--data", folder, *NAMED, "--backbone", toy_backbone())
    looked_at = thawline("fit", *options, *QUICK).json["preflight"]
    assert [part["lengths_of"] for part in looked_at["splits"].values()] == [300, 40, 32]
    assert looked_at["splits"]["train"]["rows"] == 360
    whole = thawline("preflight", *options, "--json").json
    assert whole["splits"]["train"]["lengths_of"] == 360
