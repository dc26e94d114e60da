"""The benchmark of tapt: its fits, its file of unlabelled texts and its table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import tapt
from tests.support.command_line import write_set

pytestmark = pytest.mark.e2e


def test_each_strategy_is_fitted_with_and_without_tapt_and_nothing_is_measured_twice(
    toy_backbone: Callable[[str], Path],
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write_set(tmp_path / "films", {"train": toy_reviews(80), "test": toy_reviews(40, 1)})
    found = tmp_path / "found.json"
    words = [f"{folder}=neg,pos", "--backbone", str(toy_backbone("qwen3")), "--json", str(found)]
    words += ["--rows", "40", "--test-rows", "30", "--max-length", "16", "--unlabelled", "20"]
    words += ["--rates", "1e-3", "--epochs", "1", "--strategies", "head"]
    tapt.main(words)
    without, after = json.loads(found.read_text())
    assert (without["lr"], after["lr"], after["epochs"]) == (None, 1e-3, 1)
    assert "test_accuracy" not in after
    assert len(after["held_out_losses"]) == 2
    assert after["texts"] <= 0.95 * (36 + 20) + 1  # without the held-out ones
    assert "| films | head | 3, 0.001 x 1 | 20 |" in capsys.readouterr().out
    tapt.main([*words, "--test"])
    scored = json.loads(found.read_text())
    assert [row["test_rows"] for row in scored] == [30, 30]
    assert scored[1]["held_out_losses"] == after["held_out_losses"]
    assert " to " in capsys.readouterr().out.splitlines()[-1]
    tapt.main([*words, "--test"])
    assert json.loads(found.read_text()) == scored
