from pathlib import Path

import numpy as np
import pytest

from tests.support.review_files import reviews
from thawline.config import DataConfig
from thawline.data import Labels, load_data, load_split
from thawline.errors import ThawlineError

LABELS = Labels.from_raw([0, 1], ("neg", "pos"))


def _rows(columns, start, stop):
    return {name: cells[start:stop] for name, cells in columns.items()}


def test_shards_are_joined_in_the_order_of_their_numbers(write):
    whole = reviews(60, 40)
    for number in reversed(range(3)):
        shard = _rows(whole, 40 * number, 40 * (number + 1))
        write(f"films/train-{number:05}-of-00003.parquet", shard)
    folder = write("films/test-00000-of-00001.parquet", reviews(6, 4)).parent
    texts = load_split(DataConfig(data=str(folder)), "all", LABELS)
    assert texts.texts == whole["text"] + reviews(6, 4)["text"]
    assert texts.source == "train+test"
    data = load_data(folder)
    assert (len(data.train), len(data.validation), len(data.test)) == (90, 10, 10)
    (warning,) = data.warnings
    assert warning.startswith("validation ")
    assert "(10 rows)" in warning


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (
            ["train-00000-of-00001.csv", "train.csv"],
            "(train-*-of-00001.csv, train.csv)",
        ),
        (
            ["train-00000-of-00001.csv", "train-00000-of-00002.csv"],
            "(train-*-of-00001.csv, train-*-of-00002.csv)",
        ),
        (["train.csv", "train.csv.gz"], "(train.csv, train.csv.gz)"),
        (["train.csv.zip", "train.tsv"], "(train.csv.zip, train.tsv)"),
    ],
)
def test_two_files_for_one_split_are_refused(write, files, found):
    for name in files:
        folder = write(f"films/{name}", reviews(6, 6)).parent
    with pytest.raises(ThawlineError) as error:
        load_data(folder)
    assert str(folder) in error.value.expected
    assert found in error.value.found


def test_a_missing_shard_is_named(write):
    for number in (1, 2):
        folder = write(f"films/train-{number:05}-of-00003.csv", reviews(6, 6)).parent
    with pytest.raises(ThawlineError) as error:
        load_data(folder)
    assert "train-*-of-00003.csv" in error.value.expected
    assert "train-00000-of-00003.csv" in error.value.found


def test_shards_with_different_columns_are_refused(write):
    write("films/train-00000-of-00002.csv", reviews(6, 6))
    folder = write("films/train-00001-of-00002.csv", {"review": ["a"], "label": ["0"]}).parent
    with pytest.raises(ThawlineError) as error:
        load_data(folder)
    assert "text, label" in error.value.expected
    assert "train-00001-of-00002.csv" in error.value.expected
    assert "review, label" in error.value.found


@pytest.mark.parametrize("suffix", ["tsv", "ndjson", "json", "csv.gz", "parquet.zip"])
def test_a_folder_holds_files_of_any_format(write, suffix):
    write(f"films/train.{suffix}", reviews(60, 40))
    folder = write(f"films/dev.{suffix}", reviews(6, 4)).parent
    data = load_data(folder)
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 10, 20)
    assert data.validation.source == "dev"


def test_the_published_files_of_ag_news_are_read(tmp_path):
    (tmp_path / "ag_news_csv").mkdir()
    for split, rows in (("train", 40), ("test", 8)):
        lines = [f'"{row % 4 + 1}","Title {row}","said ""{row}"""\n' for row in range(rows)]
        (tmp_path / "ag_news_csv" / f"{split}.csv").write_text("".join(lines))
    data = load_data(tmp_path / "ag_news_csv")
    assert data.labels == Labels(("World", "Sports", "Business", "Sci/Tech"), (0, 1, 2, 3))
    assert data.test.texts[5] == 'Title 5 said "5"'
    assert data.test.labels.tolist() == [0, 1, 2, 3] * 2
    assert np.bincount(data.train.labels).tolist() == [9] * 4


@pytest.mark.parametrize("inner", ["data", "plain_text"])
def test_copy_of_a_hub_data_set_is_read_from_its_inner_folder(inner):
    folder = Path("copy") / inner
    folder.mkdir(parents=True)
    rows = "".join(f"text {row},{row % 2}\n" for row in range(20))
    (folder / "train.csv").write_text("text,label\n" + rows)
    Path("copy/README.md").write_text("# A data set")
    Path("copy/dataset_infos.json").write_text("{}")
    data = load_data("copy")
    assert data.name == "copy"
    assert sum(len(part) for part in data.parts.values()) == 20
    assert any(f"'{inner}'" in warning for warning in data.warnings)


def test_several_inner_folders_must_be_chosen():
    for name in ("one", "two"):
        Path("copy", name).mkdir(parents=True)
        Path("copy", name, "train.csv").write_text("text,label\na,0\nb,1\n")
    with pytest.raises(ThawlineError) as raised:
        load_data("copy")
    assert "one" in raised.value.found
    assert "two" in raised.value.found
