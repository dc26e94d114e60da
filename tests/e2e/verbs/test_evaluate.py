"""`thawline evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import thawline, write_set, write_table
from tests.support.verb_runs import TEST, TRAIN, refusal


@pytest.mark.usefixtures("store_of_real")
@pytest.mark.parametrize("split", ["validation", "test"])
def test_evaluate_gives_the_scores_of_the_record(real, split):
    done = thawline("evaluate", real.run, "--split", split, "--json")
    assert done.code == 0, done.err
    recorded = json.loads(real.out)[split]
    assert {name: done.json[name] for name in recorded} == recorded
    assert (done.json["split"], done.json["labels"]) == (split, ["neg", "pos"])


@pytest.mark.usefixtures("store_of_real")
@pytest.mark.parametrize(("split", "rows"), [("train", 72), ("all", TRAIN + TEST)])
def test_evaluate_takes_other_splits_of_the_run(real, split, rows):
    assert thawline("evaluate", real.run, "--split", split, "--json").json["rows"] == rows


@pytest.mark.usefixtures("store_of_real")
def test_evaluate_prints_scores_with_intervals_and_those_of_each_class(real):
    done = thawline("evaluate", real.run, "--split", "validation")
    for words in ("8 texts", "validation", "95 %", "accuracy", "F1", "recall", "loss"):
        assert words in done.out
    of_class, of_matrix = (line for line in done.out.splitlines() if line.startswith("neg "))
    assert of_class.split()[-1] == "4"
    assert sum(map(int, of_matrix.split()[1:])) == 4


def test_evaluate_takes_other_data_with_the_labels_of_the_model(real, toy_reviews):
    texts, labels = toy_reviews(24, 8)
    named = [("neg", "pos")[label] for label in labels]
    write_set(Path("other"), {"test": (texts, named)})
    done = thawline("evaluate", real.run, "--data", "other", "--json")
    assert done.code == 0, done.err
    assert done.json["rows"] == 24
    by_artifact = thawline("evaluate", real.run / "model", "--data", "other", "--json").json
    assert by_artifact["accuracy"] == done.json["accuracy"]


def test_evaluate_refuses_data_that_have_changed_since(fit, toy_reviews):
    write_set(Path("own"), {"train": toy_reviews(40, 1), "test": toy_reviews(16, 2)})
    assert fit("--data", "own").code == 0
    write_table(Path("own/test.csv"), *toy_reviews(16, 3))
    done = thawline("evaluate", "run")
    line = refusal(done)
    assert "'run'" in line
    assert "--data" in line
