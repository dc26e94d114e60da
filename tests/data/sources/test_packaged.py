"""Data sets in the package."""

from __future__ import annotations

import pandas as pd
import pytest

from thawline.config import DataConfig
from thawline.data import Labels, load, load_data, load_split
from thawline.data.sources import packaged
from thawline.data.sources.hub import NAMED_SETS, known_sets
from thawline.data.sources.packaged import PACKAGED_SETS
from thawline.errors import ThawlineError


def test_the_reviews_have_class_names():
    reviews = load_data("thawline/reviews")
    assert reviews.name == "reviews"
    assert reviews.labels.names == ("neg", "pos")
    assert (len(reviews.train), len(reviews.validation), len(reviews.test)) == (3_600, 400, 2_000)
    assert load(DataConfig(data="thawline/reviews")).digest == reviews.digest
    test = load_split(DataConfig(data="thawline/reviews"), "test", Labels(("neg", "pos"), (0, 1)))
    assert test.texts == reviews.test.texts


def test_label_names_and_columns_may_be_given():
    reviews = load_data("thawline/reviews", labels=["bad", "good"], limit=(40, 20))
    assert reviews.labels.names == ("bad", "good")
    with pytest.raises(ThawlineError) as error:
        load_data("thawline/reviews", text="words")
    assert error.value.setting == "data.text"
    assert "'words'" in error.value.expected


def test_a_path_takes_precedence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thawline" / "reviews").mkdir(parents=True)
    frame = pd.DataFrame({"text": ["a", "b", "c", "d"] * 5, "label": ["x", "y"] * 10})
    for split in ("train", "test"):
        frame.to_csv(tmp_path / "thawline" / "reviews" / f"{split}.csv", index=False)
    assert load_data("thawline/reviews").labels.names == ("x", "y")


def test_an_installation_without_the_files_is_reported(tmp_path, monkeypatch):
    for lacking in (tmp_path / "embedded", tmp_path):
        monkeypatch.setattr(packaged, "_EMBEDDED", lacking)
        (tmp_path / "reviews").mkdir(exist_ok=True)
        with pytest.raises(ThawlineError) as caught:
            load_data("thawline/reviews")
        assert "'thawline/reviews'" in caught.value.expected
        assert "pip install --force-reinstall thawline" in caught.value.fix


def test_every_packaged_set_documents_its_source():
    assert known_sets() == (*NAMED_SETS, *PACKAGED_SETS)
    for known in PACKAGED_SETS.values():
        readme = packaged._EMBEDDED.joinpath(known.folder, "README.md").read_text(encoding="utf-8")
        assert "## Source and terms" in readme
