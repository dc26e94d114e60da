"""Make the folder of a run, with its config and its record, and record how the run ended."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Literal

from thawline.config.explain import as_plain
from thawline.config.resolve import AnyConfig, config_to_toml
from thawline.errors import ThawlineError
from thawline.runs.layout import RECORD
from thawline.runs.records.base import Settings
from thawline.runs.records.files import RunRecord, write_record
from thawline.runs.records.ladder import StartedLadder
from thawline.runs.records.run import Hardware, JobStart, RunStart, StartedRun
from thawline.runtime import hardware
from thawline.runtime.files import check_place, new_file
from thawline.runtime.progress import Reporter

CONFIG = "config.toml"

Verb = Literal["fit", "pretrain"]
"""The commands that make runs."""

FIT: Verb = "fit"
PRETRAIN: Verb = "pretrain"


def default_folder(name: str, now: datetime | None = None) -> Path:
    """Return ``runs/<time>-<name>``, a path that does not exist yet.

    Args:
        name: A description of the run, such as the data set and the strategy.
        now: The time. If None, the current time in UTC.
    """
    stamp = (datetime.now(UTC) if now is None else now).strftime("%Y%m%d-%H%M%S")
    stem = f"{stamp}-{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-')}"
    folders = (Path("runs") / f"{stem}{'' if n == 1 else f'-{n}'}" for n in count(1))
    return next(folder for folder in folders if not folder.exists())


def check_folder(folder: Path) -> None:
    """Check that a new run can be made at this path.

    Raises:
        ThawlineError: If the path is a file or a broken link, if the folder is not empty, or if
            it cannot be written.
    """
    expected, fix = "a new folder for the run", "choose another --out or remove it"
    if folder.is_file():
        raise ThawlineError(expected, f"the file '{folder}'", "choose another --out")
    if folder.is_symlink() and not folder.exists():
        raise ThawlineError(expected, f"'{folder}', a broken symbolic link", fix)
    if folder.is_dir() and any(folder.iterdir()):
        raise ThawlineError(expected, f"'{folder}', which exists", fix)
    check_place(folder, "a folder for the run")


def is_run(folder: Path) -> bool:
    """Return whether a run was started in this folder."""
    return (folder / CONFIG).is_file()


def job_start(config: AnyConfig) -> JobStart:
    """Return the part of a record that every job writes when it starts."""
    return JobStart(
        started=_now(),
        config=plain_settings(config),
        versions=hardware.versions(),
        hardware=Hardware(**hardware.describe_machine()),
    )


def run_start(
    config: AnyConfig, verb: Verb, before: RunRecord | None, *, resumed: bool
) -> RunStart:
    """Return the part of a record that every run writes when it starts.

    Args:
        config: The settings.
        verb: The command that makes the run.
        before: The record of the same run before it was resumed. None if there is none.
        resumed: Whether the run is resumed.
    """
    start = dict(job_start(config))
    if before is not None:
        start["started"] = before.started
    times = [] if before is None else before.resumed
    return RunStart(verb=verb, resumed=[*times, _now()] if resumed else [], **start)


def make_run(folder: Path, config: AnyConfig, started: StartedRun) -> None:
    """Make the folder of a run with its config and its record.

    If the run is resumed, only the record is written. If the disk is full, nothing is left behind.

    Args:
        folder: The folder, which must not hold anything unless the run is resumed.
        config: The settings.
        started: The record.

    Raises:
        ThawlineError: If the folder cannot hold a new run.
        OSError: If a file cannot be written.
    """
    if started.resumed:
        write_record(folder / RECORD, started)
        return
    check_folder(folder)
    made = [path for path in (folder, *folder.absolute().parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with new_file(folder / CONFIG) as temporary:
            temporary.write_text(config_to_toml(config, started.verb), encoding="utf-8")
        write_record(folder / RECORD, started)
    except OSError:
        (folder / CONFIG).unlink(missing_ok=True)
        for path in made:
            path.rmdir()
        raise


@contextmanager
def run_recorded(folder: Path, started: StartedRun, reporter: Reporter) -> Iterator[None]:
    """Record that a run was stopped or failed. If it was stopped, report how to resume it.

    Args:
        folder: The folder of the run, as the user wrote it.
        started: The record of the run.
        reporter: Reports how to resume.
    """
    try:
        with outcome_recorded(folder / RECORD, started):
            yield
    except KeyboardInterrupt:
        out = shlex.quote(str(folder))
        reporter.message(f"stopped; to continue: thawline {started.verb} --resume --out {out}")
        raise


@contextmanager
def outcome_recorded(file: Path, started: StartedRun | StartedLadder) -> Iterator[None]:
    """Record that a job was stopped or failed. The job itself records its success.

    Args:
        file: The file of the record.
        started: The record so far.
    """
    try:
        yield
    except KeyboardInterrupt:
        write_record(file, started.model_copy(update={"status": "stopped"}))
        raise
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"
        failed = started.model_copy(update={"status": "failed", "error": message})
        try:
            write_record(file, failed)
        except OSError:
            # The disk may be full, so the file is overwritten in place. Without line breaks the new
            # text is shorter than the old one, so it fits.
            with suppress(OSError):
                text = json.dumps(failed.to_dict(), ensure_ascii=False)
                file.write_text(text, encoding="utf-8")
            raise
        raise


def plain_settings(config: AnyConfig) -> Settings:
    """Return the settings of a config as JSON values."""
    plain: Settings = json.loads(json.dumps(config.to_dict(), default=as_plain))
    return plain


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
