"""The measurement of altered copies: its rows, its fits and its table."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import augmentation
from tests.support.command_line import write_set
from tests.support.pages import ROOT
from thawline.config import DataConfig
from thawline.data import load


@pytest.fixture
def data(tmp_path: Path, toy_reviews) -> Path:
    parts = {"train": toy_reviews(60), "test": toy_reviews(20, 1)}
    return write_set(tmp_path / "films", parts)


def test_each_seed_draws_rows_of_its_own(data: Path) -> None:
    dataset = load(DataConfig(data=str(data)))
    drawn = [augmentation.draw(dataset, 30, seed) for seed in (0, 0, 1)]
    assert [len(one.train) + len(one.validation) for one in drawn] == [30] * 3
    assert drawn[0].digest == drawn[1].digest != drawn[2].digest
    assert all(one.test is dataset.test for one in drawn)


@pytest.mark.e2e
def test_every_fit_is_made_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "found.json"
    words = ["--sets", f"{data}=neg,pos", "--rows", "20", "--test-rows", "20"]
    words += ["--strategies", "tfidf", "--variants", "none", "word_dropout", "longer"]
    words += ["--seeds", "2", "--json", str(found)]
    augmentation.main(words)
    rows = json.loads(found.read_text())
    assert [(row["variant"], row["seed"]) for row in rows] == [
        *(("none", 0), ("word_dropout", 0), ("none", 1), ("word_dropout", 1))
    ]
    assert [row["augment"] for row in rows[:2]] == [None, "word_dropout=0.1"]
    assert augmentation.right_of(rows[0]).mean() == pytest.approx(rows[0]["accuracy"])
    monkeypatch.setattr(augmentation, "fit", None)
    augmentation.main(words)


def test_the_gain_is_that_of_paired_texts_and_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    rows = []
    for seed in range(3):
        base = random.random(500) < 0.8
        better = base | (random.random(500) < 0.1)
        for variant, right in (("none", base), ("all", better)):
            packed = base64.b64encode(np.packbits(right).tobytes()).decode()
            row = {"set": "films", "rows": 9, "strategy": "head", "variant": variant, "seed": seed}
            rows.append(
                {**row, "right": packed, "accuracy": right.mean(), "test_rows": 500}
                | {"cpu_seconds": 1.0}
            )
    cells = augmentation.table(rows).splitlines()[-1].split("|")
    low, high = (float(end) for end in cells[7].split(" to "))
    assert 0 < low < float(cells[6]) < high


def test_the_page_shows_the_committed_results() -> None:
    results = ROOT / "benchmarks" / "results" / "augmentation.json"
    table = augmentation.table(json.loads(results.read_text(encoding="utf-8")))
    without_seconds = [line.rsplit("|", 2)[0] + "|" for line in table.splitlines()[2:]]
    page = (ROOT / "docs" / "verbs" / "fit.md").read_text(encoding="utf-8")
    assert "\n".join(without_seconds) in page
