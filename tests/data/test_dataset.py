import dataclasses
import json
import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from tests.support.mentions import mentions
from tests.support.review_files import BAD, GOOD, reviews
from thawline.config import DataConfig
from thawline.data import LabelledTexts, Labels, load, load_data, load_split
from thawline.errors import ThawlineError

SPLITS = ("train", "validation", "test")


def _config(path, **settings):
    return DataConfig(data=str(path), **settings)


def _same(one: LabelledTexts, other: LabelledTexts) -> bool:
    return (
        one.texts == other.texts
        and one.labels.tolist() == other.labels.tolist()
        and one.rows.tolist() == other.rows.tolist()
        and one.source == other.source
    )


def _counts(texts: LabelledTexts) -> list[int]:
    return np.bincount(texts.labels, minlength=2).tolist()


@pytest.fixture
def folder(write):
    write("films/train.parquet", reviews(60, 40))
    return write("films/test.parquet", reviews(30, 20)).parent


def test_validation_is_carved_out_of_train(folder):
    data = load(_config(folder, labels=("neg", "pos")))
    assert data.name == "films"
    assert data.labels == Labels(("neg", "pos"), (0, 1))
    assert [_counts(getattr(data, split)) for split in SPLITS] == [[54, 36], [6, 4], [30, 20]]
    assert [getattr(data, split).source for split in SPLITS] == ["train", "train", "test"]
    assert sorted([*data.train.rows, *data.validation.rows]) == list(range(100))
    (warning,) = data.warnings
    assert warning.startswith("validation ")
    assert warning.endswith("(10 rows)")
    described = data.protocol["splits"]
    assert {name: (split["source"], split["rows"]) for name, split in described.items()} == {
        "train": ("train", 90),
        "validation": ("train", 10),
        "test": ("test", 50),
    }
    assert "; 10 of " in described["train"]["how"]
    assert re.search(r"train: 10 %, .*seed 42$", described["validation"]["how"])
    assert "seed" not in described["test"]["how"]
    assert (data.protocol["row_seed"], data.protocol["limit"]) == (42, None)
    assert json.loads(json.dumps(data.protocol)) == data.protocol


def test_rows_are_the_row_numbers_of_the_source_in_ascending_order(folder):
    data = load(_config(folder, limit=(20, 10)))
    whole = {"train": reviews(60, 40), "test": reviews(30, 20)}
    for split in SPLITS:
        texts = getattr(data, split)
        assert texts.texts == [whole[texts.source]["text"][row] for row in texts.rows]
        assert texts.labels.tolist() == [whole[texts.source]["label"][row] for row in texts.rows]
        assert texts.rows.tolist() == sorted(texts.rows)
        assert texts.rows.dtype == texts.labels.dtype == np.int64


@pytest.mark.parametrize("name", ["validation", "val", "valid", "dev", "Dev"])
def test_a_validation_file_is_used_whatever_it_is_called(folder, write, name):
    write(f"films/{name}.csv", reviews(7, 5))
    data = load(_config(folder))
    assert (len(data.train), len(data.validation), len(data.test)) == (100, 12, 50)
    assert data.validation.source == name
    assert data.warnings == ()


def test_a_limit_selects_stratified_rows_before_validation_is_carved_out(folder):
    data = load(_config(folder, limit=(50, 10)))
    assert [_counts(getattr(data, split)) for split in SPLITS] == [[27, 18], [3, 2], [6, 4]]
    assert data.protocol["limit"] == [50, 10]
    described = data.protocol["splits"]
    assert re.search("; 50 of 100 .*stratified, seed 42; 5 of ", described["train"]["how"])
    assert re.search("; 10 of 50 .*stratified, seed 42$", described["test"]["how"])


def test_a_limit_applies_to_a_validation_file_as_to_test(folder, write):
    write("films/validation.csv", reviews(30, 30))
    data = load(_config(folder, limit=(50, 10)))
    assert (len(data.train), len(data.validation), len(data.test)) == (50, 10, 10)


def test_a_split_with_fewer_rows_than_the_limit_causes_a_warning(folder):
    data = load(_config(folder, limit=(1000, 2000)))
    assert (len(data.train), len(data.validation), len(data.test)) == (90, 10, 50)
    assert re.search("^train .* 100 .* 1,000", data.warnings[0])
    assert re.search("^test .* 50 .* 2,000", data.warnings[-1])
    (carved,) = load(_config(folder, limit=(100, 50))).warnings
    assert carved.startswith("validation ")


@pytest.mark.parametrize("name", ["films.csv", "train.jsonl", "test.parquet"])
def test_a_single_file_is_one_set_whatever_its_name(write, name):
    path = write(name, reviews(60, 40))
    data = load(_config(path))
    assert [_counts(getattr(data, split)) for split in SPLITS] == [[43, 29], [5, 3], [12, 8]]
    assert {getattr(data, split).source for split in SPLITS} == {path.stem}
    rows = np.concatenate([getattr(data, split).rows for split in SPLITS])
    assert sorted(rows.tolist()) == list(range(100))
    assert data.name == path.stem
    how = data.protocol["splits"]["test"]["how"]
    assert how.endswith(f" {path.stem}: 20 %, stratified, seed 42")
    validation, test = data.warnings
    assert re.search(r"^validation .* train: 10 %, stratified, seed 42 \(8 rows\)$", validation)
    assert test.startswith("test ")
    assert test.endswith(f"{how} (20 rows)")


def test_a_folder_without_test_carves_it_out_of_train_first(write):
    folder = write("films/train.csv", reviews(60, 40)).parent
    data = load(_config(folder, test_share=0.5, validation_share=0.2))
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 10, 50)
    how = data.protocol["splits"]["train"]["how"]
    assert re.search(" 50 rows of train .* 50 test rows; 10 of ", how)


def test_a_limit_on_one_file_selects_from_the_carved_splits(write):
    path = write("films.csv", reviews(60, 40))
    whole = load(_config(path))
    small = load(_config(path, limit=(30, 10)))
    assert (len(small.train), len(small.validation), len(small.test)) == (27, 3, 10)
    assert set(small.test.rows) < set(whole.test.rows)
    assert not set(small.train.rows) & set(whole.test.rows)


def test_the_same_rows_are_selected_for_every_format_and_any_names(write):
    paths = [write(f"films.{suffix}", reviews(60, 40)) for suffix in ("csv", "jsonl", "parquet")]
    named = write("named.csv", reviews(60, 40, ("bad", "good")))
    sets = [
        *(load(_config(path, limit=(30, 10))) for path in paths),
        load(_config(paths[0], limit=(30, 10), labels=("neg", "pos"))),
        load(_config(named, limit=(30, 10), labels=("good", "bad"))),
    ]
    for split in SPLITS:
        assert len({tuple(getattr(data, split).rows.tolist()) for data in sets}) == 1
    assert len({data.digest for data in sets[:4]}) == 1


def test_selected_rows_never_change(folder):
    data = load(_config(folder, limit=(10, 5)))
    assert data.train.rows.tolist() == [7, 28, 38, 42, 51, 66, 67, 73, 94]
    assert data.test.rows.tolist() == [6, 14, 19, 39, 45]


def test_the_digest_covers_texts_and_labels_of_every_split(folder, write):
    digest = load(_config(folder)).digest
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert load(_config(folder)).digest == digest
    changed = reviews(30, 20)
    changed["text"][-1] += "!"
    write("films/test.parquet", changed)
    assert load(_config(folder)).digest != digest
    write("films/test.parquet", reviews(30, 20))
    swapped = reviews(60, 40, (1, 0))
    write("films/train.parquet", swapped)
    assert load(_config(folder)).digest != digest


def test_the_digest_depends_on_where_a_text_ends(folder):
    data = load(_config(folder))

    def with_texts(*texts):
        train = LabelledTexts(list(texts), np.zeros(2, np.int64), np.arange(2), "train")
        return dataclasses.replace(data, train=train).digest

    assert with_texts("ab", "c") != with_texts("a", "bc")
    pairs = [("a", "b"), ("ab", ""), ("", "ab"), ("b", "a"), "ab", "a b", "1 1\nab", "a\nb"]
    assert len({with_texts(text, "c") for text in pairs}) == len(pairs)


def test_the_digest_of_single_texts_never_changes(folder):
    # Existing runs have recorded this digest.
    assert load(_config(folder)).digest == (
        "10f6350c8da28b3584b636ade93c75995a7505e8cbe4957c5afa3450fc2b59e5"
    )


def test_files_that_match_no_split_are_ignored_with_a_warning(folder, write):
    write("films/unsup.parquet", {"text": ["no label here"], "label": [-1]})
    write("films/extra.tsv", {"a": ["b"]})
    write("films/more.csv.gz", {"a": ["b"]})
    (folder / "README.md").write_text("# Films")
    (folder / ".hidden.csv").write_text("")
    data = load(_config(folder))
    assert data.warnings[0].endswith(": extra.tsv, more.csv.gz, unsup.parquet")
    assert len(data.train) + len(data.validation) + len(data.test) == 150


def test_a_test_split_with_hidden_labels_is_ignored(write):
    folder = write("films/train.csv", reviews(60, 40)).parent
    write("films/test.csv", reviews(10, 10, (-1, -1)))
    data = load(_config(folder))
    assert (len(data.train), len(data.validation), len(data.test)) == (72, 8, 20)
    assert any(" test" in warning and "-1" in warning for warning in data.warnings)
    assert len(load_split(_config(folder), "all", data.labels)) == 100


def test_a_test_split_without_a_label_column_is_ignored(write):
    folder = write("films/train.csv", reviews(60, 40)).parent
    write("films/test.csv", {"id": ["1", "2"], "text": ["a", "b"]})
    data = load(_config(folder))
    assert (len(data.train), len(data.validation), len(data.test)) == (72, 8, 20)
    assert any(" test" in warning and "label" in warning for warning in data.warnings)
    assert len(load_split(_config(folder), "all", data.labels)) == 100
    (folder / "train.csv").unlink()
    for split in ("test", "all"):
        with pytest.raises(ThawlineError) as error:
            load_split(_config(folder), split, data.labels)
        assert error.value.setting == "data.label"
        assert "columns text, id in " in error.value.found


def test_an_unlabelled_training_file_is_reported(write):
    path = write("train.csv", {"id": ["1", "2"], "text": ["a", "b"]})
    for given in (path, path.parent):
        with pytest.raises(ThawlineError) as error:
            load(_config(given))
        assert error.value.setting == "data.label"


def test_the_columns_are_named(write):
    columns = reviews(30, 30)
    path = write("films.csv", {"Review": columns["text"], "stars": columns["label"]})
    data = load(_config(path, label="stars"))
    assert (data.text_columns, data.label_column) == (("Review",), "stars")
    (line,) = data.describe_columns()
    assert mentions(line, "'Review'|'stars'")
    pairs = {"premise": columns["text"], "hypothesis": columns["text"], "label": columns["label"]}
    assert load(_config(write("pairs.csv", pairs))).text_columns == ("premise", "hypothesis")
    listed = load_data((columns["text"], columns["label"]))
    assert (listed.text_columns, listed.label_column, listed.describe_columns()) == ((), None, ())


def test_splits_with_other_columns_are_reported(write):
    columns = reviews(30, 30)
    folder = write("films/train.csv", columns).parent
    write("films/test.csv", {"review": columns["text"], "sentiment": columns["label"]})
    data = load(_config(folder))
    assert (data.text_columns, data.label_column) == (("text",), "label")
    assert mentions(data.warnings[0], "test.csv|'review'|'sentiment'")


def test_assumptions_about_a_file_are_warnings_of_the_data_set(write, tmp_path):
    columns = reviews(30, 30, ("0.0", "1.0"))
    rows = zip(columns["text"], columns["label"], strict=True)
    path = tmp_path / "films.csv"
    path.write_text("text|label\n" + "".join(f"{text}|{label}\n" for text, label in rows))
    data = load(_config(path, labels=("neg", "pos")))
    assert data.labels == Labels(("neg", "pos"), ("0", "1"))
    assert [len(part) for part in data.parts.values()] == [43, 5, 12]
    assert sum("films.csv" in warning for warning in data.warnings) == 2
    assert load_split(_config(path), "all", data.labels).warnings == data.warnings[:2]


@pytest.mark.parametrize(
    ("column", "values", "warns"),
    [
        ("Split", ["train", "test"], True),
        ("set", ["train", "dev", "Test"], True),
        ("fold", ["1", "2"], False),
        ("split", ["train", "train"], False),
        ("part", ["train", "test"], False),
    ],
)
def test_a_column_of_splits_that_is_not_used_is_reported(column, values, warns):
    rows = 12
    frame = pd.DataFrame(
        {
            "text": [f"text {row}" for row in range(rows)],
            "label": [0, 1] * (rows // 2),
            column: [values[row % len(values)] for row in range(rows)],
        }
    )
    warned = [line for line in load_data(frame).warnings if repr(column) in line]
    assert len(warned) == warns


@pytest.mark.parametrize("names", [{"neg", "pos"}, {0: "neg", 1: "pos"}, "neg,pos"])
def test_names_without_an_order_are_refused(names):
    frame = pd.DataFrame({"text": ["a", "b"] * 10, "label": [0, 1] * 10})
    with pytest.raises(ThawlineError) as caught:
        load_data(frame, labels=names)
    assert caught.value.setting == "data.labels"


def test_series_with_an_index_in_another_order_are_reported():
    frame = pd.DataFrame({"text": [f"text {row}" for row in range(20)], "label": [0, 1] * 10})
    same = load_data((frame["text"], frame["label"])).warnings
    other = load_data((frame["text"][::-1], frame["label"])).warnings
    assert len(other) == len(same) + 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("limit", (None, 5)),
        ("limit", ("4", "5")),
        ("limit", 10),
        ("validation_share", "0.1"),
        ("test_share", None),
    ],
)
def test_settings_of_another_type_are_refused(setting, value):
    frame = pd.DataFrame({"text": ["a", "b"] * 10, "label": [0, 1] * 10})
    with pytest.raises(ThawlineError) as caught:
        load_data(frame, **{setting: value})
    assert str(value) in caught.value.found or "5" in caught.value.found


def test_labels_that_all_differ_are_refused(write):
    long = [f"{'word ' * 4_000}{row}" for row in range(20)]
    path = write("films.csv", {"text": long, "label": ["a", "b"] * 10})
    with pytest.raises(ThawlineError) as error:
        load(_config(path, label="text"))
    assert error.value.setting == "data.label"
    assert len(str(error.value)) < 800


def test_minus_one_is_an_ordinary_label_if_train_has_it(write):
    folder = write("films/train.csv", reviews(60, 40, (-1, 1))).parent
    write("films/test.csv", reviews(10, 0, (-1, 1)))
    data = load(_config(folder))
    assert data.labels.values == ("-1", "1")
    assert _counts(data.test) == [10, 0]


def test_a_home_folder_and_an_empty_text_are_understood(write, monkeypatch, tmp_path):
    write("films.jsonl", {"text": ["", "fine"] * 10, "label": ["a", "b"] * 10})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    data = load(DataConfig(data="~/films.jsonl"))
    assert "" in data.train.texts


def test_rare_classes_stay_in_train(write):
    columns = reviews(30, 30)
    columns["text"].append("neither good nor bad")
    columns["label"].append(2)
    data = load(_config(write("films.jsonl", columns)))
    assert np.bincount(data.train.labels).tolist()[2] == 1
    assert len(data.test) == 12


def test_take_keeps_texts_labels_and_rows_together(folder):
    texts = load(_config(folder)).train
    taken = texts.take(np.array([5, 0, 5]))
    assert len(taken) == 3
    assert taken.texts == [texts.texts[5], texts.texts[0], texts.texts[5]]
    assert taken.rows.tolist() == texts.rows[[5, 0, 5]].tolist()
    assert taken.labels.tolist() == texts.labels[[5, 0, 5]].tolist()
    assert taken.source == "train"
    assert len(texts.take([])) == 0


@pytest.mark.parametrize("limit", [None, (30, 10)])
@pytest.mark.parametrize("split", SPLITS)
def test_load_split_gives_the_rows_that_load_gives(folder, write, split, limit):
    for path in (folder, write("films.csv", reviews(60, 40))):
        config = _config(path, limit=limit)
        data = load(config)
        assert _same(load_split(config, split, data.labels), getattr(data, split))


def test_load_split_uses_the_classes_of_the_model(write):
    path = write("films.csv", reviews(6, 4, ("bad", "good")))
    model = Labels(("good", "bad", "so-so"), (7, 3, 5))
    texts = load_split(_config(path), "all", model)
    assert texts.labels.tolist() == [1] * 6 + [0] * 4
    assert texts.rows.tolist() == list(range(10))
    assert texts.source == "films"


def test_load_split_all_gives_every_row_of_every_labelled_split(folder, write):
    write("films/dev.csv", reviews(2, 1))
    write("films/unsup.parquet", {"text": ["no label here"], "label": [-1]})
    texts = load_split(_config(folder, limit=(10, 10)), "all", Labels.from_raw([0, 1], None))
    assert len(texts) == 100 + 3 + 50
    assert texts.source == "train+dev+test"
    assert texts.rows.tolist() == [*range(100), *range(3), *range(50)]


def test_a_folder_may_hold_only_the_split_that_is_evaluated(write):
    folder = write("films/test.csv", reviews(3, 2)).parent
    texts = load_split(_config(folder), "test", Labels.from_raw([0, 1], None))
    assert texts.texts == [BAD.format(i) for i in range(3)] + [GOOD.format(i) for i in range(2)]


def test_an_invalid_train_file_does_not_prevent_reading_test(write):
    folder = write("films/test.csv", reviews(3, 2)).parent
    (folder / "train.csv").write_bytes(b"text,label\ncaf\xe9")
    assert len(load_split(_config(folder), "test", Labels.from_raw([0, 1], None))) == 5


GOOD_FILE = {"text": ["a", "b"] * 10, "label": [0, 1] * 10}

TWO_ROWS = {"text": ["a", "b"], "label": ["x", "x"]}
EMPTY = {"text": [], "label": []}

LOAD_ERRORS = [  # files, settings, the wrong setting, and data in `expected` and `found`
    ({}, {}, "data.data", "films", ""),
    ({"reviews.csv": GOOD_FILE}, {}, "data.data", "films", "reviews.csv"),
    ({"test.csv": GOOD_FILE}, {}, "data.data", "films", "test"),
    ({"train.csv": GOOD_FILE, "train.jsonl": GOOD_FILE}, {}, None, "train", "(train.csv, train."),
    ({"val.csv": GOOD_FILE, "dev.csv": GOOD_FILE}, {}, None, "validation", "(dev.csv, val.csv)"),
    ({"train.xlsx": GOOD_FILE}, {}, None, ".parquet, .csv, .tsv, .jsonl,", "train.xlsx"),
    ({"train.csv": EMPTY}, {}, "data.data", "train.csv", "none"),
    ({"train.jsonl": EMPTY}, {}, "data.data", "train.jsonl", "none"),
    ({"train.csv": GOOD_FILE, "test.csv": EMPTY}, {}, "data.data", "test.csv", "none"),
    ({"train.csv": TWO_ROWS}, {}, "data.label", "train.csv", " x"),
    ({"train.csv": {"text": ["a", "b"], "label": [1, 1]}}, {}, "data.label", "train.csv", " 1"),
    ({"train.csv": {"text": ["a"], "label": [1]}}, {}, "data.label", "train.csv", " 1"),
    (
        {"train.csv": GOOD_FILE, "test.csv": {"text": ["a", "b", "c"], "label": [0, 1, 2]}},
        *({}, None, "(0, 1)", "'2'|row 2"),
    ),
    (
        {"train.csv": GOOD_FILE, "dev.csv": {"text": ["a", "b"], "label": ["0", "good"]}},
        *({}, None, "(0, 1)", "'good'|row 1"),
    ),
    ({"train.csv": GOOD_FILE}, {"limit": (1, 10)}, "data.limit", "train", ""),
    ({"train.csv": GOOD_FILE}, {"limit": (2, 10)}, "data.limit", "train", ""),
    ({"train.csv": GOOD_FILE}, {"limit": (0, 10)}, "data.limit", "1", "0,10"),
    ({"train.csv": GOOD_FILE}, {"limit": (5, -1)}, "data.limit", "1", "5,-1"),
    ({"train.csv": GOOD_FILE}, {"validation_share": 1.0}, "data.validation_share", "", "1.0"),
    ({"train.csv": GOOD_FILE}, {"test_share": 0}, "data.test_share", "", "0"),
    ({"train.csv": GOOD_FILE}, {"labels": ("neg",)}, "data.labels", "0, 1", "(neg)"),
    ({"train.csv": GOOD_FILE}, {"text": "txt"}, "data.text", "'txt'", "text, label"),
    ({"train.jsonl": {"text": ["a", "b"], "label": [0, "x"]}}, {}, None, "", "(x)"),
]


@pytest.mark.parametrize(("files", "settings", "setting", "expected", "found"), LOAD_ERRORS)
def test_invalid_input_raises_one_line(tmp_path, write, files, settings, setting, expected, found):
    (tmp_path / "films").mkdir()
    for name, columns in files.items():
        write(f"films/{name}", columns)
    with pytest.raises(ThawlineError) as error:
        load(_config(tmp_path / "films", **settings))
    assert error.value.setting == setting
    assert expected in error.value.expected
    assert mentions(error.value.found, found)
    assert "\n" not in str(error.value)


def test_an_unknown_split_is_refused(folder):
    with pytest.raises(ThawlineError) as error:
        load_split(_config(folder), "tset", Labels.from_raw([0, 1], ("neg", "pos")))
    assert error.value.found == "'tset'"
    assert "'test'" in error.value.fix


def test_classes_that_the_model_does_not_know_are_refused(folder):
    with pytest.raises(ThawlineError) as error:
        load_split(_config(folder), "test", Labels(("joy", "anger"), ("joy", "anger")))
    assert "(joy, anger)" in error.value.expected
    assert mentions(error.value.found, "0|row 0")
    assert "test.parquet" in error.value.found


def test_only_hidden_labels_cannot_be_evaluated_on(write):
    folder = write("films/test.csv", reviews(2, 2, (-1, -1))).parent
    with pytest.raises(ThawlineError) as error:
        load_split(_config(folder), "all", Labels.from_raw([0, 1], None))
    assert error.value.setting == "data.data"
    assert "films" in error.value.expected
    assert "-1" in error.value.found


def test_copies_are_kept_in_one_split_and_the_protocol_says_so():
    generator = np.random.default_rng(0)
    texts = [f"film {number}" for number in range(200)]
    texts += [f"  FILM\t{number} " for number in range(200)]
    data = load_data((texts, generator.integers(0, 2, 400).tolist()))
    numbers = [{text.split()[1] for text in part.texts} for part in data.parts.values()]
    assert [len(one & other) for one, other in combinations(numbers, 2)] == [0, 0, 0]
    assert [len(part) for part in data.parts.values()] == pytest.approx([288, 32, 80], abs=2)
    distinct = load_data((texts[:200], generator.integers(0, 2, 200).tolist()))
    for split in ("validation", "test"):
        how = data.protocol["splits"][split]["how"]
        assert how != distinct.protocol["splits"][split]["how"]
        assert how.startswith(distinct.protocol["splits"][split]["how"])
        assert any(how in line for line in data.warnings)


def test_a_misspelled_label_in_test_names_the_class():
    train = (["a", "b"] * 10, ["neg", "pos"] * 10)
    with pytest.raises(ThawlineError) as caught:
        load_data({"train": train, "test": (["a", "b"], ["neg", "Pos "])})
    assert "'Pos '" in caught.value.found
    assert "'pos'" in caught.value.fix


def test_errors_of_load_data_name_its_parameters():
    texts, labels = [f"text {row}" for row in range(30)], [0] * 30
    with pytest.raises(ThawlineError) as caught:
        load_data((texts, labels))
    assert caught.value.setting == "data.label"
    assert caught.value.fix.endswith(" label")
    with pytest.raises(ThawlineError) as caught:
        load_data((texts, [row % 2 for row in range(30)]), limit=(4, 2, 1))
    assert "limit=[4000, 2000]" in caught.value.fix
