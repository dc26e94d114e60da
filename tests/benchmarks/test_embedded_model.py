"""The pages of the packaged model show the results files."""

from __future__ import annotations

import json
import re
from pathlib import Path


def test_the_page_shows_the_embedded_model_s_results():
    root = Path(__file__).parents[2]
    page = (root / "docs" / "qwen3-mini.md").read_text(encoding="utf-8")
    results = json.loads((root / "benchmarks" / "embedded_model.json").read_text(encoding="utf-8"))
    accuracy = {rung["rung"]: rung["test"]["accuracy"] for rung in results["rungs"]}
    for rung in ("last:1", "last:2", "lora", "full", "lp+full"):
        score = accuracy[rung]
        shown = f"| `{rung}` | {100 * score['value']:.1f} % ± {100 * score['deviation']:.1f} "
        assert shown in page


def test_the_pages_show_the_results_on_the_whole_set():
    root = Path(__file__).parents[2]
    whole = (root / "benchmarks" / "embedded_model_whole.json").read_text(encoding="utf-8")
    pages = [
        (root / name).read_text(encoding="utf-8")
        for name in (
            "docs/qwen3-mini.md",
            "src/thawline/embedded/qwen3-mini/README.md",
        )
    ]
    trained = [rung for rung in json.loads(whole)["rungs"] if rung["strategy"] != "head"]
    assert {rung["strategy"] for rung in trained} >= {"last:1", "last:2", "full", "lp+full"}
    for rung in trained:
        value, low, high = (100 * rung["test"]["accuracy"][key] for key in ("value", "low", "high"))
        score = f"{value:.1f} % ({low:.1f} to {high:.1f})"
        name = re.escape(rung["strategy"].partition(":r=")[0])
        row = rf"\| `{name}[^|]*\| {re.escape(score)} \|"
        for page in pages:
            assert re.search(row, page), (rung["strategy"], score)
