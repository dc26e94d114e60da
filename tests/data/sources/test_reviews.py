"""The packaged slice of reviews, and the script that creates it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import thawline
from examples.reviews import make_slice as slicing

FOLDER = Path(thawline.__file__).parent / "embedded" / "reviews"
ROWS = {"train": 4_000, "test": 2_000}


@pytest.fixture(scope="module")
def splits() -> dict[str, pd.DataFrame]:
    return {split: pd.read_parquet(FOLDER / f"{split}.parquet") for split in ROWS}


def test_the_slice_takes_at_most_three_megabytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.parquet")) <= 3_000_000


@pytest.mark.parametrize("split", ROWS)
def test_a_split_has_its_rows_in_equal_shares(splits: dict[str, pd.DataFrame], split: str) -> None:
    frame = splits[split]
    assert list(frame.columns) == ["text", "label"]
    assert frame["label"].value_counts().to_dict() == {0: ROWS[split] // 2, 1: ROWS[split] // 2}
    assert frame["text"].is_unique
    assert frame["text"].str.strip().str.len().min() > 0


def test_a_split_is_not_sorted_by_label(splits: dict[str, pd.DataFrame]) -> None:
    for frame in splits.values():
        assert frame["label"].head(100).mean() == pytest.approx(0.5, abs=0.2)


def test_no_text_of_train_is_in_test(splits: dict[str, pd.DataFrame]) -> None:
    assert not splits["train"]["text"].isin(splits["test"]["text"]).any()


@pytest.mark.parametrize("split", ROWS)
def test_a_file_records_its_source(split: str) -> None:
    note = pq.read_schema(FOLDER / f"{split}.parquet").metadata
    assert b"Maas et al." in note[b"source"]
    assert note[b"drawn_from"].startswith(f"{split}.parquet, sha256 ".encode())


def write_whole(folder: Path) -> None:
    """Write a data set whose train split contains copies of its own texts and of test texts."""
    train = [f"train {number}" for number in range(20)] + ["train 0", "test 0", "test 1"]
    test = [f"test {number}" for number in range(12)]
    for split, texts in (("train", train), ("test", test)):
        labels = [index % 2 for index in range(len(texts))]
        frame = pd.DataFrame({"text": texts, "label": labels, "rating": 5})
        frame.to_parquet(folder / f"{split}.parquet")


def test_the_slice_excludes_test_texts_and_keeps_copies_once(tmp_path: Path) -> None:
    write_whole(tmp_path)
    slicing.make_slice(tmp_path, tmp_path / "out", train_rows=20, test_rows=4)
    train, test = (pd.read_parquet(tmp_path / f"out/{split}.parquet") for split in ROWS)
    assert sorted(train["text"]) == sorted(f"train {number}" for number in range(20))
    assert test["label"].tolist().count(0) == 2


def test_the_slice_is_reproducible(tmp_path: Path) -> None:
    write_whole(tmp_path)
    for out in ("one", "two"):
        slicing.make_slice(tmp_path, tmp_path / out, train_rows=10, test_rows=4)
    for split in ROWS:
        one, two = (tmp_path / out / f"{split}.parquet" for out in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_rows_that_cannot_be_shared_equally_are_refused(tmp_path: Path) -> None:
    write_whole(tmp_path)
    with pytest.raises(ValueError, match=r"\b3 rows"):
        slicing.make_slice(tmp_path, tmp_path / "out", train_rows=3, test_rows=2)
