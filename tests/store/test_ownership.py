"""Test that only files are deleted that Thawline wrote, and only entries that nobody uses."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import filelock
import numpy as np
import pytest

from tests.store.test_faults import processes, write_format_1
from tests.support.store_toys import (
    KEY,
    KEYS,
    LINE_KEY,
    TEXTS,
    Child,
    everything,
    fill,
    is_right,
    read_on_command,
)
from thawline.store import Entry, clear, entries, foreign_paths, home

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs links and locks of POSIX")


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """Return the contents of files, None for folders, and the targets of links below a folder."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


FOREIGN = {
    "index.js": "// a shop",
    "app/manifest.json": '{"name": "app"}',
    "app/model.safetensors": "weights",
    "app/cache.tmp": "half a file",
    "app.lock": "",
    "0123456789abcdef0123456789abcdef.lock": "4711",
    "0123456789abcdef0123456789abcdef/manifest.json": '{"name": "a", "key": {"format": 3}}',
    f"{'ab' * 16}/{'cd' * 32}.safetensors": "not a chunk",
    f"{'ef' * 16}/{'cd' * 16}.tmp": "not ours",
    f"{'12' * 16}/thesis.txt": "three years of work",
    "bin/run.sh": "echo hello",
}
"""Files that Thawline did not write, some of them with names like its own."""


@pytest.mark.parametrize("with_entry", [False, True], ids=["alone", "beside an entry"])
def test_foreign_files_in_a_folder_named_store_are_kept(with_entry):
    store = home() / "store"
    for name, content in FOREIGN.items():
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text(content)
    (store / "empty").mkdir()
    (store / ("9" * 32)).mkdir()
    before, held = tree(home()), 0
    if with_entry:
        fill(Entry(KEY), TEXTS)
        (listed,) = entries()
        held = listed.bytes
    assert len(entries()) == with_entry
    cleared = clear()
    assert (cleared.freed, cleared.kept) == (held, ())
    assert tree(home()) == before
    assert {path.relative_to(store).parts[0] for path in foreign_paths()} == {
        *(Path(name).parts[0] for name in FOREIGN),
        "empty",
        "9" * 32,
    }


def test_foreign_files_within_an_entry_are_kept():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    folder = entry.folder
    (folder / "notes.txt").write_text("mine")
    (folder / f"{'0' * 64}.safetensors").mkdir()
    (folder / f"{'0' * 64}.safetensors" / "mine.txt").write_text("mine")
    del entry
    (listed,) = entries()
    assert clear().freed == listed.bytes
    assert {name: content for name, content in tree(folder).items() if content is not None} == {
        "notes.txt": b"mine",
        f"{'0' * 64}.safetensors/mine.txt": b"mine",
    }
    assert len(foreign_paths()) == 1  # the folder is no entry any more


@posix
def test_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "thesis.txt").write_text("three years of work")
    entry = Entry(KEY)
    fill(entry, TEXTS)
    folder = entry.folder
    (folder / f"{'0' * 64}.safetensors").symlink_to(outside / "thesis.txt")
    (folder / f"{'1' * 64}.safetensors").symlink_to(outside)
    (folder.parent / ("2" * 32)).symlink_to(outside)
    folder.with_name(f"{folder.name}.lock").unlink()
    folder.with_name(f"{folder.name}.lock").symlink_to(outside / "thesis.txt")
    del entry
    assert clear().kept == ()
    assert tree(outside) == {"thesis.txt": b"three years of work"}
    assert not folder.exists()
    assert [path.name for path in foreign_paths()] == ["2" * 32]


@pytest.mark.parametrize("format_", [1, 2, 3, 4])
def test_entries_of_every_format_are_ours(format_):
    from thawline.store.keys import digest_of

    key = {**KEY.to_dict(), "format": format_}
    folder = home() / "store" / digest_of(key)
    size = write_format_1(folder, key)
    (listed,) = entries()
    assert listed.bytes == size == clear().freed
    assert tree(home() / "store") == {}


def test_wholly_damaged_entry_with_its_lock_is_ours():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    folder = entry.folder
    for path in folder.iterdir():
        path.write_bytes(b"junk")
    del entry
    assert clear().freed == 4 * 4
    assert tree(home() / "store") == {}


def test_key_with_values_of_other_types_is_listed():
    from thawline.store.keys import digest_of

    key = {"format": 2, "max_length": "many", "dtype": ["x"], "line": {}}
    folder = home() / "store" / digest_of(key)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"key": key}))
    (listed,) = entries()
    assert (listed.max_length, listed.dtype, listed.line) == (None, None, None)


# Entries in use


@KEYS
def test_open_entry_and_its_states_are_kept(key):
    entry = Entry(key)
    fill(entry, TEXTS)
    wanted = everything(entry, TEXTS)
    is_pooled = key.line is None
    states = entry.features(TEXTS, (0,), "mean") if is_pooled else entry.token_states(TEXTS)
    name = entry.folder.name
    if sys.platform != "win32":
        assert clear().kept == (name,)
        del entry
        assert clear().kept == (name,)  # because of the states
    again = Entry(key)
    assert again.missing(TEXTS) == []
    assert everything(again, TEXTS).equal(wanted)
    del again, states
    assert clear().kept == ()
    assert entries() == []


@posix
@processes
@KEYS
def test_entry_that_another_process_reads_is_kept(key, tmp_path):
    fill(Entry(key, root=tmp_path), TEXTS)
    child = Child(read_on_command, key, tmp_path, TEXTS)
    assert child.connection.recv() == "opened"
    assert clear(tmp_path).kept == (key.digest(),)
    child.connection.send("continue")
    assert child.result() is True
    assert clear(tmp_path).kept == ()
    assert entries(tmp_path) == []


@posix
@processes
def test_killed_reader_does_not_keep_an_entry(tmp_path):
    fill(Entry(KEY, root=tmp_path), TEXTS)
    child = Child(read_on_command, KEY, tmp_path, TEXTS)
    assert child.connection.recv() == "opened"
    child.kill()
    assert clear(tmp_path).kept == ()


@posix
@KEYS
def test_threads_that_fill_and_clear_never_lose_states(key):
    failures: list[object] = []
    done = threading.Event()

    def use_the_store() -> None:
        try:
            for _ in range(15):
                entry = Entry(key)
                fill(entry, TEXTS)
                if not is_right(entry, TEXTS):
                    failures.append("wrong")
        except BaseException as error:  # the thread must report whatever happens
            failures.append(error)

    def clear_the_store() -> None:
        try:
            while not done.is_set():
                clear()
        except BaseException as error:
            failures.append(error)

    users = [threading.Thread(target=use_the_store) for _ in range(3)]
    clearing = threading.Thread(target=clear_the_store)
    for thread in (*users, clearing):
        thread.start()
    for thread in users:
        thread.join()
    done.set()
    clearing.join()
    assert failures == []


# Files of stopped processes


def test_unfinished_files_of_every_entry_are_deleted_and_counted():
    line, pooled = Entry(LINE_KEY), Entry(KEY)
    fill(line, TEXTS)
    fill(pooled, TEXTS)
    left = [
        line.folder / f"{'0' * 32}.tmp",
        line.folder / f".thawline-00000000-1-{'0' * 16}.tmp",
        pooled.folder / f".thawline-00000000-1-{'1' * 16}.tmp",
    ]
    for path in left:
        path.write_bytes(bytes(500))
    messages: list[str] = []
    with filelock.FileLock(f"{line.folder}.lock"):  # a living process is filling this entry
        pooled.repair(messages.append)
    assert [path.exists() for path in left] == [True, True, False]
    assert ["1" in message.split() for message in messages] == [True]
    fill(pooled, ["another film"], notify=messages.append)
    assert [path.exists() for path in left] == [False, False, False]
    assert ["2" in message.split() for message in messages[1:]] == [True, False]
    assert "1.0" in messages[1]  # kB


def test_states_can_be_read_in_batches_after_a_failed_clear():
    entry = Entry(LINE_KEY)
    fill(entry, TEXTS)
    states = entry.token_states(TEXTS)
    clear()
    assert len(states.take(np.arange(len(TEXTS)))) == len(TEXTS)
