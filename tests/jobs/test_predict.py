"""Read the texts of files that are classified."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from thawline.data.sources.lines import split_lines
from thawline.data.sources.open import open_source
from thawline.errors import ThawlineError
from thawline.jobs.predict import (
    blank_warning,
    check_no_file,
    header_warning,
    read_file,
)
from thawline.runtime.progress import Reporter

TEXTS = ["=1+1", "café", "two\nlines", "-5 stars", "last"]


def read(data: object, text: str | None = None) -> list:
    return read_file(str(data), text, Reporter())


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet", "csv.gz"])
def test_the_rows_keep_their_order(tmp_path: Path, form: str) -> None:
    frame = pd.DataFrame({"id": range(5), "review": TEXTS})
    path = tmp_path / f"new.{form}"
    if form == "parquet":
        frame.to_parquet(path)
    elif form == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if form == "tsv" else ",")
    assert read(path) == read(path, "review") == TEXTS


def test_a_text_file_has_a_text_in_each_line(tmp_path: Path) -> None:
    content = "\ufeffcafé\r\n\na\u2028b\nlast".encode()
    (tmp_path / "new.txt").write_bytes(content)
    (tmp_path / "new.txt.gz").write_bytes(gzip.compress(content))
    for name in ("new.txt", "new.txt.gz"):
        assert read(tmp_path / name) == ["café", "", "a\u2028b", "last"]


def test_the_title_is_joined_as_in_training(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("title,content,head\na,b,c\n,d,e\n", encoding="utf-8")
    assert read(tmp_path / "new.csv") == ["a b", "d"]
    assert read(tmp_path / "new.csv", "head+content") == ["c b", "e d"]
    # The published files of Amazon and Yelp have no header.
    (tmp_path / "test.csv").write_text('"2","a","b"\n"1","","d"\n"2","e","f"\n', encoding="utf-8")
    assert read(tmp_path / "test.csv") == ["a b", "d", "e f"]


def test_two_columns_are_pairs(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("premise,hypothesis\na,b\n", encoding="utf-8")
    assert read(tmp_path / "new.csv") == [("a", "b")]


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.csv", "id,stars\n1,2\n", None),
        ("a.csv", "id,text\n1,b\n", "review"),
        ("a.csv", "id,text\n", None),
        ("a.csv", "", None),
        ("a.jsonl", '{"text": null}', None),
        ("a.txt", "", None),
        ("a.txt", "a", "text"),
        ("a.docx", "a", None),
    ],
)
def test_a_file_without_texts_is_refused(
    tmp_path: Path, monkeypatch, name: str, content: str, text: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content, encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        read(name, text)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "data", ["https://example.com/t.csv", "no.csv", ".", "imdb", "~nobody-x/t.csv"]
)
def test_something_else_than_a_file_is_refused(data: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ThawlineError) as caught:
        read(data)
    assert f"'{data}'" in caught.value.found


def test_the_name_of_a_data_file_is_no_text(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_no_file(["a film", "new.csv", "x" * 5_000, "\0", "README"])
    for name in ("new.csv", "new.txt", "README"):
        Path(name).touch()
    check_no_file(["README"])
    for name in ("new.csv", "new.txt"):
        with pytest.raises(ThawlineError) as caught:
            check_no_file(["a film", name])
        assert name in caught.value.fix


@pytest.mark.parametrize(
    "first", ["text", "id,text", "label\ttext", '"Text";"label"', '{"text": "a"}']
)
def test_a_header_on_standard_input_is_noticed(first: str) -> None:
    assert header_warning(first) is not None


@pytest.mark.parametrize("first", ["", "a text, and more", "{", "[1]", '{"a": 1}', "The text."])
def test_other_first_lines_are_texts(first: str) -> None:
    assert header_warning(first) is None


def test_only_line_feeds_end_a_line() -> None:
    assert split_lines("a\r\n\x0bb\x85\n\n") == ["a", "\x0bb\x85", ""]
    assert split_lines("") == []
    assert split_lines("a\rb") == ["a", "b"], "the line ends of old programs"
    assert split_lines("a\rb\n") == ["a\rb"]


@pytest.mark.parametrize("column", [["text", "label"], 3])
@pytest.mark.parametrize("role", ["text", "label"])
def test_a_column_is_named_by_a_string(role: str, column: object) -> None:
    with pytest.raises(ThawlineError) as caught:
        open_source(["a"], **{role: column})  # type: ignore[arg-type]
    assert caught.value.setting == f"data.{role}"


def test_what_was_assumed_about_a_file_is_reported(tmp_path: Path) -> None:
    class Lines(Reporter):
        def message(self, line: str) -> None:
            lines.append(line)

    lines: list[str] = []
    path = tmp_path / "new.csv"
    path.write_text("id;text\n1;a film, warm\n;\n2;b\n", encoding="utf-8")
    assert read_file(str(path), None, Lines()) == ["a film, warm", "b"]
    assert any("line 3" in line for line in lines), "a row without content was dropped"
    assert len(lines) == 2, "the delimiter"


def test_a_file_of_fasttext_is_read_without_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    path.write_text("__label__pos a warm film\n__label__neg b\n", encoding="utf-8")
    assert read(path) == ["a warm film", "b"]


def test_texts_without_content_are_counted() -> None:
    assert blank_warning(["a", ("b", "")]) is None
    warning = blank_warning(["a", " ", "\u00a0", ("", "")])
    assert warning is not None
    assert "3 of 4" in warning
