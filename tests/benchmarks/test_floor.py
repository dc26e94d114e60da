"""The floor of fits: what is counted, the file of results and the page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import floor

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def run(monkeypatch: pytest.MonkeyPatch, file: Path, *words: str) -> list[dict[str, Any]]:
    given = ["--data", "thawline/reviews", "--train", "40", "--test", "20", "--json", str(file)]
    own = ["--backbones", "thawline/qwen3-mini", "--max-length", "64", *words]
    monkeypatch.setattr(sys, "argv", ["floor.py", *given, *own])
    floor.main()
    written: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return written


def test_each_strategy_has_the_operations_of_the_parts_that_it_runs(monkeypatch, tmp_path):
    (written,) = run(monkeypatch, tmp_path / "floor.json")
    parts = {result["strategy"]: result["operations"] for result in written["results"]}
    assert list(parts) == list(floor.STRATEGIES)
    ran = {name: {part for part, count in own.items() if count} for name, own in parts.items()}
    assert ran["head"] == {"prefix"}
    assert ran["lora"] == ran["full"] == {"training", "scores"}
    assert ran["last:1"] == ran["lp+full"] == {"prefix", "training", "scores"}
    totals = [sum(parts[name].values()) for name in ("head", "last:1", "last:2", "full", "lp+full")]
    assert totals == sorted(totals)
    for result in written["results"]:
        seconds = sum(result["operations"].values()) / written["matrix_rate"]
        assert result["floor_seconds"]["total"] == pytest.approx(seconds)


def test_results_replace_those_with_the_same_config_only(monkeypatch, tmp_path):
    file, short = tmp_path / "floor.json", ("--strategies", "head")
    run(monkeypatch, file, *short)
    assert len(run(monkeypatch, file, *short, "--epochs", "1")) == 2
    assert len(run(monkeypatch, file, *short)) == 2


def test_the_page_shows_the_results_in_the_file():
    page = PAGE.read_text(encoding="utf-8").splitlines()
    for written in json.loads(floor.RESULTS.read_text(encoding="utf-8")):
        assert not set(floor.table(written)) - set(page)
