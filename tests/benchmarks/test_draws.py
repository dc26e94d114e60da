"""The simulation of intervals over new training rows: pieces that resume, and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import draws
from benchmarks.draws import Case, simulate

ROOT = Path(__file__).parents[2]


def test_the_interval_covers_and_one_that_ignores_draws_does_not() -> None:
    found = simulate(Case(draws=3, seeds=2, texts=300, ratio=4.0, overlap=0.0), 200)["coverage"]
    assert 0.88 <= found["interval"] <= 1
    assert found["satterthwaite"] <= found["interval"]
    assert found["texts"] < 0.75


def test_cases_are_kept_and_written_into_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [Case(3, 1, 100, ratio, 0.5) for ratio in (0.0, 1.0)]
    monkeypatch.setattr(draws, "CASES", cases[:1])
    results, page = tmp_path / "draws.json", tmp_path / "page.md"
    page.write_text("<!-- draws -->\n<!-- /draws -->\n", encoding="utf-8")
    words = ["--json", str(results), "--table", str(page), "--runs", "20"]
    draws.main(words)
    (first,) = json.loads(results.read_text(encoding="utf-8"))
    monkeypatch.setattr(draws, "CASES", cases)
    draws.main(words)
    kept, second = json.loads(results.read_text(encoding="utf-8"))
    assert kept == first
    assert second["case"]["ratio"] == 1.0
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line.split("|")[1:5] for line in lines if line.startswith("| 3")] == [
        [" 3 ", " 50 % ", f" {ratio} ", " 1 "] for ratio in (0, 1)
    ]


def test_the_page_has_the_results() -> None:
    rows = json.loads(draws.RESULTS.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    assert draws.coverage_table(rows) in page
