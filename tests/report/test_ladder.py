"""Test the table and the lines of a ladder on a terminal of 80 columns."""

from __future__ import annotations

import io

from rich.console import Console

from tests.support.records import ladder_record, mean_scores, rung_record, rung_run
from thawline.report.ladder import ladder_lines, ladder_table
from thawline.runs.records import RungRecord


def rung(
    name: str, value: float, p: float | None, deviation: float | None = None, runs: int = 1
) -> RungRecord:
    test = mean_scores(value, deviation)
    return rung_record(name, value, p, test=test, runs=[rung_run([], n) for n in range(runs)])


def printed(rungs: list[RungRecord]) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(ladder_table(ladder_record(rungs)))
    return out.getvalue()


def test_a_rung_is_one_line_of_at_most_80_columns():
    shown = printed(
        [rung("head", 0.85, 0.0004), rung("last:[1]", 0.87, 0.042), rung("full", 0.9, None)]
    )
    header, _, head, last, full = shown.splitlines()
    assert header.split() == ["rung", "line", "trained", "accuracy", "macro", "F1", "seconds", "p"]
    assert head.split("  ")[0] == "head"
    assert "85.0 % (83.0 to 87.0)" in head
    assert "84.9 %" in head
    assert "22,713,986" in head
    assert "1,234.6" in head
    assert head.endswith("< 0.001")
    assert last.startswith("last:[1]")  # no markup
    assert last.endswith("0.042")
    assert full.endswith("best")
    assert max(map(len, shown.splitlines())) <= 80


def test_seeds_add_their_deviation():
    assert "85.0 % (83.0 to 87.0) ± 0.4" in printed([rung("head", 0.85, None, 0.004, 3)])


WORDS = "last:1 is not significantly worse than full on 2,000 test texts (89.0 % against 90.0 %)"


def lines(runs: int) -> list[str]:
    chosen = {"rung": "full", "seed": 1, "run": "full-seed-1", "by": "the best accuracy"}
    rungs = [rung("full", 0.9, None, runs=runs)]
    record = ladder_record(rungs, verdict={"rung": "full", "words": WORDS}, chosen=chosen)
    return "\n".join(ladder_lines(record)).splitlines()


def test_the_verdict_and_the_choice_are_below_the_table_and_wrapped():
    explanation, _, verdict, more, chosen, *_ = lines(1)
    assert explanation.startswith("p: ")
    assert verdict.startswith("verdict   last:1 ")
    assert more.startswith(" " * 10)
    assert f"{verdict} {more.strip()}".endswith(WORDS)
    assert chosen.startswith("chosen    full-seed-1, ")
    assert "the best accuracy" in chosen
    assert "3 seeds" in lines(3)[0]
    for runs in (1, 3):
        assert all(len(line) <= 80 for line in lines(runs))
