"""Test how an entry of the store is opened, filled, read, listed and limited."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import warnings
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.filesize import decimal

from tests.support.store_toys import (
    HIDDEN,
    KEY,
    KEYS,
    STAGES,
    TEXTS,
    chunk_files,
    content_of,
    everything,
    expected,
    fill,
    is_right,
    size_of,
    token_states_of,
)
from thawline.backbones.loading import load_backbone
from thawline.backbones.pooling import POOLINGS
from thawline.config import ComputeConfig
from thawline.errors import ThawlineError
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.report import PassReport
from thawline.runtime.progress import Reporter
from thawline.store import Entry, StoreKey, clear, entries, home, text_key
from thawline.store.capacity import Capacity
from thawline.store.index import Index, as_keys

# Location and key


def test_store_is_below_thawline_home(monkeypatch, tmp_path):
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
    "line": 3,
    "stage": 2,
}


@pytest.mark.parametrize("name", [field.name for field in fields(StoreKey)])
def test_every_field_of_the_key_identifies_the_entry(name):
    other = replace(KEY, **{name: OTHER[name]})
    assert other.digest() != KEY.digest() == replace(KEY).digest()
    fill(Entry(KEY), TEXTS)
    assert Entry(other).missing(TEXTS) == list(range(10))


def test_names_of_entries_are_stable():
    assert KEY.digest() == "7dc08ce83928a9c977a6ca4d3edfc619"
    assert replace(KEY, line=3).digest() == "0dd628edfc7632403c07b73c6e2f7e23"
    assert KEY.to_dict() == {
        "backbone": "b" * 64,
        "max_length": 40,
        "truncation_side": "right",
        "dtype": "float32",
        "format": 3,
    }
    assert replace(KEY, line=3).to_dict() == KEY.to_dict() | {"line": 3}


def test_bytes_of_pooled_chunks_are_stable():
    entry = Entry(KEY)
    with entry.filling():
        states = torch.arange(90.0).view(1, STAGES, 3, HIDDEN)
        entry.add(["film"], {"states": states, "lengths": torch.tensor([3], dtype=torch.int32)})
    assert [path.stem for path in chunk_files(entry)] == [
        "c8334578b42041fc9bfb0b6cdd0cba1ba252e385028b9add1310a1bc8e50ce67"
    ]


def test_at_line_opens_the_entry_of_another_line(tmp_path):
    fill(Entry(replace(KEY, line=2), root=tmp_path), TEXTS[:3])
    entry = Entry(KEY, name="toy", root=tmp_path)
    other = entry.at_line(2)
    assert (other.key, other.name) == (replace(KEY, line=2), "toy")
    assert other.missing(TEXTS) == [3, 4, 5, 6, 7, 8, 9]
    assert entry.missing(TEXTS) == list(range(10))


@KEYS
def test_chunks_of_another_entry_are_ignored(key):
    other, entry = Entry(replace(key, max_length=512)), Entry(key)
    fill(other, TEXTS)
    shutil.copytree(other.folder, entry.folder)
    assert len(chunk_files(entry)) == 3
    again = Entry(key)
    assert again.missing(TEXTS) == list(range(10))
    assert fill(again, TEXTS) == 10
    assert Entry(key).missing(TEXTS) == []
    assert {path.name for path in chunk_files(again)}.isdisjoint(
        path.name for path in chunk_files(other)
    )


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_only_equal_texts_have_the_same_key(one, other):
    assert len(text_key(one)) == 16
    assert (text_key(one) == text_key(other)) is (one == other)


def test_similar_texts_have_different_keys():
    similar = ["film", "film ", "Film", "film\n", "ﬁlm", "", " ", "?", "\ud800", "\ud801"]
    assert len({text_key(text) for text in similar}) == len(similar)


# Filling


@KEYS
def test_second_fill_computes_nothing(key):
    entry = Entry(key)
    assert fill(entry, TEXTS) == 10
    files = [(path, path.stat().st_mtime_ns) for path in chunk_files(entry)]
    assert len(files) == 3
    assert entry.missing(TEXTS) == []
    assert fill(entry, TEXTS) == 0
    reopened = Entry(key)
    assert fill(reopened, TEXTS) == 0
    assert [(path, path.stat().st_mtime_ns) for path in chunk_files(entry)] == files
    assert torch.equal(everything(reopened, TEXTS), everything(entry, TEXTS))


@KEYS
def test_sets_share_common_texts(key):
    fill(Entry(key), TEXTS[:6])
    entry = Entry(key)
    assert entry.missing(TEXTS[3:]) == [3, 4, 5, 6]  # film 6 to film 9
    assert fill(entry, TEXTS[3:]) == 4
    assert fill(entry, TEXTS) == 0


@KEYS
def test_repeated_text_is_computed_once(key):
    entry = Entry(key)
    twice = ["film", "plot", "film", "cast", "plot", "film"]
    assert entry.missing(twice) == [0, 1, 3]
    assert fill(entry, twice) == 3
    assert entries()[0].texts == 3
    assert is_right(entry, twice)


@KEYS
def test_fill_reads_what_another_process_added(key):
    first, second = Entry(key), Entry(key)
    fill(first, TEXTS[:5])
    assert len(second.missing(TEXTS)) == 10
    assert fill(second, TEXTS) == 5  # refreshed under the lock
    assert len(first.missing(TEXTS)) == 5
    first.refresh()
    assert first.missing(TEXTS) == []
    assert torch.equal(everything(first, TEXTS), everything(second, TEXTS))


@KEYS
def test_interrupted_fill_keeps_its_finished_chunks(key):
    entry = Entry(key)

    def break_off() -> None:
        with entry.filling():
            entry.add(TEXTS[:4], content_of(key, TEXTS[:4]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    again = Entry(key)
    assert again.missing(TEXTS) == [4, 5, 6, 7, 8, 9]
    assert fill(again, TEXTS) == 6  # the lock was released as well
    assert is_right(again, TEXTS)


# Reading


@pytest.mark.parametrize("stages", [(0,), (4,), (3, 1), tuple(range(STAGES)), (2, 2)])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_features_equal_the_added_states(stages, pooling):
    entry = Entry(KEY)
    fill(entry, TEXTS[::-1])  # the chunks have another order than the texts
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
    fill(entry, TEXTS)
    found = entry.features(TEXTS, (2,), "last").take(torch.arange(10))
    assert found.dtype == torch.float32
    assert torch.equal(found, expected(TEXTS, (2,), "last").bfloat16().float())


def test_features_of_no_texts_have_a_width_and_no_rows():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    features = entry.features([], (1, 2), "mean")
    assert features.take(torch.arange(0)).shape == (0, 2 * HIDDEN)


@KEYS
def test_lengths_equal_the_added_lengths(key):
    entry = Entry(key)
    fill(entry, TEXTS, rows=3)
    texts = [TEXTS[place] for place in (7, 0, 7, 3)]
    assert entry.lengths(texts).tolist() == [len(token_states_of(text)) for text in texts]
    with pytest.raises(KeyError):
        entry.lengths([*TEXTS, "another film"])


def test_features_of_a_missing_text_raise_key_error():
    entry = Entry(KEY)
    fill(entry, TEXTS)
    with pytest.raises(KeyError):
        entry.features([*TEXTS, "another film"], (1,), "mean")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the mapped files from /proc")
@KEYS
def test_chunks_are_memory_mapped(key):
    entry = Entry(key)
    fill(entry, TEXTS)
    reopened = Entry(key)
    everything(reopened, TEXTS)
    mapped = Path("/proc/self/maps").read_text()
    assert len(chunk_files(reopened)) == 3
    assert all(path.name in mapped for path in chunk_files(reopened))


# The digest of what was read


@KEYS
def test_digest_depends_on_the_chunks_that_hold_the_texts(key):
    entry = Entry(key)
    fill(entry, TEXTS)
    digest = entry.digest(TEXTS)
    assert entry.digest(TEXTS[::-1] * 2) == Entry(key).digest(TEXTS) == digest
    assert entry.digest(TEXTS[:4]) == entry.digest(TEXTS[:2])  # one chunk
    assert entry.digest(TEXTS[:4]) != entry.digest(TEXTS[4:8])
    fill(entry, ["another film"])
    assert entry.digest(TEXTS) == digest  # later additions do not matter
    del entry
    clear()
    other = Entry(key)
    with other.filling():
        content = content_of(key, TEXTS)
        other.add(TEXTS, {**content, "states": content["states"] + 1e-3})
    assert other.digest(TEXTS) != digest


# Listing and clearing


def test_entries_are_listed_with_their_key_texts_and_bytes():
    assert entries() == []
    fill(Entry(KEY, name="toy"), TEXTS)
    fill(Entry(replace(KEY, max_length=20, line=3), name="toy"), TEXTS[:3])
    long, short = sorted(entries(), key=lambda entry: -entry.max_length)
    assert (long.line, short.line) == (None, 3)
    assert (long.name, long.max_length, long.texts) == ("toy", 40, 10)
    assert (short.max_length, short.texts, short.dtype) == (20, 3, "float32")
    folder = home() / "store" / long.entry
    assert folder == Entry(KEY).folder
    assert long.bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert long.bytes > 10 * STAGES * 3 * HIDDEN * 4


@KEYS
def test_clear_deletes_all_entries(key):
    fill(Entry(key), TEXTS)
    fill(Entry(replace(key, max_length=20)), TEXTS)
    held = sum(entry.bytes for entry in entries())
    keep = home() / "mine.txt"
    keep.write_text("not the store's")
    assert clear().freed >= held > 0
    assert entries() == []
    assert clear().freed == 0
    assert keep.exists()
    assert fill(Entry(key), TEXTS) == 10


@KEYS
def test_open_entry_continues_after_its_folder_is_deleted(key):
    entry = Entry(key)
    fill(entry, TEXTS[:5])
    shutil.rmtree(entry.folder)
    fill(entry, TEXTS)
    assert Entry(key).missing(TEXTS) == [0, 1, 2, 3, 4]  # the deleted texts


@KEYS
def test_clear_keeps_an_entry_that_is_being_filled(key):
    fill(Entry(key), TEXTS)
    busy = Entry(replace(key, max_length=20))
    fill(busy, TEXTS[:3])
    with busy.filling():
        cleared = clear()
        assert (cleared.freed > 0, cleared.kept) == (True, (busy.folder.name,))
        (left,) = entries()
        assert (left.max_length, left.texts) == (20, 3)
    del busy
    assert clear().freed == left.bytes
    assert list((home() / "store").iterdir()) == []  # the lock files are deleted as well


# Size and limits


def size_of_store() -> int:
    return sum(path.stat().st_size for path in home().rglob("*") if path.is_file())


@KEYS
def test_size_is_reported_before_anything_is_written(key):
    messages, sizes = [], []

    def notify(line: str) -> None:
        messages.append(line)
        sizes.append(size_of_store())

    fill(Entry(replace(key, max_length=20)), TEXTS, limit=10**6)
    held = size_of_store()
    fill(Entry(key), TEXTS, limit=10**6, notify=notify)
    assert sizes == [held]
    added = size_of(key, TEXTS)
    (message,) = messages
    for datum in ("10", decimal(added), decimal(held + added), "1.0 MB"):
        assert datum in message
    assert added < size_of_store() - held < added + 3_000  # three headers and the manifest
    fill(Entry(key), TEXTS, limit=10**6, notify=notify)
    assert len(messages) == 1  # nothing was added


def test_store_stays_below_every_limit():
    in_memory = 0
    for limit in range(0, 9_000, 300):
        entry = Entry(KEY)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert fill(entry, TEXTS, limit=limit) == 10
        assert size_of_store() <= limit
        assert is_right(entry, TEXTS)
        missing = Entry(KEY).missing(TEXTS)
        assert bool(missing) == bool(caught)
        in_memory += bool(missing)
        del entry
        clear()
    assert 10 < in_memory < 29


def test_states_above_the_limit_stay_in_memory():
    fill(Entry(replace(KEY, max_length=20)), TEXTS, limit=10**6)
    held = size_of_store()
    digests = set()
    for _ in range(2):
        entry = Entry(KEY)
        with pytest.warns(UserWarning, match=r"compute\.store_limit") as caught:
            assert fill(entry, TEXTS, limit=6_000) == 10
        for datum in ("6.0 kB", decimal(held), "3.6 kB", "thawline store clear"):
            assert datum in str(caught[0].message)
        assert size_of_store() == held
        assert entry.missing(TEXTS) == []
        digests.add(entry.digest(TEXTS))
    entry = Entry(KEY)
    assert fill(entry, TEXTS, limit=20_000) == 10
    assert digests == {entry.digest(TEXTS)}  # the digest is the same in memory and on disk
    assert Entry(KEY).missing(TEXTS) == []


def test_limit_holds_if_another_process_fills_the_store():
    entry, other = Entry(KEY), Entry(replace(KEY, max_length=20))
    with entry.filling():
        entry.plan(10, 3_600, 9_000, lambda line: None)
        entry.add(TEXTS[:4], content_of(KEY, TEXTS[:4]))
        fill(other, TEXTS, limit=9_000)
        with pytest.warns(UserWarning, match=r"9\.0 kB"):
            entry.add(TEXTS[4:], content_of(KEY, TEXTS[4:]))
    assert size_of_store() <= 9_000
    assert is_right(entry, TEXTS)
    assert Entry(KEY).missing(TEXTS) == [4, 5, 6, 7, 8, 9]


def test_default_limit_is_a_quarter_of_the_disk(tmp_path):
    (tmp_path / "store" / ("0" * 32)).mkdir(parents=True)
    (tmp_path / "store" / ("0" * 32) / "manifest.json").write_bytes(bytes(1_000))
    (tmp_path / "store" / "of another program").write_bytes(bytes(1_000))
    found = Capacity.of(tmp_path / "store", None)
    assert found.used == 1_000
    assert found.limit == int((found.free + 1_000) * 0.25)
    assert found.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert Capacity.of(tmp_path / "not" / "there", 5) == Capacity(
        0, 5, pytest.approx(found.free, rel=0.1)
    )


def test_states_that_fit_nowhere_are_an_error():
    entry = Entry(KEY)
    for limit, above_limit in [(0, True), (10**18, False)]:
        with entry.filling(), pytest.raises(ThawlineError) as caught:
            entry.plan(10**12, 10**16, limit, lambda line: None)
        error = caught.value
        assert "10.0 PB" in error.expected
        assert ("0 bytes" in error.found) == above_limit
        assert ("`compute.store_limit`" in error.fix) == above_limit
        assert "thawline store clear" in error.fix
    assert entry.missing(TEXTS) == list(range(10))


@KEYS
def test_waiting_for_another_fill_is_reported(key):
    messages, entry = [], Entry(key)
    with entry.filling():
        notify = {"notify": messages.append}
        other = threading.Thread(target=fill, args=(Entry(key), TEXTS), kwargs=notify)
        other.start()
        while not messages:
            assert other.is_alive()
        entry.add(TEXTS, content_of(key, TEXTS))
    other.join()
    assert len(messages) == 1  # sent while the thread waited; nothing was left to add
    assert entries()[0].texts == 10


# With a backbone


class RecordingReporter(Reporter):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def run(folder: Path, texts: list[str], limit: int | None = None) -> tuple[Entry, PassReport, list]:
    """Compute missing states; return the entry, the report of the pass and the messages."""
    backbone, config = load_backbone(str(folder)), ComputeConfig(dtype="float32", store_limit=limit)
    reporter = RecordingReporter()
    frozen_pass = FrozenPass(backbone, 40, "right", config, reporter)
    entry = frozen_pass.open_entry()
    frozen_pass.ensure_pooled_states(entry, texts)
    return entry, frozen_pass.report, reporter.messages


def test_reported_size_is_the_written_size(toy_backbone, toy_reviews):
    texts = toy_reviews(200)[0]
    entry, report, (message,) = run(toy_backbone(), texts, limit=10**7)
    written = sum(path.stat().st_size for path in chunk_files(entry))
    size = 200 * (5 * 3 * 32 * 4 + 16 + 4)  # stages, poolings and width, then a key and a length
    for datum in ("200", decimal(size), "10.0 MB"):
        assert datum in message
    assert size < written < 1.01 * size
    _, report, messages = run(toy_backbone(), texts)
    assert (report.texts, messages) == (0, [])


def test_pass_above_the_limit_continues_from_memory(toy_backbone, toy_reviews):
    texts = toy_reviews(24)[0]
    wanted = (texts, range(5), "mean")
    everyone = torch.arange(24)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"compute\.store_limit"):
            entry, report, messages = run(toy_backbone(), texts, limit=0)
        assert (report.texts, messages, entries()) == (24, [], [])
        kept = entry.features(*wanted).take(everyone)
    entry, report, messages = run(toy_backbone(), texts)
    assert (report.texts, len(messages)) == (24, 1)
    assert torch.equal(entry.features(*wanted).take(everyone), kept)


def test_damaged_chunk_is_reported_and_computed_again(toy_backbone, toy_reviews):
    texts = toy_reviews(24)[0]
    run(toy_backbone(), texts[:10])
    entry, _, _ = run(toy_backbone(), texts)
    first, second = chunk_files(entry)
    before = {path.name: path.read_bytes() for path in (first, second)}
    damaged = bytearray(first.read_bytes())
    damaged[-1] ^= 1
    first.write_bytes(damaged)
    entry, report, messages = run(toy_backbone(), texts)
    assert report.texts in (10, 14)
    damage, _ = messages  # the second one reports the size of the new states
    assert "1" in damage.split()
    assert {path.name: path.read_bytes() for path in chunk_files(entry)} == before


PEAKS = """
import json, random, sys
sys.path.insert(0, sys.argv[1])
from tests.support.toys import WORDS
from thawline.backbones.loading import load_backbone
from thawline.config import ComputeConfig
from thawline.prefix.frozen_pass import FrozenPass

backbone = load_backbone(sys.argv[2])
config = ComputeConfig(dtype="float32", tokens_per_batch=1_024)  # 1,000 texts fill a batch
line = json.loads(sys.argv[3])
random = random.Random(0)
for number in (64, 1_000, 25_000):
    texts = [" ".join(random.choices(WORDS, k=random.randint(3, 36))) for _ in range(number)]
    frozen_pass = FrozenPass(backbone, 40, "right", config)
    entry = frozen_pass.open_entry(line)
    if line is None:
        frozen_pass.ensure_pooled_states(entry, texts)
    else:
        frozen_pass.ensure_token_states(entry, texts, frozen_pass.tokenize(texts))
    lines = (line.split(":") for line in open("/proc/self/status"))
    status = {name: value.split()[0] for name, value in lines if value.endswith("kB\\n")}
    print(frozen_pass.report.texts, status["VmHWM"], status["RssFile"], flush=True)
"""


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform != "linux", reason="reads memory usage from /proc")
@pytest.mark.parametrize("line", [None, pytest.param(3, marks=pytest.mark.slow)])
def test_peak_memory_is_constant_from_1000_to_25000_texts(toy_backbone, line):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PEAKS, str(root), str(toy_backbone()), json.dumps(line)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    _, small, large = (list(map(int, line.split())) for line in shown.splitlines())
    assert small[0] > 980
    assert large[0] > 23_800
    each = (5 * 3 if line is None else 19) * 32 * 4  # approximate bytes per text
    assert large[0] * each / 1_024 > 0.1 * small[1]  # in kB; all states together would be visible
    assert large[1] < 1.1 * small[1]
    assert large[2] < small[2] + 8_000  # chunks are not mapped before they are read


# Places of texts


@given(st.lists(st.lists(st.binary(min_size=16, max_size=16)), max_size=4), st.randoms())
def test_index_finds_the_same_as_a_dict(chunks, random):
    index, places = Index(), {}
    for number, keys in enumerate(chunks):
        index.add(as_keys(b"".join(keys)))
        for row, key in enumerate(keys):
            places.setdefault(key, (number, row))
        if random.random() < 0.5:
            index.find(as_keys(bytes(16)))
    wanted = [*places, bytes(16), b"\xff" * 16, bytes(15) + b"\x01"]
    random.shuffle(wanted)
    found = index.find(as_keys(b"".join(wanted)))
    assert [tuple(place) for place in found] == [places.get(key, (-1, -1)) for key in wanted]


# Two threads


@KEYS
def test_two_threads_compute_each_text_once(key):
    computed: list[int] = []
    start = threading.Barrier(2)

    def work() -> None:
        entry = Entry(key)
        start.wait()
        computed.append(fill(entry, TEXTS, rows=1))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(computed) == [0, 10]
    entry = Entry(key)
    assert entries()[0].texts == 10
    assert is_right(entry, TEXTS)
