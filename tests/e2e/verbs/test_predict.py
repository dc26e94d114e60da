"""`thawline predict`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import save_here, thawline, write_set
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


def test_explain_gives_the_scores_of_python(real):
    from thawline import TextClassifier

    texts = ["a lovely film, but dull", " "]
    first, blank = thawline("predict", real.run, *texts, "--explain", "--json").json_lines
    expected = TextClassifier.load(real.run).explain(texts[0])
    assert [part["text"] for part in first["parts"]] == [part.text for part in expected]
    for found, part in zip(first["parts"], expected, strict=True):
        assert (found["start"], found["end"]) == (part.start, part.end)
        assert found["score"] == pytest.approx(part.score, abs=1e-5)
    assert blank["parts"] == []
    plain = thawline("predict", real.run, texts[0], "--json").json
    assert plain == {name: value for name, value in first.items() if name != "parts"}
    shown = thawline("predict", real.run, texts[0], "--explain").out.splitlines()
    assert shown[0] == thawline("predict", real.run, texts[0]).out.strip()
    decisive = max(expected, key=lambda part: abs(part.score))
    assert f"{decisive.text} {decisive.score:+.3f}" in "\n".join(shown[1:])


def test_each_of_several_classifiers_is_explained(real, tmp_path, toy_reviews):
    from thawline import TextClassifier

    words = TextClassifier(strategy="tfidf", labels=("neg", "pos"))
    save_here(words.fit(*toy_reviews(40)), tmp_path / "words")
    text = "a good film"
    found = thawline("predict", real.run, tmp_path / "words", text, "--explain", "--json").json
    run, other = found["runs"].values()
    for answer, folder in ((run, real.run), (other, tmp_path / "words")):
        expected = TextClassifier.load(folder).explain(text)
        scores = [part["score"] for part in answer["parts"]]
        assert scores == pytest.approx([part.score for part in expected], abs=1e-5)


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


def test_several_runs_answer_for_each_text(real, fit):
    assert fit(*NAMED, "--head", "mlp:8", "--epochs", "1").code == 0
    done = thawline("predict", real.run, "run", "a film", "an old film", "--json")
    assert done.code == 0, done.err
    for record, text in zip(done.json_lines, ("a film", "an old film"), strict=True):
        assert record["text"] == text
        assert list(record["runs"]) == [str(real.run), "run"]
        (alone,) = thawline("predict", "run", text, "--json").json_lines
        for name, value in record["runs"]["run"].items():
            assert value == (
                pytest.approx(alone[name], abs=1e-5) if "prob" in name else alone[name]
            )
    shown = thawline("predict", real.run, "run", "a film", "an old film")
    starts = [line.split("  ")[0] for line in shown.out.splitlines()]
    assert starts == [str(real.run), "run"] * 2
    assert len(shown.err.splitlines()) == 1  # the stages that are shared
