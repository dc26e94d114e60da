"""Test that files and folders are written completely or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from thawline.errors import ThawlineError
from thawline.runtime import files
from thawline.runtime.files import (
    Leftovers,
    check_place,
    is_temporary,
    make_folder,
    new_file,
    new_folder,
    remove,
    remove_leftovers,
    write_file,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions and links")


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


def test_check_place_rejects_a_folder_in_which_nothing_can_be_created(monkeypatch):
    Path("closed").mkdir()

    def refuse(path: Path, *anything: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ThawlineError) as caught:
        check_place(Path("closed/run"), "a folder for the run")
    assert "closed'" in caught.value.found


def test_check_place_leaves_nothing():
    check_place(Path("run"), "a folder for the run")
    assert list(Path().iterdir()) == []


@pytest.fixture(params=[0o000, 0o022, 0o027, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@posix
def test_the_umask_decides_the_permissions(umask):
    write_file(Path("letter.txt"), b"new")
    with new_file(Path("private.txt")) as temporary:
        temporary.unlink()
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))  # as safetensors does
    with new_folder(Path("letters")) as temporary:
        (temporary / "below").mkdir(mode=0o700)
        os.close(os.open(temporary / "below/one", os.O_CREAT | os.O_WRONLY, 0o600))
        os.close(os.open(temporary / "two", os.O_CREAT | os.O_WRONLY, 0o777))
    make_folder(Path("new/below"))
    for name in ("letter.txt", "private.txt", "letters/below/one", "letters/two"):
        assert mode(Path(name)) == 0o666 & ~umask, name
    for name in ("letters", "letters/below", "new", "new/below"):
        assert mode(Path(name)) == 0o777 & ~umask, name


@posix
def test_no_link_is_followed(monkeypatch):
    """Neither a link in place of the file, nor one in place of a temporary name."""
    Path("victim").write_text("mine")
    Path("letter.txt").symlink_to("victim")
    write_file(Path("letter.txt"), b"new")
    assert not Path("letter.txt").is_symlink()
    assert Path("victim").read_text() == "mine"

    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "0" * 2 * size)
    planted = files._temporary_path(Path())
    planted.symlink_to("victim")
    with pytest.raises(FileExistsError):
        write_file(Path("letter.txt"), b"newer")
    with pytest.raises(FileExistsError), new_folder(Path("letters")):
        pass
    assert Path("letter.txt").read_text() == "new"
    assert Path("victim").read_text() == "mine"
    assert planted.is_symlink(), "a name that another process made was deleted"


@posix
def test_a_replaced_link_to_a_folder_keeps_its_target():
    Path("victim").mkdir()
    Path("victim/mine").touch()
    Path("letters").symlink_to("victim")
    with new_folder(Path("letters"), replace=True) as temporary:
        (temporary / "new").touch()
    assert not Path("letters").is_symlink()
    assert [path.name for path in Path("letters").iterdir()] == ["new"]
    assert [path.name for path in Path("victim").iterdir()] == ["mine"]


def test_everything_is_flushed_before_it_is_moved(monkeypatch):
    """A file before its rename, and the folder of the new name after it."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(descriptor: int) -> None:
        calls.append(("fsync", os.fstat(descriptor).st_ino))
        fsync(descriptor)

    def recorded_replace(source: Path, target: Path) -> None:
        calls.append(("replace", Path(target).name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    write_file(Path("letter.txt"), b"new")
    inode, here = Path("letter.txt").stat().st_ino, Path().stat().st_ino
    folders = [("fsync", here)] * (os.name != "nt")
    assert calls == [("fsync", inode), ("replace", "letter.txt"), *folders]

    calls.clear()
    with new_folder(Path("letters")) as temporary:
        (temporary / "below").mkdir()
        for name in ("one", "below/two"):
            (temporary / name).write_text(name)
    moved = calls.index(("replace", "letters"))
    for name in ("one", "below/two", *((".", "below") if os.name != "nt" else ())):
        assert ("fsync", (Path("letters") / name).stat().st_ino) in calls[:moved], name
    assert calls[moved + 1 :] == folders


def left_by(source: str) -> None:
    """Run a process that is killed while it writes."""
    program = f"""
import os, pathlib, signal
from thawline.runtime.files import new_file, new_folder
{source}
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode not in (0, 1)


@pytest.mark.e2e
@posix
def test_what_a_killed_process_left_is_removed():
    left_by("""
with new_folder(pathlib.Path("letters")) as folder, new_file(pathlib.Path("letter")) as file:
    (folder / "half").write_bytes(bytes(1000))
    file.write_bytes(bytes(24))
    os.kill(os.getpid(), signal.SIGKILL)
""")
    others = [Path(".thawline-00000000-1-0123456789abcdef.tmp"), Path(".mine.tmp"), Path("a.tmp")]
    for path in others:
        path.touch()
    assert len(list(Path().iterdir())) == 5
    with new_file(Path("letter")) as living:
        assert remove_leftovers(Path()) == Leftovers(2, 1024)
        assert sorted(Path().iterdir()) == sorted([*others, living])
        assert all(map(is_temporary, [living, others[0]]))
        assert not any(map(is_temporary, others[1:]))
    # Under a lock, those of other machines are dead too.
    assert remove_leftovers(Path(), locked=True).items == 1
    assert remove_leftovers(Path("missing")) == Leftovers(0, 0)


@posix
def test_remove_does_not_follow_a_link():
    Path("victim").mkdir()
    Path("victim/mine").touch()
    Path("link").symlink_to("victim")
    assert remove(Path("link"))
    assert remove(Path("missing"))
    assert Path("victim/mine").exists()
