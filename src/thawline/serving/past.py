"""Find past runs and comparisons in a folder, and make their reports. Nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from thawline.data.texts import show_surrogates
from thawline.errors import ThawlineError
from thawline.jobs.report import make_page
from thawline.report.html.page import render_page, script_source
from thawline.report.html.words import name_of
from thawline.runs.layout import LADDER, RECORD
from thawline.runs.records import (
    AnyRecord,
    FitRecord,
    LadderRecord,
    PretrainRecord,
    RungRecord,
    StartedFit,
    StartedLadder,
    StartedPretraining,
    StartedRun,
    read_record,
)
from thawline.runtime.failures import describe_system_error
from thawline.serving.schemas import PastRun, ShownScore

MAX_DEPTH = 4
"""The number of levels of subfolders that are searched."""

MAX_RUNS = 2_000
"""The largest number of runs that are listed."""

MAX_REPORTS = 16
"""The largest number of reports that are kept in memory, because a report takes seconds."""

State = tuple[int, int] | None
"""The time of the last change and the size of a file."""

SPLIT = "/"
"""Separates the folders in the name of a run, on every system."""


POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {script_source()}",
        "style-src 'unsafe-inline'",  # the style is part of the file, and of its plots
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "sandbox allow-scripts",  # the report cannot read what the page keeps
    )
)
"""The Content-Security-Policy of reports."""


class PastRuns:
    """The runs and comparisons below a folder.

    A run is asked for by its name among those that were found, never by a path, so that no name
    leads out of the folder. Symbolic links are not followed.

    Args:
        folder: The folder.

    Raises:
        ThawlineError: If it is no folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            found = f"'{folder}'"
            fix = "give a folder that contains runs"
            raise ThawlineError("a folder of runs as `runs`", found, fix, setting="runs")
        self._folder = folder.resolve()
        self.name = show_surrogates(self._folder.name)
        self._read: dict[Path, tuple[State, PastRun]] = {}
        self._reports: dict[Path, tuple[State, str]] = {}

    def describe_all(self) -> list[PastRun]:
        """Return all runs and comparisons, the newest first."""
        found = [self._describe(name, file) for name, file in self._records().items()]
        return sorted(found, key=lambda one: one.started or "", reverse=True)

    def names(self) -> set[str]:
        """Return the names of all runs and comparisons."""
        return set(self._records())

    def report(self, name: str) -> tuple[str, str] | None:
        """Return the report on a run as HTML, and its Content-Security-Policy.

        Args:
            name: The name of the run, as in `names`.

        Returns:
            The HTML and the policy, or None if there is no such run.

        Raises:
            ThawlineError: If the run is unfinished, or if its record is damaged.
        """
        file = self._records().get(name)
        if file is None:
            return None
        state = _state(file)
        if file not in self._reports or self._reports[file][0] != state:
            self._reports[file] = (state, self._make_report(file))
            if len(self._reports) > MAX_REPORTS:
                del self._reports[next(iter(self._reports))]
        return self._reports[file][1], POLICY

    def _make_report(self, file: Path) -> str:
        """Return the report on the run whose record is a file."""
        self._check_inside(file.parent)
        record = read_record(file)
        if isinstance(record, LadderRecord):
            self._check_inside(file.parent / record.chosen.run)
        return render_page(make_page(record, file.parent))

    def _check_inside(self, folder: Path) -> None:
        """Raise ThawlineError if a file of a run is a link that leads elsewhere."""
        try:
            paths = [folder, *(folder.iterdir() if folder.is_dir() else ())]
        except OSError as error:
            expected, found = f"a readable folder '{folder}'", describe_system_error(error)
            raise ThawlineError(expected, found, "change its permissions") from error
        for path in paths:
            if not path.resolve().is_relative_to(self._folder):
                fix = "replace the link by the file"
                raise ThawlineError("files within the folder of runs", f"'{path}'", fix)

    def _records(self) -> dict[str, Path]:
        """Return the file of each record by the name of its run."""
        found: dict[str, Path] = {}
        for folder, files in self._walk():
            for name in (LADDER, RECORD):
                file = folder / name
                if name in files and not file.is_symlink():
                    within = folder.relative_to(self._folder)
                    found[show_surrogates(SPLIT.join(within.parts)) or self.name] = file
                    break
            if len(found) == MAX_RUNS:
                break
        return found

    def _walk(self) -> Iterator[tuple[Path, list[str]]]:
        for name, folders, files in os.walk(self._folder, followlinks=False):
            folder = Path(name)
            if len(folder.relative_to(self._folder).parts) >= MAX_DEPTH:
                folders.clear()
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            yield folder, files

    def _describe(self, name: str, file: Path) -> PastRun:
        """Return a run, which is read again only if its record has changed."""
        state = _state(file)
        if file not in self._read or self._read[file][0] != state:
            try:
                shown = describe(read_record(file))
            except ThawlineError as error:
                problem = show_surrogates(str(error))
                shown = PastRun(kind="unknown", status="unreadable", problem=problem)
            self._read[file] = (state, shown)
        above = file.parent.parent / LADDER
        parent = None
        if above.is_file() and file.parent != self._folder:
            parent = name.rpartition(SPLIT)[0] or self.name
        return self._read[file][1].model_copy(update={"name": name, "parent": parent})


def _state(file: Path) -> State:
    """Return the time of the last change and the size of a file. None if it was deleted."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def describe(record: AnyRecord) -> PastRun:
    """Return what the page shows of a record.

    Args:
        record: The record.
    """
    shown = PastRun(kind="fit", status=record.status, started=record.started)
    if isinstance(record, LadderRecord | StartedLadder):
        shown.kind, shown.data = "comparison", record.data.name
    if isinstance(record, PretrainRecord | StartedPretraining):
        shown.kind = "pretraining"
    if isinstance(record, StartedRun):
        shown.kind = "pretraining" if record.verb == "pretrain" else "fit"
    if isinstance(record, FitRecord | StartedFit):
        shown.data, shown.strategy = record.data.name, record.strategy
        if record.backbone is not None:
            shown.backbone = name_of(record.backbone.name)
    if isinstance(record, FitRecord):
        shown.accuracy = _score(record)
    if isinstance(record, LadderRecord):
        shown.strategy = record.chosen.rung
        used = [rung for rung in record.rungs if rung.rung == record.chosen.rung]
        shown.accuracy = _score(used[0]) if used else None
    return shown


def _score(scored: FitRecord | RungRecord) -> ShownScore:
    accuracy = scored.test.accuracy
    return ShownScore(value=accuracy.value, low=accuracy.low, high=accuracy.high)
