"""Ways to break files in the working folder of a test. Each returns a function that does it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.artifacts import sign

Breakage = Callable[[], object]

TEXTS = ["a good film", "a bad film"] * 10
LABELS = ["pos", "neg"] * 10


@dataclass(frozen=True)
class Wrong:
    """A wrong input. docs/errors.md holds the line that it prints.

    A test runs the command in a folder with ``reviews/`` (a data set), ``bert/`` (a backbone) and
    ``run/`` (a finished run). ``fit``, ``info`` and ``preflight`` get ``--backbone bert`` unless
    they name one; ``fit`` and ``preflight`` also get ``--data reviews``.

    Attributes:
        given: What is wrong, in words.
        command: The command without ``thawline``.
        broken: Breaks the files that the command reads.
        home: THAWLINE_HOME. If None, the store of the test.
        unprivileged: Whether the command runs without root's permission to read and write all.
        largest_file: Maximum size of a file that the command can write, as on a full disk. None
            if there is no limit.
        leaves: Files that may remain, in a run that is recorded as failed.
        noted: Number of warnings that are printed before the error.
        hub: Whether the line quotes the hub's client in parentheses; the page shows ``(…)`` there.
    """

    given: str
    command: str
    broken: Breakage = lambda: None
    home: str | None = None
    unprivileged: bool = False
    largest_file: int | None = None
    leaves: tuple[str, ...] = ()
    noted: int = 0
    hub: bool = False

    @property
    def verb(self) -> str:
        return self.command.split()[0]


def both(*breakages: Breakage) -> Breakage:
    return lambda: [break_it() for break_it in breakages]


def written(path: str, content: str | bytes) -> Breakage:
    def write() -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def database(path: str, name: str) -> Breakage:
    """An SQLite file with one table of this name."""

    def write() -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as base, base:
            base.execute(f"create table {name} (text)")

    return write


def table(path: str, texts: list[Any] = TEXTS, labels: list[Any] = LABELS) -> Breakage:
    def write() -> None:
        import pandas as pd

        frame = pd.DataFrame({"text": texts, "label": labels})
        frame.to_parquet(path) if path.endswith("parquet") else frame.to_csv(path, index=False)

    return write


def folder(path: str, *files: str) -> Breakage:
    """A folder with valid tables of these names."""
    tables = [table(f"{path}/{name}") for name in files]
    return both(lambda: Path(path).mkdir(), *tables)


def packed(path: str) -> Breakage:
    """A gzip file of the file with this path without ``.gz``."""
    plain = Path(path).with_suffix("")
    return lambda: Path(path).write_bytes(gzip.compress(plain.read_bytes(), mtime=0))


def zipped(path: str, *members: str) -> Breakage:
    def write() -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for member in members:
                archive.writestr(member, "text,label\na,1\nb,0\n")

    return write


def cut_short(path: str, share: float = 0.5) -> Breakage:
    return lambda: os.truncate(path, int(Path(path).stat().st_size * share))


def removed(path: str) -> Breakage:
    return lambda: shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()


def renamed(path: str, name: str) -> Breakage:
    return lambda: Path(path).rename(Path(path).with_name(name))


def linked(path: str, target: str) -> Breakage:
    return lambda: Path(path).symlink_to(target)


def forbidden(path: str, mode: int = 0o000) -> Breakage:
    return lambda: Path(path).chmod(mode)


def json_with(path: str, **changes: Any) -> Breakage:
    """A JSON file with other values. A value of None removes the key."""

    def write() -> None:
        changed = json.loads(Path(path).read_text(encoding="utf-8")) | changes
        for key, value in changes.items():
            if value is None:
                del changed[key]
        Path(path).write_text(json.dumps(changed), encoding="utf-8")

    return write


def signed(broken: Breakage) -> Breakage:
    """The artifact of the run with new checksums, so that they are not the first finding."""

    def write() -> None:
        broken()
        sign(Path("run/model"))

    return write


def word_with_id(path: str, ids: Mapping[str, int]) -> Breakage:
    """A tokenizer with other ids for some words."""

    def write() -> None:
        tokenizer = json.loads(Path(path).read_text(encoding="utf-8"))
        tokenizer["model"]["vocab"] |= ids
        Path(path).write_text(json.dumps(tokenizer), encoding="utf-8")

    return write


def weights(path: str, name: str, change: Callable[[Any], Any]) -> Breakage:
    """Weights of which one tensor is changed, or removed if the change returns None."""

    def write() -> None:
        from safetensors.numpy import load_file, save_file

        tensors = load_file(path)
        changed = change(tensors.pop(name))
        save_file(tensors if changed is None else tensors | {name: changed}, path, {"format": "pt"})

    return write
