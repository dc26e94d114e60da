import csv
import gzip
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


FORMS = ["parquet", "csv", "tsv", "jsonl", "ndjson", "json"]


@pytest.mark.parametrize("suffix", [*FORMS, "CSV"])
def test_every_form_gives_back_the_same_texts(write, suffix):
    path = write(f"reviews.{suffix}", {"text": AWKWARD, "label": list("abababcca")})
    table = open_table(path)
    assert table.columns == ("text", "label")
    assert read_texts(table, None) == AWKWARD
    assert read_labels(table, None) == list("abababcca")
    assert table.where == str(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packing", ["gz", "zip", "GZ"])
def test_every_form_may_be_packed(write, form, packing):
    path = write(f"reviews.{form}.{packing}", {"text": AWKWARD, "label": list("abababcca")})
    table = open_table(path)
    assert read_texts(table, None) == AWKWARD
    assert read_labels(table, None) == list("abababcca")
    assert table.where == (f"{path} (reviews.{form})" if packing == "zip" else str(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.text(), min_size=1, max_size=8), st.sampled_from(FORMS))
def test_any_text_survives_the_file(write, texts, suffix):
    path = write(f"any.{suffix}", {"text": texts, "label": ["x"] * len(texts)})
    assert open_table(path).read("text") == texts


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


def test_class_names_in_the_metadata_of_parquet_are_read(tmp_path):
    label = {"names": ["neg", "pos"], "_type": "ClassLabel"}
    text = {"dtype": "string", "_type": "Value"}
    notes = {"info": {"features": {"text": text, "label": label}}}
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    path = tmp_path / "x.parquet"
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(notes)}), path)
    assert open_table(path).class_names == {"label": {0: "neg", 1: "pos"}}
    assert open_table(path).read("label") == [0, 1]


@pytest.mark.parametrize("note", ["{", "[]", "{}", '{"info": {"features": [1]}}', '{"info": 3}'])
def test_other_metadata_of_parquet_does_no_harm(tmp_path, note):
    table = pa.table({"text": ["a"], "label": [0]}).replace_schema_metadata({"huggingface": note})
    pq.write_table(table, tmp_path / "x.parquet")
    assert open_table(tmp_path / "x.parquet").class_names == {}


def test_quotes_that_do_not_pair_are_part_of_a_text_in_tsv(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text('sentence\tlabel\n"a" or b\t1\n" c\t0\nd "e"\t1\n')
    table = open_table(path)
    assert read_texts(table, None) == ['"a" or b', '" c', 'd "e"']
    assert read_labels(table, None) == ["1", "0", "1"]


def test_a_list_of_objects_or_an_object_a_line_is_json(tmp_path):
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


def test_the_published_form_without_column_names_is_read(tmp_path):
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
def test_a_class_and_a_text_a_row_are_read_without_column_names(tmp_path, suffix, comma):
    path = tmp_path / f"yelp.{suffix}"
    path.write_text(f"1{comma}cold food\n2{comma}warm food\n")
    table = open_table(path)
    assert table.columns == ("label", "text")
    assert (read_texts(table, None), read_labels(table, None)) == (
        ["cold food", "warm food"],
        [1, 2],
    )


@pytest.mark.parametrize("header", ["1,text", "label,1", "id,one,two", "1,2,3,4", "-,text"])
def test_a_first_line_of_names_stays_one(tmp_path, header):
    path = tmp_path / "x.csv"
    path.write_text(header + "\n")
    assert open_table(path).columns == tuple(header.split(","))


FILE_ERRORS = [
    ("x.csv", b"text,label\ngood\n", "expected 2 cells in every row, as in the first line"),
    ("x.csv", b"text,label\ngood,1\n\nbad,0,9\n", "found 3 in line 4; fix the file"),
    ("x.csv", b'text,label\ngood,1\n"bad,0\nworse,0\n', "expected well-formed CSV"),
    ("x.csv", b'label,text\n1,good\n0,"bad', "found line 3: unexpected end of data"),
    ("x.csv", b"text,label\n" + b"caf\xc3\xa9,1\n" * 5000 + b"caf\xe9,0\n", "at position 40014"),
    ("x.csv", b"text,label\ncaf\xe9,0\n", "found a byte that is none, at position 14; save the"),
    ("x.jsonl", b'{"text": "caf\xe9", "label": 0}\n', "expected UTF-8 text in "),
    ("x.jsonl", b'{"text": "a", "label": 0}\n{"text": "b", \n', "found line 2: Expecting prop"),
    ("x.jsonl", b'{"text": "a", "label": 0}\n["b", 1]\n', "found list in line 2"),
    ("x.jsonl", b"[" * 100_000, "expected a JSON object in every line"),
    ("x.parquet", b"", "expected a whole Parquet file"),
    ("x.parquet", b"text,label\ngood,1\n", "expected a whole Parquet file"),
    ("x.parquet.gz", gzip.compress(b"PAR1", mtime=0), "expected a whole Parquet file"),
    ("x.csv.gz", b"text,label\na,1\n", "found Not a gzipped file"),
    (
        "x.csv.gz",
        gzip.compress(b"text,label\n\xe9,0\n", mtime=0),
        "found a byte that is none, at position 11",
    ),
    ("x.csv.zip", b"text,label\na,1\n", "found File is not a zip file; fix the file or fetch"),
    ("x.tsv", b'text\tlabel\n"a"b\t1\t2\n', "expected well-formed TSV"),
    ("x.csv", b"1,a\n2,b\nc,d\n", "expected the number of a class at the start of every row"),
    (
        "x.csv",
        b"1,a\n2,b\nc,d\n",
        "found 'c' in line 3; fix the row, or give the file a first line",
    ),
    ("x.json", b'[{"text": "a"},\n{"text"}]', "expected a list of JSON objects"),
    ("x.json", b'[{"text": "a"},\n{"text"}]', "found Expecting ':' delimiter: line 2 column 8"),
    ("x.json", b'[{"text": "a"}, "b"]', "found str as item 1 (counting from 0)"),
    ("x.json", b"[" * 100_000, "expected a list of JSON objects"),
    ("x.json", b'{"text": ["a"],\n "label": [1]}', "expected a JSON object in every line"),
    (
        "x.xlsx",
        b"PK",
        "a file that ends in .parquet, .csv, .tsv, .jsonl, .ndjson, .json, also with",
    ),
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
    with pytest.raises(ThawlineError, match=r"Parquet file .* fix the file or fetch it again"):
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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packing", ["gz", "zip"])
def test_a_packed_file_cut_short_or_spoilt_is_noticed(write, form, packing):
    path = write(f"x.{form}.{packing}", reviews(40, 40))
    whole = path.read_bytes()

    def read():
        return read_texts(open_table(path), None)

    assert len(read()) == 80
    for keep in (*range(1, len(whole), len(whole) // 20), len(whole) - 1):
        path.write_bytes(whole[:keep])
        with pytest.raises(ThawlineError, match=r"whole packed file .*fix the file or fetch it"):
            read()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    with pytest.raises(ThawlineError, match=r"expected a whole packed file \("):
        read()


def _zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_what_is_no_data_in_a_zip_is_passed_over(tmp_path):
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


def test_a_zip_with_several_files_of_data_or_none_is_refused(tmp_path):
    two = _zip(tmp_path / "two.zip", {"train.csv": "text,label\n", "test.csv": "text,label\n"})
    with pytest.raises(ThawlineError, match=r"found 2 \(train.csv, test.csv\); unpack it and give"):
        open_table(two)
    with pytest.raises(ThawlineError, match=r"expected one file of data .* found none; unpack"):
        open_table(_zip(tmp_path / "none.zip", {"readme.txt": "hello"}))


def test_a_zip_with_a_password_is_refused(tmp_path):
    path = _zip(tmp_path / "x.zip", {"x.csv": "text,label\na,1\n"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    path.write_bytes(content)
    with pytest.raises(ThawlineError, match="found one with a password; unpack it"):
        open_table(path)
