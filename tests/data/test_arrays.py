"""Every accepted form of texts, labels and seeds, and the errors for other objects."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from tests.support.mentions import mentions
from thawline.data import Labels
from thawline.data.arrays import (
    find_classes,
    read_known,
    read_labels,
    read_rows,
    read_seed,
    read_texts,
    read_validation,
)
from thawline.errors import ThawlineError

TEXTS = ["a good film", "", "ein schöner Film"]
PAIRS = [("a", "b"), ("c", "d")]

FORMS = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "array of pyarrow": pa.array(TEXTS),
    "array of strings": np.array(TEXTS),
    "array of objects": np.array(TEXTS, dtype=object),
    "array of numpy's strings": np.array(TEXTS, dtype=np.dtypes.StringDType()),
    "list of numpy's strings": list(np.array(TEXTS)),
    "series": pd.Series(TEXTS, index=[7, 8, 9]),
    "series of objects": pd.Series(TEXTS, dtype=object),
    "series of Arrow's strings": pd.Series(TEXTS, dtype="string[pyarrow]"),
    "categorical series": pd.Series(TEXTS, dtype="category"),
    "index": pd.Index(TEXTS),
    "column vector": np.array(TEXTS).reshape(-1, 1),
    "frame of one column": pd.DataFrame({"text": TEXTS}),
}


class TestTexts:
    @pytest.mark.parametrize("form", FORMS)
    def test_a_form(self, form: str) -> None:
        assert read_texts(FORMS[form]) == TEXTS

    @pytest.mark.parametrize(
        "form",
        [
            PAIRS,
            tuple(PAIRS),
            np.array(PAIRS),
            pd.DataFrame(PAIRS),
            pd.Series(PAIRS),
            pd.DataFrame(PAIRS, columns=["premise", "hypothesis"]),
            pd.DataFrame(PAIRS, columns=["Sentence1", " sentence2"]),
            pd.DataFrame({"hypothesis": ["b", "d"], "premise": ["a", "c"]}),
        ],
        ids=lambda form: type(form).__name__,
    )
    def test_a_form_of_pairs(self, form: Any) -> None:
        read = read_texts(form)
        assert read == PAIRS
        assert {type(pair) for pair in read} == {tuple}

    @pytest.mark.parametrize("form", [[], np.empty(0, dtype=str), np.empty((0, 1)), pd.Series([])])
    def test_no_text(self, form: Any) -> None:
        assert read_texts(form) == []

    @pytest.mark.parametrize(
        ("given", "found"),
        [
            ("a text", "'a text'"),
            (None, "NoneType"),
            ({"text": "a"}, "dict"),
            (np.array("a text"), "'a text'"),
            (np.array([["a", "b", "c"]]), "3 columns"),
            (pd.DataFrame([["a", "b", 0]], columns=["x", "y", "z"]), "3 columns (x, y, z)"),
            (pd.DataFrame(index=range(3)), "(3, 0)"),
            (np.full((2, 2, 2), "a"), "(2, 2, 2)"),
            (np.array([1.5, 2.5]), "float|row 0"),
            (pd.Series(["a", None]), "float|row 1"),
            (pd.Series(["a", None], dtype="string"), "NAType|row 1"),
            (pd.DataFrame({"text": ["a"], "label": [1]}), "'text', 'label'"),
            (sparse.csr_array((2, 2)), "in row 0"),
        ],
    )
    def test_invalid_texts(self, given: Any, found: str) -> None:
        with pytest.raises(ThawlineError) as caught:
            read_texts(given)
        assert mentions(caught.value.found, found)
        assert caught.value.fix

    @pytest.mark.parametrize(
        ("columns", "choice"),
        [(["id", "text"], "text"), (["review", "label"], "review"), (["a", "b"], "b")],
    )
    def test_a_frame_of_two_columns_names_a_pair(self, columns: list[str], choice: str) -> None:
        with pytest.raises(ThawlineError) as caught:
            read_texts(pd.DataFrame([["17", "Warm"]], columns=columns))
        assert mentions(caught.value.found, f"'{columns[0]}'|'{columns[1]}'")
        assert f"frame['{choice}']" in caught.value.fix

    def test_too_many_columns_are_named(self) -> None:
        frame = pd.DataFrame([["a", "b", 0]], columns=["title", "text", "label"])
        with pytest.raises(ThawlineError) as caught:
            read_texts(frame)
        assert "(title, text, label)" in caught.value.found
        assert "frame['text']" in caught.value.fix


LABELS = {
    "integers": ([3, 1, 3], np.int64),
    "int32": (np.array([3, 1, 3], dtype=np.int32), np.int32),
    "uint8": (np.array([3, 1, 3], dtype=np.uint8), np.uint8),
    "whole floats": ([3.0, 1.0, 3.0], np.float64),
    "booleans": ([True, False, True], np.bool_),
    "strings": (["b", "a", "b"], np.dtype("<U1")),
    "numpy's strings": ([np.str_("b"), np.str_("a"), np.str_("b")], np.dtype("<U1")),
    "objects": (np.array(["b", "a", "b"], dtype=object), np.object_),
    "series": (pd.Series([3, 1, 3], index=[5, 6, 7]), np.int64),
    "nullable integers": (pd.Series([3, 1, 3], dtype="Int64"), np.int64),
    "nullable booleans": (pd.Series([True, False, True], dtype="boolean"), np.bool_),
    "pandas strings": (pd.Series(["b", "a", "b"], dtype="string"), np.object_),
    "categories": (pd.Series(["b", "a", "b"], dtype="category"), np.object_),
    "categories of integers": (pd.Series([3, 1, 3], dtype="category"), np.int64),
    "categorical": (pd.Categorical(["b", "a", "b"]), np.object_),
}


class Word(str, Enum):  # noqa: UP042 (NumPy reads the members of a StrEnum correctly)
    GOOD = "positive"
    BETTER = "positive too"


class Plain(Enum):
    GOOD = "good"
    BAD = "bad"


class Number(IntEnum):
    GOOD = 7
    BAD = 3


class TestEnums:
    @pytest.mark.parametrize("kind", [Word, Plain, Number])
    @pytest.mark.parametrize("form", [list, tuple, pd.Series, pd.Categorical, "objects"])
    def test_members_are_read_as_their_values(self, kind: Any, form: Any) -> None:
        members = list(kind) * 2
        given = np.array(members, dtype=object) if form == "objects" else form(members)
        read = read_labels(given).tolist()
        assert read == [member.value for member in members]
        assert {type(label) for label in read} == {type(member.value) for member in members}

    def test_a_subclass_that_prints_something_else_keeps_its_characters(self) -> None:
        class Loud(str):
            def __str__(self) -> str:
                return "!"

        labels = Labels.from_raw([Loud("a"), Loud("b")], None)
        assert labels.names == ("a", "b")

    def test_no_character_is_lost(self) -> None:
        assert read_labels(["a", "a\0"]).tolist() == ["a", "a\0"]


class TestLabels:
    @pytest.mark.parametrize("form", LABELS)
    def test_labels_keep_their_dtype(self, form: str) -> None:
        given, dtype = LABELS[form]
        read = read_labels(given)
        assert read.dtype == dtype
        assert read.tolist() == list(given)

    def test_a_column_is_read_with_the_warning_of_scikit_learn(self) -> None:
        column = np.array([[1], [0]])
        with pytest.warns(DataConversionWarning):
            assert read_labels(column).tolist() == [1, 0]
        with pytest.warns(DataConversionWarning):
            assert read_labels(pd.DataFrame({"label": ["a", "b"]})).tolist() == ["a", "b"]

    def test_mixed_types_are_kept(self) -> None:
        assert read_labels([1, "bad"]).tolist() == [1, "bad"]
        assert read_labels([True, "bad"]).tolist() == [True, "bad"]

    @pytest.mark.parametrize(
        ("given", "found"),
        [
            # scikit-learn's estimator checks require this sentence.
            (None, "requires y to be passed, but the target y is None"),
            ("one", "str"),
            ({"a", "b"}, "set"),
            ({"a": 1}.items(), "dict_items"),
            (3, "int"),
            ([[1, 0], [0, 1]], "(2, 2)"),
            ([["a"], ["b", "c"]], "[['a'], ['b', 'c']]"),
            ([1.0, float("nan")], "row 1"),
            (["a", None], "row 1"),
            (pd.Series([1, None], dtype="Int64"), "row 1"),
            (pd.Series([None, "a"], dtype="category"), "row 0"),
            ([1, 0.5], "0.5|row 1"),
            ([float("inf"), 1], "inf|row 0"),
        ],
    )
    def test_invalid_labels(self, given: Any, found: str) -> None:
        with pytest.raises(ThawlineError) as caught:
            read_labels(given)
        assert mentions(caught.value.found, found)
        assert caught.value.fix


class TestRows:
    def test_rows_have_the_ids_of_their_classes(self) -> None:
        known = Labels(("no", "yes"), (0, 1))
        rows = read_rows(np.array(["a", "b", "c"]), ["yes", "no", "yes"], known)
        assert rows.texts == ["a", "b", "c"]
        assert rows.labels.tolist() == [1, 0, 1]
        assert rows.rows.tolist() == [0, 1, 2]

    def test_numbers_of_texts_and_labels_must_be_equal(self) -> None:
        with pytest.raises(ThawlineError) as caught:
            read_rows(["a", "b"], [0], Labels(("no", "yes"), (0, 1)))
        assert mentions(caught.value.found, "2 |1 ")


class TestSeeds:
    @pytest.mark.parametrize("seed", [0, 7, np.int64(7), np.uint32(2**32 - 1)])
    def test_a_number_is_kept(self, seed: Any) -> None:
        assert read_seed(seed) == seed
        assert type(read_seed(seed)) is int

    @pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
    def test_a_generator_gives_a_new_seed_each_time(self, make: Any) -> None:
        generator, again = make(3), make(3)
        drawn = [read_seed(generator) for _ in range(3)]
        assert drawn == [read_seed(again) for _ in range(3)]
        assert len(set(drawn)) == 3
        assert all(0 <= seed < 2**31 for seed in drawn)

    def test_none_uses_the_global_state_of_numpy(self) -> None:
        np.random.seed(5)
        first = read_seed(None), read_seed(None)
        np.random.seed(5)
        assert (read_seed(None), read_seed(None)) == first
        assert first[0] != first[1]

    @pytest.mark.parametrize("invalid", ["0", 1.5, [0]])
    def test_an_invalid_seed(self, invalid: Any) -> None:
        with pytest.raises(ThawlineError) as caught:
            read_seed(invalid)
        assert caught.value.found == f"{invalid!r} ({type(invalid).__name__})"
        assert "random_state" in caught.value.fix


class TestMistakes:
    """Inputs that would give a wrong answer without a word."""

    def test_a_record_array_has_named_columns(self) -> None:
        frame = pd.DataFrame({"id": ["1", "2"], "text": ["a", "b"]})
        with pytest.raises(ThawlineError) as caught:
            read_texts(frame.to_records(index=False))
        assert "'id', 'text'" in caught.value.found
        assert read_texts(frame[["text"]].to_records(index=False)) == ["a", "b"]
        pairs = pd.DataFrame(PAIRS, columns=["hypothesis", "premise"]).to_records(index=False)
        assert read_texts(pairs) == [(second, first) for first, second in PAIRS]

    def test_a_masked_label_is_missing(self) -> None:
        with pytest.raises(ThawlineError) as caught:
            read_labels(np.ma.array([0, 1, 0], mask=[False, True, False]))
        assert "row 1" in caught.value.found
        assert read_labels(np.ma.array([0, 1])).tolist() == [0, 1]

    def test_numpys_variable_strings_are_labels(self) -> None:
        labels = read_labels(np.array(["pos", "neg"], dtype=np.dtypes.StringDType()))
        assert labels.tolist() == ["pos", "neg"]
        assert np.unique(labels).tolist() == ["neg", "pos"]

    def test_texts_in_place_of_labels(self) -> None:
        many = [f"film {row}" for row in range(10)]
        with pytest.raises(ThawlineError) as caught:
            find_classes(read_labels(many), None)
        assert "film 0" in caught.value.found
        assert len(find_classes(read_labels(many[:9]), None)) == 9

    def test_an_index_in_another_order(self, recwarn: pytest.WarningsRecorder) -> None:
        known = Labels.from_raw([0, 1], None)
        labels = pd.Series([0, 1, 1])
        for index in ([2, 1, 0], [0, 1, 2], [7, 8, 9]):
            texts = pd.Series(TEXTS, index=index)
            assert read_rows(texts, labels, known).texts == TEXTS
            assert len(recwarn) == 1, index
        assert read_rows(TEXTS, labels, known).texts == TEXTS
        assert len(recwarn) == 1

    @pytest.mark.parametrize("validation", [0.2, "ab", [("a", 0), ("b", 1), ("c", 0)], ("a",), {}])
    def test_validation_of_another_form(self, validation: Any) -> None:
        with pytest.raises(ThawlineError) as caught:
            read_validation(validation, Labels.from_raw([0, 1], None))
        assert caught.value.setting == "validation"

    def test_labels_to_score(self, recwarn: pytest.WarningsRecorder) -> None:
        known = Labels.from_raw([3, 5], ("neg", "pos"))
        assert read_known(["neg", 5, "3", 5.0], known, 4).tolist() == [0, 1, 0, 1]
        assert not recwarn
        assert read_known(["neg", "Pos"], known, 2).tolist() == [0, -1]
        (warning,) = recwarn
        assert "'Pos'" in str(warning.message)
        assert read_known(["other"], known, 1).tolist() == [-1]
        for labels, rows in ((["a", "b"], 2), (["neg"], 2)):
            with pytest.raises(ThawlineError):
                read_known(labels, known, rows)
