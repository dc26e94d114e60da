"""Summarise the results of `benchmarks.verdicts` as Markdown tables.

This module has no command of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.verdicts_copies import SCORES
from benchmarks.verdicts_trials import MARGIN

Row = dict[str, Any]


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Return the tables of the page, by their names in its comments."""
    return {
        "coverage": coverage_table(results["coverage"]),
        "rare": rare_table(results["rare"]),
        "margin": margin_table(results["rare"]),
        "copies": copies_table(results["copies"]),
        "copies_of_a_run": run_table(results["copies_of_a_run"]),
        "strategies": strategies_table(results["strategies"]),
        "verdicts": verdicts_table(results["verdicts"]),
        "itself": itself_table(results["itself"]),
        "choices": choices_table(results["choices"]),
    }


def _markdown(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    every = [columns, ["---"] * len(columns), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)


def _percent(share: float | None, digits: int = 1) -> str:
    """Return a share in percent, or a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def coverage_table(rows: Sequence[Row]) -> str:
    """Return the coverage of the three intervals, by seeds, ratio and strategies with seeds.

    The cases with other numbers of texts and other differences are one line: the lowest and the
    highest coverage, so that no case is hidden by a mean.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        case = row["case"]
        groups.setdefault((case["noisy"], case["seeds"], case["ratio"]), []).append(row)
    lines = []
    order = sorted(groups, key=lambda group: (-group[0], *group[1:]))
    for noisy, seeds, ratio in order:
        cases = groups[noisy, seeds, ratio]
        cells = [_least_and_greatest(cases, name) for name in ("interval", "texts", "seeds")]
        both = "both" if noisy == 2 else "one"
        lines.append([str(seeds), both, f"{ratio:g}", str(len(cases)), *cells])
    columns = ("seeds", "strategies that depend on the seed", "ratio", "cases",
               "this interval", "texts only", "seeds only")  # fmt: skip
    return _markdown(columns, lines)


def rare_table(rows: Sequence[Row]) -> str:
    """Return the coverage for models that hardly differ, with and without corrections."""
    groups: dict[tuple[bool, float], list[Row]] = {}
    for row in rows:
        case = row["case"]
        groups.setdefault((case["one_way"], case["differing"]), []).append(row)
    lines = []
    for (one_way, differing), cases in groups.items():
        if len(cases) == 1:  # one of `margin_table`
            continue
        cells = []
        for name in ("interval", "plain"):
            found = [row["coverage"][name] for row in cases]
            cells.append(f"{100 * min(found):.1f} to {100 * max(found):.1f} %")
        lines.append([f"{differing:g}", "always the same" if one_way else "either", *cells])
    columns = ("texts on which they differ, expected", "the better one on these texts",
               "this interval", "without the corrections")  # fmt: skip
    return _markdown(columns, lines)


def margin_table(rows: Sequence[Row]) -> str:
    """Return how often a model is called within the margin whose true distance is the margin."""
    lines = [
        [
            f"{row['case']['texts']:,}",
            f"{row['case']['differing']:g}",
            _percent(row["coverage"]["interval"]),
            _percent(row["within"]),
        ]
        for row in rows
        if row["case"]["one_way"] and row["case"]["differing"] == MARGIN * row["case"]["texts"]
    ]
    columns = ("test texts", "texts on which they differ, expected", "coverage", "called within")
    return _markdown(columns, sorted(lines, key=lambda line: int(line[0].replace(",", ""))))


def _least_and_greatest(cases: Sequence[Row], name: str) -> str:
    """Return the lowest and the highest coverage of an interval among cases."""
    found = [row["coverage"][name] for row in cases]
    return f"{100 * min(found):.1f} to {100 * max(found):.1f} %"


def run_table(rows: Sequence[Row]) -> str:
    """Return the coverage of the intervals of a single run, by share and difficulty of copies."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        case = row["case"]
        key = case["share"], case["times"], case["of_copied"], case["of_others"]
        groups.setdefault(key, []).append(row)
    lines = []
    for (share, times, of_copied, of_others), cases in groups.items():
        names = [f"{score}_{name}" for score in SCORES for name in ("interval", "rows")]
        lines.append(
            [
                _percent(share, 0),
                str(times) if share else "–",
                f"{_percent(of_copied, 0)} and {_percent(of_others, 0)}" if share else "–",
                *(_least_and_greatest(cases, name) for name in names),
            ]
        )
    columns = ("rows that are copies", "rows of a text with copies",
               "accuracy on texts with copies and on others", "accuracy: this interval",
               "accuracy: each row counts", "macro F1: this interval",
               "macro F1: each row counts")  # fmt: skip
    return _markdown(columns, lines)


def copies_table(rows: Sequence[Row]) -> str:
    """Return the coverage with copies among the test rows, by seeds and share of copies."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        case = row["case"]
        groups.setdefault((case["seeds"], case["share"], case["times"]), []).append(row)
    lines = []
    for (seeds, share, times), cases in groups.items():
        cells = [_least_and_greatest(cases, name) for name in ("interval", "rows")]
        repeated = str(times) if share else "–"
        lines.append([str(seeds), _percent(share, 0), repeated, str(len(cases)), *cells])
    columns = ("seeds", "rows that are copies", "rows of a text with copies", "cases",
               "this interval", "each row counts")  # fmt: skip
    return _markdown(columns, lines)


def strategies_table(rows: Sequence[Row]) -> str:
    """Return the true accuracy of each strategy, and its spread over the seeds."""
    lines = [
        [
            f"`{row['strategy']}`",
            str(row["seeds"]),
            f"{row['texts']:,}",
            _percent(row["accuracy"], 2),
            "–" if row["deviation"] is None else f"{100 * row['deviation']:.2f} points",
            _percent(row["disagreement"]),
        ]
        for row in rows
    ]
    columns = ("strategy", "fits", "test texts", "accuracy", "standard deviation over seeds",
               "texts on which two seeds disagree")  # fmt: skip
    return _markdown(columns, lines)


def _named(rates: Row) -> str:
    """Return how often each strategy was named, without those that never were."""
    return ", ".join(
        f"`{name}` {_percent(share, 0)}" for name, share in rates["named"].items() if share > 0
    )


def verdicts_table(rows: Sequence[Row]) -> str:
    """Return how often both verdicts are wrong and undecided, and the accuracy given away."""
    lines = []
    for row in rows:
        for name, shown in (("before", "McNemar and Holm"), ("now", "within the margin")):
            rates = row[name]
            given = rates["given_away"]
            lines.append(
                [
                    f"{row['texts']:,}",
                    str(row["seeds"]),
                    shown,
                    _percent(rates["wrong"]),
                    _percent(rates["undecided"]),
                    "–" if given is None else f"{100 * given:.2f} points",
                    _named(rates) or "–",
                ]
            )
    columns = ("test texts", "seeds", "verdict", "wrong", "undecided",
               "accuracy given away", "named")  # fmt: skip
    return _markdown(columns, lines)


def itself_table(rows: Sequence[Row]) -> str:
    """Return how often a strategy is called worse than itself."""
    strategies = list(dict.fromkeys(row["strategy"] for row in rows))
    cases = list(dict.fromkeys((row["texts"], row["seeds"]) for row in rows))
    lines = []
    for texts, seeds in cases:
        line = [f"{texts:,}", str(seeds)]
        for strategy in strategies:
            found = [
                row
                for row in rows
                if (row["strategy"], row["texts"], row["seeds"]) == (strategy, texts, seeds)
            ]
            line += [_percent(row[name]) for row in found for name in ("before", "now")]
        lines.append(line)
    columns = ["test texts", "seeds"]
    for strategy in strategies:
        columns += [f"`{strategy}`, McNemar", f"`{strategy}`, now"]
    return _markdown(columns, lines)


def choices_table(rows: Sequence[Row]) -> str:
    """Return the accuracy that the choice on validation gives away."""
    lines = [
        [
            f"{row['texts']:,}",
            str(row["seeds"]),
            shown,
            f"{100 * row[name]['given_away']:.2f} points",
            _named(row[name]),
        ]
        for row in rows
        for name, shown in (
            ("before", "highest accuracy"),
            ("half", "within half a standard error"),
            ("now", "within one standard error"),
        )
    ]
    return _markdown(
        ("validation texts", "seeds", "choice", "accuracy given away", "chosen"), lines
    )
