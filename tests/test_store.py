from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import fields, replace
from pathlib import Path

import filelock
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from thawline import store
from thawline.backbones import POOLINGS
from thawline.store import Entry, StoreKey, clear, entries, home, text_key

KEY = StoreKey(backbone="b" * 64, max_length=40, truncation_side="right", dtype="float32")
STAGES, HIDDEN = 5, 6
TEXTS = [f"film {number}" for number in range(10)]


def states_of(texts: list[str], dtype: torch.dtype = torch.float32) -> Tensor:
    """States ``(texts, stages, 3, hidden)`` that follow from each text alone."""
    rows = []
    for text in texts:
        generator = torch.Generator().manual_seed(int.from_bytes(text_key(text)[:6]))
        rows.append(torch.randn(STAGES, 3, HIDDEN, generator=generator))
    return torch.stack(rows).to(dtype)


def fill(entry: Entry, texts: list[str], rows: int = 4, dtype: torch.dtype = torch.float32) -> int:
    """Add what is missing, in chunks; return the number of texts that were."""
    with entry.filling():
        missing = [texts[position] for position in entry.missing(texts)]
        for start in range(0, len(missing), rows):
            part = missing[start : start + rows]
            entry.add(part, states_of(part, dtype))
    return len(missing)


def expected(texts: list[str], stages: tuple[int, ...], pooling: str) -> Tensor:
    states = states_of(texts)[:, :, POOLINGS.index(pooling)]
    return torch.cat([states[:, stage] for stage in stages], dim=1)


def everything(entry: Entry, texts: list[str]) -> Tensor:
    features = entry.features(texts, range(STAGES), "mean")
    return features.take(torch.arange(len(texts)))


def chunk_files(entry: Entry) -> list[Path]:
    return sorted(entry.folder.glob("*.safetensors"))


# Where, and under which key


def test_the_store_is_below_thawline_home(monkeypatch, tmp_path):
    monkeypatch.setenv("THAWLINE_HOME", str(tmp_path / "mine"))
    assert home() == tmp_path / "mine"
    assert Entry(KEY).folder == tmp_path / "mine" / "store" / KEY.digest()
    monkeypatch.setenv("THAWLINE_HOME", "~/mine")
    assert home() == Path.home() / "mine"
    monkeypatch.setenv("THAWLINE_HOME", "")
    assert home() == Path.home() / ".cache" / "thawline"
    monkeypatch.delenv("THAWLINE_HOME")
    assert home() == Path.home() / ".cache" / "thawline"


OTHER = {
    "backbone": "c" * 64,
    "max_length": 41,
    "truncation_side": "left",
    "dtype": "bfloat16",
    "format": KEY.format + 1,
}


@pytest.mark.parametrize("name", [field.name for field in fields(StoreKey)])
def test_every_field_of_the_key_makes_an_entry_of_its_own(name):
    other = replace(KEY, **{name: OTHER[name]})
    assert other.digest() != KEY.digest() == replace(KEY).digest()
    fill(Entry(KEY), TEXTS)
    assert Entry(other).missing(TEXTS) == list(range(10))


def test_a_manifest_of_another_key_is_not_believed():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    path = entry.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["key"]["max_length"] = 512
    path.write_text(json.dumps(manifest))
    assert Entry(KEY).missing(TEXTS) == list(range(10))


@settings(deadline=None)
@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_texts_share_a_key_only_when_they_are_the_same(one, other):
    assert len(text_key(one)) == 16
    assert (text_key(one) == text_key(other)) is (one == other)


def test_the_smallest_difference_between_texts_counts():
    alike = ["film", "film ", "Film", "film\n", "ﬁlm", "", " ", "?", "\ud800", "\ud801"]
    assert len({text_key(text) for text in alike}) == len(alike)


# Filling


def test_a_second_fill_computes_nothing():
    entry = Entry(KEY)
    assert fill(entry, TEXTS) == 10
    files = [(path, path.stat().st_mtime_ns) for path in chunk_files(entry)]
    assert len(files) == 3
    assert entry.missing(TEXTS) == []
    assert fill(entry, TEXTS) == 0
    reopened = Entry(KEY)
    assert fill(reopened, TEXTS) == 0
    assert [(path, path.stat().st_mtime_ns) for path in chunk_files(entry)] == files
    assert torch.equal(everything(reopened, TEXTS), everything(entry, TEXTS))


def test_sets_share_the_texts_that_they_have_in_common():
    fill(Entry(KEY), TEXTS[:6])
    entry = Entry(KEY)
    assert entry.missing(TEXTS[3:]) == [3, 4, 5, 6]  # film 6 to film 9
    assert fill(entry, TEXTS[3:]) == 4
    assert fill(entry, TEXTS) == 0


def test_a_text_that_occurs_twice_is_computed_once():
    entry = Entry(KEY)
    twice = ["film", "plot", "film", "cast", "plot", "film"]
    assert entry.missing(twice) == [0, 1, 3]
    assert fill(entry, twice) == 3
    assert entries()[0]["texts"] == 3
    assert torch.equal(everything(entry, twice), expected(twice, tuple(range(STAGES)), "mean"))


def test_what_another_process_added_is_seen_when_filling():
    first, second = Entry(KEY), Entry(KEY)
    fill(first, TEXTS[:5])
    assert len(second.missing(TEXTS)) == 10
    assert fill(second, TEXTS) == 5  # refreshed under the lock
    assert len(first.missing(TEXTS)) == 5
    first.refresh()
    assert first.missing(TEXTS) == []
    assert torch.equal(everything(first, TEXTS), everything(second, TEXTS))


def test_a_fill_that_breaks_keeps_its_finished_chunks():
    entry = Entry(KEY)

    def break_off() -> None:
        with entry.filling():
            entry.add(TEXTS[:4], states_of(TEXTS[:4]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    again = Entry(KEY)
    assert again.missing(TEXTS) == [4, 5, 6, 7, 8, 9]
    assert fill(again, TEXTS) == 6  # the lock was given back, too
    assert torch.equal(everything(again, TEXTS), expected(TEXTS, tuple(range(STAGES)), "mean"))


@pytest.mark.parametrize("moment", ["_sha256", "asdict"])
def test_a_fill_that_breaks_within_a_chunk_loses_that_chunk_alone(monkeypatch, moment):
    entry = Entry(KEY)
    fill(entry, TEXTS[:4])

    def fail(*args: object) -> None:
        raise OSError("disk full")

    with entry.filling(), monkeypatch.context() as patch:
        patch.setattr(store, moment, fail)  # before the chunk has its name; before the manifest
        with pytest.raises(OSError, match="disk full"):
            entry.add(TEXTS[4:], states_of(TEXTS[4:]))
    again = Entry(KEY)
    assert again.missing(TEXTS) == [4, 5, 6, 7, 8, 9]
    assert fill(again, TEXTS) == 6
    assert Entry(KEY).missing(TEXTS) == []


# Damage


@pytest.mark.parametrize("where", [0, 100, -1])
def test_a_flipped_byte_is_found_and_its_texts_are_computed_again(where):
    entry = Entry(KEY)
    fill(entry, TEXTS)
    spoilt = entry.folder / entry._chunks[1]["file"]  # texts 4 to 7
    content = bytearray(spoilt.read_bytes())
    content[where] ^= 1
    spoilt.write_bytes(content)
    again = Entry(KEY)
    assert again.missing(TEXTS) == [4, 5, 6, 7]
    assert fill(again, TEXTS) == 4
    last = Entry(KEY)
    assert last.missing(TEXTS) == []
    assert torch.equal(everything(last, TEXTS), expected(TEXTS, tuple(range(STAGES)), "mean"))


def test_a_chunk_that_is_gone_is_computed_again():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    (entry.folder / entry._chunks[0]["file"]).unlink()
    again = Entry(KEY)
    assert again.missing(TEXTS) == [0, 1, 2, 3]
    assert fill(again, TEXTS) == 4


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"key": {}, "chunks": []}'])
def test_a_damaged_manifest_costs_the_entry_and_nothing_else(content):
    entry = Entry(KEY, name="toy")
    fill(entry, TEXTS)
    size = sum(path.stat().st_size for path in chunk_files(entry))
    (entry.folder / "manifest.json").write_text(content)
    (listed,) = entries()
    assert (listed["name"], listed["texts"], listed["max_length"]) == ("(damaged)", 0, None)
    assert listed["bytes"] == size + len(content)
    again = Entry(KEY, name="toy")
    assert again.missing(TEXTS) == list(range(10))
    assert fill(again, TEXTS) == 10
    assert entries()[0]["name"] == "toy"


def test_a_manifest_cut_short_is_a_damaged_one():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    path = entry.folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:-20])
    assert Entry(KEY).missing(TEXTS) == list(range(10))


# Reading


@pytest.mark.parametrize("stages", [(0,), (4,), (3, 1), tuple(range(STAGES)), (2, 2)])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_features_are_what_was_put_in(stages, pooling):
    entry = Entry(KEY)
    fill(entry, TEXTS[::-1])  # chunks in another order than the texts
    shuffled = [TEXTS[position] for position in (7, 0, 0, 9, 3, 8, 1)]
    features = entry.features(shuffled, stages, pooling)
    assert (len(features), features.width) == (7, len(stages) * HIDDEN)
    whole = expected(shuffled, stages, pooling)
    assert torch.equal(features.take(torch.arange(7)), whole)
    positions = torch.tensor([6, 2, 2, 0, 5])
    assert torch.equal(features.take(positions), whole[positions])
    for rows in (1, 3, 7, 100):
        blocks = list(features.blocks(rows))
        assert [len(block) for block in blocks[:-1]] == [rows] * (len(blocks) - 1)
        assert torch.equal(torch.cat(blocks), whole)


def test_bf16_states_come_back_in_fp32():
    entry = Entry(replace(KEY, dtype="bfloat16"))
    fill(entry, TEXTS, dtype=torch.bfloat16)
    found = entry.features(TEXTS, (2,), "last").take(torch.arange(10))
    assert found.dtype == torch.float32
    assert torch.equal(found, expected(TEXTS, (2,), "last").bfloat16().float())


def test_features_of_no_texts_have_a_width_and_no_rows():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    features = entry.features([], (1, 2), "mean")
    assert features.take(torch.arange(0)).shape == (0, 2 * HIDDEN)


def test_features_of_a_text_that_is_not_here_are_refused():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    with pytest.raises(KeyError):
        entry.features([*TEXTS, "another film"], (1,), "mean")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's list of mapped files")
def test_chunks_are_mapped_not_read():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    reopened = Entry(KEY)
    mapped = Path("/proc/self/maps").read_text()
    assert len(chunk_files(reopened)) == 3
    assert all(path.name in mapped for path in chunk_files(reopened))


# The digest of what was read


def test_the_digest_names_the_chunks_that_hold_the_texts():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    digest = entry.digest(TEXTS)
    assert entry.digest(TEXTS[::-1] * 2) == Entry(KEY).digest(TEXTS) == digest
    assert entry.digest(TEXTS[:4]) == entry.digest(TEXTS[:2])  # one chunk
    assert entry.digest(TEXTS[:4]) != entry.digest(TEXTS[4:8])
    fill(entry, ["another film"])
    assert entry.digest(TEXTS) == digest  # what was added since does not matter
    clear()
    other = Entry(KEY)
    with other.filling():
        other.add(TEXTS, states_of(TEXTS) + 1e-3)
    assert other.digest(TEXTS) != digest


# Looking at it, and emptying it


def test_entries_are_listed_with_their_key_texts_and_bytes():
    assert entries() == []
    fill(Entry(KEY, name="toy"), TEXTS)
    fill(Entry(replace(KEY, max_length=20), name="toy"), TEXTS[:3])
    long, short = sorted(entries(), key=lambda entry: -entry["max_length"])
    assert (long["name"], long["max_length"], long["texts"]) == ("toy", 40, 10)
    assert (short["max_length"], short["texts"], short["dtype"]) == (20, 3, "float32")
    folder = home() / "store" / long["entry"]
    assert folder == Entry(KEY).folder
    assert long["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert long["bytes"] > 10 * STAGES * 3 * HIDDEN * 4


def test_clear_frees_all_that_the_store_held():
    fill(Entry(KEY), TEXTS)
    fill(Entry(replace(KEY, max_length=20)), TEXTS)
    held = sum(entry["bytes"] for entry in entries())
    keep = home() / "mine.txt"
    keep.write_text("not the store's")
    assert clear() >= held > 0  # lock files counted
    assert entries() == []
    assert clear() == 0
    assert keep.exists()
    assert fill(Entry(KEY), TEXTS) == 10


def test_an_opened_entry_goes_on_after_the_store_was_cleared():
    entry = Entry(KEY)
    fill(entry, TEXTS[:5])
    clear()
    fill(entry, TEXTS)
    assert Entry(KEY).missing(TEXTS) == [0, 1, 2, 3, 4]  # those that clear took


# Two at once


def test_two_threads_compute_each_text_once():
    computed: list[int] = []
    start = threading.Barrier(2)

    def work() -> None:
        entry = Entry(KEY)
        start.wait()
        computed.append(fill(entry, TEXTS, rows=1))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(computed) == [0, 10]
    entry = Entry(KEY)
    assert entries()[0]["texts"] == 10
    assert torch.equal(everything(entry, TEXTS), expected(TEXTS, tuple(range(STAGES)), "mean"))


HALF_A_FILL = """
import sys
import torch
from thawline.store import Entry, StoreKey

entry = Entry(StoreKey(sys.argv[1], 40, "right", "float32"))
with entry.filling():
    for text in sys.argv[2:]:
        entry.add([text], torch.zeros(1, 5, 3, 6))
    print("three", flush=True)
    sys.stdin.readline()
"""


def test_a_process_that_is_killed_held_the_lock_and_leaves_what_it_finished():
    entry = Entry(KEY)
    entry.folder.mkdir(parents=True)
    command = [sys.executable, "-c", HALF_A_FILL, KEY.backbone, *TEXTS[:3]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout.readline() == b"three\n"
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(f"{entry.folder}.lock", timeout=0).acquire()
        worker.kill()
    assert fill(entry, TEXTS) == 7
    assert entries()[0]["texts"] == 10
