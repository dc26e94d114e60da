import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.data import Labels
from thawline.errors import ThawlineError, parameter_naming, settings_named


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
    ("raw", "names", "setting", "expected", "found"),
    [
        ([0, 1], ("neg",), "data.labels", "0, 1", "(neg)"),
        ([0, 1], ("a", "b", "c"), "data.labels", "0, 1", "(a, b, c)"),
        ([0, 1], ("neg", "neg"), "data.labels", "", "neg, neg"),
        ([0, 1], ("neg", ""), "data.labels", "", "neg, ''"),
        (["joy", "fear"], ("joy", "anger"), "data.labels", "(fear, joy)", "joy, anger"),
        (["joy", "fear"], ("joy",), "data.labels", "(fear, joy)", "joy"),
        ([0, "pos"], None, None, "", "(pos)"),
        ([0.5, 1.0], None, None, "", "0.5 (float)"),
        ([["joy"], ["fear"]], None, None, "", "['joy'] (list)"),
        ([None, 1], None, None, "", "None (NoneType)"),
    ],
)
def test_invalid_labels_are_refused(raw, names, setting, expected, found):
    with pytest.raises(ThawlineError) as error:
        Labels.from_raw(raw, names)
    assert error.value.setting == setting
    assert expected in error.value.expected
    assert found in error.value.found


def test_encode_accepts_values_names_and_both_spellings_of_a_number():
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
    assert "negative (0), positive (1)" in error.value.expected
    assert "'positve'" in error.value.found
    assert "row 2" in error.value.found
    assert "'positive'" in error.value.fix
    assert labels.lookup([1, 7, "negative"]).tolist() == [1, -1, 0]


def test_a_class_with_the_name_of_a_setting_is_not_renamed():
    labels = Labels.from_raw(["`data.limit`", "`seed`", "b"], None)
    naming = parameter_naming({"data.limit": "limit", "seed": "random_state"})
    with pytest.raises(ThawlineError) as error, settings_named(naming):
        labels.encode(["b", "it's `seed`"])
    assert all(f"`{name}`" in error.value.expected for name in ("data.limit", "seed"))
    assert "it's `seed`" in error.value.found


def test_a_long_list_of_classes_is_shortened_in_messages():
    described = Labels.from_raw(list(range(77)), None).described()
    assert "10, 11 " in described
    assert "12" not in described
    assert " 65 " in described


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
