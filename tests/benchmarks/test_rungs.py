"""The benchmarks: the commands that they run, the results that they read and their tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import frozen_head_sets, kept_epoch, one_setting, rungs
from tests.support.command_line import write_set

SCORE = {"value": 0.855, "low": 0.84, "high": 0.87}


@pytest.mark.e2e
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
    assert result["head"]["rows"] == {"train": 72, "validation": 8, "test": 40}
    assert [result[name]["texts_computed"] for name in result] == [120, 0, 0]
    assert result["tfidf"]["accuracy"]["value"] > 0.9  # some words indicate the class
    assert result["head+tfidf"]["words"]["terms"] == result["tfidf"]["words"]["terms"]
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith("| films | 80 / 40 |")
    assert row.count("|") == 12


def rung_result(rung: str, accuracy: float, wrong: list[int]) -> dict[str, Any]:
    score = {"value": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.02}
    record = {
        "test": {"accuracy": score, "f1_macro": SCORE},
        "mistakes": {"rows": wrong},
        "parameters": {"trainable": 1_922_690},
        "seconds": {"total": 1_234.5},
        "peak_memory_bytes": 1_784_000_000,
    }
    return {"rung": rung, "command": f"thawline fit --strategy {rung}", "record": record}


def test_a_rung_has_its_own_options_and_those_of_all_rungs() -> None:
    words = ["head", "last:1 --lr 2e-5 --set training.patience=2", "--data", "my reviews"]
    options = rungs.parse([*words, "--small", "--seed", "3", "--set", "training.epochs=3"])
    assert rungs.command(options.rungs[1], options) == [
        *("fit", "--data", "my reviews", "--small", "--backbone", "minilm", "--seed", "3"),
        *("--set", "training.epochs=3", "--strategy", "last:1"),
        *("--lr", "2e-5", "--set", "training.patience=2"),
    ]
    limited = rungs.parse(["full", "--data", "imdb", "--limit", "40,20", "--labels", "neg,pos"])
    assert rungs.command("full", limited)[:7] == [
        *("fit", "--data", "imdb", "--labels", "neg,pos", "--limit", "40,20")
    ]


def test_rungs_are_compared_with_the_best_row_by_row() -> None:
    results = [
        rung_result("head", 0.85, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        rung_result("last:1", 0.9, [1, 10]),
        rung_result("full", 0.9, [1, 10]),
    ]
    rungs.compare(results)
    assert results[1]["against_best"] is None
    # Only one of the two is right on 9 rows, the best rung on 8 of them: p = 2 (1 + 9) / 2^9.
    assert results[0]["against_best"] == {
        "rung": "last:1",
        "only_this_right": 1,
        "only_best_right": 8,
        "p": pytest.approx(20 / 2**9),
        "p_corrected": pytest.approx(40 / 2**9),
    }
    assert results[2]["against_best"]["p"] == 1.0
    _, _, *rows = rungs.table(results).splitlines()
    assert rows[0] == (
        "| `head` | 85.0 % (83.0 to 87.0) | 85.5 % (84.0 to 87.0) | 1 : 8, p = 0.039 "
        "| 1,922,690 | 1,234 | 1,784 MB | `thawline fit --strategy head` |"
    )
    assert "| the best |" in rows[1]


@pytest.mark.e2e
def test_each_rung_runs_in_a_process_and_a_store_of_its_own(
    toy_backbone: Callable[[str], Path],
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = write_set(tmp_path / "films", {"train": toy_reviews(80), "test": toy_reviews(40, 1)})
    found = tmp_path / "found.json"
    words = ["--data", str(folder), "--labels", "neg,pos", "--backbone", str(toy_backbone("bert"))]
    more = ["--set", "metrics.resamples=20", "--json", str(found), "--plot", str(tmp_path / "plot")]
    rungs.main(["head", "last:1 --epochs 1", *words, *more])
    whole = json.loads(found.read_text())
    assert {"created", "hardware", "versions"} < set(whole)
    head, last = whole["results"]
    assert [head["record"]["strategy"], last["record"]["strategy"]] == ["head", "last:1"]
    for result in (head, last):
        assert result["record"]["prefix"]["texts"] == 120  # no rung uses the store of another
        assert result["process_seconds"] > result["record"]["seconds"]["total"] > 0
        assert len(result["record"]["mistakes"]["rows"]) == round(
            40 * (1 - result["record"]["test"]["accuracy"]["value"])
        )
    assert last["command"].endswith("--strategy last:1 --epochs 1")
    assert last["record"]["history"][-1]["epoch"] == 1
    assert {path.name for path in (tmp_path / "plot").iterdir()} == {"rungs.png", "rungs.svg"}
    header, rule, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2
    assert {line.count("|") for line in (header, rule, *rows)} == {9}

    executed: list[str] = []
    monkeypatch.setattr(rungs, "run", lambda rung, options: executed.append(rung) or head)
    rungs.main(["last:1 --epochs 1", "full", *words, *more])
    assert executed == ["full"]  # the file has the result of the other one


@pytest.mark.e2e
def test_a_rung_that_fails_ends_the_comparison(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"'lst:1'.*\b2\b"):
        rungs.main(["lst:1", "--data", str(tmp_path)])


def fitted(strategy: str, value: str, accuracy: float, seconds: float) -> dict[str, Any]:
    scores = {"validation_accuracy": accuracy, "training_seconds": seconds}
    return {"strategy": strategy, "set": "sets/films=neg,pos", "value": value, **scores}


def test_values_of_a_setting_are_averaged_and_compared_with_the_first() -> None:
    rows = [
        fitted("last:1", "own", 0.80, 20), fitted("last:1", "0.1", 0.90, 50),
        fitted("last:1", "own", 0.82, 20), fitted("last:1", "0.1", 0.90, 30),
        fitted("full", "own", 0.5, 1),
    ]  # fmt: skip
    assert one_setting.table(rows).splitlines()[2:] == [
        "| `last:1` | films | own | 81.0 % ± 1.4 | 1.00 |",
        "| `last:1` | films | 0.1 | 90.0 % ± 0.0 | 0.50 |",
        "| `full` | films | own | 50.0 % | 1.00 |",
    ]


def test_each_value_of_a_setting_is_fitted_with_each_seed(
    toy_backbone: Callable[..., Path], toy_reviews: Callable[..., Any], tmp_path: Path
) -> None:
    data = write_set(tmp_path / "films", {"train": toy_reviews(48), "test": toy_reviews(16, 1)})
    out = tmp_path / "rows.json"
    words = ["training.attention_dropout", "own", "0.5", "--sets", f"{data}=neg,pos"]
    words += ["--strategies", "last:1", "--seeds", "2", "--rows", "16", "--json", str(out)]
    settings = {"backbone": toy_backbone(), "training.epochs": 1, "compute.dtype": "float32"}
    settings["training.keep"] = "last"
    words += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    one_setting.main(words)
    rows = json.loads(out.read_text(encoding="utf-8"))
    cells = [(row["seed"], row["value"]) for row in rows]
    assert cells == [(0, "own"), (0, "0.5"), (1, "own"), (1, "0.5")]
    assert {(row["rows"], row["validation_rows"], row["epoch"]) for row in rows} == {(16, 16, 1)}
    losses = [row["validation_loss"] for row in rows]
    assert len(set(losses)) == 4  # four different fits


def test_each_rule_keeps_its_epoch() -> None:
    right = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [1, 0, 1, 0]], dtype=np.float64)
    losses = np.array([[0.2] * 4, [0.3] * 4, [0.1] * 4])
    kept = {rule: kept_epoch.chosen(right, losses, rule) for rule in kept_epoch.RULES}
    assert kept == {"accuracy": 0, "later": 1, "loss": 2, "last": 2}


def test_rows_that_choose_an_epoch_do_not_measure_it() -> None:
    # Three rows prefer the first epoch, and the fourth prefers the second.
    right = np.array([[1, 1, 1, 0], [0, 0, 0, 1]], dtype=np.float64)
    found = kept_epoch.accuracies(right, 1 - right, 3, seed=0)
    # If the fourth row does not choose, epoch 0 is kept, which is wrong on that row. Otherwise two
    # of three rows still choose epoch 0, and the row that measures is one of the first three.
    assert found["accuracy"] == pytest.approx(0.75, abs=0.05)
    assert found["last"] == pytest.approx(0.25, abs=0.05)
    assert found["best"] == 1


def test_one_fit_covers_every_size_of_validation(
    toy_backbone: Callable[..., Path], toy_reviews: Callable[..., Any], tmp_path: Path
) -> None:
    data = write_set(tmp_path / "films", {"train": toy_reviews(120), "test": toy_reviews(16, 1)})
    out = tmp_path / "kept.json"
    words = ["--sets", f"{data}=neg,pos", "--strategies", "last:1", "--seeds", "2", "--rows", "16"]
    settings = {"backbone": toy_backbone(), "training.epochs": 2, "compute.dtype": "float32"}
    words += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    kept_epoch.main([*words, "--pool", "60", "--json", str(out)])
    rows = json.loads(out.read_text(encoding="utf-8"))
    assert [(row["seed"], row["size"]) for row in rows] == [(0, 24), (0, 50), (1, 24), (1, 50)]
    for row in rows:
        assert 0 < row["accuracy"] <= row["best"] <= 1
        assert row["last"] <= row["best"]
    (_, _, whole, *_) = kept_epoch.table(rows).splitlines()
    assert whole.startswith("| `all` | 16 | 24 | ")


def test_each_run_of_the_embedded_model_s_ladder_has_its_own_folder():
    from benchmarks import embedded_model
    from thawline.compare.plan import plan_runs

    words = ["--data", "set", "--limit", "40,20", "--seeds", "0", "1", "--out", "runs"]
    ladder = embedded_model.ladder_of(embedded_model.parse(words))
    runs = plan_runs(ladder, Path("runs"))
    assert len(runs) == 2 * 14
    # The seeds of a rung that draws no random numbers share one folder.
    assert len({(run.rung, run.folder) for run in runs}) == len({run.folder for run in runs})
    assert (ladder.fit.backbone, ladder.fit.data.limit) == ("thawline/qwen3-mini", (40, 20))
    original = next(run.config for run in runs if "mlp:64" in run.rung)
    assert (original.head.head, original.head.standardise) == ("mlp:64", False)
    assert (original.training.epochs, original.training.lr) == (3, 1e-4)


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
