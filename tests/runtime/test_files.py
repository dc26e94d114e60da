"""Test that files and folders are written completely or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from thawline.errors import ThawlineError
from thawline.runtime.files import check_place, new_file, new_folder


def test_new_file_moves_into_place_at_the_end():
    path = Path("letter.txt")
    path.write_text("old")
    with new_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(Path().iterdir()) == [path]


def test_new_folder_moves_into_place_at_the_end():
    folder = Path("above/letters")
    with new_folder(folder) as temporary:
        (temporary / "one.txt").touch()
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["one.txt"]
    assert folder.stat().st_mode & 0o777 == 0o755
    assert list(folder.parent.iterdir()) == [folder]


def test_existing_folder_is_kept_unless_replaced():
    folder = Path("letters")
    folder.mkdir()
    (folder / "old.txt").touch()
    with pytest.raises(OSError, match="letters"), new_folder(folder) as temporary:
        (temporary / "new.txt").touch()
    assert [path.name for path in folder.iterdir()] == ["old.txt"]
    with new_folder(folder, replace=True) as temporary:
        (temporary / "new.txt").touch()
    assert [path.name for path in folder.iterdir()] == ["new.txt"]
    assert list(Path().iterdir()) == [folder]


def write_half_a_file(error: type[BaseException]) -> None:
    with new_file(Path("letter.txt")) as temporary:
        temporary.write_text("half")
        raise error


def write_half_a_folder(error: type[BaseException]) -> None:
    with new_folder(Path("letters")) as temporary:
        (temporary / "half.txt").touch()
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
@pytest.mark.parametrize("interrupted", [write_half_a_file, write_half_a_folder])
def test_interrupted_write_leaves_nothing(interrupted, error):
    with pytest.raises(error):
        interrupted(error)
    assert list(Path().iterdir()) == []


def test_check_place_rejects_a_path_below_a_file():
    check_place(Path("above/run"), "a folder for the run")
    Path("letter.txt").touch()
    with pytest.raises(ThawlineError) as caught:
        check_place(Path("letter.txt/run"), "a folder for the run")
    assert caught.value.expected == "a folder for the run"
    assert str(Path("letter.txt/run")) in caught.value.found
