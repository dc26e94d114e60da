"""Paired tests on rows, and their correction."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from thawline.evaluation.paired_tests import against_best, holm, paired_p


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 5))
def test_with_one_seed_it_is_mcnemars_exact_test(this, best, alike):
    differences = [1] * this + [-1] * best + [0] * alike
    expected = binomtest(this, this + best).pvalue if this + best else 1.0
    assert paired_p(differences) == pytest.approx(expected)


@pytest.mark.parametrize("differences", [[3, -1, 2, 1], [2, 2, 2], [1, -1], [3, 3, -2, 1, 1, 2]])
def test_with_several_it_counts_every_way_to_flip_the_signs(differences):
    sums = [
        sum(sign * difference for sign, difference in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    extreme = [abs(one) >= abs(sum(differences)) for one in sums]
    assert paired_p(differences) == pytest.approx(np.mean(extreme))


def test_what_is_no_number_of_seeds_is_a_programming_error():
    with pytest.raises(ValueError, match="whole numbers"):
        paired_p([0.5, 1.0])


def test_holm_multiplies_the_smallest_by_their_number_and_never_turns_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_each_is_compared_with_the_best_row_by_row():
    head, last, full = against_best([[[1, 2, 3, 4, 5, 6, 7, 8, 9]], [[1, 10]], [[1, 10]]], 1)
    assert last is None
    # Of 9 rows that only one of the two got right, 8 speak for the best: 2 (1 + 9) / 2^9.
    assert head == {
        "only_this_right": 1,
        "only_best_right": 8,
        "p": pytest.approx(20 / 2**9),
        "p_corrected": pytest.approx(40 / 2**9),
    }
    assert full == {"only_this_right": 0, "only_best_right": 0, "p": 1.0, "p_corrected": 1.0}


def test_over_seeds_a_row_counts_by_how_many_got_it_right():
    # Row 0 is wrong in both seeds, row 1 in one: 2 + 1 of differences, of 8 ways 2 as extreme.
    this, best = against_best([[[0, 1], [0]], [[], []]], 1)
    assert best is None
    assert this["only_best_right"] == 1.5
    assert this["p"] == pytest.approx(0.5)


def test_seeds_that_differ_in_number_are_a_programming_error():
    with pytest.raises(ValueError, match="over the same seeds"):
        against_best([[[1]], [[1], [2]]], 0)
    assert against_best([[[]]], 0) == [None]
