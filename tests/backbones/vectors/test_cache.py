"""Test the cache of word vectors: its identity, its checksums, and what is deleted."""

from __future__ import annotations

import errno
import gzip
import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from thawline.backbones.vectors import cache, find_vectors
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter

LINES = "the 1 2\nof 3 4\nto 5 6\n"
WORDS = ["the", "of", "to"]
MATRIX = [[1, 2], [3, 4], [5, 6]]


class Recorder(Reporter):
    """Collects messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def find(name: str = "v.txt") -> tuple[list[str], list[list[float]], list[str]]:
    """Return the words, the matrix and the messages."""
    recorder = Recorder()
    vectors = find_vectors(name, recorder)
    return list(vectors.words), np.array(vectors.matrix).tolist(), recorder.messages


@pytest.fixture
def folder() -> Path:
    """Return the cache of the file ``v.txt``."""
    Path("v.txt").write_text(LINES)
    assert find() == (WORDS, MATRIX, [])
    (path,) = cache.cache_folder().iterdir()
    return path


def check_rebuilt(folder: Path) -> None:
    """Check that damage is reported once, and that the vectors are right."""
    words, matrix, messages = find()
    assert (words, matrix, len(messages)) == (WORDS, MATRIX, 1)
    assert find() == (WORDS, MATRIX, [])
    assert {path.name for path in folder.iterdir()} == cache.NAMES


def test_another_file_of_the_same_size_and_time_is_not_taken_for_it(folder):
    status = Path("v.txt").stat()
    with Path("v.txt").open("r+") as file:  # the inode stays the same
        file.write("The 7")
    os.utime("v.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Path("v.txt").stat().st_size == status.st_size
    assert Path("v.txt").stat().st_mtime_ns == status.st_mtime_ns
    assert find()[:2] == (["The", "of", "to"], [[7, 2], [3, 4], [5, 6]])


def test_a_copy_of_the_file_uses_the_same_cache(folder, monkeypatch):
    monkeypatch.setattr(cache, "read_blocks", None)  # nothing is parsed
    Path("elsewhere").mkdir()
    Path("elsewhere/w.txt").write_text(LINES)
    os.utime("v.txt", ns=(0, 0))
    assert find() == find("elsewhere/w.txt") == (WORDS, MATRIX, [])


def test_the_same_bytes_are_read_according_to_the_name(folder):
    Path("v.txt.gz").write_bytes(gzip.compress(LINES.encode()))
    assert find("v.txt.gz") == (WORDS, MATRIX, [])
    Path("packed.txt").write_bytes(Path("v.txt.gz").read_bytes())
    with pytest.raises(ThawlineError):
        find("packed.txt")


@pytest.mark.parametrize("name", sorted(cache.NAMES))
def test_every_cut_and_every_changed_byte_is_found(folder, name):
    path = folder / name
    content, damaged = path.read_bytes(), 0
    source = cache._source_digest(cache.DataFile(Path("v.txt")))
    cuts = [content[:length] for length in range(len(content))]
    flips = [
        content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :]
        for where in range(len(content))
    ]
    for changed in [*cuts, *flips, content + content, content + b"\n"]:
        path.write_bytes(changed)
        loaded = cache._load(folder, "v.txt", source)
        if loaded is None:
            damaged += 1
        else:  # white space of the manifest
            assert name == cache.MANIFEST
            assert (list(loaded.words), loaded.matrix.tolist()) == (WORDS, MATRIX)
    assert damaged > len(content)
    path.write_bytes(content[:-2])
    check_rebuilt(folder)


@pytest.mark.parametrize(
    "words", ["", "the\n", "of\nthe\nto\n", "the\nof\n", "the\nof\nto", "the\nof\ntö\n"]
)
def test_other_words_are_found(folder, words):
    (folder / cache.WORDS).write_text(words, encoding="utf-8")
    check_rebuilt(folder)


@pytest.mark.parametrize("name", sorted(cache.NAMES))
def test_missing_file_is_written_again(folder, name):
    (folder / name).unlink()
    check_rebuilt(folder)


@pytest.mark.parametrize("manifest", ["", "{", "[]", "null", "[" * 100_000, "{}", '{"format": 2}'])
def test_other_manifest_is_damage(folder, manifest):
    (folder / cache.MANIFEST).write_text(manifest)
    check_rebuilt(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes of POSIX")
@pytest.mark.parametrize("name", [*sorted(cache.NAMES), ""], ids=lambda name: name or "folder")
@pytest.mark.parametrize(
    "junk", ["folder", "full", "pipe", "dangling", "loop", "device", "huge", "empty"]
)
def test_junk_is_damage(folder, name, junk):
    path = folder / name if name else folder
    if path.is_dir():
        path.rename("moved")
    else:
        path.unlink()
    if junk in ("folder", "full"):
        path.mkdir()
    if junk == "full":
        (path / "mine.txt").write_text("three years of work")
    if junk == "pipe":
        os.mkfifo(path)
    if junk in ("dangling", "loop", "device"):
        path.symlink_to({"dangling": "nowhere", "loop": path.name, "device": "/dev/zero"}[junk])
    if junk in ("huge", "empty"):
        path.touch()
    if junk == "huge":
        os.truncate(path, 2**42)
    check_rebuilt(folder)
    cache.clear()
    kept = [path.read_text() for path in cache.cache_folder().rglob("mine.txt")]
    assert kept == (["three years of work"] if junk == "full" else [])


def test_file_that_changes_while_it_is_read(monkeypatch):
    Path("v.txt").write_text(LINES)
    read_blocks = cache.read_blocks

    def changing(file, reporter):
        yield from read_blocks(file, reporter)
        Path("v.txt").write_text(LINES + "and 7 8\n")

    monkeypatch.setattr(cache, "read_blocks", changing)
    with pytest.raises(ThawlineError) as caught:
        find()
    assert "v.txt" in caught.value.expected
    assert list(cache.cache_folder().iterdir()) == []


def test_vectors_stay_in_memory_when_the_disk_is_full(monkeypatch):
    Path("v.txt").write_text(LINES)

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.warns(UserWarning, match=r"v\.txt") as caught:
        assert find() == (WORDS, MATRIX, [])
    assert len(caught) == 1
    assert list(cache.cache_folder().iterdir()) == []


def test_vectors_stay_in_memory_without_a_cache_folder():
    Path("v.txt").write_text(LINES)
    home = Path(os.environ["THAWLINE_HOME"])
    home.mkdir()
    (home / "vectors").write_text("a file")
    with pytest.warns(UserWarning, match=r"v\.txt"):
        assert find() == (WORDS, MATRIX, [])
    assert (home / "vectors").read_text() == "a file"
    assert (cache.cached_folders(), cache.clear()) == ([], 0)


def test_only_own_folders_are_listed_and_cleared(folder):
    older = cache.cache_folder() / ("0" * 32)  # format 1 has no manifest
    older.mkdir()
    for name in (cache.MATRIX, cache.WORDS):
        (older / name).write_bytes((folder / name).read_bytes())
    foreign = {
        "vectors.npy": b"\x93NUMPY",
        "mine/words.txt": b"mine",
        f"{'1' * 32}/words.txt": b"mine",
        f"{'2' * 32}/vectors.npy": (folder / cache.MATRIX).read_bytes(),
        f"{'3' * 32}/cache.json": b'{"name": "mine"}',
        f"{'4' * 32}/thesis.txt": b"mine",
    }
    for name, content in foreign.items():
        path = cache.cache_folder() / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (folder / "mine.txt").write_bytes(b"mine")
    held = {
        path.name: sum(file.stat().st_size for file in path.iterdir()) for path in (folder, older)
    }
    listed = {cached.name: cached.bytes for cached in cache.cached_folders()}
    assert listed == held | {folder.name: held[folder.name] - len(b"mine")}
    assert cache.clear() == sum(listed.values())
    left = {
        str(path.relative_to(cache.cache_folder())): path.read_bytes()
        for path in cache.cache_folder().rglob("*")
        if path.is_file()
    }
    assert left == foreign | {f"{folder.name}/mine.txt": b"mine"}
    tops = {name.split("/")[0] for name in foreign} | {folder.name}
    assert {path.name for path in cache.foreign_paths()} == tops
    assert cache.clear() == 0


def test_unfinished_caches_of_dead_processes_are_deleted(folder):
    dead = folder.with_name(next_temporary_of_a_dead_process())
    dead.mkdir()
    (dead / cache.MATRIX).write_bytes(bytes(2_000))
    words, matrix, messages = find()
    assert (words, matrix, len(messages)) == (WORDS, MATRIX, 1)
    assert "2.0" in messages[0]  # kB
    assert not dead.exists()


def next_temporary_of_a_dead_process() -> str:
    """Return a temporary name of a process that cannot exist, because no system has its number."""
    from thawline.runtime.files import new_folder

    with new_folder(Path("any")) as temporary:
        host = temporary.name.split("-")[1]
    return f".thawline-{host}-4194305-{'0' * 16}.tmp"


def test_damage_of_vectors_in_use_is_harmless(folder):
    vectors = find_vectors("v.txt", Reporter())
    if sys.platform != "win32":
        cache.clear()
    assert vectors.matrix.tolist() == MATRIX
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find()[:2] == (WORDS, MATRIX)


def test_manifest_names_both_files(folder):
    manifest = json.loads((folder / cache.MANIFEST).read_bytes())
    assert {cache.MATRIX, cache.WORDS} <= set(manifest)
