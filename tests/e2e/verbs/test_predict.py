"""`thawline predict`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import thawline, write_set
from tests.support.verb_runs import NAMED


def test_predict_prints_the_share_of_either_class_for_neg_and_pos(real):
    texts = ["lovely wonderful brilliant funny film " * 4, "dull awful boring cheap film " * 4]
    done = thawline("predict", real.run, *texts, "--json")
    assert done.code == 0, done.err
    first, second = done.json_lines
    assert list(first) == ["text", "neg_prob", "pos_prob", "label"]
    assert first["text"] == texts[0]
    assert (first["label"], second["label"]) == ("pos", "neg")
    assert first["neg_prob"] + first["pos_prob"] == pytest.approx(1)
    assert first["pos_prob"] > 0.5 > second["pos_prob"]


def test_predict_of_other_labels_gives_confidence_and_all_shares(toy_backbone, toy_reviews):
    texts, labels = toy_reviews(60, 3)
    words = [("dull", "fine", "[odd]")[label + (row % 3 == 0)] for row, label in enumerate(labels)]
    write_set(Path("three"), {"train": (texts, words), "test": (texts[:12], words[:12])})
    fitted = thawline("fit", "--data", "three", "--backbone", toy_backbone(), "--out", "r")
    assert fitted.code == 0, fitted.err
    (record,) = thawline("predict", "r", "a film", "--json").json_lines
    assert list(record) == ["text", "label", "confidence", "probs"]
    assert list(record["probs"]) == ["[odd]", "dull", "fine"]
    assert sum(record["probs"].values()) == pytest.approx(1)
    assert record["confidence"] == max(record["probs"].values()) == record["probs"][record["label"]]
    shown = thawline("predict", "r", "a film")
    assert shown.out.split()[0] == record["label"]
    assert f"({record['confidence']:.3f})" in shown.out
    assert shown.out.endswith("  a film\n")
    assert "[odd]" in thawline("evaluate", "r").out


def test_a_title_is_joined_in_training_and_in_prediction(toy_backbone, toy_reviews):
    texts, labels = toy_reviews(60, 3)
    rows = zip(labels, texts, strict=True)
    lines = [f'{label + 1},"{text.split()[0]}","{text.partition(" ")[2]}"' for label, text in rows]
    Path("products.csv").write_text("\n".join(["label,title,content", *lines]), encoding="utf-8")
    fitted = thawline("fit", "--data", "products.csv", "--backbone", toy_backbone(), "--out", "r")
    assert fitted.code == 0, fitted.err
    assert json.loads(Path("r/record.json").read_text())["data"]["text_columns"] == [
        "title+content"
    ]
    joined = thawline("predict", "r", "--data", "products.csv", "--json").json_lines
    assert [record["text"] for record in joined] == texts
    assert thawline("predict", "r", *texts, "--json").json_lines == joined


def test_predict_prints_one_line_a_text_and_changes_nothing_in_it(real):
    done = thawline("predict", real.run, "[bold]good[/bold] :smile: [red", "two\nlines")
    first, second = done.out.splitlines()
    assert first.endswith("  [bold]good[/bold] :smile: [red")
    assert second.endswith("  two lines")
    assert done.err == ""


def test_predict_reads_lines_of_standard_input(real):
    done = thawline("predict", real.run, "--json", stdin="a lovely film\n\na dull film\r\n")
    assert [record["text"] for record in done.json_lines] == ["a lovely film", "", "a dull film"]


def test_a_text_that_looks_like_an_option_stands_after_two_dashes(real):
    (record,) = thawline("predict", real.run, "--json", "--", "--debug").json_lines
    assert record["text"] == "--debug"


def test_predict_gives_the_probabilities_of_python_in_fp32(real, toy_reviews):
    from thawline import TextClassifier

    texts, _ = toy_reviews(12, 9)
    records = thawline("predict", real.run, *texts, "--json").json_lines
    expected = TextClassifier.load(real.run).predict_proba(texts)
    given = [[record["neg_prob"], record["pos_prob"]] for record in records]
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_predict_gives_the_probabilities_of_the_pipeline_for_a_native_head(fit, toy_reviews):
    from transformers import pipeline

    assert fit(*NAMED, "--head", "native", "--epochs", "2", "--lr", "0.01").code == 0
    texts, _ = toy_reviews(8, 9)
    texts = [" ".join(text.split()[:30]) for text in texts]
    records = thawline("predict", "run", *texts, "--json").json_lines
    classify = pipeline("text-classification", model="run/model", top_k=None)
    for record, answers in zip(records, classify(texts), strict=True):
        by_label = {answer["label"]: answer["score"] for answer in answers}
        assert by_label["neg"] == pytest.approx(record["neg_prob"], abs=1e-5)
        assert by_label["pos"] == pytest.approx(record["pos_prob"], abs=1e-5)
