"""The comparison with the usual Trainer script."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import frozen_head_sets, trainer_peer
from tests.command_line import write_set

WORDS = ["--data", "examples/reviews", "--labels", "neg,pos"]
SCORE = {"value": 0.855, "low": 0.84, "high": 0.87}


def result(seconds: float) -> dict[str, Any]:
    return {
        "accuracy": SCORE,
        "f1_macro": SCORE,
        "training_seconds": seconds / 2,
        "process_seconds": seconds,
        "rows": {"train": 54, "validation": 6, "test": 40},
    }


@pytest.fixture
def fake_sides(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace both sides by fixed results; return the order in which they were run."""
    order: list[str] = []

    def thawline(options: object, side: str, scratch: Path) -> dict[str, Any]:
        order.append(side)
        return result({"thawline": 5.0, "thawline_again": 2.0}[side])

    def trainer(options: object, words: list[str], scratch: Path) -> dict[str, Any]:
        order.append("trainer")
        return result(100.0)

    monkeypatch.setattr(trainer_peer, "run_thawline", thawline)
    monkeypatch.setattr(trainer_peer, "run_trainer", trainer)
    return order


def test_ratio_and_rate_follow_from_the_seconds_of_the_whole_process(fake_sides: list[str]) -> None:
    results = trainer_peer.compare(trainer_peer.parse(WORDS), WORDS)
    assert fake_sides == ["thawline", "thawline_again", "trainer"]
    ratios = {side: measured["speed_ratio"] for side, measured in results.items()}
    assert ratios == {"trainer": 1, "thawline": 20, "thawline_again": 50}
    assert results["thawline"]["texts_per_second"] == 100 / 5


@pytest.mark.usefixtures("fake_sides")
def test_the_table_holds_scores_intervals_and_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    trainer_peer.print_table(trainer_peer.compare(trainer_peer.parse(WORDS), WORDS))
    printed = capsys.readouterr().out
    assert printed.count("85.50 (84.00-87.00)") == 6
    assert "20.0 x" in printed
    assert "50.0 x" in printed


@pytest.mark.usefixtures("fake_sides")
def test_the_result_holds_config_versions_and_hardware() -> None:
    options = trainer_peer.parse([*WORDS, "--json", "peer.json"])
    whole = trainer_peer.report(options, trainer_peer.compare(options, WORDS))
    assert json.loads(json.dumps(whole)) == whole
    assert whole["config"]["train"] == 4_000
    assert "json" not in whole["config"]
    assert {"torch", "transformers", "accelerate"} <= set(whole["versions"])
    assert whole["hardware"]["cores"] >= 1


def test_thawline_is_run_as_the_same_job_and_its_record_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seconds = {"tokenising": 1.0, "prefix": 20.0, "training": 3.0, "evaluation": 1.0, "total": 25.0}
    record = {
        "test": {"accuracy": SCORE, "f1_macro": SCORE},
        "seconds": seconds,
        "parameters": {"trainable": 770, "frozen": 22_713_216, "total": 22_713_986},
        "peak_memory_bytes": 10**9,
    }
    run: list[Any] = []

    def timed(command: list[str], side: str, environment: dict[str, str]) -> tuple[str, float]:
        run.extend([command[1:], environment])
        return json.dumps(record), 30.0

    monkeypatch.setattr(trainer_peer, "timed", timed)
    monkeypatch.setattr(trainer_peer.shutil, "which", lambda program, path: program)
    options = trainer_peer.parse([*WORDS, "--train", "60", "--test", "40", "--seed", "3"])
    measured = trainer_peer.run_thawline(options, "thawline", tmp_path)

    command, environment = run
    given = dict(zip(command[2::2], command[3::2], strict=True))
    assert command[:2] == ["fit", "--json"]
    assert given == {
        "--out": str(tmp_path / "thawline"),
        "--data": "examples/reviews",
        "--labels": "neg,pos",
        "--backbone": "minilm",
        "--strategy": "head",
        "--max-length": "512",
        "--seed": "3",
        "--limit": "60,40",
    }
    assert environment == {"THAWLINE_HOME": str(tmp_path / "home")}
    assert measured["training_seconds"] == 23
    assert measured["process_seconds"] == 30
    assert measured["accuracy"] == SCORE


def test_a_side_that_fails_ends_the_comparison() -> None:
    with pytest.raises(SystemExit, match="Trainer script failed with exit code 3"):
        trainer_peer.timed([sys.executable, "-c", "raise SystemExit(3)"], "trainer", {})


@pytest.mark.slow
def test_both_sides_run_on_real_reviews(tmp_path: Path) -> None:
    answer = tmp_path / "peer.json"
    sizes = ["--train", "60", "--test", "40", "--epochs", "1", "--max-length", "64"]
    subprocess.run(
        [sys.executable, trainer_peer.__file__, *WORDS, *sizes, "--json", str(answer)],
        cwd=Path(trainer_peer.__file__).parents[1],
        check=True,
    )
    results = json.loads(answer.read_text(encoding="utf-8"))["results"]
    assert set(results) == {"trainer", "thawline", "thawline_again"}
    assert results["trainer"]["trainable"] == 770
    assert results["trainer"]["rows"] == {"train": 54, "validation": 6, "test": 40}
    assert results["thawline"]["accuracy"] == results["thawline_again"]["accuracy"]
    for side in results.values():
        for name in ("accuracy", "f1_macro"):
            assert 0 <= side[name]["low"] <= side[name]["value"] <= side[name]["high"] <= 1


def test_tfidf_and_a_frozen_head_are_compared_on_the_same_rows(
    toy_backbone: Callable[[str], Path],
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write_set(tmp_path / "films", {"train": toy_reviews(80), "test": toy_reviews(40, 1)})
    found = tmp_path / "found.json"
    words = [f"{folder}=neg,pos", "--backbone", str(toy_backbone("bert")), "--json", str(found)]
    frozen_head_sets.main(words)
    (result,) = json.loads(found.read_text())["results"]
    assert result["rows"] == {"train": 72, "validation": 8, "test": 40}
    assert result["thawline"]["texts_computed"] == 120
    assert result["tfidf"]["accuracy"]["value"] > 0.9  # the words tell the class
    assert result["tfidf"]["C"] in frozen_head_sets.PENALTIES
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith("| films | 80 / 40 |")
    assert row.count("|") == 9
