"""The seconds by which fits are predicted, and the results that they are found from."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import costs
from thawline.compare.seconds import SECONDS, predict_seconds


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
        "slowdown": 1.0,
        "machine": {"instructions": "AVX2"},
    }


def test_the_seconds_of_exact_measurements_are_found() -> None:
    amounts = [(1.0, 2e5, 100), (3.0, 1e5, 900), (2.0, 9e5, 400), (0.5, 4e4, 800)]
    works = [
        {"prefix": {"products_fp32": products, "tokens": tokens, "texts": texts}}
        for products, tokens, texts in amounts
    ]
    results = [result("head", work, sum(predict_seconds(work).values())) for work in works]
    found = costs.find_seconds(results)
    expected = {thing: SECONDS["prefix"][thing] for thing in works[0]["prefix"]}
    assert found == {"prefix": pytest.approx(expected)}


def test_the_slowdown_of_the_machine_is_taken_out_of_the_seconds() -> None:
    works = [{"words": {"fits": 1.0, "characters": c, "outputs": o}} for c, o in
             ((1e6, 2e3), (3e6, 1e3), (2e6, 9e3), (8e6, 3e3))]  # fmt: skip
    results = [result("tfidf", work, 2 * sum(predict_seconds(work).values())) for work in works]
    results = [one | {"slowdown": 2.0} for one in results]
    assert costs.find_seconds(results)["words"] == pytest.approx(SECONDS["words"])


def test_the_seconds_of_training_are_found_from_both_kinds_of_training() -> None:
    rows = [(1.0, 2e5, 100, 300, 1e9), (3.0, 1e5, 90, 540, 3e8), (2.0, 9e5, 40, 40, 2e9),
            (0.5, 4e4, 80, 480, 9e7), (0.9, 3e5, 700, 900, 1e8)]  # fmt: skip
    things = ("products_fp32", "tokens", "steps", "blocks", "updates")
    works = [dict(zip(things, row, strict=True)) for row in rows]
    parts = [{"tapt": works[0]}, {"tapt": works[1]}, *({"training": one} for one in works[2:])]
    results = [result("full", part, sum(predict_seconds(part).values())) for part in parts]
    found = costs.find_seconds(results)
    expected = {thing: SECONDS["training"][thing] for thing in things}
    assert found == {"training": pytest.approx(expected), "tapt": pytest.approx(expected)}


def test_a_prediction_is_corrected_by_the_cheaper_fits_of_its_set() -> None:
    first = {"prefix": {"products_fp32": 10.0, "tokens": 0.0, "texts": 0.0}}
    second = {"prefix": {"products_fp32": 100.0, "tokens": 0.0, "texts": 0.0}}
    seconds = [2 * sum(predict_seconds(work).values()) for work in (first, second)]
    results = [result("head", first, seconds[0]), result("full", second, seconds[1])]
    (_, before), (_, after) = costs.corrected(results)
    assert before == pytest.approx(seconds[0] / 2)
    assert after == pytest.approx(seconds[1], rel=0.1)
    assert costs.share_within(results) == (0.0, 0.5)


def test_nine_of_ten_committed_results_are_predicted_within_a_quarter() -> None:
    results = costs.read(costs.RESULTS)
    before, after = costs.share_within(results)
    assert before >= 0.9
    assert after >= 0.9
    # Many of the results of the other processor were measured while other programs ran.
    for checked in (False, True):
        quiet = costs._by_use(results)["AVX2", checked]
        assert min(costs.share_within(quiet)) >= 0.9
    assert len(list(costs.table(results))) == len(results) + 2


def test_a_job_has_a_name_without_the_path_of_the_set() -> None:
    words = ["measure", "/some/where/films.csv:100,50", "--backbone", "minilm"]
    jobs = list(costs._jobs(costs.parse(words)))
    assert [job["strategy"] for job in jobs] == list(costs.STRATEGIES)
    assert jobs[0]["backbone"] is None
    assert jobs[1]["rows"] == "100,50"
