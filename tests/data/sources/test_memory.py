import sys

import numpy as np
import pandas as pd
import pytest

import thawline
from tests.support.mentions import mentions
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
def test_an_object_is_split_like_a_file_of_the_same_rows(write, form):
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
    assert data.warnings[0].endswith(" extra")
    assert data.protocol["splits"]["validation"]["source"] == "Dev"


def test_a_dataset_dict_provides_its_class_names():
    splits = _datasets().DatasetDict(train=_dataset(TRAIN), test=_dataset(TEST))
    data = load_data(splits)
    assert data.labels == Labels(("neg", "pos"), (0, 1))
    assert (len(data.train), len(data.validation), len(data.test)) == (90, 10, 10)


def test_columns_are_found_or_named_and_pairs_are_read():
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
ERRORS = [  # the source, settings, the wrong setting, and data in `expected` and `found`
    (3, {}, None, "datasets.Dataset", "int"),
    (["a", "b", "c"], {}, None, "datasets.Dataset", "list"),
    ({"train": 3}, {}, None, "datasets.Dataset", "train"),
    (["a", "b"], {}, None, "", "'a'"),
    ((["a", 3], [0, 1]), {}, None, "", "int|row 1"),
    ((["a"], [0, 1]), {}, None, "", "1 |2 "),
    (({"a", "b"}, [0, 1]), {}, None, "texts", "set"),
    ((["a", "b"], {0, 1}), {}, None, "labels", "set"),
    ((["a", "b"], "01"), {}, None, "", "str"),
    ((["a", "b"], {"x": 0, "y": 1}), {}, None, "", "dict"),
    ((["a", ("b", "c")], [0, 1]), {}, None, "", "'b', 'c'|row 1"),
    ((["a"] * 20, ["b", "half \ud83d"] * 10), {}, "data.label", "label", "'half \\ud83d'|row 1"),
    (
        {"train": (["a"] * 20, [0, 1] * 10), "test": ([("a", "b")] * 2, [0, 1])},
        {},
        None,
        "test",
        "'a', 'b'|row 0",
    ),
    (([], []), {}, "data.data", "the texts", "none"),
    ((["a", "b"], [0, None]), {}, "data.label", "the texts", "row 1"),
    ({"text": ["a"], "label": [0]}, {}, None, "train, validation", "text, label"),
    ({}, {}, None, "train, validation", "no keys"),
    ({"val": FRAME, "dev": FRAME}, {}, None, "validation", "(val, dev)"),
    (FRAME, {"text": "txt"}, "data.text", "'txt'", "text, label"),
    (FRAME.assign(text=None), {}, "data.text", "'text'", "100"),
    (FRAME.assign(text=FRAME["text"].where(FRAME.index != 7)), {}, "data.text", "", "row 7"),
    (FRAME.assign(label=0), {}, "data.label", "DataFrame", "0"),
    (FRAME, {"limit": 100}, "data.limit", "", "100"),
    (FRAME, {"labels": "neg,pos"}, "data.labels", "", "'neg,pos'"),
    (FRAME, {"test_share": 2}, "data.test_share", "", "2"),
    ({"train": FRAME, "test": FRAME.assign(label=2)}, {}, None, "(0, 1)", "2|row 0"),
    (None, {}, "data.data", "", ""),
]


@pytest.mark.parametrize(("given", "settings", "setting", "expected", "found"), ERRORS)
def test_invalid_input_raises_one_line(given, settings, setting, expected, found):
    with pytest.raises(ThawlineError) as error:
        load_data(given, **settings)
    assert error.value.setting == setting
    assert expected in error.value.expected
    assert mentions(error.value.found, found)
    assert "\n" not in str(error.value)


def test_a_path_object_never_asks_the_hub(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "imdb", (tmp_path / "imdb").relative_to(tmp_path)):
        with pytest.raises(ThawlineError) as error:
            load_data(path)
        assert error.value.setting == "data.data"
        assert error.value.found.endswith(repr(str(path)))


def test_the_package_exports_load_data():
    assert thawline.load_data is load_data
    assert "load_data" in thawline.__all__
