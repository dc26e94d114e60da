"""The text format of vectors: what is accepted, and the errors of invalid lines."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.backbones.vectors import Vectors, find_vectors, reading, write_vectors
from thawline.backbones.vectors.reading import find_file, read_blocks
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter

# The first numbers of the first words of GloVe's own file.
GLOVE = """the 0.418 0.24968 -0.41242 0.1217
, 0.013441 0.23682 -0.16899 0.40951
. 0.15164 0.30177 -0.16763 0.17684
of 0.70853 0.57088 -0.4716 0.18048
"""
WORDS = ["the", ",", ".", "of"]


def read(path: Path, reporter: Reporter | None = None) -> Vectors:
    return find_vectors(str(path), Reporter() if reporter is None else reporter)


def problem(content: str | bytes, name: str = "v.txt") -> ThawlineError:
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ThawlineError) as caught:
        read(path)
    assert not list(Path("../home/vectors").glob("*")), "half a cache is left"
    return caught.value


def packed(kind: str) -> Path:
    path = Path(f"glove.txt{kind}")
    if kind == ".gz":
        path.write_bytes(gzip.compress(GLOVE.encode()))
    elif kind == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("README", "no vectors")
            archive.writestr("glove.txt", GLOVE)
    else:
        path.write_text(GLOVE)
    return path


@pytest.mark.parametrize("kind", ["", ".gz", ".zip"])
def test_a_file_is_read_plain_and_packed(kind):
    vectors = read(packed(kind))
    assert list(vectors.words) == WORDS
    assert vectors.matrix.dtype == np.float32
    assert (len(vectors), vectors.width) == (4, 4)
    np.testing.assert_array_equal(
        vectors.matrix[3], np.float32([0.70853, 0.57088, -0.4716, 0.18048])
    )


def test_the_line_that_word2vec_writes_first_is_no_word():
    Path("v.txt").write_text("4 4\n" + GLOVE.replace("\n", " \n"))  # and a space at each end
    assert list(read(Path("v.txt")).words) == WORDS


def test_a_word_that_is_a_number_is_no_header():
    Path("v.txt").write_text("7 1\n8 2\n9 3\n")
    with pytest.raises(ThawlineError) as caught:
        read(Path("v.txt"))
    assert caught.value.expected.split()[0] == "7"
    assert caught.value.found.split()[0] == "2"
    Path("w.txt").write_text("7 5\n8 2\n")
    assert list(read(Path("w.txt")).words) == ["7", "8"]


def test_a_word_may_hold_spaces_and_what_breaks_lines_elsewhere():
    Path("v.txt").write_text(GLOVE + ". . . 1 2 3 4\na\x85b\u2028 4 3 2 1\n", encoding="utf-8")
    assert read(Path("v.txt")).words[4:] == [". . .", "a\x85b\u2028"]


def test_the_word_of_the_first_line_may_hold_spaces_but_no_numbers():
    error = problem(f"to 1 x 3 4\n{GLOVE}")
    assert "line 1 of v.txt" in error.expected
    assert "'x'" in error.found
    Path("v.txt").write_text(f". . 1 2 3 4\n{GLOVE}")
    assert list(read(Path("v.txt")).words[:2]) == [". .", "the"]


def test_a_byte_order_mark_belongs_to_no_word():
    Path("v.txt").write_text(GLOVE, encoding="utf-8-sig")
    assert read(Path("v.txt")).words[0] == "the"
    Path("v.txt").write_text(f"4 4\n{GLOVE}", encoding="utf-8-sig")
    assert len(read(Path("v.txt"))) == 4


def test_the_first_row_of_a_word_counts():
    Path("v.txt").write_text(GLOVE + "the 1 1 1 1\n")
    assert read(Path("v.txt")).rows()["the"] == 0


@pytest.mark.parametrize(
    ("line", "expected", "found"),
    [
        ("to 1 2 3", "4 numbers after 'to'", "3"),
        ("to 1 2 3 4 5", "4 numbers after 'to'", "5"),
        ("to 1 2 x 4", "4 numbers after 'to'", "'x'"),
        ("to 1 2 nan 4", "finite", "nan after 'to'"),
        ("to 1 2 1e60 4", "finite", "1e+60 after 'to'"),
        ("to", "4 numbers after 'to'", "0"),
        ("", "4 numbers after", "0"),
        (" 1 2 3 4", "word before", ""),
    ],
)
def test_an_invalid_line_is_named(line, expected, found):
    error = problem(f"{GLOVE}{line}\nin 1 2 3 4\n")
    assert expected in error.expected
    assert "line 5 of v.txt" in error.expected
    assert error.found.startswith(found)


def test_an_invalid_line_after_the_first_block_is_named(monkeypatch):
    monkeypatch.setattr(reading, "LINES_PER_BLOCK", 3)
    error = problem(f"5 4\n{GLOVE}to 1 2\n")
    assert "line 6 of v.txt" in error.expected
    assert error.found.split()[0] == "2"


@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        ("", "word vectors in v.txt", "none"),
        ("3 4\n", "word vectors in v.txt", "none"),
        ("word\n", "line 1 of v.txt", "no numbers"),
        ("a\t1\t2\n", "line 1 of v.txt", "tabs"),
        (b"a 1\n\xff 1\n", "line 2 of v.txt", "byte"),
        (f"9 4\n{GLOVE}", "9 words in v.txt", "4"),
    ],
)
def test_an_invalid_file_is_refused(content, expected, found):
    error = problem(content)
    assert expected in error.expected
    assert found in error.found


def test_a_truncated_gzip_file_is_refused():
    whole = gzip.compress((GLOVE * 5_000).encode())
    error = problem(whole[: len(whole) // 2], "v.txt.gz")
    assert "v.txt.gz" in error.expected
    assert "line" not in error.expected


def test_files_that_macos_adds_to_a_zip_file_are_ignored():
    with zipfile.ZipFile("v.zip", "w") as archive:
        archive.writestr("v.txt", GLOVE)
        archive.writestr("__MACOSX/._v.txt", b"\0")
    assert len(read(Path("v.zip"))) == 4


def test_a_zip_file_with_a_password_is_refused():
    with zipfile.ZipFile("v.zip", "w") as archive:
        archive.writestr("v.txt", GLOVE)
    content = bytearray(Path("v.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # its flag in the list of members
    assert "password" in problem(bytes(content), "v.zip").found


def test_one_of_several_files_in_a_zip_file_is_named_like_one_in_a_folder():
    with zipfile.ZipFile("glove.zip", "w") as archive:
        archive.writestr("one.txt", "a 1 2\n")
        archive.writestr("two.txt", "b 1 2 3\n")
    assert read(Path("glove.zip/two.txt")).width == 3
    with pytest.raises(ThawlineError) as caught:
        read(Path("glove.zip"))
    error = caught.value
    assert "glove.zip" in error.expected
    assert all(part in error.found for part in ("2 ", "one.txt", "two.txt"))
    assert "glove.zip/one.txt" in error.fix
    with pytest.raises(ThawlineError) as caught:
        read(Path("glove.zip/tow.txt"))
    error = caught.value
    assert all(part in error.expected for part in ("glove.zip", "one.txt", "two.txt"))
    assert (error.found, error.fix) == ("'tow.txt'", "did you mean 'two.txt'?")


@pytest.mark.parametrize("kind", ["", ".gz", ".zip"])
def test_progress_ends_at_the_size_of_the_file(kind, monkeypatch):
    monkeypatch.setattr(reading, "_MB", 10)
    monkeypatch.setattr(reading, "LINES_PER_BLOCK", 1)
    steps: list[int] = []

    class Follower(Reporter):
        def task(self, description, total):
            from contextlib import nullcontext

            steps.append(-total)
            return nullcontext(lambda done, now="": steps.append(done))

    file = find_file(packed(kind))
    assert file is not None
    list(read_blocks(file, Follower()))
    assert sum(steps) == 0
    assert steps[0] < 0
    assert min(steps[1:]) >= 0


WORD = st.text(st.characters(exclude_characters=" \n\r", exclude_categories=["Cs"]), min_size=1)
NUMBER = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    st.integers(2, 6).flatmap(
        lambda width: st.dictionaries(
            WORD.filter(lambda word: not word.startswith("\ufeff")),
            st.lists(NUMBER, min_size=width, max_size=width),
            min_size=1,
            max_size=20,
        )
    )
)
def test_what_is_written_is_read_to_the_bit(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("v") / "v.txt"
    matrix = np.array(list(table.values()), dtype=np.float32)
    write_vectors(Vectors("own", list(table), matrix), path)
    file = find_file(path)
    assert file is not None
    blocks = list(read_blocks(file, Reporter()))
    assert [word for words, _ in blocks for word in words] == list(table)
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), matrix)
