"""Which runs fit into a budget, and in which order they are made."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.records import fit_record
from thawline.compare.fitting import too_small
from thawline.compare.forecast import Forecast, RungForecast
from thawline.compare.plan import LadderRun
from thawline.compare.schedule import Schedule
from thawline.config import Config, LadderConfig
from thawline.config.annotations import settings_of
from thawline.runs.records import FitRecord
from thawline.training.states import LaterStates

SEEDS = (0, 1)


class Uncorrected(Forecast):
    """Predictions that finished runs do not change."""

    def learn(self, rung: str, record: FitRecord) -> None:
        pass


POOLED, AT_LINE = {"prefix": frozenset({"pooled"})}, {"prefix": frozenset({3})}
RUNGS = {
    "full": RungForecast({"training": 100.0, "other": 1.0}, {}),
    "head": RungForecast(
        {"prefix": 8.0, "head": 1.0, "other": 1.0}, {"prefix": frozenset({"pooled"})}
    ),
    "last:1": RungForecast(
        {"prefix": 8.0, "training": 11.0, "other": 1.0}, {"prefix": frozenset({3})}
    ),
}


def run(rung: str, seed: int, folder: str | None = None, draw: int = 0) -> LadderRun:
    return LadderRun(rung, seed, Config(), Path(folder or f"{rung}-{seed}"), draw)


def schedule(budget: float, runs: list[LadderRun] | None = None) -> Schedule:
    runs = [run(rung, seed) for rung in RUNGS for seed in SEEDS] if runs is None else runs
    return Schedule(runs, Uncorrected(RUNGS), budget)


def finished(seconds: float) -> FitRecord:
    record = fit_record()
    return record.model_copy(
        update={"seconds": record.seconds.model_copy(update={"total": seconds})}
    )


def names(runs: list[LadderRun]) -> list[str]:
    return [str(one.folder) for one in runs]


def test_the_first_seeds_come_first_from_cheap_to_dear() -> None:
    assert names(schedule(0).next_runs()) == [
        *("head-0", "last:1-0", "full-0", "head-1", "last:1-1", "full-1")
    ]
    assert schedule(0).left_out() == {}


def test_what_does_not_fit_is_left_out_and_further_seeds_come_in_whole_rounds() -> None:
    # The first seeds of head and last:1 take 30 s, the second ones 2 + 12 s from the store.
    assert names(schedule(31).next_runs()) == ["head-0", "last:1-0"]
    assert names(schedule(43).next_runs()) == ["head-0", "last:1-0"]
    assert names(schedule(45).next_runs()) == ["head-0", "last:1-0", "head-1", "last:1-1"]
    left_out = schedule(45).left_out()
    assert {rung: names(runs) for rung, runs in left_out.items()} == {"full": ["full-0", "full-1"]}
    assert schedule(45).predicted(left_out["full"]) == 202
    assert schedule(9).next_runs() == []


def test_a_finished_run_counts_with_its_true_seconds() -> None:
    one = schedule(45)
    head, *_ = one.next_runs()
    one.finish(head, finished(30.0))
    assert names(one.next_runs()) == ["head-1"]  # last:1 does not fit any more
    assert list(one.left_out()) == ["full", "last:1"]


def test_a_round_that_has_begun_is_continued() -> None:
    one = schedule(80)
    for _ in range(3):
        one.finish(one.next_runs()[0], finished(22.0))
    assert names(one.next_runs()) == ["last:1-1"]
    assert names(one.left_out()["full"]) == ["full-0", "full-1"]


def test_the_other_seeds_of_a_failed_rung_are_not_made() -> None:
    one = schedule(0)
    one.fail(one.next_runs()[0], 3.0)
    assert names(one.next_runs()) == ["last:1-0", "full-0", "last:1-1", "full-1"]
    assert one.left_out() == {}


def test_draws_come_before_further_seeds_and_need_the_states_of_new_texts() -> None:
    runs = [
        run(rung, 10 * draw + seed, draw=draw)
        for rung in ("head", "last:1")
        for draw in (0, 1)
        for seed in SEEDS
    ]
    order = [*("head-0", "last:1-0", "head-10", "last:1-10"), *("head-1", "last:1-1")]
    planned = Schedule(runs, Uncorrected(RUNGS, redrawn=0.5), 0)
    assert names(planned.next_runs()) == [*order, "head-11", "last:1-11"]
    # On the second draw, half of the texts are in the store: 4 + 2 s and 4 + 12 s.
    assert planned.predicted(planned.next_runs()[:4]) == 30 + 22
    for budget, made in ((51, 2), (52, 4), (65, 4), (66, 6), (80, 8)):
        assert len(Schedule(runs, Uncorrected(RUNGS, redrawn=0.5), budget).next_runs()) == made


def test_runs_that_share_a_folder_are_one_run() -> None:
    runs = [run("head", 0, "head"), run("head", 1, "head"), run("full", 0), run("full", 1)]
    assert names(schedule(0, runs).next_runs()) == ["head", "full-0", "full-1"]


def test_a_run_with_a_lower_line_comes_before_those_that_continue_from_its_states() -> None:
    rungs = {
        name: RungForecast({"prefix": 8.0, "training": cost}, {"prefix": frozenset({states})})
        for name, cost, states in (
            ("head", 1.0, ("minilm", "pooled")),
            ("last:1", 10.0, ("minilm", 6)),
            ("last:2", 20.0, ("minilm", 5)),
            ("last:3", 30.0, ("minilm", 4)),
            ("qwen last:3", 5.0, ("qwen", 4)),
        )
    }
    runs = [run(rung, seed) for rung in rungs for seed in SEEDS]
    order = ["head", "qwen last:3", "last:3", "last:2", "last:1"]
    planned = Schedule(runs, Uncorrected(rungs), 0)
    assert names(planned.next_runs()) == [f"{rung}-{seed}" for seed in SEEDS for rung in order]
    # With a budget for the cheapest three only, the more expensive ones do not take their place.
    planned = Schedule(runs, Uncorrected(rungs), 9 + 13 + 18)
    assert names(planned.next_runs()) == ["head-0", "qwen last:3-0", "last:1-0"]


def test_a_pass_over_pooled_states_computes_those_at_a_line_too() -> None:
    states = {"head": {"pooled"}, "last:1": {6}, "last:3": {4}, "lp+last:1": {"pooled", 6}}
    rungs = {
        rung: RungForecast(
            {"prefix": 8.0, "training": 1.0 + number},
            {"prefix": frozenset(("minilm", place) for place in places)},
        )
        for number, (rung, places) in enumerate(states.items())
    }
    rungs["qwen last:1"] = RungForecast(
        {"prefix": 8.0, "training": 9.0}, {"prefix": frozenset({("qwen", 6)})}
    )
    runs = [run(rung, 0) for rung in rungs]
    one = Schedule(runs, Uncorrected(rungs), 9 + 2 + 3 + 4)
    planned = one.next_runs()
    assert names(planned) == ["head-0", "last:3-0", "last:1-0", "lp+last:1-0"]
    # The states at the line of last:1 are computed from those of last:3.
    assert one.later(planned) == LaterStates(line=4)
    assert one.later(planned[:1]) == LaterStates()
    assert one.later(planned[1:]) == LaterStates(pooled=True)
    one.finish(planned[0], finished(9.0), LaterStates(line=4))
    assert one.stored[0] == {("minilm", "pooled"), ("minilm", 4)}
    assert one.later(one.next_runs()) == LaterStates()
    other_draw = [run("head", 0), run("last:1", 0, draw=1)]
    assert Schedule(other_draw, Uncorrected(rungs), 0).later(other_draw) == LaterStates()


def test_the_error_for_a_small_budget_names_settings_of_the_ladder() -> None:
    error = too_small(schedule(1.0))
    named = re.findall(r"`([\w.]+)`", str(error))
    assert error.setting in named
    assert "fit.data.limit" in named
    assert not set(named) - settings_of(LadderConfig).keys()
