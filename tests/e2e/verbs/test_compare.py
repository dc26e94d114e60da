"""`thawline compare` on a toy backbone."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.support.command_line import ProverHere, thawline, write_set
from tests.support.verb_runs import NAMED, refusal

RUNGS = ("-s", "tfidf", "-s", "head", "--strategy", "last:1 training.epochs=1")


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    monkeypatch.setattr("thawline.jobs.fit._draw", lambda *given: [])  # half of the time here


@pytest.fixture
def films(tmp_path, toy_reviews) -> Path:
    return write_set(
        tmp_path / "films.d", {"train": toy_reviews(60, 1), "test": toy_reviews(24, 2)}
    )


def test_it_compares_the_rungs_prints_the_verdict_and_continues_by_itself(films, toy_backbone):
    command = ("compare", films, *RUNGS, *NAMED, "--backbone", toy_backbone(), "--seeds", 2)
    done = thawline(*command)
    assert done.code == 0, done.err
    for words in ("head", "verdict", "runs/compare-films"):
        assert words in done.out
    folder = Path("runs/compare-films")
    runs = sorted(path.name for path in folder.iterdir() if path.is_dir())
    assert runs == ["head-seed-0", "last-1-seed-0", "last-1-seed-1", "tfidf-seed-0"]
    again = thawline(*command, "--json")
    record = again.json
    assert record["status"] == "finished"
    assert [rung["rung"] for rung in record["rungs"]] == ["tfidf", "head", "last:1"]
    assert [len(rung["runs"]) for rung in record["rungs"]] == [2, 2, 2]
    assert record["config"]["seeds"] == [0, 1]
    assert all(rung["cost"]["predicted"] > 0 for rung in record["rungs"])
    own = thawline(*command[:-1], "1,5", "--budget", 0, "--json").json
    assert [run["seed"] for run in own["rungs"][2]["runs"]] == [1, 5]


@pytest.mark.parametrize(
    ("given", "proposed"),
    [
        (("-s", "full", "--set", "fit.training.muon_lr=1"), "--set fit.training.optimizer=muon"),
        (("-s", "full", "--set", "fit.head.features=layers"), "fit.head.features"),
        (("-s", "head", "--set", "fit.artifact.merge=true"), "fit.artifact.merge"),
        (("-s", "head", "--set", "seeds"), "--set fit.training.lr=1e-3"),
    ],
)
@pytest.mark.parametrize("verb", ["compare", "tune"])
def test_an_error_proposes_what_the_command_takes(films, toy_backbone, verb, given, proposed):
    options = ("--backbone", toy_backbone(), "--max-length", 16, "--out", "new", *given)
    line = refusal(thawline(verb, films, *options))
    assert proposed in line
    assert not re.search(r"--set (?!fit\.)|--(features|merge)", line)


def test_a_rate_for_sgd_is_proposed_as_a_setting_of_the_fits(films, toy_backbone):
    command = ("compare", films, "-s", "full", "--backbone", toy_backbone())
    line = refusal(thawline(*command, "--set", "fit.training.optimizer=sgd"))
    assert "--set fit.training.lr=0.1" in line
    assert "--lr" not in line


def test_a_setting_of_a_rung_is_named_as_it_was_written(films, toy_backbone):
    command = ("compare", films, "-s", "full training.muon_lr=1", "--backbone", toy_backbone())
    line = refusal(thawline(*command))
    assert " training.muon_lr=1" in line
    assert "fit.training.muon_lr" not in line
    assert "training.optimizer=muon" in line
    assert "--set" not in line  # the strategy itself has to be changed


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("compare", ("-s", "full", "--set", "fit.training.muon_lr=1")),
        ("compare", ("-s", "full", "--set", "fit.training.optimizer=sgd")),
        ("compare", ("-s", "head", "--set", "fit.training.lr=0.1")),
        ("tune", ("-s", "full", "--set", "fit.training.muon_lr=1")),
        ("tune", ("-s", "full", "--set", "fit.training.optimizer=sgd")),
    ],
)
def test_a_proposed_setting_is_accepted(films, toy_backbone, monkeypatch, verb, given):
    class AcceptedError(Exception):
        """The settings have been checked."""

    def stop(*_: object, **__: object) -> None:
        raise AcceptedError

    monkeypatch.setattr("thawline.compare.ladder.fit_runs", stop)
    monkeypatch.setattr("thawline.tuning.job.Search", stop)
    command = (verb, films, "--backbone", toy_backbone(), "--max-length", 16, *given)
    line = refusal(thawline(*command))
    proposed = re.search(r"Add(?: for example)? (--.*?)(?:, or |\.$)", line)
    assert proposed is not None, line
    with pytest.raises(AcceptedError):
        thawline(*command, *shlex.split(proposed[1]))


def test_data_are_given_once(films):
    assert "DATA" in refusal(thawline("compare"))
    Path("own.toml").write_text(f"[fit.data]\ndata = '{films}'\n", encoding="utf-8")
    assert "DATA" in refusal(thawline("compare", films, "--config", "own.toml"))
