"""Delimiters, quotation marks and headers of CSV and TSV files."""

import pytest

from tests.support.mentions import mentions
from thawline.data.sources.columns import read_labels, read_texts
from thawline.data.sources.formats import open_table
from thawline.errors import ThawlineError

TEXTS = [
    "A bright and tender story",
    "Flat, grey and endless",
    "We left the hall smiling",
    "We left the hall at half time",
    "Funny from start to finish",
    "So dull that I slept",
]
PLAIN = [text.replace(",", "") for text in TEXTS]
LABELS = ["pos", "neg"] * 3


def _read(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = open_table(path)
    return read_texts(table, None), read_labels(table, None), table.warnings


def _lines(delimiter, texts=TEXTS, header="text{}label\n", end="\n"):
    rows = [f"{text}{delimiter}{label}{end}" for text, label in zip(texts, LABELS, strict=True)]
    return header.format(delimiter) + "".join(rows)


DELIMITED = [  # file, content
    ("semicolons.csv", _lines(";")),
    ("bars.csv", _lines("|")),
    ("tabs.csv", _lines("\t")),
    ("semicolons.tsv", _lines(";")),
    ("declared.csv", "sep=;\r\n" + _lines(";", end="\r\n")),
    ("declared_tab.csv", "\ufeffsep=\t\r\n" + _lines("\t", end="\r\n")),
    ("quoted.tsv", _lines(",", [f'"{text}"' for text in TEXTS])),
    ("headless.csv", _lines(";", header="")),
]


@pytest.mark.parametrize(("name", "content"), DELIMITED)
def test_another_delimiter_is_recognised_and_reported(tmp_path, name, content):
    texts, labels, warnings = _read(tmp_path / name, content)
    assert (texts, labels) == (TEXTS, LABELS)
    assert name in warnings[0]


@pytest.mark.parametrize("name", ["x.csv", "x.tsv"])
def test_one_column_is_not_split(tmp_path, name):
    (tmp_path / name).write_text("text\na; b\nc|d\n")
    assert read_texts(open_table(tmp_path / name), None) == ["a; b", "c|d"]


def _with_quotes(opened, closed, delimiter, order):
    rows = [f"label{delimiter}text" if order == "label" else f"text{delimiter}label"]
    for row, (text, label) in enumerate(zip(PLAIN, LABELS, strict=True)):
        cell = '"' * (row == opened) + text + '"' * (row == closed)
        cells = (label, cell) if order == "label" else (cell, label)
        rows.append(delimiter.join(cells))
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("order", ["label", "text"])
@pytest.mark.parametrize(("opened", "closed"), [(1, 4), (1, 2), (0, 5), (3, None), (None, 2)])
def test_stray_quotation_marks_in_tsv_belong_to_the_texts(tmp_path, opened, closed, order):
    content = _with_quotes(opened, closed, "\t", order)
    texts, labels, _ = _read(tmp_path / "x.tsv", content)
    assert [text.strip('"') for text in texts] == PLAIN
    assert labels == LABELS
    assert "".join(texts).count('"') == content.count('"')


@pytest.mark.parametrize("order", ["label", "text"])
@pytest.mark.parametrize(("opened", "closed"), [(1, 4), (1, 2), (3, None)])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_stray_quotation_mark_in_csv_is_refused(tmp_path, opened, closed, order, delimiter):
    with pytest.raises(ThawlineError) as error:
        _read(tmp_path / "x.csv", _with_quotes(opened, closed, delimiter, order))
    assert f"line {opened + 2}" in error.value.fix


def test_a_stray_quotation_mark_between_other_columns_is_refused(tmp_path):
    rows = [f"{i},{t},{b}" for i, (t, b) in enumerate(zip(PLAIN, LABELS, strict=True))]
    rows[1], rows[3] = rows[1].replace("Flat", '"Flat'), rows[3].replace(",neg", '",neg')
    with pytest.raises(ThawlineError) as error:
        _read(tmp_path / "x.csv", "id,text,label\n" + "\n".join(rows))
    assert "line 3" in error.value.fix


def test_swallowed_rows_of_a_class_that_occurs_nowhere_else_are_refused(tmp_path):
    with pytest.raises(ThawlineError) as error:
        _read(tmp_path / "x.csv", 'text,label\n"a,pos\nb,neg\nc",pos\nd,neg\n')
    assert "line 2" in error.value.fix


QUOTED = [  # the cells of the texts in the file, and the texts
    (['"two\nlines"', '"a ""b"" c"', "d"], ["two\nlines", 'a "b" c', "d"]),
    (['"two\nlines"', '"a ""b"" c"', '"d"'], ["two\nlines", 'a "b" c', "d"]),
    (['"one"', '"a ""b"" c"', '"d"'], ["one", 'a "b" c', "d"]),
    (['"one"', "two", "three"], ['"one"', "two", "three"]),
    (['"a ""b"" c"', 'd "e"', "f"], ['"a ""b"" c"', 'd "e"', "f"]),
    (['"one', "two", 'three"'], ['"one', "two", 'three"']),
]


@pytest.mark.parametrize(("cells", "texts"), QUOTED)
def test_tsv_cells_are_unquoted_only_if_all_are_quoted_consistently(tmp_path, cells, texts):
    content = "text\tlabel\n" + "".join(f"{cell}\tab\n" for cell in cells)
    assert _read(tmp_path / "x.tsv", content)[0] == texts


def test_lines_that_all_have_the_right_number_of_cells_stay_rows(tmp_path):
    rows = 'n\t"opens\np\tthe other class\nn\tends"\nn\tlast\n'
    assert _read(tmp_path / "x.tsv", "label\ttext\n" + rows)[1] == ["n", "p", "n", "n"]
    quoted = '"n"\t"a\nb\tc"\n"p"\t"d"\n"n"\t"e"\n'
    texts, labels, _ = _read(tmp_path / "x.tsv", "label\ttext\n" + quoted)
    assert (texts, labels) == (["a\nb\tc", "d", "e"], ["n", "p", "n"])


def test_texts_of_several_lines_are_read(tmp_path):
    content = 'text,label\n"First, line\nsecond, line\n\nthird",pos\n"x\ny",neg\nz,pos\n'
    texts = ["First, line\nsecond, line\n\nthird", "x\ny", "z"]
    assert _read(tmp_path / "x.csv", content) == (texts, ["pos", "neg", "pos"], ())


def test_r_writes_row_numbers_without_a_name(tmp_path):
    for delimiter, name in ((",", "x.csv"), ("\t", "x.tsv")):
        rows = [f'"{i}"{delimiter}"{t}"{delimiter}"{b}"\n' for i, t, b in _numbered()]
        content = f'"text"{delimiter}"label"\n' + "".join(rows)
        assert _read(tmp_path / name, content)[:2] == (TEXTS, LABELS)


def _numbered(start=1):
    return [(i, *row) for i, row in enumerate(zip(TEXTS, LABELS, strict=True), start)]


HEADLESS = [  # content, which begins with a row or with numbers
    "".join(f'"{text}",{label}\n' for _, text, label in _numbered()),
    "".join(f'{label},"{text}"\n' for _, text, label in _numbered()),
    "".join(f'{i},"{text}",{label}\n' for i, text, label in _numbered(0)),
    "".join(f'{i},{label},"{text}"\n' for i, text, label in _numbered(1)),
    "".join(f'{7 * i + 900},"{text}",{label}\n' for i, text, label in _numbered()),
    "0,1\n" + "".join(f'"{text}",{label}\n' for _, text, label in _numbered()),
    ",0,1\n" + "".join(f'{i},"{text}",{label}\n' for i, text, label in _numbered(0)),
]


@pytest.mark.parametrize("content", HEADLESS)
def test_rows_without_a_header_are_recognised_and_reported(tmp_path, content):
    texts, labels, warnings = _read(tmp_path / "x.csv", content)
    assert (texts, labels) == (TEXTS, LABELS)
    assert len(warnings) == 1


HEADERS = [  # content, and the columns
    ("text,spam\na b c d,spam\ne f g,ham\nh i j,spam\nk l m,ham\n", ("text", "spam")),
    ("comment_text,toxic\na b c d,toxic\ne f g,fine\nh i j,toxic\n", ("comment_text", "toxic")),
    ("0,text,label\n0,a b c,x\n1,d e f,x\n", ("0", "text", "label")),
    (",text,label\n0,a b c,x\n1,d e f,x\n", ("", "text", "label")),
    ("label,text\n1,a b c\n1,d e f\n", ("label", "text")),
]


@pytest.mark.parametrize(("content", "columns"), HEADERS)
def test_a_header_is_not_read_as_a_row(tmp_path, content, columns):
    (tmp_path / "x.csv").write_text(content)
    table = open_table(tmp_path / "x.csv")
    assert table.columns == columns
    assert len(table.read(columns[-1])) == content.count("\n") - 1


def test_a_first_line_that_may_be_a_row_is_reported(tmp_path):
    (tmp_path / "x.csv").write_text("Great film,pos\nAwful,neg\nNice,pos\n")
    with pytest.raises(ThawlineError) as error:
        read_texts(open_table(tmp_path / "x.csv"), None)
    assert "Great film, pos" in error.value.found
    assert error.value.setting == "data.text"


@pytest.mark.parametrize("again", ["text,label\n", "Text, LABEL\n", "\ufefftext,label\n"])
def test_copies_of_the_header_between_the_rows_are_ignored(tmp_path, again):
    half = _lines(",", PLAIN)
    texts, labels, warnings = _read(tmp_path / "x.csv", half + again + half.partition("\n")[2])
    assert (texts, labels) == (PLAIN * 2, LABELS * 2)
    assert len(warnings) == 1
    assert "line 8" in warnings[0]


@pytest.mark.parametrize("other", ["label,text", "review,sentiment"])
def test_another_header_between_the_rows_is_refused(tmp_path, other):
    with pytest.raises(ThawlineError) as error:
        _read(tmp_path / "x.csv", _lines(",", PLAIN) + other + "\npos,a\n")
    assert mentions(error.value.found, f"{other.replace(',', ', ')}|line 8")


EMPTY = [  # content with two rows of texts, and what the warning mentions
    ("text,label\na,x\nb,y\n,\n,\n", "2 |line 4"),
    ("text,label\na,x\n,,,\nb,y\n", "1 |line 3"),
    ("text,label\na,x,\nb,y,,\n", "2 |line 2"),
    ("text,label\na,x\n   \nb,y\n\n", None),
    ("text,label,,\na,x,,\nb,y,,\n", None),
    ("text,label\na\0,x\nb,y\n", "1 |line 2"),
]


@pytest.mark.parametrize(("content", "warning"), EMPTY)
def test_empty_rows_and_cells_at_the_end_are_ignored(tmp_path, content, warning):
    texts, labels, warnings = _read(tmp_path / "x.csv", content)
    assert ([text.strip("\0") for text in texts], labels) == (["a", "b"], ["x", "y"])
    assert len(warnings) == (warning is not None)
    assert all(mentions(line, warning) for line in warnings)


@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n"])
def test_every_line_end_is_read(tmp_path, ends):
    mixed = "text,label\r\n" + ends.join(["a,x", "b,y"]) + "\nc,x\r\n"
    assert _read(tmp_path / "x.csv", mixed)[:2] == (["a", "b", "c"], ["x", "y", "x"])


def test_spaces_after_delimiters_do_not_hide_quotation_marks(tmp_path):
    texts, labels, warnings = _read(tmp_path / "x.csv", 'label, text\nx, "a, b"\ny, "c"\n')
    assert (texts, labels, len(warnings)) == (["a, b", "c"], ["x", "y"], 1)


def test_a_first_line_with_one_cell_names_the_delimiters(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text~label\na~pos\nb, c~neg\n", encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        open_table(path)
    assert "line 3" in caught.value.found
    assert "b, c~neg" in caught.value.found
