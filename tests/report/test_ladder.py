"""A ladder's table and lines on a terminal of 80 columns."""

from __future__ import annotations

import io

from rich.console import Console

from thawline.report.ladder import ladder_lines, ladder_table


def score(value: float, deviation: float | None = None) -> dict:
    return {"value": value, "low": value - 0.02, "high": value + 0.02, "deviation": deviation}


def rung(name: str, value: float, p: float | None, deviation: float | None = None, runs: int = 1):
    return {
        "rung": name,
        "line": 7,
        "parameters": {"trainable": 22_713_986},
        "test": {"accuracy": score(value, deviation), "f1_macro": score(value - 0.001)},
        "seconds": {"total": 1234.56},
        "against_best": None if p is None else {"p_corrected": p},
        "runs": [{}] * runs,
    }


def printed(rungs: list[dict]) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(ladder_table({"rungs": rungs}))
    return out.getvalue()


def test_rungs_stand_side_by_side_in_eighty_columns():
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


def lines(runs: int) -> list[str]:
    chosen = {"run": "full-seed-1", "by": "the highest accuracy on validation"}
    words = "last:1 cannot be told from the best, full, on 2,000 test texts (89.0 % against 90.0 %)"
    record = {
        "rungs": [rung("full", 0.9, None, runs=runs)],
        "verdict": {"words": words},
        "chosen": chosen,
    }
    return "\n".join(ladder_lines(record)).splitlines()


def test_below_it_stand_the_verdict_and_the_choice_folded():
    how, _, verdict, more, chosen, blind = lines(1)
    assert how.startswith("p: ")
    assert verdict.startswith("verdict   last:1 cannot be told from the best, full, on 2,000 test")
    assert more.startswith(" " * 10)
    assert chosen.startswith("chosen    full-seed-1, by the highest accuracy on validation")
    assert f"{chosen} {blind.strip()}".endswith("where nothing was chosen on test")
    assert all(len(line) <= 80 for line in lines(1))
    assert lines(3)[0].startswith("means over 3 seeds, with their deviation")
    assert all(len(line) <= 80 for line in lines(3))
