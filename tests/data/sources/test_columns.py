import pytest

from thawline.data.sources.columns import find_texts, read_labels, read_texts
from thawline.data.sources.formats import open_table
from thawline.errors import ThawlineError


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


@pytest.mark.parametrize(
    ("columns", "named", "found"),
    [
        (("premise", "hypothesis"), "premise,hypothesis", ("premise", "hypothesis")),
        (("a", "b", "text"), " b , a", ("b", "a")),
        (("a,b", "a", "b"), "a,b", ("a,b",)),
        (("idx", "Hypothesis", "Premise"), None, ("Premise", "Hypothesis")),
        (("sentence1", "sentence2"), None, ("sentence1", "sentence2")),
        (("question1", "question2"), None, ("question1", "question2")),
        (("question", "sentence"), None, ("question", "sentence")),
        (("premise", "hypothesis", "text"), None, ("text",)),
        (("question", "sentence", "content"), None, ("sentence",)),
        (("premise", "sentence"), None, ("sentence",)),
    ],
)
def test_two_text_columns_are_read_as_pairs(write, columns, named, found):
    cells = {name: [f"{name} 0", f"{name} 1"] for name in (*columns, "label")}
    table = open_table(write("x.parquet", cells))
    assert find_texts(table, named) == found
    wanted = [tuple(f"{name} {row}" for name in found) for row in range(2)]
    assert read_texts(table, named) == (wanted if len(found) == 2 else [one for (one,) in wanted])


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
    ({"id": ["a"], "body_html": [0]}, (None, None), "found the columns body_html, id in "),
    ({"text": ["a"], "id": ["x"], "rate": [0]}, (None, "rating"), "found the columns rate, "),
    ({"a": ["a"], "label": [0]}, ("a,b", None), "expected a column 'b' for --text, found the col"),
    ({"a": ["a"], "label": [0]}, ("a,b,c", None), "one or two columns for --text, found 'a,b,c'"),
    ({"premise": ["a"], "label": [0]}, (None, None), "found the columns premise, label in "),
]


@pytest.mark.parametrize(("columns", "named", "words"), COLUMN_ERRORS)
def test_a_missing_column_is_named_with_those_that_are_there_the_nearest_first(
    write, columns, named, words
):
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
    ("x.csv", {"text": ["a", "b"], "label": ["pos", "  "]}, "found none in row 1"),
    (
        "x.csv",
        {"id": ["1", "2"], "text": ["", " "], "label": ["0", "1"]},
        "expected a text in the column 'text' of ",
    ),
    (
        "x.parquet",
        {"id": ["1", "2"], "text": [None, ""], "label": [0, 1]},
        "found nothing in all of its 2 rows; name another column with --text (label, id)",
    ),
    ("x.csv", {"text": ["a", "b"], "label": ["", ""]}, "expected a label in the column 'label' of"),
    ("x.csv", {"text": ["a", "b"], "label": ["", ""]}, "name another column with --label (text)"),
    ("x.csv", {"premise": ["a"], "hypothesis": [""], "label": ["0"]}, "in the column 'hypothesis'"),
    (
        "x.jsonl",
        {"premise": ["a", "b"], "hypothesis": ["c", 5], "label": [0, 1]},
        "found int 5 in row 1",
    ),
]


@pytest.mark.parametrize(("name", "columns", "words"), CELL_ERRORS)
def test_a_cell_that_cannot_be_used_is_named_by_its_row(write, name, columns, words):
    table = open_table(write(name, columns))
    with pytest.raises(ThawlineError) as error:
        _read(table)
    assert words in str(error.value)
