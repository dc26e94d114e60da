"""`thawline compare` on a toy backbone."""

from __future__ import annotations

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


def test_data_are_given_once(films):
    assert "DATA" in refusal(thawline("compare"))
    Path("own.toml").write_text(f"[fit.data]\ndata = '{films}'\n", encoding="utf-8")
    assert "DATA" in refusal(thawline("compare", films, "--config", "own.toml"))
