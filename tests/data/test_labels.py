import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.data import Labels
from thawline.errors import ThawlineError


@pytest.mark.parametrize(
    ("raw", "names", "expected"),
    [
        ([1, 0, 1], None, (("0", "1"), (0, 1))),
        ([10, 9, -1], None, (("-1", "9", "10"), (-1, 9, 10))),
        ([1, 0], ("neg", "pos"), (("neg", "pos"), (0, 1))),
        ([5, 3], ("neg", "pos"), (("neg", "pos"), (3, 5))),
        ([True, False], None, (("False", "True"), (0, 1))),
        ([True, False], ("no", "yes"), (("no", "yes"), (0, 1))),
        (["joy", "anger", "joy"], None, (("anger", "joy"), ("anger", "joy"))),
        (["joy", "anger"], ("joy", "anger"), (("joy", "anger"), ("joy", "anger"))),
        (["10", "9", "2"], None, (("2", "9", "10"), ("2", "9", "10"))),
        (["2", "1"], ("neg", "pos"), (("neg", "pos"), ("1", "2"))),
        (["1", "two", "10"], None, (("1", "10", "two"), ("1", "10", "two"))),
        ([1.0, 0.0], None, (("0", "1"), (0, 1))),
        (np.array([2, 1], dtype=np.int8), None, (("1", "2"), (1, 2))),
        (pd.Series(["b", "a"]).to_numpy(), None, (("a", "b"), ("a", "b"))),
    ],
)
def test_ids_follow_the_order_of_the_values(raw, names, expected):
    labels = Labels.from_raw(raw, names)
    assert (labels.names, labels.values) == expected
    assert len(labels) == len(expected[0])


@pytest.mark.parametrize(
    ("raw", "names", "words"),
    [
        ([0, 1], ("neg",), "expected 2 label names, for the labels 0, 1, found 1 (neg)"),
        ([0, 1], ("a", "b", "c"), "found 3 (a, b, c); give --labels one name for each label"),
        ([0, 1], ("neg", "neg"), "label names that differ and are not empty, found neg, neg"),
        ([0, 1], ("neg", ""), "label names that differ and are not empty"),
        (["joy", "fear"], ("joy", "anger"), "expected the label names of the data (fear, joy)"),
        (["joy", "fear"], ("joy",), "found joy; give --labels exactly those names"),
        ([0, "pos"], None, "labels of one kind, found both numbers (0) and strings (pos)"),
        ([0.5, 1.0], None, "integers, booleans or strings, found 0.5 (float)"),
        ([["joy"], ["fear"]], None, "found ['joy'] (list); choose another label column"),
        ([None, 1], None, "found None (NoneType)"),
    ],
)
def test_wrong_labels_are_refused(raw, names, words):
    with pytest.raises(ThawlineError) as error:
        Labels.from_raw(raw, names)
    assert words in str(error.value)


def test_encode_takes_values_names_and_either_spelling_of_a_number():
    labels = Labels.from_raw([3, 5], ("neg", "pos"))
    ids = labels.encode([3, "pos", "5", "neg", 5.0, np.int16(3)])
    assert ids.dtype == np.int64
    assert ids.tolist() == [0, 1, 1, 0, 1, 0]
    assert Labels.from_raw(["9", "10"], None).encode([10, "9"]).tolist() == [1, 0]
    assert Labels.from_raw([True, False], None).encode([True, "False", 1]).tolist() == [1, 0, 1]


def test_encode_prefers_the_exact_value_to_a_name():
    labels = Labels(names=("2", "3"), values=(1, 2))
    assert labels.encode([1, 2, "2", "3"]).tolist() == [0, 1, 0, 1]


def test_encode_names_the_unknown_label_and_the_known_ones():
    labels = Labels.from_raw([0, 1], ("negative", "positive"))
    with pytest.raises(ThawlineError) as error:
        labels.encode([0, 1, "positve"])
    assert str(error.value) == (
        "expected the labels to be among negative (0), positive (1), "
        "found 'positve' in row 2 (counting from 0); did you mean 'positive'?"
    )
    assert labels.lookup([1, 7, "negative"]).tolist() == [1, -1, 0]


def test_a_long_list_of_classes_is_cut_in_messages():
    labels = Labels.from_raw(list(range(77)), None)
    assert labels.described().endswith("10, 11 and 65 more")


def test_no_rows_give_no_ids():
    assert Labels.from_raw([0, 1], None).encode([]).shape == (0,)


_RAW = st.one_of(
    st.lists(st.integers(-1000, 1000), min_size=1),
    st.lists(st.booleans(), min_size=1),
    st.lists(st.text(max_size=5), min_size=1),
    st.lists(st.integers(0, 300).map(str), min_size=1),
)


@given(_RAW)
def test_encoding_decodes_and_survives_json(raw):
    labels = Labels.from_raw(raw, None)
    ids = labels.encode(raw)
    assert [labels.values[i] for i in ids] == raw
    assert sorted(set(ids.tolist())) == list(range(len(labels)))
    again = Labels.from_dict(json.loads(json.dumps(labels.to_dict())))
    assert again == labels
    assert again.encode([labels.names[i] for i in ids]).tolist() == ids.tolist()


@given(_RAW, st.randoms())
def test_the_order_of_rows_does_not_matter(raw, random):
    shuffled = list(raw)
    random.shuffle(shuffled)
    assert Labels.from_raw(shuffled, None) == Labels.from_raw(raw, None)
