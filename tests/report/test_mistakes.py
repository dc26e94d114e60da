"""The CSV of mistakes, and what the terminal says of them and of sample texts."""

from __future__ import annotations

import csv
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
    """The lines that a terminal without colour shows, as the verbs print."""
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


def test_the_file_holds_whole_texts_with_what_was_said_of_them(tmp_path: Path) -> None:
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


def test_without_mistakes_there_are_the_names_of_the_columns(tmp_path: Path) -> None:
    assert len(read(write_mistakes([], tmp_path, pairs=False))) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(), max_size=4))
def test_every_text_comes_back_as_it_was(tmp_path: Path, texts: list[str]) -> None:
    path = write_mistakes([mistake(text) for text in texts], tmp_path, pairs=False)
    assert [row[-1] for row in read(path)[1:]] == texts


# The terminal


def test_each_mistake_is_a_line_that_keeps_to_the_width() -> None:
    listed = [
        mistake("[b]good[/b] :cat: " * 20, tokens=1_234, truncated=True),
        mistake("short", label="a very long name of a class", predicted="[neg]"),
    ]
    lines = printed(Group(*mistakes_sections(found(listed), 5)))
    first, head, one, other = lines[:4]
    assert first == "mistakes  293 of 2,000 texts; the 2 most confident are in mistakes.csv:"
    assert head.split() == ["label", "predicted", "probability", "tokens", "text"]
    assert one.split()[:6] == ["pos", "neg", "98.7", "%", "1,234", "(cut)"]
    assert "[b]good[/b] :cat:" in one
    assert one.endswith("…")
    assert other.startswith("a very long n…  [neg]")
    assert other.endswith("short")
    assert all(len(line) <= 80 for line in lines)


def test_no_more_mistakes_are_shown_than_wanted() -> None:
    listed = [mistake(f"film {number}") for number in range(9)]
    shown = "\n".join(printed(Group(*mistakes_sections(found(listed), 3))))
    assert "the 9 most confident are in" in shown
    assert [f"film {number}" in shown for number in range(9)] == [True] * 3 + [False] * 6


def test_it_is_said_where_the_file_has_them_all() -> None:
    few = found([mistake(), mistake()]).model_copy(update={"rows": [7, 8]})
    line, *_ = printed(Group(*mistakes_sections(few, 5)))
    assert line == "mistakes  2 of 2,000 texts; all are in mistakes.csv:"


def test_none_is_said_and_no_table_is_drawn() -> None:
    assert printed(Group(*mistakes_sections(found([]), 5))) == ["mistakes  none in 2,000 texts"]


def test_cut_and_whole_texts_are_compared_where_there_are_both() -> None:
    lines = printed(Group(*mistakes_sections(found([mistake()], truncated=rate(30, 200)), 5)))
    assert lines[-1] == (
        "wrong     14.0 % (12.0 to 17.0) of whole texts, 15.0 % (13.0 to 18.0) of cut ones"
    )
    alone = printed(Group(*mistakes_sections(found([mistake()]), 5)))
    assert not any(line.startswith(("wrong", "by length")) for line in alone)


@pytest.mark.parametrize(
    ("ends", "line"),
    [
        ([41], None),
        ([41, 90], "by length 10.0 % wrong up to 41 tokens, 20.0 % above"),
        (
            [41, 90, 120, 1_500],
            "by length 10.0 % wrong up to 41 tokens, 20.0 % to 90, 30.0 % to 120, 40.0 % above",
        ),
    ],
)
def test_lengths_are_told_where_they_differ(ends: list[int], line: str | None) -> None:
    quarters = [quarter(n + 1, 10, end) for n, end in enumerate(ends)]
    lines = printed(Group(*mistakes_sections(found([mistake()], by_length=quarters), 5)))
    assert [one for one in lines if one.startswith("by length")] == ([line] if line else [])


def test_samples_stand_side_by_side_with_their_whole_text() -> None:
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
