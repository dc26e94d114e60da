import csv

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from review_files import reviews

from thawline.data.columns import read_labels, read_texts
from thawline.data.tables import open_table
from thawline.errors import ThawlineError

AWKWARD = [
    "",
    "NA",
    "null",
    'said "no", twice',
    "two\nlines",
    "café 🎬",
    " spaces ",
    "1.50",
    "a\x00b",
]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "CSV"])
def test_every_form_gives_back_the_same_texts(write, suffix):
    path = write(f"reviews.{suffix}", {"text": AWKWARD, "label": list("abababcca")})
    table = open_table(path)
    assert table.columns == ("text", "label")
    assert read_texts(table, None) == AWKWARD
    assert read_labels(table, None) == list("abababcca")
    assert table.where == str(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.text(), min_size=1, max_size=8), st.sampled_from(["parquet", "csv", "jsonl"]))
def test_any_text_survives_the_file(write, texts, suffix):
    path = write(f"any.{suffix}", {"text": texts, "label": ["x"] * len(texts)})
    assert read_texts(open_table(path), None) == texts


def test_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path):
    table = tmp_path / "a.csv"
    table.write_bytes(b"\xef\xbb\xbf\r\ntext,label\r\ngood,1\r\n\r\nbad,0\r\n")
    assert read_texts(open_table(table), None) == ["good", "bad"]
    lines = tmp_path / "a.jsonl"
    lines.write_bytes(b'\xef\xbb\xbf{"text": "good", "label": 1}\r\n\r\n{"text": "bad"}')
    assert open_table(lines).read("label") == [1, None]


def test_a_long_cell_is_read_and_the_limit_of_the_csv_module_left_as_it_was(write):
    before = csv.field_size_limit()
    text = "word " * 60_000
    assert read_texts(open_table(write("long.csv", {"text": [text], "label": [1]})), None) == [text]
    assert csv.field_size_limit() == before


def test_dictionary_columns_and_integers_of_parquet_are_read(tmp_path):
    columns = {
        "text": pa.array(["a", "b", "a"]).dictionary_encode(),
        "label": pa.array([2, 1, 2], pa.int8()),
    }
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    table = open_table(tmp_path / "x.parquet")
    assert read_texts(table, None) == ["a", "b", "a"]
    assert read_labels(table, None) == [2, 1, 2]


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        (("Text", "LABEL"), "Text", "LABEL"),
        (("id", "sentence", "sentiment"), "sentence", "sentiment"),
        (("review", "text", "target", "label"), "text", "label"),
        (("content", " category"), "content", " category"),
    ],
)
def test_columns_are_found_by_common_names(write, columns, text, label):
    table = open_table(write("x.csv", {name: [f"cell of {name}"] for name in columns}))
    assert read_texts(table, None) == [f"cell of {text}"]
    assert read_labels(table, None) == [f"cell of {label}"]


def test_a_named_column_goes_before_a_common_name(write):
    table = open_table(write("x.csv", {"text": ["a"], "summary": ["b"], "stars": ["5"]}))
    assert read_texts(table, "summary") == ["b"]
    assert read_labels(table, "stars") == ["5"]


def _read(table, text=None, label=None):
    return read_texts(table, text), read_labels(table, label)


COLUMN_ERRORS = [
    ({"txt": ["a"], "label": [0]}, (None, None), "expected a text column (text, sentence, review,"),
    ({"txt": ["a"], "label": [0]}, (None, None), "found the columns txt, label in "),
    ({"txt": ["a"], "label": [0]}, (None, None), "with --text; did you mean 'txt'?"),
    (
        {"text": ["a"], "stars": [0]},
        (None, None),
        "name the label column with --label; choose from",
    ),
    ({"text": ["a"], "label": [0]}, ("revew", None), "expected a column 'revew' for --text"),
    ({"text": ["a"], "grade": [0]}, (None, "grad"), "name one of these; did you mean 'grade'?"),
]


@pytest.mark.parametrize(("columns", "named", "words"), COLUMN_ERRORS)
def test_a_missing_column_is_named_with_those_that_are_there(write, columns, named, words):
    table = open_table(write("x.parquet", columns))
    with pytest.raises(ThawlineError) as error:
        _read(table, *named)
    assert words in str(error.value)


def test_a_column_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("text,text,label\na,b,c\n")
    with pytest.raises(ThawlineError, match="one column 'text', found the columns text, text, lab"):
        read_texts(open_table(tmp_path / "x.csv"), None)


CELL_ERRORS = [
    ("x.jsonl", {"text": ["a", None], "label": [0, 1]}, "expected a text in every row of "),
    ("x.jsonl", {"text": ["a", None], "label": [0, 1]}, "found none in row 1 (counting from 0)"),
    ("x.jsonl", {"text": ["a", 3], "label": [0, 1]}, "found int 3 in row 1"),
    ("x.jsonl", {"text": [["a", "b"], "c"], "label": [0, 1]}, "found list ['a', 'b'] in row 0"),
    ("x.parquet", {"text": [["a"], ["b"]], "label": [0, 1]}, "found list ['a'] in row 0"),
    ("x.parquet", {"text": [None, "b"], "label": [0, 1]}, "found none in row 0"),
    (
        "x.jsonl",
        {"text": ["ok", "half \ud83d"], "label": [0, 1]},
        "found str 'half \\ud83d' in row",
    ),
    ("x.jsonl", {"text": ["a", "b"], "label": [0, None]}, "expected a label in every row of "),
    ("x.parquet", {"text": ["a", "b"], "label": [None, 1]}, "found none in row 0"),
    ("x.csv", {"text": ["a", "b"], "label": ["pos", ""]}, "found none in row 1"),
    ("x.jsonl", {"text": ["a", "b"], "label": [0, float("nan")]}, "found none in row 1"),
    ("x.jsonl", {"text": ["a", "b"], "label": [0, 0.5]}, "found float 0.5 in row 1"),
    ("x.jsonl", {"text": ["a", "b"], "label": [{"y": 1}, 0]}, "found dict {'y': 1} in row 0"),
    ("x.jsonl", {"text": ["a"], "label": [["q" * 99]]}, "q… in row 0"),
]


@pytest.mark.parametrize(("name", "columns", "words"), CELL_ERRORS)
def test_a_cell_that_cannot_be_used_is_named_by_its_row(write, name, columns, words):
    table = open_table(write(name, columns))
    with pytest.raises(ThawlineError) as error:
        _read(table)
    assert words in str(error.value)


FILE_ERRORS = [
    ("x.csv", b"text,label\ngood\n", "expected 2 cells in every row, as in the first line"),
    ("x.csv", b"text,label\ngood,1\n\nbad,0,9\n", "found 3 in line 4; mend the file"),
    ("x.csv", b'text,label\ngood,1\n"bad,0\nworse,0\n', "expected well-formed CSV"),
    ("x.csv", b'label,text\n1,good\n0,"bad', "found line 3: unexpected end of data"),
    ("x.csv", b"text,label\n" + b"caf\xc3\xa9,1\n" * 5000 + b"caf\xe9,0\n", "at position 40014"),
    ("x.csv", b"text,label\ncaf\xe9,0\n", "found a byte that is none, at position 14; save the"),
    ("x.jsonl", b'{"text": "caf\xe9", "label": 0}\n', "expected UTF-8 text in "),
    ("x.jsonl", b'{"text": "a", "label": 0}\n{"text": "b", \n', "found line 2: Expecting prop"),
    ("x.jsonl", b'{"text": "a", "label": 0}\n["b", 1]\n', "found a list in line 2"),
    ("x.jsonl", b"[" * 100_000, "expected a JSON object in every line"),
    ("x.parquet", b"", "expected a whole Parquet file"),
    ("x.parquet", b"text,label\ngood,1\n", "expected a whole Parquet file"),
    ("x.xlsx", b"PK", "expected a file that ends in .parquet, .csv, .jsonl, found "),
    ("x", b"text", "convert it to one of these"),
]


@pytest.mark.parametrize(("name", "content", "words"), FILE_ERRORS)
def test_a_file_that_cannot_be_read_is_an_error_of_one_line(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ThawlineError) as error:
        open_table(tmp_path / name)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_a_parquet_file_cut_short_anywhere_or_spoilt_inside_is_noticed(write):
    path = write("x.parquet", reviews(200, 200))
    whole = path.read_bytes()
    for keep in range(0, len(whole), 97):
        path.write_bytes(whole[:keep])
        with pytest.raises(ThawlineError, match="expected a whole Parquet file"):
            open_table(path)
    path.write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])
    with pytest.raises(ThawlineError, match=r"Parquet file .* mend the file or fetch it again"):
        read_texts(open_table(path), None)


def test_bytes_in_parquet_that_are_no_utf8_are_noticed(tmp_path):
    binary = pa.array([b"caf\xe9"], pa.binary())
    pq.write_table(pa.table({"text": binary.view(pa.string())}), tmp_path / "x.parquet")
    with pytest.raises(ThawlineError, match="expected a whole Parquet file"):
        read_texts(open_table(tmp_path / "x.parquet"), None)


def test_a_file_that_is_not_there_is_named(tmp_path):
    for suffix in ("csv", "jsonl", "parquet"):
        with pytest.raises(ThawlineError) as error:
            open_table(tmp_path / f"gone.{suffix}")
        assert "No such file or directory" in str(error.value)
        assert f"gone.{suffix}" in str(error.value)
