"""The seconds by which fits are predicted, and the results that they are found from."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import costs
from thawline.compare.costs import SECONDS, predict_seconds


def result(strategy: str, work: dict[str, dict[str, float]], seconds: float) -> dict[str, Any]:
    parts = predict_seconds(work)
    share = seconds / sum(parts.values())
    return {
        "set": "films:100,50",
        "backbone": "toy",
        "strategy": strategy,
        "max_length": None,
        "check": False,
        "work": work,
        "seconds": {part: share * value for part, value in parts.items()},
        "total": seconds,
    }


def test_the_seconds_of_exact_measurements_are_found() -> None:
    amounts = [(1.0, 2e5, 100), (3.0, 1e5, 900), (2.0, 9e5, 400), (0.5, 4e4, 800)]
    works = [
        {"prefix": {"products": products, "tokens": tokens, "texts": texts}}
        for products, tokens, texts in amounts
    ]
    results = [result("head", work, sum(predict_seconds(work).values())) for work in works]
    found = costs.find_seconds(results)
    assert set(found) == {"prefix"}
    assert found["prefix"] == pytest.approx(SECONDS["prefix"])


def test_a_prediction_is_corrected_by_the_cheaper_fits_of_its_set() -> None:
    first = {"prefix": {"products": 10.0, "tokens": 0.0, "texts": 0.0}}
    second = {"prefix": {"products": 100.0, "tokens": 0.0, "texts": 0.0}}
    seconds = [2 * sum(predict_seconds(work).values()) for work in (first, second)]
    results = [result("head", first, seconds[0]), result("full", second, seconds[1])]
    (_, before), (_, after) = costs.corrected(results)
    assert before == pytest.approx(seconds[0] / 2)
    assert after == pytest.approx(seconds[1], rel=0.1)
    assert costs.share_within(results) == (0.0, 0.5)


def test_the_committed_results_are_predicted_within_a_quarter() -> None:
    results = costs.read(costs.RESULTS)
    before, after = costs.share_within([one for one in results if not one["check"]])
    assert before >= 0.8
    assert after >= 0.9
    assert len(list(costs.table(results))) == len(results) + 2


def test_a_job_has_a_name_without_the_path_of_the_set() -> None:
    words = ["measure", "/some/where/films.csv:100,50", "--backbone", "minilm"]
    jobs = list(costs._jobs(costs.parse(words)))
    assert [job["strategy"] for job in jobs] == list(costs.STRATEGIES)
    assert jobs[0]["backbone"] is None
    assert jobs[1]["rows"] == "100,50"
