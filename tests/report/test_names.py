"""Short names of different rungs never look alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.report.names import distinct_names
from thawline.report.rungs import wrapped_names

LONG = "last:2 training.schedule=cosine training.patience=3 training.batch_size=16 training.epochs="


def cut(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"


def test_names_that_fit_are_kept():
    assert distinct_names(["head", "last:1"], cut) == {"head": "head", "last:1": "last:1"}


def test_the_difference_between_two_long_names_is_shown():
    short = distinct_names([f"{LONG}5", f"{LONG}6", f"lora {LONG}"], cut)
    assert len(set(short.values())) == 3
    assert max(map(len, short.values())) <= 22
    assert short[f"{LONG}5"].startswith("last:2 ")
    assert short[f"{LONG}5"].endswith("5")


@pytest.mark.parametrize("ends", [("5", "6"), ("5 a", "5 b", "6"), ("5" * 80, "5" * 80 + "6")])
def test_names_on_several_lines_differ(ends):
    wrapped = wrapped_names([LONG + end for end in ends])
    assert len(set(wrapped)) == len(ends)
    assert max(len(line) for name in wrapped for line in name.splitlines()) <= 24


@given(st.lists(st.text("ab ", max_size=40), unique=True, max_size=6))
def test_short_names_are_as_many_as_names(names):
    assert len(set(distinct_names(names, cut).values())) == len(names)
