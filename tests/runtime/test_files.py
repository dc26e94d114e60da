"""What is written appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from thawline.runtime.files import new_file, new_folder


def test_a_file_takes_its_place_when_it_is_written():
    path = Path("letter.txt")
    path.write_text("old")
    with new_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(Path().iterdir()) == [path]


def test_a_folder_takes_its_place_when_it_is_filled():
    folder = Path("above/letters")
    with new_folder(folder) as temporary:
        (temporary / "one.txt").touch()
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["one.txt"]
    assert folder.stat().st_mode & 0o777 == 0o755
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_is_there_stays_unless_it_is_to_make_way():
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


def half_a_file(error: type[BaseException]) -> None:
    with new_file(Path("letter.txt")) as temporary:
        temporary.write_text("half")
        raise error


def half_a_folder(error: type[BaseException]) -> None:
    with new_folder(Path("letters")) as temporary:
        (temporary / "half.txt").touch()
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
@pytest.mark.parametrize("broken_off", [half_a_file, half_a_folder])
def test_nothing_is_left_of_what_was_broken_off(broken_off, error):
    with pytest.raises(error):
        broken_off(error)
    assert list(Path().iterdir()) == []
