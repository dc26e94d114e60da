"""Test the store with damaged files, killed processes, full disks and missing permissions."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

import filelock
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.store_toys import (
    KEY,
    KEYS,
    LINE_KEY,
    ROWS,
    TEXTS,
    Child,
    add_much,
    chunk_files,
    everything,
    fill,
    fill_and_be_refused,
    fill_on_command,
    fill_until_byte,
    fill_where_it_may_not_be_possible,
    is_right,
    size_of,
    states_of,
    token_states_of,
)
from thawline.store import Entry, StoreKey, clear, entries, home, text_key
from thawline.store.chunks import read_manifest

processes = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="needs a fork server"
)


@pytest.fixture(params=[KEY, LINE_KEY], ids=["pooled", "line"])
def entry(request) -> Entry:
    """Return an entry of three chunks and a manifest."""
    entry = Entry(request.param, name="toy")
    assert fill(entry, TEXTS) == 10
    assert len(files_of(entry)) == 4
    return entry


def files_of(entry: Entry) -> list[Path]:
    return sorted(entry.folder.iterdir())


def contents(entry: Entry) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in files_of(entry)}


def texts_in(path: Path) -> list[int]:
    """Return the positions of the texts that a chunk holds; none for the manifest."""
    if path.name == "manifest.json":
        return []
    keys = [key.tobytes() for key in load_file(path)["keys"].numpy()]
    return [position for position, text in enumerate(TEXTS) if text_key(text) in keys]


def check_repair(key: StoreKey, expected_missing: list[int], before: dict[str, bytes]) -> None:
    """Check that a fill reports the damage and restores every file."""
    messages: list[str] = []
    again = Entry(key, name="toy")
    assert again.damaged != []
    assert again.missing(TEXTS) == expected_missing
    assert fill(again, TEXTS, notify=messages.append) == len(expected_missing)
    assert is_right(again, TEXTS)
    assert contents(again) == before
    assert len(messages) == 1 + bool(expected_missing)  # the damage, and the size of new states
    assert Entry(key).damaged == []


# Changed bytes, truncated files, missing files


def test_changed_byte_is_found_and_repaired_in_every_file(entry):
    before, flipped = contents(entry), 0
    for path in files_of(entry):
        content = path.read_bytes()
        lost = texts_in(path)
        assert len(lost) == (0 if path.name == "manifest.json" else 2 if 8 in lost else 4)
        for where in {*range(0, len(content), len(content) // 12), len(content) - 1}:
            damaged = bytearray(content)
            damaged[where] ^= 1
            path.write_bytes(damaged)
            check_repair(entry.key, lost, before)
            flipped += 1
    assert flipped >= 4 * 13


def test_every_byte_of_the_manifest_is_verified(entry):
    path = entry.folder / "manifest.json"
    content, found = path.read_bytes(), 0
    for where in range(len(content)):
        path.write_bytes(content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :])
        found += read_manifest(entry.folder) is None
    assert found == len(content) > 500


def test_truncated_file_is_found_and_repaired(entry):
    before, cuts = contents(entry), 0
    for path in files_of(entry):
        lost = texts_in(path)
        size = path.stat().st_size
        for length in (0, 1, 8, 100, size // 2, size - 1):
            os.truncate(path, length)
            check_repair(entry.key, lost, before)
            cuts += 1
    assert cuts == 4 * 6


def test_missing_chunks_are_computed_again(entry):
    before, gone = contents(entry), 0
    for path in chunk_files(entry):
        lost = texts_in(path)
        path.unlink()
        assert {"1", "3"} <= set(entries()[0].problem.split())  # 1 of 3 chunks
        check_repair(entry.key, lost, before)
        gone += 1
    for path in chunk_files(entry):
        path.unlink()
        gone += 1
    check_repair(entry.key, list(range(10)), before)
    assert gone == 3 + 3


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"key": {}, "chunks": []}'])
def test_damaged_manifest_loses_no_text(entry, content):
    before = contents(entry)
    (entry.folder / "manifest.json").write_text(content)
    (listed,) = entries()
    assert (listed.name, listed.texts, listed.max_length) == ("(unknown)", 10, 40)
    assert listed.problem is not None
    check_repair(entry.key, [], before)
    assert entries()[0].problem is None


def test_missing_manifest_is_written_again(entry):
    before = contents(entry)
    (entry.folder / "manifest.json").unlink()
    unfinished = entries()[0].problem
    (entry.folder / "manifest.json").write_text("{")
    assert entries()[0].problem not in (None, unfinished)  # a damaged manifest
    (entry.folder / "manifest.json").unlink()
    assert entries()[0].problem == unfinished is not None
    again = Entry(entry.key, name="toy")
    assert is_right(again, TEXTS)
    assert fill(again, TEXTS) == 0
    assert contents(again) == before


def test_repair_without_missing_texts(entry):
    before = contents(entry)
    path = entry.folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:-20])
    again = Entry(entry.key, name="toy")
    with filelock.FileLock(f"{entry.folder}.lock"):
        again.repair()  # another process is filling the entry and repairs it
        assert contents(again) != before
    again.repair()
    assert contents(again) == before
    assert again.damaged == []


def test_fill_deletes_unfinished_files(entry):
    before = contents(entry)
    left = [f"{'0' * 32}.tmp", f"{'0' * 64}.safetensors"]
    others = ["notes.txt", "manifest.tmp", "x.safetensors", "0.tmp"]
    for name in left + others:
        (entry.folder / name).write_bytes(b"half a chunk")
    again = Entry(entry.key, name="toy")
    assert again.missing(TEXTS) == []
    assert fill(again, TEXTS) == 0
    assert contents(again) == before | dict.fromkeys(others, b"half a chunk")


def test_file_with_a_valid_checksum_but_no_chunk_is_rejected(entry):
    before = contents(entry)
    for content in (b"", b"text", (10**15).to_bytes(8, "little") + b"{}"):
        (entry.folder / f"{hashlib.sha256(content).hexdigest()}.safetensors").write_bytes(content)
    other = entry.folder / "other.tmp"
    save_file({"weights": torch.zeros(3)}, other)
    other.rename(other.with_name(f"{hashlib.sha256(other.read_bytes()).hexdigest()}.safetensors"))
    check_repair(entry.key, [], before)


# Other formats


def write_format_1(folder: Path, key: dict) -> int:
    """Write an entry in format 1 and return its size in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = torch.tensor([list(text_key(text)) for text in TEXTS], dtype=torch.uint8)
    chunk = folder / f"{'ab' * 16}.safetensors"
    save_file({"states": states_of(TEXTS), "keys": keys}, chunk)
    digest = hashlib.sha256(chunk.read_bytes()).hexdigest()
    chunks = [{"file": chunk.name, "rows": 10, "sha256": digest}]
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"name": "toy", "key": key, "chunks": chunks}, indent=1))
    return chunk.stat().st_size + manifest.stat().st_size


def test_older_entry_is_listed_and_cleared_but_not_read():
    key = KEY.to_dict() | {"format": 1}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    size = write_format_1(home() / "store" / digest, key)
    assert Entry(KEY).missing(TEXTS) == list(range(10))
    assert fill(Entry(KEY), TEXTS) == 10
    (older,) = (entry for entry in entries() if entry.entry == digest)
    assert (older.name, older.texts, older.bytes) == ("toy", 0, size)
    assert "1" in older.problem
    held = sum(entry.bytes for entry in entries())
    assert clear().freed == held > size
    assert entries() == []


@pytest.mark.parametrize("format_", [1, KEY.format], ids=["old key", "current key"])
def test_older_manifest_is_ignored(format_):
    entry = Entry(KEY, name="toy")
    write_format_1(entry.folder, KEY.to_dict() | {"format": format_})
    again = Entry(KEY, name="toy")
    assert again.missing(TEXTS) == list(range(10))
    assert fill(again, TEXTS) == 10
    assert is_right(Entry(KEY), TEXTS)
    assert len(files_of(again)) == 4
    assert all(re.fullmatch(r"[0-9a-f]{64}", path.stem) for path in chunk_files(again))


@KEYS
def test_manifest_of_a_later_format_is_ignored(key):
    later = replace(key, format=key.format + 1)
    fill(Entry(later), TEXTS)
    shutil.copytree(Entry(later).folder, Entry(key).folder)
    assert Entry(key).missing(TEXTS) == list(range(10))
    assert fill(Entry(key), TEXTS) == 10
    assert is_right(Entry(key), TEXTS)


# Killed processes


@processes
@pytest.mark.parametrize("finished", [1, 2, 3])
@KEYS
def test_killed_fill_keeps_its_chunks(key, finished, tmp_path):
    child = Child(fill_on_command, key, tmp_path, TEXTS, ROWS)
    for chunk in range(finished):
        assert child.connection.recv() == "added"
        if chunk < finished - 1:
            child.connection.send("continue")
    entry = Entry(key, root=tmp_path)
    with pytest.raises(filelock.Timeout):
        filelock.FileLock(f"{entry.folder}.lock", timeout=0).acquire()
    child.kill()
    assert not (entry.folder / "manifest.json").exists()
    whole = min(10, finished * ROWS)
    (listed,) = entries(tmp_path)
    assert listed.texts == whole
    assert listed.problem is not None
    assert fill(entry, TEXTS) == 10 - whole
    assert is_right(entry, TEXTS)
    assert len(files_of(entry)) == 4


@processes
@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs a limit on the size of files")
@KEYS
def test_fill_killed_at_any_byte_can_be_repeated(key, tmp_path):
    sound = Entry(key, root=tmp_path / "sound")
    fill(sound, TEXTS)
    first = chunk_files(sound)[0].stat().st_size  # the last chunk is smaller
    largest = max(path.stat().st_size for path in chunk_files(sound))
    killed = 0
    for size in (1, 8, 200, first // 2, largest - 1):
        root = tmp_path / str(size)
        child = Child(fill_until_byte, key, root, TEXTS, ROWS, size)
        child.process.join()
        assert child.process.exitcode == -signal.SIGXFSZ
        entry = Entry(key, root=root)
        (left,) = files_of(entry)
        assert (left.suffix, left.stat().st_size) == (".tmp", size)
        assert fill(entry, TEXTS) == 10
        assert is_right(entry, TEXTS)
        assert sorted(contents(entry)) == sorted(contents(sound))
        killed += 1
    assert killed == 5


@processes
@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs a limit on the size of files")
@KEYS
def test_fill_killed_while_writing_the_manifest_loses_no_text(key, tmp_path):
    sound = Entry(key, root=tmp_path / "sound")
    fill(sound, TEXTS, rows=1)
    largest = max(path.stat().st_size for path in chunk_files(sound))
    assert largest < (sound.folder / "manifest.json").stat().st_size
    child = Child(fill_until_byte, key, tmp_path, TEXTS, 1, largest)
    child.process.join()
    assert child.process.exitcode == -signal.SIGXFSZ
    entry = Entry(key, root=tmp_path)
    assert [path.suffix for path in files_of(entry)].count(".tmp") == 1
    assert fill(entry, TEXTS) == 0
    assert contents(entry) == contents(sound)


@processes
def test_process_killed_while_writing_leaves_no_chunk(tmp_path):
    entry, cut = Entry(KEY, root=tmp_path), 0
    for _ in range(10):
        child = Child(add_much, tmp_path, 1_000_000)  # 60 MB
        assert child.connection.recv() == "ready"
        child.connection.send("continue")
        while not (found := list(entry.folder.iterdir())):
            assert child.process.is_alive()
        child.kill()
        found = files_of(entry)
        cut += [path.suffix for path in found] == [".tmp"]
        assert fill(entry, TEXTS) == 10
        assert is_right(entry, TEXTS)
        assert not list(entry.folder.glob("*.tmp"))
        clear(tmp_path)
        entry = Entry(KEY, root=tmp_path)
        if cut:
            break
    assert cut == 1


@processes
@KEYS
def test_twenty_processes_continue_after_the_lock_holder_is_killed(key, tmp_path):
    texts = [f"film {number}" for number in range(60)]
    children = [Child(fill_on_command, key, tmp_path, texts, 10) for _ in range(20)]
    open_ones = {child.connection: child for child in children}
    (holder,) = wait(list(open_ones))[:1]
    assert holder.recv() == "added"
    open_ones.pop(holder).kill()

    finished: list[tuple[int, bool]] = []
    while open_ones:
        for connection in wait(list(open_ones)):
            received = connection.recv()
            if received == "added":
                connection.send("continue")
            else:
                finished.append(received)
                open_ones.pop(connection).process.join()
    assert len(finished) == 19
    assert all(right for _, right in finished)
    assert sorted(computed for computed, _ in finished) == [0] * 18 + [50]  # 10 by the killed one
    entry = Entry(key, root=tmp_path)
    assert is_right(entry, texts)
    assert entry.damaged == []
    assert entries(tmp_path)[0].texts == 60
    assert len(files_of(entry)) == 6 + 1


# Full disks and missing permissions


@contextmanager
def read_only(*folders: Path):
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


def attempt(root: Path, largest_file: int | None = None, limit: int | None = None):
    return Child(fill_where_it_may_not_be_possible, root, TEXTS, largest_file, limit).result()


@processes
@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="needs POSIX permissions")
def test_read_only_store_is_read_and_new_states_stay_in_memory(tmp_path):
    if sys.platform != "linux" and os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    part = Entry(KEY, root=tmp_path)
    fill(part, TEXTS[:4])
    before = contents(part)
    for folders in ([part.folder], [part.folder, part.folder.parent, tmp_path]):
        with read_only(*folders):
            computed, right, (warning,), messages, digest, writable = attempt(tmp_path)
        assert writable == (tmp_path not in folders)
        assert (computed, right, messages) == (6, True, [])
        for datum in ("Permission denied", "2.2 kB", "THAWLINE_HOME"):
            assert datum in warning
        assert contents(part) == before
    assert fill(part, TEXTS) == 6  # none of them was kept
    assert digest == part.digest(TEXTS)

    with read_only(part.folder, part.folder.parent, tmp_path):
        computed, right, warned, messages, digest, writable = attempt(tmp_path)
    assert (computed, right, warned, messages, writable) == (0, True, [], [], False)


@processes
@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="needs POSIX permissions")
def test_token_states_cannot_be_added_to_a_read_only_store(tmp_path):
    if sys.platform != "linux" and os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    part = Entry(LINE_KEY, root=tmp_path)
    fill(part, TEXTS[:4])
    before = contents(part)
    for folders in ([part.folder], [part.folder, part.folder.parent, tmp_path]):
        with read_only(*folders):
            child = Child(fill_and_be_refused, LINE_KEY, tmp_path, TEXTS, None)
            size, why, missing = child.result()
        assert size == size_of(LINE_KEY, TEXTS[4:])
        assert "Permission denied" in why
        assert missing == [4, 5, 6, 7, 8, 9]
        assert contents(part) == before
    assert fill(part, TEXTS) == 6
    assert is_right(part, TEXTS)
    with read_only(part.folder, part.folder.parent, tmp_path):
        assert Child(fill_and_be_refused, LINE_KEY, tmp_path, TEXTS, None).result() == "not refused"


@processes
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_token_states_that_fill_the_disk_keep_complete_chunks(tmp_path):
    texts = sorted(TEXTS[:8], key=lambda text: len(token_states_of(text)))
    sound = Entry(LINE_KEY, root=tmp_path / "sound")
    fill(sound, texts)
    small, large = sorted(path.stat().st_size for path in chunk_files(sound))
    assert small < large  # the large chunk is written last
    size, why, missing = Child(fill_and_be_refused, LINE_KEY, tmp_path, texts, large - 1).result()
    assert size == large
    assert "File too large" in why
    assert missing == [4, 5, 6, 7]
    entry = Entry(LINE_KEY, root=tmp_path)
    assert not list(entry.folder.glob("*.tmp"))
    assert fill(entry, texts) == 4
    assert contents(entry) == contents(sound)


@processes
def test_damaged_chunk_of_a_read_only_store_is_not_read(tmp_path):
    entry = Entry(KEY, root=tmp_path)
    fill(entry, TEXTS)
    os.truncate(chunk_files(entry)[0], 100)
    before = contents(entry)
    with read_only(entry.folder, entry.folder.parent, tmp_path):
        computed, right, warned, messages, *_ = attempt(tmp_path)
    assert computed in (2, 4)
    assert right
    (message,) = messages
    assert "1" in message.split()
    assert len(warned) == 1
    assert contents(entry) == before


def test_file_in_place_of_the_store_folder(tmp_path):
    (tmp_path / "store").write_text("a file")
    entry = Entry(KEY, root=tmp_path)
    with pytest.warns(UserWarning, match="Not a dir|File exists"):
        assert fill(entry, TEXTS) == 10
    assert is_right(entry, TEXTS)
    assert (entries(tmp_path), clear(tmp_path).freed) == ([], 0)


@processes
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_remaining_states_stay_in_memory_when_the_disk_is_full(tmp_path):
    sound = Entry(KEY, root=tmp_path / "sound")
    fill(sound, TEXTS, rows=ROWS)
    sizes = sorted(path.stat().st_size for path in chunk_files(sound))
    assert sizes[0] < sizes[1] <= sizes[2]  # two texts, four and four
    fill(Entry(KEY, root=tmp_path), TEXTS[8:])
    computed, right, (warning,), messages, digest, _ = attempt(tmp_path, largest_file=sizes[0])
    assert (computed, right, digest) == (8, True, sound.digest(TEXTS))
    assert len(messages) == 1
    for datum in ("File too large", "2.9 kB", "thawline store clear"):
        assert datum in warning
    assert "THAWLINE_HOME" not in warning  # the fix is to free disk space
    entry = Entry(KEY, root=tmp_path)
    assert entry.missing(TEXTS) == list(range(8))
    assert [path.suffix for path in files_of(entry)].count(".tmp") == 0
    assert fill(entry, TEXTS) == 8
    assert is_right(entry, TEXTS)


def test_small_disk(mounted_disk):
    tiny_disk = mounted_disk("16k")
    entry = Entry(KEY, root=tiny_disk)
    texts = [f"film {number}" for number in range(40)]  # 15 kB of states, plus headers
    with pytest.warns(UserWarning, match="thawline store clear") as caught:
        assert fill(entry, texts, limit=10**9) == 40
    assert len(caught) == 1
    assert "compute.store_limit" not in str(caught[0].message)  # the disk is full, not the store
    assert is_right(entry, texts)
    kept = 40 - len(Entry(KEY, root=tiny_disk).missing(texts))
    assert 0 <= kept < 40
    assert not list(entry.folder.glob("*.tmp"))
    again = Entry(KEY, root=tiny_disk)
    with pytest.warns(UserWarning, match="thawline store clear"):
        assert fill(again, texts, limit=10**9) == 40 - kept
    assert torch.equal(everything(again, texts), everything(entry, texts))
