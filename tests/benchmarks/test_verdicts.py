"""The simulation of verdicts: cases with a known answer, pieces that resume, and the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmarks import verdicts, verdicts_fits, verdicts_report
from benchmarks.verdicts_copies import (
    CopiesCase,
    RunCase,
    number_rows,
    simulate_copies,
    simulate_run,
)
from benchmarks.verdicts_trials import (
    CoverageCase,
    Pool,
    RareCase,
    judge,
    judge_as_before,
    resample_choices,
    resample_itself,
    resample_verdicts,
    simulate_coverage,
    simulate_rare,
    true_accuracies,
)
from thawline.config import DataConfig
from thawline.data import LabelledTexts

ROOT = Path(__file__).parents[2]


def pool(shares: tuple[float, ...] = (0.80, 0.84), of_seeds: float = 0.02) -> Pool:
    """Return strategies with these accuracies, whose seeds differ."""
    generator = np.random.default_rng(0)
    text = generator.random(5_000)
    return {
        f"strategy {index}": np.stack(
            [
                0.8 * text + 0.2 * generator.random(5_000) < share + of_seeds * shift
                for shift in np.linspace(-1, 1, 10)
            ]
        )
        for index, share in enumerate(shares)
    }


def test_an_interval_that_ignores_seeds_covers_too_rarely() -> None:
    row = simulate_coverage(CoverageCase(3, 500, 4.0, 2, 0.02), 200)
    assert row["runs"] == 200
    assert row["coverage"]["interval"] > 0.9
    assert row["coverage"]["texts"] < 0.75


def test_an_interval_that_ignores_texts_covers_too_rarely() -> None:
    row = simulate_coverage(CoverageCase(5, 500, 0.0, 2, 0.0), 200)
    assert row["coverage"]["interval"] > 0.9
    assert row["coverage"]["seeds"] < 0.9


def test_an_interval_without_corrections_covers_too_rarely_if_models_hardly_differ() -> None:
    row = simulate_rare(RareCase(1_000, 0.5, one_way=True), 200)
    assert row["coverage"]["interval"] > 0.9
    assert row["coverage"]["plain"] < 0.6  # no text differs in most cases
    assert row["within"] > 0.8


def test_a_model_below_the_margin_is_rarely_within_it() -> None:
    row = simulate_rare(RareCase(5_000, 100.0, one_way=True), 100)
    assert row["within"] < 0.1


def test_an_interval_that_counts_copies_as_texts_covers_too_rarely() -> None:
    case = CopiesCase(1, 500, 0.0, 0.4, 10)
    numbers = number_rows(case.rows, case.share, case.times)
    assert (len(numbers), numbers.max()) == (500, 301)
    row = simulate_copies(case, 200)
    assert row["coverage"]["interval"] > 0.9
    assert row["coverage"]["rows"] < 0.75


def test_an_interval_of_a_run_that_counts_copies_as_texts_covers_too_rarely() -> None:
    coverage = simulate_run(RunCase(500, 0.4, 10, 0.6, 0.95), 60)["coverage"]
    assert min(coverage["accuracy_interval"], coverage["f1_macro_interval"]) > 0.85
    assert max(coverage["accuracy_rows"], coverage["f1_macro_rows"]) < 0.75


def test_few_texts_make_the_earlier_verdict_wrong_and_the_new_one_undecided() -> None:
    row = resample_verdicts(pool(), texts=200, seeds=1, runs=40)
    assert row["before"]["wrong"] > 0.25
    assert row["before"]["undecided"] == 0
    assert row["now"]["wrong"] < 0.1
    assert row["now"]["undecided"] > 0.2


def test_many_texts_decide_both_verdicts() -> None:
    row = resample_verdicts(pool(of_seeds=0.0), texts=20_000, seeds=1, runs=5)
    for name in ("before", "now"):
        assert row[name]["named"] == {"strategy 0": 0.0, "strategy 1": 1.0}
        assert row[name]["given_away"] == 0.0


def test_judges_name_the_cheapest_of_equal_strategies() -> None:
    arms = [flags[:3, :1_000] for flags in pool((0.9, 0.9)).values()]
    arms[1] = arms[0]
    assert judge(arms) == judge_as_before(arms) == 0


def test_seeds_make_mcnemar_find_differences_of_a_strategy_to_itself() -> None:
    row = resample_itself(pool(of_seeds=0.05), "strategy 0", texts=5_000, seeds=3, runs=40)
    assert row["before"] > 0.5
    assert row["now"] < 0.25


def test_few_validation_texts_choose_the_cheaper_strategy() -> None:
    few, many = (resample_choices(pool(), texts, seeds=3, runs=20) for texts in (100, 20_000))
    assert few["now"]["named"]["strategy 0"] > few["before"]["named"]["strategy 0"]
    assert many["before"]["named"]["strategy 1"] > 0.9
    assert few["now"]["undecided"] == few["before"]["undecided"] == 0


def write_fit(folder: Path, rung: str, seed: int, labels: np.ndarray) -> None:
    logits = np.stack([1 - labels, labels], axis=1).astype(np.float32)
    save_file({"test": logits}, verdicts_fits.file_of(folder, rung, seed))


def test_a_pool_leaves_incomplete_seeds_out(tmp_path: Path) -> None:
    labels = np.array([0, 1, 1])
    save_file({"test": labels}, tmp_path / verdicts_fits.LABELS)
    for rung in verdicts_fits.RUNGS:
        for seed in (0, 1, 2) if "full" in rung else (0, 1, 2, 3):
            write_fit(tmp_path, rung, seed, labels)
    found = verdicts.read_pool(tmp_path, 5)
    seeds = {name: len(flags) for name, flags in found.items()}
    assert seeds == {"head": 1, "last:1": 3, "lora": 3, "full": 3}
    assert true_accuracies(found).tolist() == [1.0] * 4


def test_finished_cases_are_not_simulated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "SIZES", (50,))
    monkeypatch.setattr(verdicts, "VALIDATION_SIZES", (40,))
    monkeypatch.setattr(verdicts, "SEEDS", (1,))
    monkeypatch.setattr(verdicts, "COVERAGE_CASES", [CoverageCase(3, 20, 0.0, 2, 0.0)])
    monkeypatch.setattr(verdicts, "RARE_CASES", [RareCase(20, 1.0, one_way=True)])
    monkeypatch.setattr(verdicts, "COPIES_CASES", [CopiesCase(1, 20, 0.0, 0.1, 2)])
    monkeypatch.setattr(verdicts, "RUN_CASES", [RunCase(20, 0.1, 2, 0.85, 0.85)])
    file = tmp_path / "verdicts.json"
    results = verdicts.Results(file)
    verdicts.measure_coverage(results, 3)
    verdicts.resample(results, pool(), 3)
    simulated = ("coverage", "rare", "copies", "copies_of_a_run")
    resampled = ("strategies", "choices", "verdicts", "itself")
    assert [len(results.rows(part)) for part in simulated] == [1, 1, 1, 1]
    assert [len(results.rows(part)) for part in resampled] == [2, 1, 1, 2]
    again = verdicts.Results(file)
    names = ("resample_verdicts", "resample_itself", "resample_choices")
    for name in ("simulate_coverage", "simulate_rare", "simulate_copies", "simulate_run", *names):
        monkeypatch.setattr(verdicts, name, None)
    verdicts.measure_coverage(again, 3)
    verdicts.resample(again, pool(), 3)
    assert again.found == results.found
    assert {"created", "hardware", "versions"} <= json.loads(file.read_text()).keys()


def test_more_fits_replace_the_verdicts_of_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "SIZES", (50,))
    monkeypatch.setattr(verdicts, "VALIDATION_SIZES", (40,))
    monkeypatch.setattr(verdicts, "SEEDS", (1,))
    results = verdicts.Results(tmp_path / "verdicts.json")
    verdicts.resample(results, pool((0.7, 0.8)), 3)
    verdicts.resample(results, pool((0.7, 0.9)), 3)
    assert len(results.rows("verdicts")) == 1
    assert results.rows("strategies")[1]["accuracy"] > 0.85


@pytest.mark.parametrize("part", ["fits", "resample"])
def test_the_folder_of_the_fits_is_needed(part: str) -> None:
    with pytest.raises(SystemExit):
        verdicts.parse([part])


@pytest.mark.e2e
def test_fits_are_kept_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THAWLINE_HOME", str(tmp_path / "home"))
    data = DataConfig(data="thawline/reviews", limit=(40, 10), validation_share=0.25)
    demo = replace(verdicts_fits.DEMO, data=data, tokens=replace(verdicts_fits.DEMO.tokens,
                                                                 max_length=12))  # fmt: skip
    monkeypatch.setattr(verdicts_fits, "DEMO", demo)
    monkeypatch.setattr(verdicts_fits, "RUNGS", ("head", "last:1 training.epochs=2"))
    monkeypatch.setattr(verdicts, "RUNGS", verdicts_fits.RUNGS)
    texts = ["a fine film", "a poor film", "so so"]
    test = LabelledTexts(texts, np.array([1, 0, 1]), np.arange(3), "test")
    verdicts_fits.fit_all(tmp_path / "fits", range(2), test)
    assert len(capsys.readouterr().err.splitlines()) == 3  # head does not depend on the seed
    monkeypatch.setattr(verdicts_fits, "_fit", None)
    verdicts_fits.fit_all(tmp_path / "fits", range(2), test)
    found = verdicts.read_pool(tmp_path / "fits", 2)
    assert {name: flags.shape for name, flags in found.items()} == {
        "head": (1, 3),
        "last:1": (2, 3),
    }


@pytest.mark.skipif(not verdicts.RESULTS.exists(), reason="no verdicts were simulated yet")
def test_the_page_shows_the_results() -> None:
    page = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    results = verdicts.Results(verdicts.RESULTS).found
    for table in verdicts_report.tables(results).values():
        for line in table.splitlines():
            assert line in page
