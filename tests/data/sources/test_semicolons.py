"""Text files with a label after the last semicolon of each line, as the Emotion set has them."""

import gzip

import pytest

from thawline.data.loading import load_data
from thawline.data.sources.columns import read_labels, read_texts
from thawline.data.sources.formats import open_table
from thawline.errors import ThawlineError

TEXTS = ["i feel fine", "i feel low", 'so "glad"; really', "i cry", "i laugh", "i weep"]
LABELS = ["joy", "sadness", "joy", "sadness", "joy", "sadness"]


def lines(texts=TEXTS, labels=LABELS) -> str:
    return "".join(f"{text};{label}\n" for text, label in zip(texts, labels, strict=True))


@pytest.mark.parametrize("name", ["x.txt", "x.txt.gz"])
@pytest.mark.parametrize("written", [lines(), "\ufeff" + lines().replace("\n", "\r\n\r\n")])
def test_the_label_follows_the_last_semicolon(tmp_path, name, written):
    content = written.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    table = open_table(tmp_path / name)
    assert read_texts(table, None) == TEXTS
    assert read_labels(table, None) == LABELS
    assert len(table.warnings) == 1


def test_the_published_layout_is_a_folder_with_splits(tmp_path):
    for split in ("train", "val", "test"):
        texts = [f"{split} {text}" for text in TEXTS]
        (tmp_path / f"{split}.txt").write_text(lines(texts))
    (tmp_path / "readme.txt").write_text("texts; and labels")
    data = load_data(tmp_path)
    assert {split: len(part) for split, part in data.parts.items()} == {
        "train": 6,
        "validation": 6,
        "test": 6,
    }
    assert data.labels.names == ("joy", "sadness")
    assert data.validation.texts[0] == "val i feel fine"


def test_a_file_alone_is_split(tmp_path):
    (tmp_path / "x.txt").write_text(lines([f"{text} {n}" for n in range(9) for text in TEXTS],
                                          LABELS * 9))  # fmt: skip
    data = load_data(tmp_path / "x.txt")
    assert sum(map(len, data.parts.values())) == 54


REFUSED = {
    "a line without a semicolon": (lines() + "i am\n", "line 7"),
    "a label that is missing": (lines() + "i am;\n", "line 7"),
    "a text that is missing": (lines() + " ;joy\n", "line 7"),
    "prose": ("It rains; we stay at home today.\nWe read; or we play chess.\n", "line 1"),
    "the label first": (lines(LABELS, TEXTS), "6 different"),
    "each label once": (lines(labels=[*"abcdef"]), "6 different"),
    "texts that repeat like labels": (lines(LABELS, ["a", "b"] * 3), "2 different"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certain_is_refused(tmp_path, case):
    content, found = REFUSED[case]
    (tmp_path / "x.txt").write_text(content)
    with pytest.raises(ThawlineError) as caught:
        open_table(tmp_path / "x.txt")
    assert found in caught.value.found
    assert "CSV" in caught.value.fix
    assert "x.txt" in caught.value.expected


def test_a_header_belongs_to_a_csv_file(tmp_path):
    (tmp_path / "x.txt").write_text("Text;label\n" + lines())
    with pytest.raises(ThawlineError) as caught:
        open_table(tmp_path / "x.txt")
    assert "'Text;label'" in caught.value.found
    assert ".csv" in caught.value.fix


def test_other_suffixes_are_read_as_before(tmp_path):
    (tmp_path / "x.ft").write_text(lines())
    with pytest.raises(ThawlineError) as caught:
        open_table(tmp_path / "x.ft")
    assert "__label__" in caught.value.expected
    (tmp_path / "x.csv").write_text(
        "text;label\n" + lines([text.replace(";", "") for text in TEXTS])
    )
    assert open_table(tmp_path / "x.csv").columns == ("text", "label")
