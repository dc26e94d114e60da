import pytest

from thawline.data.sources.columns import (
    find_label,
    find_texts,
    read_labels,
    read_texts,
    split_joined,
    whole_numbers,
)
from thawline.data.sources.formats import open_table
from thawline.errors import ThawlineError, parameter_naming, settings_named


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


def test_a_file_and_columns_with_names_of_settings_are_not_renamed(write):
    table = open_table(write("`seed`.csv", {"`data.limit`": ["a"], "`seed`": ["b"]}))
    naming = parameter_naming({"data.limit": "limit", "seed": "seed", "data.text": "text"})
    with pytest.raises(ThawlineError) as caught, settings_named(naming):
        read_texts(table, "`data.limits`")
    error = caught.value
    assert "`data.limits`" in error.expected
    assert all(name in error.found for name in ("`data.limit`", "`seed`'", "`seed`.csv"))
    assert "'`data.limit`'" in error.fix
    assert "`data.text`" not in str(error)


def test_a_named_column_takes_precedence_over_a_common_name(write):
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
        (("premise", "sentence"), None, ("sentence",)),
    ],
)
def test_two_text_columns_are_read_as_pairs(write, columns, named, found):
    cells = {name: [f"{name} 0", f"{name} 1"] for name in (*columns, "label")}
    table = open_table(write("x.parquet", cells))
    assert find_texts(table, named) == found
    wanted = [tuple(f"{name} {row}" for name in found) for row in range(2)]
    assert read_texts(table, named) == (wanted if len(found) == 2 else [one for (one,) in wanted])


@pytest.mark.parametrize(
    ("columns", "named", "found"),
    [
        (("label", "title", "content"), None, "title+content"),
        (("Class Index", "Title", "Description"), None, "Title+Description"),
        (("title", "content", "description"), None, "title+content"),
        (("headline", "body", "text"), "headline + body", "headline+body"),
        (("a", "b", "c"), "a+b+c", "a+b+c"),
        (("a+b", "a", "b"), "a+b", "a+b"),
        (("title", "content", "text"), None, "text"),
        (("title", "content"), "content", "content"),
        (("title", "review"), None, "review"),
    ],
)
def test_a_title_is_joined_to_its_text(write, columns, named, found):
    table = open_table(write("x.parquet", {name: [f"{name} 0", f"{name} 1"] for name in columns}))
    assert find_texts(table, named) == (found,)
    parts = [found] if found in columns else split_joined(found)
    wanted = [" ".join(f"{name} {row}" for name in parts) for row in range(2)]
    assert read_texts(table, named) == wanted


def test_a_part_of_a_joined_text_may_be_empty_but_not_all(write):
    titles, contents = ["a", None, " ", "b"], ["c", "d", "e", ""]
    table = open_table(write("x.parquet", {"title": titles, "content": contents}))
    assert read_texts(table, None) == ["a c", "d", "e", "b"]
    table = open_table(write("y.parquet", {"title": ["a", None], "content": ["c", ""]}))
    with pytest.raises(ThawlineError) as error:
        read_texts(table, None)
    assert error.value.setting == "data.text"
    assert "row 1" in error.value.found


def test_joined_columns_are_texts(write):
    table = open_table(write("x.parquet", {"title": ["a", "b"], "content": [1, 2]}))
    with pytest.raises(ThawlineError) as error:
        read_texts(table, None)
    assert "'content'" in error.value.expected
    with pytest.raises(ThawlineError) as error:
        read_texts(table, "title+stars")
    assert "'stars'" in error.value.expected


def test_joined_columns_can_be_a_text_of_a_pair(write):
    columns = {"question": ["q"], "title": ["t"], "content": ["c"]}
    table = open_table(write("x.parquet", columns))
    assert read_texts(table, "question, title+content") == [("q", "t c")]


def _read(table, text=None, label=None):
    return read_texts(table, text), read_labels(table, label)


AMBIGUOUS = [  # columns, the role and the columns that fit
    (("text", "category", "sentiment"), "label", ("category", "sentiment")),
    (("text", "Label", "label"), "label", ("Label", "label")),
    (("text", "label", "labels"), "label", ("label", "labels")),
    (("text", "target", "Topic", "class"), "label", ("target", "Topic", "class")),
    (("review", "comment", "label"), "text", ("review", "comment")),
    (("Text", "text", "label"), "text", ("Text", "text")),
    (("question", "sentence", "content", "label"), "text", ("question,sentence", "content")),
    (("premise", "Premise", "hypothesis", "label"), "text", ("premise", "Premise")),
    (
        ("premise", "hypothesis", "sentence1", "sentence2", "label"),
        "text",
        ("premise,hypothesis", "sentence1,sentence2"),
    ),
]


@pytest.mark.parametrize(("columns", "role", "fitting"), AMBIGUOUS)
def test_several_columns_that_fit_are_listed(write, columns, role, fitting):
    table = open_table(write("x.parquet", {name: ["a", "b"] for name in columns}))
    with pytest.raises(ThawlineError) as error:
        _read(table)
    assert error.value.setting == f"data.{role}"
    assert [f"'{name}'" in error.value.found for name in fitting] == [True] * len(fitting)
    assert error.value.found.startswith(f"{len(fitting)} ")
    assert f"`data.{role}`" in error.value.fix
    named = {"text": "text", "label": "label", role: fitting[-1]}
    assert len(_read(table, named["text"] if role == "text" else None, named["label"])[0]) == 2


@pytest.mark.parametrize("columns", [("text", "label", "category"), ("text", "review", "labels")])
def test_a_column_named_text_or_label_decides(write, columns):
    table = open_table(write("x.parquet", {name: [name] for name in columns}))
    assert find_texts(table, None) == ("text",)
    assert find_label(table, None) in ("label", "labels")


def test_a_long_name_or_cell_is_shortened(write):
    long = "word " * 4_000
    with pytest.raises(ThawlineError) as error:
        _read(open_table(write("x.csv", {long: ["a"], "label": ["b"]})))
    assert len(str(error.value)) < 800
    with pytest.raises(ThawlineError) as error:
        _read(open_table(write("x.csv", {"text": ["a"], "label": ["b"]})), long)
    assert len(str(error.value)) < 800


def test_labels_with_a_decimal_point_are_whole_numbers():
    assert whole_numbers(["1.0", "0.0", " -2.00 "]) == ["1", "0", "-2"]
    assert whole_numbers(["1.0", "0"]) == ["1", "0"]
    for labels in (["1", "0"], ["1.0", "1.5"], ["1.0", "pos"], [1, 0], ["1.0", None], []):
        assert whole_numbers(labels) is None


COLUMN_ERRORS = [  # columns, the named text and label, the wrong setting, and data in the error
    ({"txt": ["a"], "label": [0]}, (None, None), "data.text", ["(text, sentence, review,"]),
    (
        {"txt": ["a"], "label": [0]},
        (None, None),
        "data.text",
        ["txt, label", "`data.text`"],
    ),
    ({"text": ["a"], "stars": [0]}, (None, None), "data.label", ["stars", "`data.label`"]),
    ({"text": ["a"], "label": [0]}, ("revew", None), "data.text", ["'revew'", "`data.text`"]),
    ({"text": ["a"], "grade": [0]}, (None, "grad"), "data.label", ["'grad'", "'grade'"]),
    ({"id": ["a"], "body_html": [0]}, (None, None), "data.text", ["body_html, id"]),
    ({"text": ["a"], "id": ["x"], "rate": [0]}, (None, "rating"), "data.label", [" rate, "]),
    ({"a": ["a"], "label": [0]}, ("a,b", None), "data.text", ["'b'", "`data.text`"]),
    ({"a": ["a"], "label": [0]}, ("a,b,c", None), "data.text", ["'a,b,c'", "`data.text`"]),
    ({"premise": ["a"], "label": [0]}, (None, None), "data.text", ["premise, label"]),
]


@pytest.mark.parametrize(("columns", "named", "setting", "mentioned"), COLUMN_ERRORS)
def test_a_missing_column_is_reported_with_the_nearest_columns_first(
    write, columns, named, setting, mentioned
):
    table = open_table(write("x.parquet", columns))
    with pytest.raises(ThawlineError) as error:
        _read(table, *named)
    assert error.value.setting == setting
    for datum in mentioned:
        assert datum in str(error.value)


def test_a_duplicate_column_name_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("text,text,label\na,b,c\n")
    with pytest.raises(ThawlineError) as error:
        read_texts(open_table(tmp_path / "x.csv"), None)
    assert error.value.setting == "data.text"
    assert "'text'" in error.value.expected
    assert "text, text, label" in error.value.found


CELL_ERRORS = [  # file, columns, the wrong setting, and data in `found`
    ("x.jsonl", {"text": ["a", None], "label": [0, 1]}, "text", ["row 1"]),
    ("x.jsonl", {"text": ["a", 3], "label": [0, 1]}, "text", ["int", "3", "row 1"]),
    (
        "x.jsonl",
        {"text": [["a", "b"], "c"], "label": [0, 1]},
        "text",
        ["list", "['a', 'b']", "row 0"],
    ),
    ("x.parquet", {"text": [["a"], ["b"]], "label": [0, 1]}, "text", ["list", "['a']", "row 0"]),
    ("x.parquet", {"text": [None, "b"], "label": [0, 1]}, "text", ["row 0"]),
    (
        "x.jsonl",
        {"text": ["ok", "half \ud83d"], "label": [0, 1]},
        "text",
        ["'half \\ud83d'"],
    ),
    (
        "x.jsonl",
        {"text": ["ok", "a film"], "label": ["pos", "half \ud83d"]},
        "label",
        ["'half \\ud83d'"],
    ),
    ("x.jsonl", {"text": ["a", "b"], "label": [0, None]}, "label", ["row 1"]),
    ("x.parquet", {"text": ["a", "b"], "label": [None, 1]}, "label", ["row 0"]),
    ("x.csv", {"text": ["a", "b"], "label": ["pos", ""]}, "label", ["row 1"]),
    ("x.jsonl", {"text": ["a", "b"], "label": [0, float("nan")]}, "label", ["row 1"]),
    ("x.jsonl", {"text": ["a", "b"], "label": [0, 0.5]}, "label", ["float", "0.5", "row 1"]),
    (
        "x.jsonl",
        {"text": ["a", "b"], "label": [{"y": 1}, 0]},
        "label",
        ["dict", "{'y': 1}", "row 0"],
    ),
    ("x.jsonl", {"text": ["a"], "label": [["q" * 99]]}, "label", ["q… ", "row 0"]),
    ("x.csv", {"text": ["a", "b"], "label": ["pos", "  "]}, "label", ["row 1"]),
    (
        "x.jsonl",
        {"premise": ["a", "b"], "hypothesis": ["c", 5], "label": [0, 1]},
        "text",
        ["int", "5", "row 1"],
    ),
]


@pytest.mark.parametrize(("name", "columns", "role", "found"), CELL_ERRORS)
def test_an_invalid_cell_is_reported_with_its_row(write, name, columns, role, found):
    path = write(name, columns)
    with pytest.raises(ThawlineError) as error:
        _read(open_table(path))
    assert error.value.setting == f"data.{role}"
    assert str(path) in error.value.expected
    for datum in found:
        assert datum in error.value.found


EMPTY_COLUMNS = [  # file, columns, the role and the name of the empty column, and other columns
    (
        "x.csv",
        {"id": ["1", "2"], "text": ["", " "], "label": ["0", "1"]},
        *("text", "text", "label, id"),
    ),
    (
        "x.parquet",
        {"id": ["1", "2"], "text": [None, ""], "label": [0, 1]},
        *("text", "text", "label, id"),
    ),
    ("x.csv", {"text": ["a", "b"], "label": ["", ""]}, "label", "label", "text"),
    (
        "x.csv",
        {"premise": ["a", "b"], "hypothesis": ["", ""], "label": ["0", "1"]},
        *("text", "hypothesis", "premise"),
    ),
]


@pytest.mark.parametrize(("name", "columns", "role", "column", "others"), EMPTY_COLUMNS)
def test_an_empty_column_is_reported_with_the_other_columns(
    write, name, columns, role, column, others
):
    with pytest.raises(ThawlineError) as error:
        _read(open_table(write(name, columns)))
    assert error.value.setting == f"data.{role}"
    assert f"'{column}'" in error.value.expected
    assert " 2 " in error.value.found
    assert f"`data.{role}`" in error.value.fix
    assert others in error.value.fix
