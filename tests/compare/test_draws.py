"""Which draws are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.compare.test_verdict import COPIES, GOOD, compare, flip, run, with_accuracy
from thawline.compare.draws import draws_of, select_draws
from thawline.compare.plan import plan_runs
from thawline.compare.results import FinishedRun
from thawline.compare.verdict import compare_runs
from thawline.config import LadderConfig
from thawline.data import Dataset, load_data
from thawline.runs.records import Comparison


def on_draw(one: FinishedRun, draw: int) -> FinishedRun:
    return replace(one, run=replace(one.run, draw=draw))


@pytest.fixture
def draws() -> list[Dataset]:
    """Three draws, of which the first and the last have half of their rows in common."""
    texts = [f"text {number}" for number in range(300)]
    data = load_data((texts, [number % 2 for number in range(300)]), limit=(100, 60))
    rows = {*data.train.rows.tolist(), *data.validation.rows.tolist()}
    others = np.array(sorted({*range(300)} - rows))

    def moved(offset: int) -> Dataset:
        train = replace(data.train, rows=others[offset : offset + len(data.train)])
        last = offset + len(data.train)
        validation = replace(data.validation, rows=others[last : last + len(data.validation)])
        return replace(data, train=train, validation=validation)

    return [data, moved(0), moved(50)]


def comparison(*made: FinishedRun, draws: list[Dataset]) -> Comparison:
    kept, drawn = select_draws(made, draws)
    rungs = tuple(dict.fromkeys(one.run.rung for one in kept))
    return compare_runs(LadderConfig(rungs=rungs), kept, COPIES, drawn=drawn)


def test_only_draws_that_all_rungs_have_are_compared(draws: list[Dataset]) -> None:
    made = [on_draw(run("head", with_accuracy(0.8, draw)), draw) for draw in range(3)]
    made += [on_draw(run("full", flip(GOOD, draw)), draw) for draw in range(2)]
    kept, drawn = select_draws(made, draws)
    assert [(one.run.rung, one.run.draw) for one in kept] == [
        *(("head", 0), ("head", 1), ("full", 0), ("full", 1))
    ]
    assert drawn is not None
    assert (drawn.draws, drawn.rows, drawn.overlap) == ([0, 1], 100, 0.0)
    kept, drawn = select_draws([*made[:3], made[3]], draws)
    assert [one.run.draw for one in kept] == [0, 0]
    assert drawn is None
    kept, drawn = select_draws([*made[:3], made[4]], draws)  # full has no run on draw 0
    assert [one.run.rung for one in kept] == ["head"] * 3
    assert drawn is not None
    assert drawn.overlap == pytest.approx(0.5 / 3)


def test_draws_with_common_rows_cannot_be_increased(draws: list[Dataset]) -> None:
    made = [on_draw(run("head", GOOD), draw) for draw in range(3)]
    for numbers, most in (((0, 1), draws[0].separate_draws), ((0, 1, 2), 0)):
        kept, drawn = select_draws(made[: len(numbers)], draws)
        found = draws_of([kept], drawn)
        assert found is not None
        assert (list(found.of_runs[0]), found.most) == (list(numbers), most)
    assert draws_of([made[:1]], None) is None


def test_the_verdict_is_about_new_rows(draws: list[Dataset]) -> None:
    worse = [on_draw(run("head", flip(GOOD, 60 + draw), seconds=1), draw) for draw in range(2)]
    good = [on_draw(run("full", flip(GOOD, draw)), draw) for draw in range(2)]
    found = comparison(*worse, *good, draws=draws)
    assert found.verdict.about == "new_rows"
    assert "100" in found.verdict.words
    assert found.rungs[0].test.accuracy.deviation is not None
    (pair,) = found.pairs
    accuracies = [rung.test.accuracy.value for rung in found.rungs]
    assert pair.accuracy.value == pytest.approx(accuracies[0] - accuracies[1])
    alone = compare(worse[0], good[0])
    assert found.chosen == alone.chosen
    assert [rung.nested for rung in found.rungs] == [rung.nested for rung in alone.rungs]


def test_each_draw_counts_once_if_it_has_several_seeds(draws: list[Dataset]) -> None:
    made = [
        on_draw(run("head", flip(GOOD, mistakes), seed=seed), draw)
        for draw, seed, mistakes in ((0, 0, 0), (0, 1, 20), (1, 1_000, 40))
    ]
    accuracy = comparison(*made, draws=draws).rungs[0].test.accuracy
    assert accuracy.value == pytest.approx(0.9 - (10 + 40) / 2 / 400)
    assert accuracy.deviation == pytest.approx(30 / 400 / np.sqrt(2))


def test_runs_of_a_draw_have_rows_seeds_and_a_folder_of_their_own(tmp_path) -> None:
    config = LadderConfig(rungs=("head", "full"), seeds=(3, 5), draws=2)
    runs = plan_runs(config, tmp_path)
    assert [(run.draw, run.seed, run.name) for run in runs if run.rung == "full"] == [
        *((0, 3, "full-seed-3"), (0, 5, "full-seed-5")),
        *((1, 1_003, "draw-1/full-seed-1003"), (1, 1_005, "draw-1/full-seed-1005")),
    ]
    assert [run.config.data.draw for run in runs] == [0, 0, 1, 1] * 2
    assert {run.name for run in runs if run.rung == "head"} == {
        *("head-seed-3", "draw-1/head-seed-1003")
    }
    before = plan_runs(replace(config, draws=1), tmp_path)
    assert [run for run in runs if run.draw == 0] == before
