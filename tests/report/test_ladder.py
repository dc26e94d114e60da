"""Test the table and the lines of a ladder on a terminal of 80 columns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.support.records import ladder_record, rung_record, rung_run
from thawline.report.ladder import ladder_lines, ladder_table, seeds_of, short_count
from thawline.runs.records import Comparison, DrawnRows, RungRecord, Standing

COST = rung_record("head").cost


def printed(rungs: list[RungRecord]) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(ladder_table(ladder_record(rungs)))
    return out.getvalue()


def test_a_rung_is_one_line_of_at_most_80_columns():
    rungs = [
        rung_record("head+tfidf", 0.85, "worse"),
        rung_record("last:[1]", 0.87, "within"),
        rung_record("full", 0.9, "undecided"),
    ]
    shown = printed(rungs)
    header, _, head, last, full = shown.splitlines()
    assert header.split("  ")[0] == "strategy"
    assert head.startswith("head+tfidf ")
    assert " 85.0 ±2.0 " in head
    assert " -2.0 to 6.0 " in head  # the bounds that decide, not the interval of a pair
    assert "worse" in head
    assert "1,235" in head
    assert head.endswith("22.7M")
    assert last.startswith("last:[1]")  # no markup
    assert "within" in last
    assert "undecided" in full
    assert max(map(len, shown.splitlines())) <= 80


def test_a_single_rung_has_no_difference():
    alone = Standing(
        decision="within",
        best_other=None,
        below_best=None,
        lower_bound=None,
        upper_bound=None,
        texts_to_decide=None,
        seeds_to_decide=None,
    )
    rung = rung_record("head", 0.85).model_copy(update={"standing": alone})
    assert " - " in printed([rung])
    assert not any("points below" in line for line in ladder_lines(ladder_record([rung])))


@pytest.mark.parametrize("name", ["qwen3-mini head+tfidf", "lora:r=4,alpha=32,from=2"])
def test_usual_names_stay_on_one_line_beside_the_widest_values(name):
    wide = {"lower_bound": -0.555, "upper_bound": 0.444}
    rung = rung_record(name, 0.999, "undecided", cost=COST.model_copy(update={"seconds": 98_765}))
    rung = rung.model_copy(update={"standing": rung.standing.model_copy(update=wide)})
    shown = printed([rung]).splitlines()
    assert shown[2].startswith(f"{name} ")
    assert len(shown) == 3
    assert max(map(len, shown)) <= 80


def test_a_longer_name_continues_on_the_next_line_and_is_never_cut():
    names = [f"last:1 training.lr=0.001 training.epochs={n}" for n in (5, 6)]
    shown = printed([rung_record(name, 0.85, "worse") for name in names])
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    kept = "".join(line[:25].strip() for line in lines)
    assert all(name.replace(" ", "") in kept.replace(" ", "") for name in names)


def test_counts_are_short():
    counts = (7, 770, 999, 1_922_690, 22_713_986, 999_999, 1_500)
    assert [short_count(count) for count in counts] == [
        *("7", "770", "999", "1.92M", "22.7M", "1.00M", "1.50k")
    ]


def test_the_latency_is_shown_if_it_is_the_cost():
    record = ladder_record([rung_record("head", 0.9), rung_record("full", 0.9)])
    slow = record.rungs[1].cost.model_copy(update={"latency": 0.0123})
    rungs = [record.rungs[0], record.rungs[1].model_copy(update={"cost": slow})]
    verdict = record.verdict.model_copy(update={"cost": "latency"})
    by_latency = record.model_copy(update={"rungs": rungs, "verdict": verdict})
    assert any("full 12.3 ms" in line for line in ladder_lines(by_latency))
    assert not any("12.3 ms" in line for line in ladder_lines(record))


WORDS = "No strategy is shown to be within 1 point of all others. Highest on test: full, 90.0 %."


def lines(runs: int, **changes: object) -> list[str]:
    rungs = [rung_record(name, 0.9, runs=[rung_run([], n) for n in range(runs)]) for name in "ab"]
    record: Comparison = ladder_record(rungs, **changes)
    verdict = record.verdict.model_copy(
        update={"words": WORDS, "about": "models" if runs == 1 else "strategies"}
    )
    shown = "\n".join(ladder_lines(record.model_copy(update={"verdict": verdict})))
    assert all(len(line) <= 80 for line in shown.splitlines())
    return shown.splitlines()


def test_the_verdict_and_the_run_to_use_are_below_the_table_and_wrapped():
    accuracy, below, decision, seconds, _, verdict, more, chosen, *_ = lines(1)
    assert accuracy.startswith("accuracy: ")
    assert below.startswith("below the best: ")
    assert "models" in below
    assert decision.startswith("decision: ")
    assert seconds.startswith("time: ")
    assert verdict.startswith("verdict   No strategy ")
    assert more.startswith(" " * 10)
    assert f"{verdict} {more.strip()}".endswith(WORDS)
    assert chosen.startswith("to use    a-rung-seed-0, ")
    assert "81.0 %" in chosen
    several = lines(3)
    assert "3 seeds" in several[0]
    assert "seeds" in several[1]
    assert "models" not in several[1]


def test_draws_of_the_training_rows_are_shown():
    runs = [rung_run([], 1_000 * draw + seed, draw) for draw in range(5) for seed in range(2)]
    rungs = [rung_record(name, 0.9, runs=runs) for name in "ab"]
    assert seeds_of(rungs) == "5 draws with 2 seeds each"
    record = ladder_record(
        rungs,
        drawn=DrawnRows(draws=list(range(5)), rows=4_000, overlap=0.123, separate=3),
        failed=[{"rung": "lora", "seed": 1_000, "draw": 1, "error": "ThawlineError: no"}],
    )
    verdict = record.verdict.model_copy(update={"about": "new_rows"})
    shown = "\n".join(ladder_lines(record.model_copy(update={"verdict": verdict})))
    for datum in ("5 draws", "4,000", "12 %", "texts and rows", "lora, draw 1, seed 1000"):
        assert datum in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_the_number_of_seeds_may_differ_between_rungs():
    rungs = [
        rung_record(name, 0.9, runs=[rung_run([], seed) for seed in range(seeds)])
        for name, seeds in (("tfidf", 3), ("full", 1), ("head", 2))
    ]
    assert seeds_of(rungs) == "1 to 3 seeds"
    assert seeds_of(rungs[:1]) == "3 seeds"
    assert seeds_of(rungs[1:2]) == "1 seed"


def test_the_latency_is_named_if_it_is_the_cost():
    rung = rung_record("head", 0.9)
    cost = rung.cost.model_copy(update={"latency": 0.0123})
    record = ladder_record([rung.model_copy(update={"cost": cost})])
    assert not any(line.startswith("latency") for line in ladder_lines(record))
    verdict = record.verdict.model_copy(update={"cost": "latency"})
    shown = list(ladder_lines(record.model_copy(update={"verdict": verdict})))
    assert "latency   head 12.3 ms for one text" in shown


def test_what_failed_and_what_was_left_out_is_named():
    shown = lines(
        1,
        failed=[{"rung": "lora", "seed": 1, "error": "ThawlineError: no"}],
        left_out=[{"rung": "full", "predicted": 900.0, "reason": "it would take 15 minutes"}],
    )
    assert any(line.startswith("failed    lora, seed 1: ") for line in shown)
    assert any(line.startswith("left out  full: it would") for line in shown)


def test_a_number_and_its_sign_stay_on_one_line():
    from thawline.report.tables import wrap_labelled

    for padding in range(60, 75):
        text = f"{'x' * padding} 84.6 % of the texts are right"
        assert not any(
            line.strip() == "%" or line.strip().startswith("% ")
            for line in wrap_labelled("verdict", text).splitlines()
        )
