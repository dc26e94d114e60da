import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from thawline.data import carve
from thawline.errors import ThawlineError

_LABELS = st.lists(st.integers(0, 5), min_size=0, max_size=120).map(np.array)
_SEEDS = st.integers(0, 2**32 - 1)


@given(_LABELS, st.data(), _SEEDS)
def test_any_number_of_rows_can_be_carved_out(labels, data, seed):
    rows = data.draw(st.integers(0, len(labels)))
    rest, carved = carve(labels, rows, seed)
    assert len(carved) == rows
    assert sorted([*rest, *carved]) == list(range(len(labels)))
    assert rest.tolist() == sorted(rest)
    assert carved.tolist() == sorted(carved)
    assert rest.dtype == carved.dtype == np.int64
    again = carve(labels.copy(), rows, seed)
    np.testing.assert_array_equal(again[0], rest)
    np.testing.assert_array_equal(again[1], carved)


@given(st.lists(st.integers(2, 40), min_size=1, max_size=6).map(np.array), st.data(), _SEEDS)
def test_classes_keep_their_share_within_one_row(counts, data, seed):
    classes = len(counts)
    labels = np.repeat(np.arange(classes), counts)
    np.random.default_rng(seed).shuffle(labels)
    rows = data.draw(st.integers(classes, len(labels) - classes))
    _, carved = carve(labels, rows, seed)
    found = np.bincount(labels[carved], minlength=classes)
    assert (np.abs(found - counts * rows / len(labels)) <= 1).all()


@given(_LABELS, st.data(), _SEEDS)
def test_a_class_with_one_row_stays_in_the_rest_if_possible(labels, data, seed):
    counts = np.bincount(labels.astype(int), minlength=6)
    classes = np.count_nonzero(counts)
    assume(len(labels) > classes)
    rows = data.draw(st.integers(0, len(labels) - classes))
    _, carved = carve(labels, rows, seed)
    lone = np.flatnonzero(counts == 1)
    assert not np.isin(labels[carved], lone).any()


def test_without_stratification_the_rest_keeps_a_row_of_every_class():
    labels = np.repeat(np.arange(10), 2)
    for seed in range(20):
        rest, carved = carve(labels, 9, seed)  # too few for ten classes
        assert set(labels[rest]) == set(range(10))
        assert len(carved) == 9


def test_the_seed_decides():
    labels = np.repeat([0, 1], 100)
    picked = {tuple(carve(labels, 0.1, seed)[1].tolist()) for seed in range(5)}
    assert len(picked) == 5


def test_the_numbers_of_classes_do_not_change_the_rows():
    labels = np.tile([0, 1, 1, 2], 25)
    np.testing.assert_array_equal(carve(labels, 20, 7)[1], carve(labels * 3 + 5, 20, 7)[1])


@pytest.mark.parametrize(
    ("rows", "share", "carved"),
    [(4000, 0.1, 400), (5, 0.1, 1), (2, 0.9, 1), (1, 0.5, 0), (0, 0.5, 0), (17, 0.33, 6)],
)
def test_a_share_is_rounded_and_leaves_a_row_on_each_side(rows, share, carved):
    rest, out = carve(np.arange(rows) % 2, share, 0)
    assert (len(rest), len(out)) == (rows - carved, carved)


@pytest.mark.parametrize(
    ("amount", "bound", "found"),
    [
        (0.0, " 1", "0.0"),
        (1.0, " 1", "1.0"),
        (float("nan"), " 1", "nan"),
        (-1, " 10 ", "-1"),
        (11, " 10 ", "11"),
    ],
)
def test_invalid_amounts_are_refused(amount, bound, found):
    with pytest.raises(ThawlineError) as error:
        carve(np.zeros(10, dtype=np.int64), amount, 0)
    assert bound in error.value.expected
    assert error.value.found == found


_COPIES = st.lists(st.integers(0, 12), min_size=2, max_size=120).map(np.array)


@given(_COPIES, st.data(), _SEEDS)
def test_copies_are_kept_together_and_every_class_keeps_a_row(copies, data, seed):
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(copies))))[: len(copies)]
    assume(len(labels) == len(copies))
    rest, carved = carve(labels, 0.3, seed, copies)
    assert sorted([*rest, *carved]) == list(range(len(labels)))
    again = carve(labels, 0.3, seed, copies.copy())
    np.testing.assert_array_equal(again[1], carved)
    before = carve(labels, 0.3, seed)[1]
    if set(copies[rest]) & set(copies[carved]):
        np.testing.assert_array_equal(carved, before)  # no text could be carved out as a whole
        for text in set(copies):
            is_frequent = (copies == text).sum() > 3 * len(carved)
            assert is_frequent or set(labels) - set(labels[copies != text])
    elif not np.array_equal(carved, before):
        assert len(carved)
        assert set(labels[rest]) >= set(np.delete(labels, before))


def test_rows_without_copies_are_carved_as_before():
    labels = np.random.default_rng(0).integers(0, 3, 500)
    for share in (0.1, 0.2):
        with_copies = carve(labels, share, 42, np.random.default_rng(1).permutation(500))
        np.testing.assert_array_equal(with_copies[1], carve(labels, share, 42)[1])


def test_texts_that_occur_twice_keep_the_numbers_of_rows():
    labels = np.tile(np.arange(200) % 2, 2)
    rest, carved = carve(labels, 0.1, 42, np.tile(np.arange(200), 2))
    assert np.bincount(labels[carved]).tolist() == [20, 20]
    assert set(carved % 200).isdisjoint(rest % 200)


def test_only_the_rows_of_divided_texts_move():
    copies = np.arange(1000)
    copies[1] = copies[0]
    labels = np.arange(1000) // 2 % 2
    before, after = carve(labels, 0.1, 42)[1], carve(labels, 0.1, 42, copies)[1]
    assert len(np.setxor1d(before, after)) <= 3


def test_a_frequent_text_stays_in_the_rest():
    labels = np.arange(100) % 2
    copies = np.arange(100)
    copies[:60] = 0  # for example empty texts
    _, carved = carve(labels, 0.1, 42, copies)
    assert len(carved) == 10
    assert not (copies[carved] == 0).any()


def test_two_texts_cannot_be_separated():
    labels = np.arange(20) % 2
    np.testing.assert_array_equal(carve(labels, 0.1, 42, labels)[1], carve(labels, 0.1, 42)[1])


def test_a_few_frequent_texts_are_separated():
    copies = np.repeat(np.arange(5), 20)
    rest, carved = carve(copies % 2, 0.1, 42, copies)
    assert len(carved) == 20
    assert set(copies[carved]).isdisjoint(copies[rest])


def test_one_frequent_text_is_not_carved_out_alone():
    copies = np.arange(20) % 2
    assert len(carve(np.zeros(20, dtype=np.int64), 0.1, 42, copies)[1]) == 2
