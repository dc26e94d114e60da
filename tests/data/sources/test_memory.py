import sys

import numpy as np
import pandas as pd
import pytest

import thawline
from tests.support.review_files import reviews
from thawline.data import Labels, load_data
from thawline.errors import ThawlineError

SPLITS = ("train", "validation", "test")
TRAIN, TEST = reviews(60, 40), reviews(6, 4)


def _lists(columns):
    return columns["text"], columns["label"]


def _datasets():
    return pytest.importorskip("datasets")


def _dataset(columns):
    datasets = _datasets()
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    return datasets.Dataset.from_dict(columns, features=features)


FORMS = {
    "lists": _lists,
    "arrays": lambda columns: [np.array(columns["text"]), np.array(columns["label"])],
    "Series": lambda columns: tuple(pd.Series(cells) for cells in _lists(columns)),
    "DataFrame": pd.DataFrame,
    "another index": lambda columns: pd.DataFrame(
        columns, index=range(len(columns["text"]), 0, -1)
    ),
    "Dataset": _dataset,
}


@pytest.mark.parametrize("form", FORMS)
def test_one_object_is_split_as_the_file_of_the_same_rows_is(write, form):
    data = load_data(FORMS[form](TRAIN), labels=("neg", "pos"), limit=(30, 10))
    file = load_data(write("films.jsonl", TRAIN), labels=["neg", "pos"], limit=(30, 10))
    assert data.digest == file.digest
    assert data.labels == file.labels == Labels(("neg", "pos"), (0, 1))
    for split in SPLITS:
        assert getattr(data, split).rows.tolist() == getattr(file, split).rows.tolist()


@pytest.mark.parametrize("form", FORMS)
def test_a_dict_gives_the_splits(form):
    given = {"train": FORMS[form](TRAIN), "Dev": FORMS[form](TEST), "extra": 3}
    data = load_data(given)
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 10, 20)
    assert data.validation.texts == TEST["text"]
    assert data.notes[0] == "left alone, as no train, validation or test split: extra"
    assert data.protocol["splits"]["validation"]["source"] == "Dev"


def test_a_dataset_dict_brings_its_class_names():
    splits = _datasets().DatasetDict(train=_dataset(TRAIN), test=_dataset(TEST))
    data = load_data(splits)
    assert data.labels == Labels(("neg", "pos"), (0, 1))
    assert (len(data.train), len(data.validation), len(data.test)) == (90, 10, 10)


def test_columns_are_found_or_named_and_pairs_joined():
    frame = pd.DataFrame({"premise": ["a"] * 20, "hypothesis": ["b"] * 20, "y": ["no", "yes"] * 10})
    data = load_data(frame, label="y")
    assert set(data.train.texts) == {("a", "b")}
    assert data.labels.names == ("no", "yes")
    assert set(load_data(frame, text="hypothesis", label="y").train.texts) == {"b"}
    pairs = load_data(([("a", "b")] * 20, [True, False] * 10))
    assert set(pairs.test.texts) == {("a", "b")}
    assert pairs.labels == Labels(("False", "True"), (0, 1))


def test_a_numbered_or_nullable_column_of_a_frame_is_read():
    frame = pd.DataFrame({0: ["a", "b"] * 10, "label": pd.array([3, 5] * 10, dtype="Int64")})
    data = load_data(frame, text="0")
    assert set(data.train.texts) == {"a", "b"}
    assert data.labels.values == (3, 5)
    frame["label"] = frame["label"].astype("category")
    assert load_data(frame, text="0").labels.values == (3, 5)


def test_the_shares_are_settings():
    data = load_data(_lists(TRAIN), test_share=0.5, validation_share=0.2)
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 10, 50)


FRAME = pd.DataFrame(TRAIN)
ERRORS = [
    (3, {}, "expected a path, a name, a DataFrame, a datasets.Dataset, (texts, labels), or a dict"),
    (3, {}, "found the int; turn it into one of these"),
    (["a", "b", "c"], {}, "found the list; turn it into one of these"),
    ({"train": 3}, {}, "found the split train; turn it into"),
    (["a", "b"], {}, "expected a sequence of texts, found one string"),
    ((["a", 3], [0, 1]), {}, "expected texts as strings, found int in row 1"),
    (
        (["a"], [0, 1]),
        {},
        "expected as many labels as texts, found 1 texts and 2 labels; give both",
    ),
    (([], []), {}, "expected at least one row in the texts and labels, found none"),
    (
        (["a", "b"], [0, None]),
        {},
        "expected a label in every row of the texts and labels, found non",
    ),
    (
        {"text": ["a"], "label": [0]},
        {},
        "expected a split train, validation or test among the keys",
    ),
    ({"text": ["a"], "label": [0]}, {}, "found text, label; name the splits train"),
    ({}, {}, "found none; name the splits train"),
    (
        {"val": FRAME, "dev": FRAME},
        {},
        "expected one validation split in the dict, found two (val, d",
    ),
    (
        FRAME,
        {"text": "txt"},
        "expected a column 'txt' for --text, found the columns text, label in",
    ),
    (
        FRAME.assign(text=None),
        {},
        "expected a text in the column 'text' of the DataFrame, found noth",
    ),
    (FRAME.assign(text=FRAME["text"].where(FRAME.index != 7)), {}, "found none in row 7 (counting"),
    (FRAME.assign(label=0), {}, "expected at least two classes in the DataFrame, found only 0"),
    (FRAME, {"limit": 100}, "expected a limit for train and one for test, found 100; give --limit"),
    (
        FRAME,
        {"labels": "neg,pos"},
        "expected a sequence of label names, found one string 'neg,pos'",
    ),
    (FRAME, {"test_share": 2}, "expected the test share above 0 and below 1, found 2"),
    (
        {"train": FRAME, "test": FRAME.assign(label=2)},
        {},
        "expected classes in test that train has",
    ),
    (None, {}, "found no data; name one with --data"),
]


@pytest.mark.parametrize(("given", "settings", "words"), ERRORS)
def test_what_cannot_work_is_an_error_of_one_line(given, settings, words):
    with pytest.raises(ThawlineError) as error:
        load_data(given, **settings)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_path_object_never_asks_the_hub(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ThawlineError, match="expected a file or a folder, found no path named"):
        load_data(tmp_path / "imdb")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ThawlineError, match="expected a file or a folder, found no path named"):
        load_data((tmp_path / "imdb").relative_to(tmp_path))


def test_the_package_hands_it_out():
    assert thawline.load_data is load_data
    assert "load_data" in thawline.__all__
