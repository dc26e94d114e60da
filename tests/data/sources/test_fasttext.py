import gzip

import pytest

from thawline.data.loading import load_data
from thawline.data.sources.columns import read_labels, read_texts
from thawline.data.sources.formats import open_table

LINES = "__label__pos A warm, funny film .\n\n__label__neg Dull :(\n__label__pos\tTwice\n"


@pytest.mark.parametrize("name", ["x.txt", "x.ft", "x.csv", "x.tsv", "x.txt.gz"])
def test_the_format_of_fasttext_is_read_and_reported(tmp_path, name):
    content = LINES.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    table = open_table(tmp_path / name)
    assert read_texts(table, None) == ["A warm, funny film .", "Dull :(", "Twice"]
    assert read_labels(table, None) == ["pos", "neg", "pos"]
    assert len(table.warnings) == 1


def test_a_label_before_a_comma_is_a_cell(tmp_path):
    (tmp_path / "x.csv").write_text("text,label\na b,__label__x\n")
    assert read_labels(open_table(tmp_path / "x.csv"), None) == ["__label__x"]
    rows = "__label__a,so it goes\n__label__b,and it goes\n__label__a,on and on\n__label__b,c d e\n"
    (tmp_path / "x.csv").write_text(rows)
    assert read_texts(open_table(tmp_path / "x.csv"), None)[0] == "so it goes"


def test_a_folder_of_fasttext_files_has_splits(tmp_path):
    for split in ("train", "valid", "test"):
        rows = (f"__label__{'ab'[i % 2]} {split} {i}\n" for i in range(8))
        (tmp_path / f"{split}.txt").write_text("".join(rows))
    (tmp_path / "readme.txt").write_text("hello")
    data = load_data(tmp_path)
    assert [len(part) for part in data.parts.values()] == [8, 8, 8]
    assert data.labels.names == ("a", "b")
