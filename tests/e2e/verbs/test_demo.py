"""`thawline demo` on a toy backbone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import ProverHere, thawline

SMALL = ("--limit", "60,20", "--max-length", "24", "--set", 'rungs=["head", "last:1"]')


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)


def test_it_prints_the_table_the_verdict_three_predictions_and_the_files(toy_backbone):
    done = thawline("demo", "--backbone", toy_backbone(), *SMALL)
    assert done.code == 0, done.err
    shown = done.out
    for words in (
        *("reviews: 45 train, 15 validation, 20 test", "accuracy", "last:1"),
        *("runs/demo/ladder.json", "thawline predict runs/demo/"),
    ):
        assert words in shown
    assert sum(line.startswith(("neg (", "pos (")) for line in shown.splitlines()) == 3
    again = thawline("demo", "--backbone", toy_backbone(), *SMALL, "--json")
    assert again.json["status"] == "finished"
    assert [rung["rung"] for rung in again.json["rungs"]] == ["head", "last:1"]
    assert len(again.json["predictions"]["texts"]) == 3
    assert {path.name for path in Path("runs/demo").iterdir()} >= {"rungs.png", "curves.svg"}
    other = thawline("demo", "--backbone", toy_backbone(), *SMALL, "--seed", 1)
    assert other.code == 0, other.err
    refused = thawline(
        "demo", "--backbone", toy_backbone(), *SMALL[:2], "--max-length", 20, *SMALL[4:]
    )
    assert refused.code == 2
    assert "--max-length" in refused.err
