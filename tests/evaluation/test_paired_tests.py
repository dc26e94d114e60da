"""Paired tests on rows, and their correction for multiple comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from thawline.evaluation.paired_tests import holm, paired_p, paired_tests


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 5))
def test_one_seed_equals_the_exact_test_of_mcnemar(this, best, alike):
    differences = [1] * this + [-1] * best + [0] * alike
    expected = binomtest(this, this + best).pvalue if this + best else 1.0
    assert paired_p(differences) == pytest.approx(expected)


@pytest.mark.parametrize("differences", [[3, -1, 2, 1], [2, 2, 2], [1, -1], [3, 3, -2, 1, 1, 2]])
def test_several_seeds_equal_the_enumeration_of_all_signs(differences):
    sums = [
        sum(sign * difference for sign, difference in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    extreme = [abs(one) >= abs(sum(differences)) for one in sums]
    assert paired_p(differences) == pytest.approx(np.mean(extreme))


def test_fractions_are_programming_errors():
    with pytest.raises(ValueError, match=r"^differences "):
        paired_p([0.5, 1.0])


def test_holm_corrects_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def correct(*wrong: Sequence[int], rows: int = 12) -> np.ndarray:
    """Return whether each row is predicted correctly in each seed, given the wrong rows."""
    return np.array([[row not in seed for row in range(rows)] for seed in wrong])


def test_pairs_are_compared_row_by_row():
    arms = [correct(range(1, 10)), correct([1, 10]), correct([1, 10])]
    head, full = paired_tests(arms, [(0, 1), (2, 1)])
    # Only one of the two is right on 9 rows, and it is the second on 8: p = 2 (1 + 9) / 2^9.
    assert dict(head) == {
        "only_first_right": 1,
        "only_second_right": 8,
        "p": pytest.approx(20 / 2**9),
        "p_corrected": pytest.approx(40 / 2**9),
    }
    assert dict(full) == {
        "only_first_right": 0,
        "only_second_right": 0,
        "p": 1.0,
        "p_corrected": 1.0,
    }


def test_a_row_is_weighted_by_its_number_of_correct_seeds():
    # Row 0 is wrong in both seeds and row 1 in one. The differences are 2 and 1, and 2 of the 4
    # ways to choose their signs are as extreme.
    (found,) = paired_tests([correct([0, 1], [0]), correct([], [])], [(0, 1)])
    assert found.only_second_right == 1.5
    assert found.p == pytest.approx(0.5)


def test_the_copies_of_a_text_count_as_one():
    # The first one is wrong on three copies of a text and on another text, with four ways to
    # choose the signs of 3 and 1. The second one is wrong on a third text.
    arms, copies = [correct([0, 2, 3, 4], rows=6), correct([1], rows=6)], [7, 8, 7, 7, 9, 5]
    (found,) = paired_tests(arms, [(0, 1)], copies)
    assert (found.only_first_right, found.only_second_right) == (1, 4)
    # Of the 8 signs of 3, 1 and 1, those with a sum of at least 3, or at most -3, are as extreme.
    assert found.p == pytest.approx(6 / 8)
    (apart,) = paired_tests(arms, [(0, 1)], range(6))
    assert apart == paired_tests(arms, [(0, 1)])[0]
    assert apart.p == pytest.approx(2 * (1 + 5) / 2**5)


def test_copies_do_not_make_an_equal_classifier_look_different():
    """Among equal classifiers, p is below 0.05 in at most 5 % of all cases."""
    generator = np.random.default_rng(0)
    copies = np.repeat(np.arange(60), 5)
    apart, together = 0, 0
    for _ in range(300):
        arms = [np.repeat(generator.random((1, 60)) > 0.3, 5, axis=1) for _ in range(2)]
        apart += paired_tests(arms, [(0, 1)])[0].p < 0.05
        together += paired_tests(arms, [(0, 1)], copies)[0].p < 0.05
    assert together <= 0.05 * 300
    assert apart > 0.2 * 300


def test_different_numbers_of_seeds_are_a_programming_error():
    with pytest.raises(ValueError, match=r"\bseeds\b"):
        paired_tests([correct([1]), correct([1], [2])], [(0, 1)])
    assert paired_tests([correct([])], []) == []
