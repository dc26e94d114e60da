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
def test_a_lone_row_stays_in_the_rest_where_there_is_room(labels, data, seed):
    counts = np.bincount(labels.astype(int), minlength=6)
    classes = np.count_nonzero(counts)
    assume(len(labels) > classes)
    rows = data.draw(st.integers(0, len(labels) - classes))
    _, carved = carve(labels, rows, seed)
    lone = np.flatnonzero(counts == 1)
    assert not np.isin(labels[carved], lone).any()


def test_at_random_the_rest_keeps_a_row_of_every_class():
    labels = np.repeat(np.arange(10), 2)
    for seed in range(20):
        rest, carved = carve(labels, 9, seed)  # too few for ten classes
        assert set(labels[rest]) == set(range(10))
        assert len(carved) == 9


def test_the_seed_decides():
    labels = np.repeat([0, 1], 100)
    picked = {tuple(carve(labels, 0.1, seed)[1].tolist()) for seed in range(5)}
    assert len(picked) == 5


def test_numbering_the_classes_in_another_way_draws_the_same_rows():
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
    ("amount", "words"),
    [
        (0.0, "expected the share to carve out above 0 and below 1, found 0.0"),
        (1.0, "found 1.0; give a share such as 0.1"),
        (float("nan"), "found nan"),
        (-1, "expected 0 to 10 rows to carve out, found -1"),
        (11, "found 11; ask for no more rows than there are"),
    ],
)
def test_wrong_amounts_are_refused(amount, words):
    with pytest.raises(ThawlineError) as error:
        carve(np.zeros(10, dtype=np.int64), amount, 0)
    assert words in str(error.value)
