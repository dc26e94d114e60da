import csv
import errno
import gzip
import json
import os
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.mentions import mentions
from tests.support.review_files import reviews
from thawline.data.sources.columns import read_labels, read_texts
from thawline.data.sources.formats import open_table
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


FORMATS = ["parquet", "csv", "tsv", "jsonl", "ndjson", "json"]


@pytest.mark.parametrize("suffix", [*FORMATS, "CSV"])
def test_every_format_returns_the_same_texts(write, suffix):
    path = write(f"reviews.{suffix}", {"text": AWKWARD, "label": list("abababcca")})
    table = open_table(path)
    assert table.columns == ("text", "label")
    assert read_texts(table, None) == AWKWARD
    assert read_labels(table, None) == list("abababcca")
    assert table.where == str(path)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("packing", ["gz", "zip", "GZ"])
def test_every_format_may_be_compressed(write, suffix, packing):
    path = write(f"reviews.{suffix}.{packing}", {"text": AWKWARD, "label": list("abababcca")})
    table = open_table(path)
    assert read_texts(table, None) == AWKWARD
    assert read_labels(table, None) == list("abababcca")
    assert table.where == (f"{path} (reviews.{suffix})" if packing == "zip" else str(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.text(), min_size=1, max_size=8), st.sampled_from(FORMATS))
def test_any_text_survives_the_file(write, texts, suffix):
    path = write(f"any.{suffix}", {"text": texts, "label": ["x"] * len(texts)})
    assert open_table(path).read("text") == texts


def test_byte_order_marks_and_blank_lines_are_skipped(tmp_path):
    table = tmp_path / "a.csv"
    table.write_bytes(b"\xef\xbb\xbf\r\ntext,label\r\ngood,1\r\n\r\nbad,0\r\n")
    assert read_texts(open_table(table), None) == ["good", "bad"]
    lines = tmp_path / "a.jsonl"
    lines.write_bytes(b'\xef\xbb\xbf{"text": "good", "label": 1}\r\n\r\n{"text": "bad"}')
    assert open_table(lines).read("label") == [1, None]


def test_a_long_cell_is_read_and_the_limit_of_the_csv_module_is_restored(write):
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


def test_class_names_in_the_metadata_of_parquet_are_read(tmp_path):
    label = {"names": ["neg", "pos"], "_type": "ClassLabel"}
    text = {"dtype": "string", "_type": "Value"}
    notes = {"info": {"features": {"text": text, "label": label}}}
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    path = tmp_path / "x.parquet"
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(notes)}), path)
    assert open_table(path).class_names == {"label": {0: "neg", 1: "pos"}}
    assert open_table(path).read("label") == [0, 1]


@pytest.mark.parametrize(
    "note",
    ["{", "[]", "{}", '{"info": {"features": [1]}}', '{"info": 3}', "9" * 5_000, "[" * 100_000],
    ids=range(7),
)
def test_other_metadata_of_parquet_is_ignored(tmp_path, note):
    table = pa.table({"text": ["a"], "label": [0]}).replace_schema_metadata({"huggingface": note})
    pq.write_table(table, tmp_path / "x.parquet")
    assert open_table(tmp_path / "x.parquet").class_names == {}


def test_unpaired_quotation_marks_in_tsv_belong_to_the_text(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text('sentence\tlabel\n"a" or b\t1\n" c\t0\nd "e"\t1\n')
    table = open_table(path)
    assert read_texts(table, None) == ['"a" or b', '" c', 'd "e"']
    assert read_labels(table, None) == ["1", "0", "1"]


def test_json_is_a_list_of_objects_or_an_object_in_every_line(tmp_path):
    rows = [{"text": "a\u2028b", "label": 1}, {"label": 0, "text": "c"}]
    forms = {
        "list.json": "\ufeff \n" + json.dumps(rows),
        "lines.json": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "lines.jsonl": "\r\n\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content.encode())
        table = open_table(tmp_path / name)
        assert (table.columns, table.read("text")) == (("text", "label"), ["a\u2028b", "c"]), name


CLASSED = (
    '"3","Fears for pension","Unions say ""no"""\r\n"4","","Two\nlines"\r\n"1","Chess","x"\r\n'
)


def test_published_files_without_a_header_are_read(tmp_path):
    path = tmp_path / "dbpedia.csv"
    path.write_bytes(CLASSED.encode())
    table = open_table(path)
    assert table.columns == ("label", "title", "description", "text")
    assert read_labels(table, None) == [3, 4, 1]
    assert read_texts(table, None) == [
        'Fears for pension Unions say "no"',
        "Two\nlines",
        "Chess x",
    ]
    assert read_texts(table, "title,description")[0] == ("Fears for pension", 'Unions say "no"')
    assert table.class_names == {}


@pytest.mark.parametrize("name", ["ag_news_csv/test.csv", "raw/AG-News.csv", "agnews.csv.gz"])
def test_the_classes_of_ag_news_have_names_and_count_from_0_as_on_the_hub(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    content = CLASSED.encode()
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith("gz") else content)
    table = open_table(path)
    assert read_labels(table, None) == [2, 3, 0]
    assert table.class_names == {
        "label": {0: "World", 1: "Sports", 2: "Business", 3: "Sci/Tech"},
    }
    path = path.with_name("ag_news.csv")
    path.write_bytes(content + b'"5","another","class"\n')
    assert read_labels(open_table(path), None) == [3, 4, 1, 5]
    assert open_table(path).class_names == {}


@pytest.mark.parametrize(("suffix", "comma"), [("csv", ","), ("tsv", "\t")])
def test_two_columns_without_a_header_are_read(tmp_path, suffix, comma):
    path = tmp_path / f"yelp.{suffix}"
    path.write_text(f"1{comma}cold food\n2{comma}warm food\n")
    table = open_table(path)
    assert table.columns == ("label", "text")
    assert (read_texts(table, None), read_labels(table, None)) == (
        ["cold food", "warm food"],
        [1, 2],
    )


@pytest.mark.parametrize("header", ["1,text", "label,1", "id,one,two", "1,2,3,4", "-,text"])
def test_a_header_is_not_mistaken_for_a_row(tmp_path, header):
    path = tmp_path / "x.csv"
    path.write_text(header + "\n")
    assert open_table(path).columns == tuple(header.split(","))


FILE_ERRORS = [  # file, content, and data in `expected` and in `found`
    ("x.csv", b"text,label\ngood\n", "2 ", "line 2"),
    ("x.csv", b"text,label\ngood,1\n\nbad,0,9\n", "2 ", "3|line 4"),
    ("x.csv", b'text,label\ngood,1\n"bad,0\nworse,0\n', "", "line 4: |line 3"),
    ("x.csv", b'label,text\n1,good\n0,"bad', "", "line 3: "),
    ("x.csv", b"text,label\n" + b"caf\xc3\xa9,1\n" * 5000 + b"caf\xe9,0\n", "UTF-8", " 40014"),
    ("x.csv", b"text,label\ncaf\xe9,0\n", "UTF-8", " 14"),
    ("x.jsonl", b'{"text": "caf\xe9", "label": 0}\n', "UTF-8", " 13"),
    ("x.jsonl", b'{"text": "a", "label": 0}\n{"text": "b", \n', "JSON", "line 2: "),
    ("x.jsonl", b'{"text": "a", "label": 0}\n["b", 1]\n', "JSON", "list|line 2"),
    ("x.jsonl", b"[" * 100_000, "JSON", ""),
    ("x.parquet", b"", "Parquet", ""),
    ("x.parquet", b"text,label\ngood,1\n", "Parquet", ""),
    ("x.parquet.gz", gzip.compress(b"PAR1", mtime=0), "Parquet", ""),
    ("x.csv.gz", b"text,label\na,1\n", "", "Not a gzipped file"),
    ("x.csv.gz", gzip.compress(b"text,label\n\xe9,0\n", mtime=0), "UTF-8", " 11"),
    ("x.csv.zip", b"text,label\na,1\n", "", "File is not a zip file"),
    ("x.tsv", b'text\tlabel\n"a"b\t1\t2\n', "2 ", "3|line 2"),
    ("x.csv", b"1,a\n2,b\nc,d\n", "", "'c'|line 3"),
    ("x.json", b'[{"text": "a"},\n{"text"}]', "JSON", "line 2 column 8"),
    ("x.json", b'[{"text": "a"}, "b"]', "JSON", "str|item 1"),
    ("x.json", b"[" * 100_000, "JSON", ""),
    ("x.json", b'{"text": ["a", "b"],\n "label": [1]}', "x.json", "2 |1 |'label'"),
    ("x.json", b'{"train": [{"text": "a"}], "test": [{"text": "b"}]}', "x.json", "'train'|'test'"),
    ("x.json", b'[["a", 1], ["b", 0]]', "JSON", "list|item 0"),
    ("x.jsonl", b'[\n{"text": "a"},\n{"text"', "JSON", "line 3 "),
    ("x.txt", b"__label__a good\nbad\n", "__label__", "'bad'|line 2"),
    ("x.txt", b"__label__a __label__b good\n", "__label__", "line 1"),
    ("x.csv", b'text,label\n"said \\"no\\"",1\nb,0\n', "", "line 2"),
    ("x.csv", b"text,label\na dull, slow film,neg\n", "2 ", "3|line 2|'a dull, slow"),
    ("x.csv", "text,label\na,0\n".encode("utf-16")[:-1], "UTF-16", ""),
    ("x.xlsx", b"PK", ".parquet, .csv, .tsv, .jsonl, .ndjson, .json", "x.xlsx"),
    ("x", b"text", ".parquet, .csv, .tsv, .jsonl, .ndjson, .json", "x"),
]


@pytest.mark.parametrize(("name", "content", "expected", "found"), FILE_ERRORS)
def test_an_unreadable_file_raises_one_line(tmp_path, name, content, expected, found):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ThawlineError) as error:
        open_table(tmp_path / name)
    assert expected in error.value.expected
    assert mentions(error.value.found, found)
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def _assert_reports_parquet(error, path):
    assert "Parquet" in error.value.expected
    assert f"({path})" in error.value.expected


def test_a_truncated_or_damaged_parquet_file_is_reported(write):
    path = write("x.parquet", reviews(200, 200))
    whole = path.read_bytes()
    for keep in range(0, len(whole), 97):
        path.write_bytes(whole[:keep])
        with pytest.raises(ThawlineError) as error:
            open_table(path)
        _assert_reports_parquet(error, path)
    path.write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])
    with pytest.raises(ThawlineError) as error:
        read_texts(open_table(path), None)
    _assert_reports_parquet(error, path)


def test_invalid_utf8_in_parquet_is_reported(tmp_path):
    binary = pa.array([b"caf\xe9"], pa.binary())
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": binary.view(pa.string())}), path)
    with pytest.raises(ThawlineError) as error:
        read_texts(open_table(path), None)
    _assert_reports_parquet(error, path)


def test_a_missing_file_is_named(tmp_path):
    for suffix in ("csv", "jsonl", "parquet"):
        with pytest.raises(ThawlineError) as error:
            open_table(tmp_path / f"gone.{suffix}")
        assert os.strerror(errno.ENOENT) in error.value.found
        assert f"gone.{suffix}" in error.value.expected


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("packing", ["gz", "zip"])
def test_a_truncated_or_damaged_compressed_file_is_reported(write, suffix, packing):
    path = write(f"x.{suffix}.{packing}", reviews(40, 40))
    whole = path.read_bytes()

    def read():
        return read_texts(open_table(path), None)

    assert len(read()) == 80
    kept = (*range(1, len(whole), len(whole) // 20), len(whole) - 1)
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for content in (*(whole[:keep] for keep in kept), damaged):
        path.write_bytes(content)
        with pytest.raises(ThawlineError) as error:
            read()
        assert f"({path})" in error.value.expected
        assert error.value.setting is None


def _zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_other_files_in_a_zip_are_ignored(tmp_path):
    members = {
        "set/": "",
        "set/readme.txt": "",
        "set/x.csv": "text,label\na,1\n",
        "__MACOSX/set/._x.csv": "",
        "set/.x.csv": "",
    }
    table = open_table(_zip(tmp_path / "x.zip", members))
    assert read_texts(table, None) == ["a"]
    assert table.where == f"{tmp_path / 'x.zip'} (set/x.csv)"


def test_a_zip_without_exactly_one_data_file_is_refused(tmp_path):
    two = _zip(tmp_path / "two.zip", {"train.csv": "text,label\n", "test.csv": "text,label\n"})
    none = _zip(tmp_path / "none.zip", {"readme.txt": "hello"})
    with pytest.raises(ThawlineError) as error:
        open_table(two)
    assert "train.csv, test.csv" in error.value.found
    with pytest.raises(ThawlineError) as error:
        open_table(none)
    assert f".json) in {none}" in error.value.expected
    assert ".csv" not in error.value.found


def test_a_zip_with_a_password_is_refused(tmp_path):
    path = _zip(tmp_path / "x.zip", {"x.csv": "text,label\na,1\n"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    path.write_bytes(content)
    with pytest.raises(ThawlineError) as error:
        open_table(path)
    assert "password" in error.value.found
    assert str(path) in error.value.expected
