"""Toy states of texts, pooled and at a line, and functions that fill an entry in other processes.

These processes are forked from a server that has imported torch and this module, so they start in
milliseconds. They do not have the environment of the fixtures, so they get the root as an argument.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import warnings
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from thawline.backbones.pooling import POOLINGS
from thawline.store import Content, Entry, NoRoom, StoreKey, text_key

KEY = StoreKey(backbone="b" * 64, max_length=40, truncation_side="right", dtype="float32")
LINE_KEY = replace(KEY, line=3)
KEYS = pytest.mark.parametrize("key", [KEY, LINE_KEY], ids=["pooled", "line"])
"""Parametrises a test over the two kinds of content of an entry."""

STAGES, HIDDEN = 5, 6
TEXTS = [f"film {number}" for number in range(10)]
ROWS = 4
"""The number of texts in a chunk. The ten texts above make three chunks."""


def drawn(text: str, *shape: int) -> Tensor:
    """Return random numbers that depend only on the text."""
    generator = torch.Generator().manual_seed(int.from_bytes(text_key(text)[:6]))
    return torch.randn(*shape, generator=generator)


def states_of(texts: list[str]) -> Tensor:
    """Return pooled states, ``(texts, stages, 3, hidden)``."""
    return torch.stack([drawn(text, STAGES, 3, HIDDEN) for text in texts])


def token_states_of(text: str) -> Tensor:
    """Return token states, ``(tokens, hidden)``, of one to nine tokens."""
    return drawn(text, 1 + text_key(text)[0] % 9, HIDDEN)


def content_of(key: StoreKey, texts: list[str]) -> Content:
    """Return the content of an entry of this key for some texts."""
    rows = [token_states_of(text) for text in texts]
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int32)
    states = states_of(texts) if key.line is None else torch.cat(rows)
    return {"states": states.to(getattr(torch, key.dtype)), "lengths": lengths}


def size_of(key: StoreKey, texts: list[str]) -> int:
    return sum(tensor.nbytes for tensor in content_of(key, texts).values())


def fill(
    entry: Entry,
    texts: list[str],
    rows: int = ROWS,
    after_chunk=lambda: None,
    limit: int | None = None,
    notify=lambda line: None,
) -> int:
    """Add the missing texts in chunks and return their number."""
    with entry.filling(notify):
        missing = [texts[position] for position in entry.missing(texts)]
        if missing:
            entry.plan(len(missing), size_of(entry.key, missing), limit, notify)
        for start in range(0, len(missing), rows):
            part = missing[start : start + rows]
            entry.add(part, content_of(entry.key, part))
            after_chunk()
    return len(missing)


def expected(texts: list[str], stages: tuple[int, ...], pooling: str) -> Tensor:
    states = states_of(texts)[:, :, POOLINGS.index(pooling)]
    return torch.cat([states[:, stage] for stage in stages], dim=1)


def everything(entry: Entry, texts: list[str], pooling: str = "mean") -> Tensor:
    """Return the features of every stage, or the padded token states, of some texts."""
    if entry.key.line is not None:
        return entry.token_states(texts).take(np.arange(len(texts)))
    features = entry.features(texts, range(STAGES), pooling)
    return features.take(torch.arange(len(texts)))


def is_right(entry: Entry, texts: list[str]) -> bool:
    """Return whether an entry has the right states: all poolings and stages, or all tokens."""
    if entry.missing(texts):
        return False
    dtype = getattr(torch, entry.key.dtype)
    if entry.key.line is not None:
        wanted = pad_sequence([token_states_of(text).to(dtype) for text in texts], batch_first=True)
        return torch.equal(everything(entry, texts), wanted)
    whole = tuple(range(STAGES))
    return all(
        torch.equal(
            everything(entry, texts, pooling), expected(texts, whole, pooling).to(dtype).float()
        )
        for pooling in POOLINGS
    )


def chunk_files(entry: Entry) -> list[Path]:
    return sorted(entry.folder.glob("*.safetensors"))


# Processes


class Child:
    """A process that runs one of the functions below, whose first argument is a connection."""

    def __init__(self, work, *arguments: object) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["pytest", "torch", "thawline.store", __name__])
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, *arguments))
        self.process.start()
        theirs.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        assert self.process.exitcode == -signal.SIGKILL

    def result(self):
        """Return what the function sent, after the process has ended without an error."""
        received = self.connection.recv()
        self.process.join()
        assert self.process.exitcode == 0
        return received


def fill_on_command(
    connection: Connection, key: StoreKey, root: Path, texts: list[str], rows: int
) -> None:
    """Fill an entry, waiting for a message after each chunk, and then check its content."""

    def wait() -> None:
        connection.send("added")
        connection.recv()

    entry = Entry(key, root=root)
    computed = fill(entry, texts, rows, after_chunk=wait)
    connection.send((computed, is_right(entry, texts)))


def fill_until_byte(
    connection: Connection, key: StoreKey, root: Path, texts: list[str], rows: int, size: int
) -> None:
    """Fill an entry until the kernel kills this process, because a file exceeds a size."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    fill(Entry(key, root=root), texts, rows)
    connection.send("not killed")


def add_much(connection: Connection, root: Path, hidden: int) -> None:
    """Wait for a message and then add one chunk that takes some time to write."""
    entry = Entry(KEY, root=root)
    content = {"states": torch.zeros(1, STAGES, 3, hidden), "lengths": torch.ones(1)}
    with entry.filling():
        connection.send("ready")
        connection.recv()
        entry.add(["film"], content)


def fill_where_it_may_not_be_possible(
    connection: Connection,
    root: Path,
    texts: list[str],
    largest_file: int | None,
    limit: int | None,
) -> None:
    """Fill an entry without root's privileges, and send the result and all messages."""
    drop_privileges()
    if largest_file is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    messages: list[str] = []
    entry = Entry(KEY, root=root)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        computed = fill(entry, texts, limit=limit, notify=messages.append)
    warned = [str(warning.message) for warning in caught]
    digest = entry.digest(texts)
    writable = os.access(root, os.W_OK, effective_ids=True)
    connection.send((computed, is_right(entry, texts), warned, messages, digest, writable))


def fill_and_be_refused(
    connection: Connection, key: StoreKey, root: Path, texts: list[str], largest_file: int | None
) -> None:
    """Fill an entry without root's privileges, and send why the store refuses it."""
    drop_privileges()
    if largest_file is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    entry = Entry(key, root=root)
    try:
        fill(entry, texts)
    except NoRoom as refused:
        connection.send((refused.size, refused.obstacle.why, entry.missing(texts)))
    else:
        connection.send("not refused")


def drop_privileges() -> None:
    """Give up root's privilege to write despite the permissions (only on Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "capset"):
        version_3, this_process = 0x20080522, 0
        header = (ctypes.c_uint32 * 2)(version_3, this_process)
        nothing = (ctypes.c_uint32 * 6)()
        assert libc.capset(header, nothing) == 0, os.strerror(ctypes.get_errno())


def read_on_command(connection: Connection, key: StoreKey, root: Path, texts: list[str]) -> None:
    """Open an entry, wait for a message, and send whether its content is right."""
    entry = Entry(key, root=root)
    connection.send("opened")
    connection.recv()
    connection.send(is_right(entry, texts))
