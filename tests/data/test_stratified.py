"""Rows are drawn as scikit-learn draws them, so that the splits of earlier versions stay."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from thawline.data.stratified import draw_rows, draw_stratified

SEEDS = st.integers(0, 2**32 - 1)


def by_sklearn(rows: int, wanted: int, seed: int, labels=None) -> list[int]:
    _, drawn = train_test_split(
        np.arange(rows), test_size=wanted, random_state=seed, stratify=labels
    )
    return sorted(drawn.tolist())


@given(st.integers(2, 300), st.data(), SEEDS)
def test_rows_are_those_of_sklearn(rows, data, seed):
    wanted = data.draw(st.integers(1, rows - 1))
    assert sorted(draw_rows(rows, wanted, seed)) == by_sklearn(rows, wanted, seed)


@given(st.lists(st.integers(2, 40), min_size=1, max_size=8), st.data(), SEEDS)
def test_stratified_rows_are_those_of_sklearn(counts, data, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(seed).shuffle(labels)
    wanted = data.draw(st.integers(len(counts), len(labels) - len(counts)))
    drawn = draw_stratified(labels, wanted, seed)
    assert sorted(drawn) == by_sklearn(len(labels), wanted, seed, labels)


@pytest.mark.e2e
def test_reading_and_splitting_data_needs_no_sklearn():
    code = """
import sys
from thawline.config import DataConfig
from thawline.data import load

load(DataConfig(data="thawline/reviews", limit=(200, 50)))
print([name for name in ("sklearn", "pandas") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
