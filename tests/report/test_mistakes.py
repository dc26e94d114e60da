"""Test the CSV of mistakes, and the terminal output about mistakes and sample texts."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console, Group

from tests.support.records import score
from thawline.report.mistakes import mistakes_sections, samples_table, write_mistakes
from thawline.runs.records import (
    ErrorRate,
    ErrorRates,
    Guess,
    LengthErrorRate,
    Mistake,
    Mistakes,
    Sample,
)


def mistake(text: Any = "a film", **other: Any) -> Mistake:
    known = {"row": 7, "label": "pos", "predicted": "neg", "probability": 0.987}
    return Mistake(**{**known, "tokens": 12, "truncated": False, "text": text, **other})


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def printed(section: Any, width: int = 80) -> list[str]:
    """Return the lines that the commands print on a terminal without colour."""
    console = Console(width=width, soft_wrap=True, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        console.print(section)
    return [line.rstrip() for line in capture.get().splitlines()]


def rate(mistakes: int, rows: int) -> ErrorRate:
    value = mistakes / rows
    interval = score(value, value - 0.02, value + 0.03)
    return ErrorRate(rows=rows, mistakes=mistakes, error_rate=interval)


def quarter(mistakes: int, rows: int, longest: int) -> LengthErrorRate:
    return LengthErrorRate(**dict(rate(mistakes, rows)), shortest=1, longest=longest)


NONE = ErrorRate(rows=0, mistakes=0, error_rate=None)


def found(listed: list[Mistake], **rates: Any) -> Mistakes:
    known = {"whole": rate(14, 100), "truncated": NONE, "by_length": [quarter(14, 100, 41)]}
    return Mistakes(
        texts=2_000,
        rows=list(range(293)) if listed else [],
        most_confident=listed,
        error_rates=ErrorRates(**known | rates),
    )


# The file


def test_the_file_has_complete_texts_and_predictions(tmp_path: Path) -> None:
    path = write_mistakes([mistake(), mistake("x" * 9_000, truncated=True)], tmp_path, pairs=False)
    assert path == tmp_path / "mistakes.csv"
    assert read(path) == [
        ["row", "label", "predicted", "probability", "tokens", "truncated", "text"],
        ["7", "pos", "neg", "0.987", "12", "False", "a film"],
        ["7", "pos", "neg", "0.987", "12", "True", "x" * 9_000],
    ]
    assert pd.read_csv(path)["truncated"].tolist() == [False, True]


def test_a_pair_has_two_columns(tmp_path: Path) -> None:
    path = write_mistakes([mistake(("first", "second"))], tmp_path, pairs=True)
    header, row = read(path)
    assert header[-2:] == ["text", "text_pair"]
    assert row[-2:] == ["first", "second"]


def test_without_mistakes_the_file_has_only_the_header(tmp_path: Path) -> None:
    assert len(read(write_mistakes([], tmp_path, pairs=False))) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(), max_size=4))
def test_any_text_is_read_back_unchanged(tmp_path: Path, texts: list[str]) -> None:
    path = write_mistakes([mistake(text) for text in texts], tmp_path, pairs=False)
    cells = [row[-1] for row in read(path)[1:]]
    assert [cell.removeprefix("'") for cell in cells] == texts


@pytest.mark.parametrize(
    "text",
    ["=1+1", "@SUM(A1)", "+1", "-5 stars", "\t=1", "\r=1", "\n=1", " =1", "＝1", "'=1", "''"],
)
def test_no_cell_starts_a_formula(tmp_path: Path, text: str) -> None:
    path = write_mistakes([mistake(text, label=text, predicted=text)], tmp_path, pairs=False)
    _, row = read(path)
    assert row.count(f"'{text}") == 3
    path = write_mistakes([mistake((text, text))], tmp_path, pairs=True)
    assert read(path)[1][-2:] == [f"'{text}"] * 2


# The terminal


def test_each_mistake_is_one_line_of_at_most_80_columns() -> None:
    listed = [
        mistake("[b]good[/b] :cat: " * 20, tokens=1_234, truncated=True),
        mistake("short", label="a very long name of a class", predicted="[neg]"),
    ]
    lines = printed(Group(*mistakes_sections(found(listed), 5)))
    first, head, one, other = lines[:4]
    assert first.startswith("mistakes  293 of 2,000 ")
    assert {"mistakes.csv", "2"} <= set(first.split())
    assert head.split() == ["label", "predicted", "probability", "tokens", "text"]
    assert one.split()[:5] == ["pos", "neg", "98.7", "%", "1,234"]
    assert "(" in one.split()[5]  # truncated
    assert "(" not in other
    assert "[b]good[/b] :cat:" in one
    assert one.endswith("…")
    assert other.startswith("a very long n…  [neg]")
    assert other.endswith("short")
    assert all(len(line) <= 80 for line in lines)


def test_at_most_the_given_number_of_mistakes_is_printed() -> None:
    listed = [mistake(f"film {number}") for number in range(9)]
    shown = "\n".join(printed(Group(*mistakes_sections(found(listed), 3))))
    assert "9" in shown.splitlines()[0].split()
    assert [f"film {number}" in shown for number in range(9)] == [True] * 3 + [False] * 6


def test_a_file_with_all_mistakes_is_described_as_such() -> None:
    few = found([mistake(), mistake()]).model_copy(update={"rows": [7, 8]})
    line, *_ = printed(Group(*mistakes_sections(few, 5)))
    assert line.startswith("mistakes  2 of 2,000 ")
    assert "all" in line
    assert "confident" not in line


def test_without_mistakes_no_table_is_printed() -> None:
    (line,) = printed(Group(*mistakes_sections(found([]), 5)))
    assert line.startswith("mistakes  none ")
    assert "2,000" in line


def error_rates(sections: Any) -> str:
    """Return the printed error rates, without line breaks."""
    lines = printed(Group(*sections))
    assert all(len(line) <= 80 for line in lines)
    starts = [place for place, line in enumerate(lines) if line.startswith("errors ")]
    return " ".join(" ".join(lines[starts[0] :]).split()) if starts else ""


def test_error_rates_of_truncated_and_complete_texts_are_compared() -> None:
    found_rates = error_rates(mistakes_sections(found([mistake()], truncated=rate(30, 200)), 5))
    for rates in ("14.0 % (12.0 to 17.0)", "15.0 % (13.0 to 18.0)"):
        assert rates in found_rates
    assert error_rates(mistakes_sections(found([mistake()]), 5)) == ""


@pytest.mark.parametrize("ends", [[41], [41, 90], [41, 90, 120, 1_500]])
def test_error_rates_by_length_are_printed_if_lengths_differ(ends: list[int]) -> None:
    quarters = [quarter(n + 1, 10, end) for n, end in enumerate(ends)]
    lines = printed(Group(*mistakes_sections(found([mistake()], by_length=quarters), 5)))
    rows = [line for line in lines if " to " in line and " tokens " in line]
    assert len(rows) == (0 if len(ends) == 1 else len(ends))
    for row, part in zip(rows, quarters, strict=False):
        wanted = [f"{part.shortest:,}", f"{part.longest:,}", f"{part.rows}", f"{part.mistakes}"]
        wanted.append(f"{100 * part.mistakes / part.rows:.1f}")
        assert re.findall(r"[\d.,]*\d", row)[:5] == wanted


def test_samples_are_printed_with_their_complete_text() -> None:
    sample = Sample(
        row=3,
        text="[a] film " * 15,
        label="pos",
        tokens=46,
        untrained=Guess(predicted="neg", probability=0.512),
        adapted=Guess(predicted="pos", probability=0.98),
    )
    head, *lines = printed(samples_table([sample]))
    assert head.split("  ")[0] == "sample text"
    assert head.split()[2:] == ["label", "untrained", "adapted"]
    assert lines[0].split()[-7:] == ["pos", "neg", "51.2", "%", "pos", "98.0", "%"]
    assert sum(line.count("[a]") for line in lines) == 15
    assert all(len(line) <= 80 for line in lines)
