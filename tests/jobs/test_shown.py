"""The user's own texts, which `fit --show` classifies before and after training."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import ProverHere, write_set
from thawline import artifact
from thawline.config import ComputeConfig, Config, DataConfig, ReportConfig
from thawline.errors import ThawlineError
from thawline.evaluation.metrics import probabilities
from thawline.inference.predictor import Predictor
from thawline.jobs.fit import fit_run
from thawline.jobs.shown import read_shown
from thawline.runs.logits import read_logits
from thawline.runtime.progress import Reporter

STRATEGIES = ["tfidf", "head", "head+tfidf", "last:1", "lora:r=2", "full", "lp+last:1"]
OWN = ("a warm and funny film", "so dull")


@pytest.fixture
def config(tmp_path, toy_backbone, toy_reviews, monkeypatch, undrawn) -> Config:
    monkeypatch.setattr(artifact, "Prover", ProverHere)
    parts = {"train": toy_reviews(80, 1), "test": toy_reviews(32, 2)}
    data = DataConfig(data=str(write_set(tmp_path / "reviews", parts)), labels=("neg", "pos"))
    compute = ComputeConfig(dtype="float32")
    return Config(data=data, backbone=str(toy_backbone()), compute=compute)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_answers_are_those_of_both_classifiers(config, strategy):
    if strategy == "tfidf":
        config = Config(data=config.data)
    config = replace(config, strategy=strategy)
    plain = fit_run(config, Path("plain"), Reporter())
    known = [sample.text for sample in plain.samples]
    shown = replace(config, report=ReportConfig(show=(*OWN, *known)))
    record = fit_run(shown, Path("run"), Reporter())

    assert [answer.text for answer in record.answers] == [*OWN, *known]
    for answer, sample in zip(record.answers[2:], record.samples, strict=True):
        assert answer.tokens == sample.tokens
        for ours, theirs in (
            (answer.untrained, sample.untrained),
            (answer.adapted, sample.adapted),
        ):
            assert ours.predicted == theirs.predicted
            assert ours.probability == pytest.approx(theirs.probability, abs=1e-5)
    loaded = artifact.load(Path("run") / artifact.FOLDER)
    found = probabilities(
        Predictor(loaded, ComputeConfig(dtype="float32"), use_store=False).logits(list(OWN))
    )
    for answer, row in zip(record.answers, found, strict=False):
        assert answer.adapted.predicted == record.labels.names[int(row.argmax())]
        assert answer.adapted.probability == pytest.approx(row.max(), abs=1e-5)
    without, with_shown = (
        read_logits(Path(name), one) for name, one in (("plain", plain), ("run", record))
    )
    np.testing.assert_array_equal(without.test, with_shown.test)
    assert plain.store == record.store


def test_texts_of_a_file_follow_those_of_the_command_line(config, tmp_path):
    lines = tmp_path / "own.txt"
    lines.write_text("a lovely story\nbad\n", encoding="utf-8")
    given = replace(config, report=ReportConfig(show=("dull",), show_file=str(lines)))
    assert read_shown(given, pairs=False, reporter=Reporter()) == ["dull", "a lovely story", "bad"]
    table = tmp_path / "own.csv"
    table.write_text("id,review\n1,a lovely story\n", encoding="utf-8")
    given = replace(config, report=ReportConfig(show_file=str(table)))
    assert read_shown(given, pairs=False, reporter=Reporter()) == ["a lovely story"]


def test_blank_lines_of_a_file_are_left_out(config, tmp_path):
    lines = tmp_path / "own.txt"
    lines.write_text("\n a lovely story\n  \nbad\n\n", encoding="utf-8")
    given = replace(config, report=ReportConfig(show_file=str(lines)))
    notes: list[str] = []
    reporter = Reporter()
    reporter.message = notes.append  # type: ignore[method-assign]
    assert read_shown(given, pairs=False, reporter=reporter) == [" a lovely story", "bad"]
    assert len(notes) == 1
    assert "3" in notes[0]
    lines.write_text("\n  \n", encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        read_shown(given, pairs=False, reporter=reporter)
    assert caught.value.setting == "report.show_file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="only POSIX has named pipes")
def test_a_named_pipe_is_no_file_of_texts(config, tmp_path):
    os.mkfifo(tmp_path / "own.txt")
    given = replace(config, report=ReportConfig(show_file=str(tmp_path / "own.txt")))
    with pytest.raises(ThawlineError) as caught:
        read_shown(given, pairs=False, reporter=Reporter())
    assert "pipe" in caught.value.found
    assert caught.value.setting == "report.show_file"


def test_the_texts_of_a_pair_have_a_tab_between_them(config):
    given = replace(config, report=ReportConfig(show=("a\tb",)))
    assert read_shown(given, pairs=True, reporter=Reporter()) == [("a", "b")]


@pytest.mark.parametrize(
    ("report", "pairs", "setting"),
    [
        (ReportConfig(show=(" ",)), False, "report.show"),
        (ReportConfig(show=("\ud800",)), False, "report.show"),
        (ReportConfig(show=("one text",)), True, "report.show"),
        (ReportConfig(show_file="missing.txt"), False, "report.show_file"),
        (ReportConfig(show_file="."), False, "report.show_file"),
    ],
)
def test_texts_that_cannot_be_shown_are_refused(config, report, pairs, setting):
    with pytest.raises(ThawlineError) as refused:
        read_shown(replace(config, report=report), pairs=pairs, reporter=Reporter())
    assert refused.value.setting == setting


def test_a_file_that_is_missing_makes_no_folder(config):
    with pytest.raises(ThawlineError):
        fit_run(
            replace(config, report=ReportConfig(show_file="missing.txt")), Path("run"), Reporter()
        )
    assert not Path("run").exists()
