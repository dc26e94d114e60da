"""Test a store in which something else is in the place of a chunk, a manifest, a lock or a folder.

It must be treated as damage: the states are computed again, and nothing hangs or is lost.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from tests.support.store_toys import KEY, LINE_KEY, TEXTS, chunk_files, fill, is_right
from thawline.store import Entry, clear, entries, foreign_paths, home
from thawline.store.chunks import read_manifest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes of POSIX")


def bind_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def full_folder(path: Path) -> None:
    path.mkdir()
    (path / "mine.txt").write_text("three years of work")


def huge_file(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**42)  # it has holes and takes no space


def huge_chunk(path: Path) -> None:
    header = json.dumps({"x": {"dtype": "U8", "shape": [2**42], "data_offsets": [0, 2**42]}})
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode())
    os.truncate(path, 8 + len(header) + 2**42)


def deep_chunk(path: Path) -> None:
    path.write_bytes(save({"keys": torch.zeros(1)}, metadata={"thawline": "[" * 100_000}))


JUNK: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "full folder": full_folder,
    "pipe": lambda path: os.mkfifo(path),
    "socket": bind_socket,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link to a folder": lambda path: path.symlink_to("/"),
    "link to a file": lambda path: path.symlink_to(__file__),
    "empty": lambda path: path.touch(),
    "other JSON": lambda path: path.write_text('{"key": {"format": 3}, "sha256": [], "name": 1}'),
    "number": lambda path: path.write_text("1e999"),
    "deep JSON": lambda path: path.write_text('{"key":' + "[" * 100_000),
    "nested JSON": lambda path: path.write_text("[" * 5_000 + "]" * 5_000),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "huge": huge_file,
    "huge chunk": huge_chunk,
    "deep chunk": deep_chunk,
}
KINDS = pytest.mark.parametrize("kind", JUNK)


def put(kind: str, path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    JUNK[kind](path)


def kept_files() -> list[str]:
    return [path.read_text() for path in home().rglob("mine.txt")]


def check_repair(key, recomputed: int, is_damaged: bool = True) -> None:
    """Check that an entry is repaired, and that it can then be listed and cleared."""
    entries()
    foreign_paths()
    messages: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the states must not stay in memory
        entry = Entry(key, name="toy")
        assert fill(entry, TEXTS, notify=messages.append) == recomputed
        entry.repair()
        assert is_right(entry, TEXTS)
        assert len(messages) == is_damaged + bool(recomputed)
        again = Entry(key)
        assert (again.damaged, again.missing(TEXTS)) == ([], [])
        assert is_right(again, TEXTS)
        assert read_manifest(again.folder) is not None
    before = Path(__file__).read_bytes()
    del entry, again
    freed = sum(listed.bytes for listed in entries())
    assert clear().freed == freed > 0
    assert Path(__file__).read_bytes() == before


@KINDS
def test_junk_in_place_of_a_chunk(kind):
    fill(Entry(KEY, name="toy"), TEXTS)
    put(kind, chunk_files(Entry(KEY))[0])
    lost = len(Entry(KEY).missing(TEXTS))
    assert 0 < lost < 10
    check_repair(KEY, lost)
    assert kept_files() == (["three years of work"] if kind == "full folder" else [])


@KINDS
def test_junk_in_place_of_the_manifest(kind):
    fill(Entry(KEY, name="toy"), TEXTS)
    put(kind, Entry(KEY).folder / "manifest.json")
    assert Entry(KEY).missing(TEXTS) == []
    check_repair(KEY, 0)
    assert kept_files() == (["three years of work"] if kind == "full folder" else [])


@KINDS
def test_junk_in_place_of_the_lock(kind):
    fill(Entry(KEY, name="toy"), TEXTS[:4])
    put(kind, Path(f"{Entry(KEY).folder}.lock"))
    check_repair(KEY, 6, is_damaged=False)
    assert kept_files() == (["three years of work"] if kind == "full folder" else [])


@KINDS
def test_junk_under_the_name_of_a_chunk(kind):
    fill(Entry(KEY, name="toy"), TEXTS)
    put(kind, Entry(KEY).folder / f"{'0' * 64}.safetensors")
    check_repair(KEY, 0)


@KINDS
@pytest.mark.parametrize("where", ["entry", "store"])
def test_junk_in_place_of_a_folder(kind, where):
    folder = Entry(KEY).folder if where == "entry" else home() / "store"
    folder.parent.mkdir(parents=True)
    if kind == "link to a folder":
        pytest.skip("a link to another folder is followed here")
    put(kind, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the states stay in memory
        entry = Entry(KEY)
        assert fill(entry, TEXTS) == 10
    assert is_right(entry, TEXTS)
    entries()
    foreign_paths()
    del entry
    clear()
    assert kept_files() == (["three years of work"] if kind == "full folder" else [])


def test_intact_chunk_behind_a_link_is_read(tmp_path):
    fill(Entry(KEY, name="toy"), TEXTS)
    chunk = chunk_files(Entry(KEY))[0]
    chunk.rename(tmp_path / "moved")
    chunk.symlink_to(tmp_path / "moved")
    entry = Entry(KEY)
    assert (entry.damaged, entry.missing(TEXTS)) == ([], [])
    assert is_right(entry, TEXTS)
    del entry
    clear()
    assert (tmp_path / "moved").exists()


@pytest.mark.parametrize("name", ["keys", "states", "lengths"])
@pytest.mark.parametrize(
    "tensor",
    [None, torch.zeros(()), torch.zeros(0), torch.zeros(3, 16), torch.full((4,), -1).int()],
    ids=["missing", "scalar", "empty", "matrix", "negative"],
)
def test_chunk_with_other_tensors_is_damaged(name, tensor):
    entry = Entry(LINE_KEY, name="toy")
    fill(entry, TEXTS[:4])
    (chunk,) = chunk_files(entry)
    from safetensors.torch import load_file

    tensors = load_file(chunk)
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    content = save(tensors, metadata={"thawline": json.dumps(LINE_KEY.to_dict())})
    chunk.unlink()
    (entry.folder / f"{hashlib.sha256(content).hexdigest()}.safetensors").write_bytes(content)
    again = Entry(LINE_KEY)
    assert again.missing(TEXTS[:4]) == [0, 1, 2, 3]
    assert fill(again, TEXTS[:4]) == 4
    assert is_right(again, TEXTS[:4])


def test_manifest_cannot_name_a_file_outside_its_folder():
    entry = Entry(KEY, name="toy")
    fill(entry, TEXTS)
    path = entry.folder / "manifest.json"
    described = json.loads(path.read_bytes())
    del described["sha256"]
    described["chunks"][0]["sha256"] = "../../secret"
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":")).encode()
    path.write_text(json.dumps(described | {"sha256": hashlib.sha256(canonical).hexdigest()}))
    assert read_manifest(entry.folder) is None
    del entry
    check_repair(KEY, 0)


# Disks that become full


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("after", [0, 1, 2, 5])
def test_pooled_states_stay_in_memory_when_a_flush_fails(monkeypatch, number, after):
    flush, calls = os.fsync, []

    def fail(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > after:
            raise OSError(number, os.strerror(number))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    entry = Entry(KEY)
    with pytest.warns(UserWarning, match=os.strerror(number)) as caught:
        assert fill(entry, TEXTS) == 10
    monkeypatch.setattr(os, "fsync", flush)
    assert len(caught) == 1
    assert is_right(entry, TEXTS)
    assert not list(home().rglob("*.tmp"))
    missing = Entry(KEY).missing(TEXTS)
    assert fill(Entry(KEY), TEXTS) == len(missing) > 0
