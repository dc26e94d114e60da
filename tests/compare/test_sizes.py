"""Learning curves: where one rung overtakes another, and how many rows are enough."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.compare.test_verdict import GOOD, run
from tests.support.records import ladder_record, rung_pair, rung_record
from thawline.compare.sizes import curve_words, find_crossings, seconds_of
from thawline.runs.records import Comparison, Crossing, EnoughRows


def comparison(difference: float, *, width: float = 0.01) -> Comparison:
    pair = rung_pair("tfidf", "full", difference)
    ends = {"low": difference - width, "high": difference + width}
    accuracy = pair.accuracy.model_copy(update={"value": difference, **ends})
    pair = pair.model_copy(update={"accuracy": accuracy})
    rungs = [rung_record("tfidf", 0.8), rung_record("full", 0.8 - difference)]
    return ladder_record(rungs, pairs=[pair])


def test_a_rung_overtakes_another_between_two_clear_differences() -> None:
    (found,) = find_crossings(
        {100: comparison(0.06), 200: comparison(0.005), 400: comparison(-0.06)}
    )
    assert (found.fewer, found.more, found.above, found.below) == ("tfidf", "full", 100, 400)
    assert found.rows == 200  # in the middle on a logarithmic scale
    (back,) = find_crossings({400: comparison(0.02), 100: comparison(-0.06)})
    assert (back.fewer, back.more) == ("full", "tfidf")
    assert math.log(back.rows / 100) == pytest.approx(0.75 * math.log(4), abs=0.01)


def test_an_unclear_difference_is_no_crossing() -> None:
    assert find_crossings({100: comparison(0.06), 400: comparison(-0.06, width=0.07)}) == []
    assert find_crossings({100: comparison(0.06), 400: comparison(0.02)}) == []


def test_the_answer_names_rows_and_rungs() -> None:
    enough = [EnoughRows(rung="tfidf", rows=500), EnoughRows(rung="full", rows=None)]
    crossing = Crossing(fewer="tfidf", more="full", above=100, below=4_000, rows=1_234)
    words = curve_words(enough, [crossing], [100, 500, 4_000, 8_000], 1.0)
    for datum in ("`tfidf`", "500", "`full`", "8,000", "1,234", "100", "4,000", "1 point"):
        assert datum in words


def test_the_answer_says_that_no_part_was_compared() -> None:
    words = curve_words([EnoughRows(rung="tfidf", rows=None)], [], [8_000], 1.0)
    assert "8,000" in words
    assert "tfidf" not in words


def test_a_run_that_stands_for_all_seeds_takes_its_seconds_once() -> None:
    made = [run("head", GOOD, seed=seed) for seed in range(3)]
    seconds = made[0].record.seconds.total
    assert seconds_of(made) == pytest.approx(3 * seconds)
    shared = [replace(one, run=replace(one.run, folder=made[0].run.folder)) for one in made]
    assert seconds_of(shared) == pytest.approx(seconds)
