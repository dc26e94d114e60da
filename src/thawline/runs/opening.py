"""Open the folder of a run: lock it, read its record, and write how the run starts and ends."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from thawline.config import AnyConfig
from thawline.config.resolve import with_absolute_paths
from thawline.errors import ThawlineError
from thawline.runs.folder import (
    Verb,
    check_folder,
    is_run,
    make_run,
    now,
    outcome_recorded,
    restore_config,
    run_start,
    seconds_of_starts,
)
from thawline.runs.layout import RECORD
from thawline.runs.lock import locked
from thawline.runs.records.base import Record
from thawline.runs.records.files import RunRecord, write_record
from thawline.runs.records.fit import FitRecord
from thawline.runs.records.pretrain import PretrainRecord
from thawline.runs.records.run import Finished, StartedRun, finish
from thawline.runs.resume import check_same_config, read_run
from thawline.runtime.files import make_folder, remove_leftovers
from thawline.runtime.progress import Reporter
from thawline.runtime.untrusted import check_regular

StartedT = TypeVar("StartedT", bound=StartedRun)
FinishedT = TypeVar("FinishedT", FitRecord, PretrainRecord)


class OpenRun:
    """A run while a process works on it. `open_run` makes it.

    Attributes:
        folder: The folder of the run, as the user wrote it.
        before: The record of the run. None if the run is new or was killed before it wrote one.
        resumed: Whether the run is resumed.
    """

    def __init__(
        self, folder: Path, verb: Verb, config: AnyConfig, reporter: Reporter, stack: ExitStack
    ) -> None:
        self.folder, self.resumed = folder, False
        self.before: RunRecord | None = None
        self._file = folder.absolute() / RECORD  # the run may change the working folder
        self._verb, self._reporter, self._stack = verb, reporter, stack
        # The paths are made absolute, so that the run can be repeated from any working folder.
        self._config = with_absolute_paths(config)
        self._moment, self._start = now(), time.perf_counter()
        self._seconds: float | None = None
        self._earlier: list[float] = []

    def resume(self) -> None:
        """Lock the folder of an existing run and read its record."""
        _check_entries(self.folder)
        try:
            self._lock()
        except OSError:  # a folder that cannot be written
            if not isinstance(read_run(self.folder, self._verb), Finished):
                raise
        self.resumed, self.before = True, read_run(self.folder, self._verb)
        check_same_config(self.folder, self._config, self._verb)
        self._earlier = seconds_of_starts(self.before, self.folder)

    def _lock(self) -> None:
        self._stack.enter_context(locked(self.folder))
        left = remove_leftovers(self.folder, locked=True)
        if left.items:
            self._reporter.message(
                f"removed {left.items:,} temporary files or folders ({left.bytes / 1e6:,.1f} MB) "
                "that an earlier process left"
            )

    def is_complete(self, damage: str | None) -> bool:
        """Return whether a finished run needs no further work, and report it.

        The config of a complete run is written again if its file is missing or damaged.

        Args:
            damage: What is damaged in the folder of the run. None if nothing is.
        """
        assert self.before is not None, "the run has no record"
        if damage is not None:
            self._reporter.message(
                f"the run in '{self.folder}' is damaged ({damage}); it is made again"
            )
            return False
        if restore_config(self.folder, self._config, self.before):
            self._reporter.message("config.toml was missing or damaged; it was written again")
        self._reporter.message(f"the run in '{self.folder}' is already finished")
        return True

    @contextmanager
    def started(self, model: type[StartedT], plan: Record) -> Iterator[StartedT]:
        """Write that the run has started, and later that it was stopped or failed.

        The folder of a new run is made. If it cannot be written, nothing is left behind.

        Args:
            model: The type of the record.
            plan: The part of the record that is known before anything is computed.

        Yields:
            The record.
        """
        first = run_start(
            self._config,
            self._verb,
            self.before,
            resumed=self.resumed,
            moment=self._moment,
            starts=self._earlier,
        )
        record = model(**dict(first), **dict(plan), status="running")
        self._make(record)
        try:
            with outcome_recorded(self._file, record, self._start):
                yield record
        except (KeyboardInterrupt, SystemExit):
            out = shlex.quote(str(self.folder))
            command = f"thawline {self._verb} --resume --out {out}"
            self._reporter.message(f"stopped; to continue: {command}")
            raise

    def _make(self, record: StartedRun) -> None:
        if self.resumed:
            make_run(self.folder, self._config, record)
            return
        missing = [
            path for path in (self.folder, *self.folder.absolute().parents) if not path.exists()
        ]
        make_folder(self.folder)
        try:
            self._lock()
            check_folder(self.folder)  # another process may have made a run in the meantime
            make_run(self.folder, self._config, record)
        except BaseException:
            self._stack.close()
            for path in missing:
                path.rmdir()
            raise

    def total_seconds(self) -> float:
        """Return the seconds of all starts; see `start_seconds`."""
        return sum(self._earlier) + self.start_seconds()

    def start_seconds(self) -> float:
        """Return the seconds of this start. It ends when this is first called."""
        if self._seconds is None:
            self._seconds = time.perf_counter() - self._start
        return self._seconds

    def finish(self, model: type[FinishedT], started: StartedRun, *sections: Record) -> FinishedT:
        """Return the record of the finished run, and write it to the folder.

        Args:
            model: The type of the record.
            started: The record of the unfinished run.
            sections: The results.
        """
        starts = [*self._earlier, self.start_seconds()]
        started = started.model_copy(update={"starts": starts})
        record = finish(model, started, *sections)
        write_record(self._file, record)
        return record


@contextmanager
def open_run(
    folder: Path, verb: Verb, config: AnyConfig, reporter: Reporter, *, resume: bool
) -> Iterator[OpenRun]:
    """Open the folder of a run that a command makes or resumes.

    Args:
        folder: The folder.
        verb: The command.
        config: The settings.
        reporter: Shows messages.
        resume: Whether to resume the run in the folder, if there is one. The folder is then locked
            at once; the folder of a new run is made and locked by `OpenRun.started`.

    Raises:
        ThawlineError: If the folder cannot hold a new run, if another process works on the run,
            if its record cannot be read, or if its settings differ.
    """
    with ExitStack() as stack:
        run = OpenRun(folder, verb, config, reporter, stack)
        if resume and is_run(folder):
            run.resume()
        else:
            check_folder(folder)
        yield run


def _check_entries(folder: Path) -> None:
    """Check that a run may be changed, since its folder may come from an untrusted source.

    A resumed run deletes old checkpoints. In a linked folder these would be files of somebody else.

    Args:
        folder: The folder of the run.

    Raises:
        ThawlineError: If an entry is neither a folder nor a regular file of the run, or a link to
            a folder.
    """
    for path in folder.iterdir():
        entries = [path, *path.iterdir()] if path.is_dir() and not path.is_symlink() else [path]
        for entry in entries:
            if entry.is_symlink() and (entry.is_dir() or entry.parent != folder):
                raise ThawlineError(
                    f"only files and folders of its own in the run '{folder}'",
                    f"'{entry.relative_to(folder)}', a link to '{entry.readlink()}'",
                    "replace the link with the folder or file that it leads to",
                )
            if entry.exists() and not entry.is_dir():
                check_regular(entry)
