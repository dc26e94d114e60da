"""Complete runs of tfidf and head+tfidf: the record, the files, resuming, scoring and ladders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.support.command_line import ProverHere, thawline, write_set
from thawline import TextClassifier, artifact
from thawline.compare.ladder import run_ladder
from thawline.config import ComputeConfig, Config, DataConfig, LadderConfig, TrainingConfig
from thawline.jobs.evaluate import evaluate_run
from thawline.jobs.fit import fit_run
from thawline.runs.records import FitRecord, read_record
from thawline.runtime.progress import Reporter


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch):
    monkeypatch.setattr(artifact, "Prover", ProverHere)


@pytest.fixture(scope="module")
def films(tmp_path_factory, toy_reviews) -> Path:
    folder = tmp_path_factory.mktemp("tfidf") / "films"
    return write_set(folder, {"train": toy_reviews(100, 1), "test": toy_reviews(40, 2)})


@pytest.fixture
def config(films) -> Config:
    data = DataConfig(data=str(films), labels=("neg", "pos"))
    return Config(strategy="tfidf", data=data, compute=ComputeConfig(dtype="float32"))


def test_tfidf_loads_no_backbone_and_stores_nothing(config, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("no backbone is needed")

    monkeypatch.setattr("thawline.jobs.fit.open_backbone", refuse)
    record = fit_run(config, Path("run"), Reporter())
    assert read_record(Path("run")).to_dict() == record.to_dict()
    for name in ("backbone", "encoder", "line", "pooling", "max_length", "epochs", "lr"):
        assert getattr(record, name) is None
    for name in ("kept", "store", "head_first", "suffix"):
        assert getattr(record, name) is None
    assert (record.head, record.features, record.history) == ("linear", [], [])
    assert record.words is not None
    assert record.parameters.trained == {"words": 2 * (record.words.terms + 1)}
    assert record.parameters.frozen == 0
    best = min(record.choice, key=lambda step: step.loss)
    assert (best.words_penalty, best.penalty, best.stages) == (record.words.penalty, None, [])
    assert record.validation.loss.value == pytest.approx(best.loss, abs=1e-6)
    assert record.baseline.accuracy.value == pytest.approx(0.5, abs=0.1)
    assert record.baseline.loss.value == pytest.approx(np.log(2), abs=0.02)
    assert record.test.accuracy.value > 0.9
    assert record.preflight.max_length is None
    assert record.mistakes.error_rates.truncated.rows == 0
    assert record.prefix.texts == 0
    assert not Path("home", "store").exists()
    names = {path.name for path in Path("run").iterdir()}
    assert {"before_after.png", "before_after.svg", "mistakes.csv", "model"} <= names


@pytest.mark.parametrize("strategy", ["tfidf", "head+tfidf"])
def test_the_logits_of_every_candidate_are_kept(config, toy_backbone, strategy):
    own = {} if strategy == "tfidf" else {"backbone": str(toy_backbone())}
    record = fit_run(replace(config, strategy=strategy, **own), Path("run"), Reporter())
    kept = load_file("run/logits.safetensors")
    candidates, labels = kept["validation.candidates"], kept["validation.labels"]
    assert candidates.shape == (len(record.choice), len(labels), 2)
    for step, logits in zip(record.choice, candidates, strict=True):
        assert (logits.argmax(1) == labels).mean() == pytest.approx(step.accuracy, abs=0.1)
    best = min(range(len(record.choice)), key=lambda index: record.choice[index].loss)
    np.testing.assert_allclose(candidates[best], kept["validation.logits"], atol=0.02, rtol=0.01)
    assert len(kept["test.logits"]) == 40


def test_predict_evaluate_and_resume(config, films):
    record = fit_run(config, Path("run"), Reporter())
    texts = ["a good film", "a bad film", "unheard"]
    outcome = thawline("predict", "run", *texts, "--json")
    shares = TextClassifier.load("run").predict_proba(texts)
    assert [line["pos_prob"] for line in outcome.json_lines] == pytest.approx(shares[:, 1].tolist())
    again = evaluate_run("run")
    assert again.accuracy.value == record.test.accuracy.value
    assert fit_run(config, Path("run"), Reporter(), resume=True).to_dict() == record.to_dict()
    (file,) = Path("run", "model").glob("words.json")
    file.write_text("{}", encoding="utf-8")
    repaired = fit_run(config, Path("run"), Reporter(), resume=True)
    assert repaired.test.to_dict() == record.test.to_dict()
    np.testing.assert_array_equal(TextClassifier.load("run").predict_proba(texts), shares)


def test_a_stopped_run_is_resumed(config, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("thawline.jobs.fit.score_fit", stop)
        with pytest.raises(KeyboardInterrupt):
            fit_run(config, Path("run"), Reporter())
    record = fit_run(config, Path("run"), Reporter(), resume=True)
    assert isinstance(record, FitRecord)
    assert len(record.starts) == 2


def test_balanced_classes_and_info(config):
    balanced = replace(config, training=TrainingConfig(class_weights="balanced"))
    assert fit_run(balanced, Path("run"), Reporter()).test.accuracy.value > 0.9
    described = thawline("info", "--strategy", "tfidf", "--json").json
    assert (described["backbone"], described["line"], described["stages"]) == (None, None, [])
    assert thawline("info", "--strategy", "tfidf").code == 0


def test_head_tfidf(config, toy_backbone):
    both = replace(config, strategy="head+tfidf", backbone=str(toy_backbone()))
    record = fit_run(both, Path("run"), Reporter())
    assert record.words is not None
    trained = record.parameters.trained
    assert trained["words"] == 2 * (record.words.terms + 1)
    assert trained["head"] > 0
    assert sum(trained.values()) == record.parameters.trainable
    best = min(record.choice, key=lambda step: step.loss)
    assert best.words_penalty == record.words.penalty
    assert all(step.stages == record.features for step in record.choice)
    assert record.validation.loss.value == pytest.approx(best.loss, abs=1e-5)
    assert record.store is not None
    assert evaluate_run("run").accuracy.value == record.test.accuracy.value
    described = thawline("info", "--strategy", "head+tfidf", "--backbone", both.backbone, "--json")
    assert described.json["line"] == record.line


@pytest.mark.slow
def test_a_ladder_from_tfidf(config, toy_backbone):
    fit = replace(config, backbone=str(toy_backbone()), strategy="head")
    shared = replace(fit, training=TrainingConfig(batch_size=8))
    rungs = ("tfidf", "head", "head+tfidf", "last:1 training.epochs=1")
    record = run_ladder(LadderConfig(rungs=rungs, fit=shared), Path("ladder"), Reporter())
    lines = [rung.line for rung in record.rungs]
    assert lines[0] is None
    assert None not in lines[1:]
    written = json.loads(Path("ladder", "tfidf-seed-0", "record.json").read_text(encoding="utf-8"))
    assert written["config"]["backbone"] == Config.backbone  # the backbone has no effect on it
    assert written["backbone"] is None
