"""The sections of a result as text, and the format of a score."""

from __future__ import annotations

import pytest

from tests.support.records import fit_epoch, fit_record, ladder_record, rung_record, scores
from thawline import Score, summary
from thawline.errors import ThawlineError
from thawline.report import terminal
from thawline.report.mistakes import MAX_ANSWERS
from thawline.runs.records import Answer, EvaluationReport, KeptEpoch

EPOCHS = {
    "history": [fit_epoch(0, validation_accuracy=0.5), fit_epoch(1, kept=True)],
    "kept": KeptEpoch(epoch=1, step=9, by="accuracy", last=1, epochs=1),
}


def first_words(text: str) -> list[str]:
    """Return the first word of each block between blank lines."""
    return [block.split()[0] for block in text.split("\n\n")]


def test_a_fit_has_the_sections_that_the_command_prints(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    record = fit_record(**EPOCHS)
    terminal.print_fit(record, terminal.ReportConfig())
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    lines = summary(record).splitlines()
    assert printed[1 : 1 + len(lines)] == lines
    assert all(len(line) <= 80 and line == line.rstrip() for line in lines)
    assert "\x1b" not in summary(record)


def test_named_sections_come_in_the_given_order():
    assert first_words(summary(fit_record(**EPOCHS), "classes", "scores")) == [
        "class",
        "[reviews]:",
    ]
    assert "0 (untrained)" in summary(fit_record(**EPOCHS), "epochs")


def test_a_section_that_a_record_lacks_is_left_out():
    exact = fit_record()
    assert summary(exact, "epochs", "texts") == ""
    assert first_words(summary(exact, "epochs", "classes")) == ["class"]
    sample = exact.samples[0]
    answer = Answer(text="a film", tokens=2, untrained=sample.untrained, adapted=sample.adapted)
    assert "a film" in summary(fit_record(answers=[answer]), "texts")
    lines = summary(fit_record(answers=[answer] * (MAX_ANSWERS + 7)), "texts")
    assert lines.count("a film") == MAX_ANSWERS
    assert "7 more" in lines


def test_scores_have_the_names_of_their_classes_or_numbers():
    assert [line.split()[0] for line in summary(scores(), "classes").splitlines()[2:]] == ["0", "1"]
    seconds = {"tokenising": 0.1, "prefix": 0.2, "total": 0.5}
    named = EvaluationReport(
        **dict(scores()), split="test", source="test", labels=["[a]", "b"], seconds=seconds
    )
    assert "[a]" in summary(named, "confusion")
    assert first_words(summary(named)) == ["1,500", "class", "true"]


def test_a_comparison_has_its_strategies_and_verdict():
    record = ladder_record([rung_record("head", 0.8), rung_record("last:1", 0.85)])
    text = summary(record)
    assert all(rung.rung in text for rung in record.rungs)
    assert "verdict" in text


@pytest.mark.parametrize(
    ("result", "name", "meant"),
    [
        (fit_record(), "epoch", "epochs"),
        (scores(), "mistakes", None),
        (scores().accuracy, "", None),
    ],
)
def test_an_unknown_section_or_result_is_an_error(result, name, meant):
    with pytest.raises(ThawlineError) as caught:
        summary(result, name)
    assert name in caught.value.found
    assert meant is None or f"'{meant}'" in caught.value.fix


def test_a_score_is_printed_with_its_interval():
    score = Score(value=0.8543, low=0.8375, high=0.8694)
    assert str(score) == f"{score}" == "0.854 (0.838 to 0.869)"
    assert f"{score:.1%}" == "85.4% (83.8% to 86.9%)"
