"""Replay power losses: resume a run from every state in which its folder can be left on the disk.

The model is a file system with a journal. The disk has the names of some earlier moment, and of
each file only the content that was flushed before that moment. Everything else is lost, so a file
that was never flushed is empty. ``python -m tests.support.power_loss`` prints counts.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.support.kills import JOBS, Job, content, killed_after

State = dict[str, bytes | None]
"""The content of each file below a folder by its path. None for a folder."""

CALLS = ("fsync", "replace", "rename", "mkdir", "rmdir", "unlink")
"""The system calls after which the disk may have another state."""


class Disk:
    """Records the states of a folder on the disk while a run writes to it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.states = folder, [State()]
        self._flushed: dict[int, bytes] = {}  # by inode

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record a state after each system call."""
        with patch.multiple(os, **{name: self._watched(name) for name in CALLS}):
            yield

    def _watched(self, name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            result = call(*arguments, **options)
            if name == "fsync":
                self._flush(arguments[0])
            state = self._state()
            if state != self.states[-1]:
                self.states.append(state)
            return result

        return watched

    def _flush(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        if path.is_file():
            self._flushed[path.stat().st_ino] = path.read_bytes()

    def _state(self) -> State:
        paths = sorted(self._folder.rglob("*"))
        return {
            str(path.relative_to(self._folder)): None
            if path.is_dir()
            else self._flushed.get(path.stat().st_ino, b"")
            for path in paths
        }


def write_state(state: State, folder: Path) -> None:
    """Make a folder with a state."""
    folder.mkdir(parents=True)
    for name, content_ in state.items():
        if content_ is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content_)


def record_states(job: Job, folder: Path) -> list[State]:
    """Return the states of the folder ``run`` below a folder while a job makes it."""
    disk, file = Disk(folder), folder.parent / "states.json"

    def watched(run: Path) -> None:
        with disk.recorded():
            job(run)
        text = [
            {name: None if value is None else value.hex() for name, value in state.items()}
            for state in disk.states
        ]
        file.write_text(json.dumps(text))

    folder.mkdir()
    killed_after(watched, folder / "run", None)
    return [
        {name: None if value is None else bytes.fromhex(value) for name, value in state.items()}
        for state in json.loads(file.read_text())
    ]


def lose_power(verb: str, sample: int | None, seed: int) -> dict[str, Any]:
    """Return the counts of the states that a run can be left in, and of those that are resumed.

    Args:
        verb: The command that makes the run.
        sample: The number of states that are tried. If None, all are tried.
        seed: The seed of the sample.
    """
    with tempfile.TemporaryDirectory() as place:
        os.environ["THAWLINE_HOME"] = f"{place}/home"
        folder = Path(place)
        job = JOBS[verb](folder)
        states = record_states(job, folder / "disk")
        expected = content(folder / "disk" / "run")
        chosen = range(len(states))
        if sample is not None:
            chosen = sorted(random.Random(seed).sample(chosen, sample))
        equal, different = 0, dict[int, list[str]]()
        for number in chosen:
            run = folder / f"state-{number}" / "run"
            write_state(states[number], run.parent)
            try:
                killed_after(job, run, None)
                found = content(run)
            except AssertionError as error:
                found = {str(error): None}
            equal += found == expected
            if found != expected:
                names = expected.keys() | found.keys()
                different[number] = sorted(
                    name for name in names if expected.get(name, 0) != found.get(name, 0)
                )
    return {
        "states": len(states),
        "tried": len(chosen),
        "equal": equal,
        "different": different,
    }


if __name__ == "__main__":
    verb, sample = sys.argv[1], int(sys.argv[2])
    print(json.dumps(lose_power(verb, sample or None, seed=int(sys.argv[3]))))
