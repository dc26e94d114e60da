"""Durations are read and written as people write them."""

from __future__ import annotations

import pytest

from thawline.runtime.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5_400), ("1.5h", 5_400)),
        *(("1m 5s", 65), (" 0 ", 0), ("2min", 120)),
    ],
)
def test_units_are_added_up(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "ten", "-5", "10d", "5s10m", "1e3", "m", "nan"])
def test_other_texts_are_no_duration(text: str) -> None:
    assert parse_duration(text) is None


def test_a_written_duration_is_read_as_nearly_the_same() -> None:
    for seconds in (
        0,
        0.1,
        4.26,
        9.97,
        10,
        59.7,
        60,
        61,
        600,
        3_599.6,
        3_600,
        3_661,
        5_400,
        90_000,
    ):
        read = parse_duration(format_duration(seconds))
        assert read is not None
        assert abs(read - seconds) <= max(0.05, seconds / 100)
