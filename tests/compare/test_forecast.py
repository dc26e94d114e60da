"""Predicted seconds, and their correction by finished runs."""

from __future__ import annotations

import pytest

from tests.support.records import fit_record
from thawline.compare.forecast import PRIOR_SECONDS, Forecast, RungForecast, measured_parts

HEAD = RungForecast({"prefix": 9.0, "head": 4.0, "other": 1.0}, {"prefix": frozenset({"pooled"})})
FULL = RungForecast({"training": 99.0, "other": 1.0}, {})


def test_stored_states_are_not_computed_again() -> None:
    forecast = Forecast({"head": HEAD, "full": FULL})
    assert forecast.seconds("head") == 14
    assert forecast.seconds("head", {"pooled", "others"}) == 5
    assert forecast.seconds("full", {"pooled"}) == 100


def test_each_part_is_skipped_for_what_it_makes() -> None:
    shared = {"tapt": frozenset({"adapted"}), "prefix": frozenset({"states", "more"})}
    tapt = RungForecast({"tapt": 50.0, "prefix": 9.0, "other": 1.0}, shared)
    forecast = Forecast({"tapt+head": tapt})
    assert forecast.states("tapt+head") == {"adapted", "states", "more"}
    assert forecast.seconds("tapt+head", {"adapted"}) == 10
    assert forecast.seconds("tapt+head", {"states"}) == 60
    assert forecast.seconds("tapt+head", {"adapted", "states", "more"}) == 1


def test_a_rung_without_a_forecast_costs_nothing() -> None:
    forecast = Forecast({})
    assert forecast.seconds("head") == 0
    assert forecast.states("head") == frozenset()


def test_a_finished_run_corrects_the_same_part_of_other_rungs_and_replaces_its_own() -> None:
    last = RungForecast({"training": 9.0, "other": 1.0}, {})
    forecast = Forecast({"last:1": last, "full": FULL, "head": HEAD})
    forecast.learn_parts("last:1", {"training": 19.0, "scores": 5.0})
    assert forecast.seconds("last:1") == 19 + 1
    ratio = (19 + PRIOR_SECONDS) / (9 + PRIOR_SECONDS)
    usual = ratio  # of all parts with products, which is this one
    assert forecast.seconds("full") == pytest.approx(
        99 * (19 + usual * PRIOR_SECONDS) / (9 + PRIOR_SECONDS) + 1
    )
    # The frozen pass has not run, but consists of matrix products, too. The head does not.
    assert forecast.seconds("head") == pytest.approx(9 * usual + 4 + 1)
    forecast.learn_parts("full", {"training": 99.0})
    assert forecast.seconds("full") == 99 + 1
    assert forecast.seconds("last:1") == 19 + 1


def test_the_fit_of_words_is_learned_with_and_without_a_backbone() -> None:
    record = fit_record(words={"terms": 9, "penalty": 1e-5})
    assert measured_parts(record)["joint"] == record.seconds.training
    alone = record.model_copy(update={"backbone": None, "line": None})
    assert measured_parts(alone)["words"] == record.seconds.training
    assert not {"head", "joint"} & measured_parts(alone).keys()


def test_only_parts_that_were_measured_completely_are_used() -> None:
    record = fit_record()
    assert set(measured_parts(record)) >= {"scores", "other", "head"}
    parts = measured_parts(record)
    known = record.seconds.tokenising + record.seconds.prefix
    known += record.seconds.training + record.seconds.evaluation
    assert parts["other"] == pytest.approx(record.seconds.total - known)
    resumed = record.model_copy(update={"starts": [1.0, 2.0]})
    assert measured_parts(resumed) == {}
    prefix = record.prefix.model_copy(update={"texts": 3, "from_store": 1})
    assert "prefix" not in measured_parts(record.model_copy(update={"prefix": prefix}))
    prefix = record.prefix.model_copy(update={"texts": 3, "from_store": 0})
    assert "prefix" in measured_parts(record.model_copy(update={"prefix": prefix}))
