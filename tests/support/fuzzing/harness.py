"""Try mutations of files on a reader, and check what it does with each.

A reader returns a value or raises a ThawlineError of three short lines. Any other exception, even
one that does not derive from Exception, is a finding.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.support.fuzzing.mutations import Mutation, mutations_of
from thawline.errors import LONGEST_PART, ThawlineError, printable

CPU_SECONDS = 60
"""The processor time after which a trial counts as endless. Most take milliseconds."""

MEMORY_BYTES = 2 * 2**30
"""How much memory a process may take in addition while it tries the mutations of a target."""


class FuzzingError(AssertionError):
    """Report a mutation that a reader does not handle, with all that is needed to repeat it."""


@dataclass(frozen=True)
class Target:
    """A reader and the files that it reads.

    Attributes:
        name: A short name.
        make: Writes valid files to an empty folder.
        read: Reads the folder. It returns a value that can be compared.
        files: What the names of the files that are mutated start with. If empty, all files are.
        finish: Completes a folder after a file was changed, for example with new checksums.
        may_differ: Whether a changed folder may give another value than the original.
    """

    name: str
    make: Callable[[Path], object]
    read: Callable[[Path], Any]
    files: tuple[str, ...] = ()
    finish: Callable[[Path], object] = lambda folder: None
    may_differ: bool = True


@dataclass
class Counts:
    """How many mutations were refused, and how many were read.

    Attributes:
        refused: The number of mutations that raised a ThawlineError.
        read: The number of the others.
    """

    refused: int = 0
    read: int = 0

    @property
    def total(self) -> int:
        """The number of all mutations."""
        return self.refused + self.read


@dataclass
class Fuzzer:
    """Applies mutations to a copy of a target's files.

    Args:
        target: The target.
        folder: An empty folder for the files.

    Attributes:
        counts: The results so far.
    """

    target: Target
    folder: Path
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        """Write the files, and read them once without a change."""
        self.target.make(self.folder)
        self._expected = self.target.read(self.folder)
        paths = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        self._originals = {path: path.read_bytes() for path in paths}
        self._stamps = {path: _stamp(path) for path in paths}
        starts = self.target.files or ("",)
        self._mutated = [
            path for path in paths if path.relative_to(self.folder).as_posix().startswith(starts)
        ]
        assert self._mutated

    def run(self, trials: range) -> Counts:
        """Try mutations by number.

        Raises:
            FuzzingError: If the reader does not handle one of them.
        """
        before = peak_memory()
        for trial in trials:
            self.trial(trial)
        growth = peak_memory() - before
        if growth > MEMORY_BYTES:
            raise FuzzingError(f"{self.target.name}: the memory grew by {growth:,} bytes")
        return self.counts

    def trial(self, trial: int) -> None:
        """Try one mutation, which its number determines, and undo it."""
        random = Random(f"{self.target.name} {trial}")
        path = random.choice(self._mutated)
        mutation: Mutation = random.choice(mutations_of(path.name))
        content = mutation(self._originals[path], random)
        if content == self._originals[path]:
            return
        path.write_bytes(content)
        try:
            self.target.finish(self.folder)
            self._check()
        except FuzzingError as error:
            how = getattr(mutation, "__qualname__", str(mutation))
            raise FuzzingError(f"{self.target.name} {trial}: {path.name}, {how}: {error}") from (
                error.__cause__
            )
        finally:
            self._restore()

    def _check(self) -> None:
        try:
            with limited_time(), quiet_output():
                value = self.target.read(self.folder)
        except FuzzingError:
            raise
        except ThawlineError as error:
            self.counts.refused += 1
            check_message(error)
            return
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic in Rust does not derive from Exception
            raise FuzzingError(f"{type(error).__name__}: {error}"[:500]) from error
        self.counts.read += 1
        if not self.target.may_differ and value != self._expected:
            raise FuzzingError(f"{value} instead of {self._expected}"[:500])

    def _restore(self) -> None:
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in self._originals:
                path.unlink()
        for path, content in self._originals.items():
            if not path.is_file() or _stamp(path) != self._stamps[path]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                self._stamps[path] = _stamp(path)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def check_message(error: ThawlineError) -> None:
    """Check that an error is one short line without control characters.

    Raises:
        FuzzingError: If it is not.
    """
    for part in (error.expected, error.found, error.fix):
        if not part or len(part) > LONGEST_PART or part != printable(part) or "\n" in part:
            raise FuzzingError(f"a part of a message is {part!r}")
    str(error).encode()


def peak_memory() -> int:
    """Return the largest memory that this process has taken, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def quiet_output() -> Iterator[None]:
    """Hide what libraries print, and check that it cannot change what a terminal does.

    Raises:
        FuzzingError: If control characters were printed, also by code that is not Python.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    before = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile() as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in zip((1, 2), before, strict=True):
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            printed = file.read().decode("utf-8", "replace")
            if printed != printable(printed, "\n\r\t"):
                raise FuzzingError(f"a library prints {printed!r}"[:500])


@contextmanager
def limited_time() -> Iterator[None]:
    """Raise TimeoutError after `CPU_SECONDS` of processor time.

    Time in which the machine does something else is not counted.
    """

    def stop(number: int, frame: object) -> None:
        raise TimeoutError(f"more than {CPU_SECONDS} seconds of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
