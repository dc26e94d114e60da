"""Layouts of JSON files."""

import json

import pandas as pd
import pytest

from thawline.data.sources.columns import read_labels, read_texts
from thawline.data.sources.formats import open_table
from thawline.errors import ThawlineError

ROWS = [{"text": "good", "label": 1}, {"text": "bad", "label": 0}, {"text": "fine", "label": 1}]
FRAME = pd.DataFrame(ROWS)
LAYOUTS = {
    "columns": FRAME.to_json(),
    "index": FRAME.to_json(orient="index"),
    "named index": FRAME.set_index(pd.Index(["a", "b", "c"])).to_json(orient="index"),
    "split": FRAME.to_json(orient="split"),
    "table": FRAME.to_json(orient="table"),
    "lists": json.dumps(FRAME.to_dict(orient="list")),
    "a key": json.dumps({"version": 1, "data": ROWS}),
    "indented objects": "\n".join(json.dumps(row, indent=1) for row in ROWS),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_other_layouts_are_recognised_and_reported(tmp_path, layout, suffix):
    if (layout, suffix) == ("indented objects", "jsonl"):
        suffix = "json"
    path = tmp_path / f"x.{suffix}"
    path.write_text(LAYOUTS[layout])
    table = open_table(path)
    assert read_texts(table, None) == ["good", "bad", "fine"]
    assert read_labels(table, None) == [1, 0, 1]
    assert len(table.warnings) == 1


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_in_a_file_of_json_lines_is_read(tmp_path, indent):
    (tmp_path / "x.jsonl").write_text("\n" + json.dumps(ROWS, indent=indent))
    table = open_table(tmp_path / "x.jsonl")
    assert read_texts(table, None) == ["good", "bad", "fine"]
    assert len(table.warnings) == 1


@pytest.mark.parametrize(
    "row", [ROWS[0], {**ROWS[0], "tags": ["a", "b"]}, {**ROWS[0], "spans": [{"start": 0}]}]
)
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_a_single_object_is_one_row(tmp_path, row, suffix):
    (tmp_path / f"x.{suffix}").write_text(json.dumps(row))
    table = open_table(tmp_path / f"x.{suffix}")
    assert (read_texts(table, None), read_labels(table, None)) == (["good"], [1])
    assert table.warnings == ()


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
@pytest.mark.parametrize("number", ["9" * 5_000, "-" + "9" * 5_000])
@pytest.mark.parametrize("content", ['[{{"text": "a", "label": {}}}]', '{{"text": "a", "n": {}}}'])
def test_a_number_of_too_many_digits_is_refused(tmp_path, suffix, number, content):
    path = tmp_path / f"x.{suffix}"
    path.write_text(content.format(number))
    with pytest.raises(ThawlineError) as caught:
        open_table(path)
    assert path.name in str(caught.value)
