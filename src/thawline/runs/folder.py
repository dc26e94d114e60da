"""Make the folder of a run, with its config and its record, and record how a job ended."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Literal, NoReturn

from thawline.config import AnyConfig
from thawline.config.annotations import flatten_settings
from thawline.config.explain import as_plain
from thawline.config.resolve import MAX_FILE_BYTES, config_to_toml
from thawline.errors import ThawlineError
from thawline.runs.layout import RECORD
from thawline.runs.lock import is_bookkeeping
from thawline.runs.records.base import Settings
from thawline.runs.records.files import RunRecord, write_record
from thawline.runs.records.ladder import LadderRecord, StartedLadder
from thawline.runs.records.run import Hardware, JobStart, RunStart, StartedRun
from thawline.runtime import hardware
from thawline.runtime.files import check_place, write_file
from thawline.runtime.untrusted import read_regular

CONFIG = "config.toml"

Verb = Literal["fit", "pretrain"]
"""The commands that make runs."""

FIT: Verb = "fit"
PRETRAIN: Verb = "pretrain"


def default_folder(name: str, moment: datetime | None = None) -> Path:
    """Return ``runs/<time>-<name>``, a path that does not exist yet.

    Args:
        name: A description of the run, such as the data set and the strategy.
        moment: The time. If None, the current time in UTC.
    """
    stamp = (datetime.now(UTC) if moment is None else moment).strftime("%Y%m%d-%H%M%S")
    stem = f"{stamp}-{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-')}"
    folders = (Path("runs") / f"{stem}{'' if n == 1 else f'-{n}'}" for n in count(1))
    return next(folder for folder in folders if not folder.exists())


@contextmanager
def reserved_folder(out: Path | None, name: str) -> Iterator[Path]:
    """Yield the folder of a new run, and remove it if the run leaves it empty.

    Args:
        out: The folder that the user named. If None, the first default folder that no other
            process has; it is created, so that no other process gets it.
        name: A description of the run, for the default folder.
    """
    if out is not None:
        yield out
        return
    made = not Path("runs").exists()
    while True:
        folder = default_folder(name)
        check_place(folder, "a folder for the run")
        folder.parent.mkdir(exist_ok=True)
        with suppress(FileExistsError):  # another process was faster
            folder.mkdir()
            break
    try:
        yield folder
    finally:
        with suppress(OSError):  # a folder that is not empty
            folder.rmdir()
            if made:
                folder.parent.rmdir()


def check_folder(folder: Path) -> None:
    """Check that a new run can be made at this path.

    Locks and temporary files of Thawline, which a killed process may have left, do not block it.

    Raises:
        ThawlineError: If the path is a file or a broken link, if the folder contains other files,
            or if it cannot be written.
    """
    expected, fix = "a new folder for the run", "choose another folder, or remove this one"
    if folder.is_file():
        raise ThawlineError(expected, f"the file '{folder}'", "choose another folder")
    if folder.is_symlink() and not folder.exists():
        raise ThawlineError(expected, f"'{folder}', a broken symbolic link", fix)
    if holds_files(folder):
        raise ThawlineError(expected, f"'{folder}', which exists", fix)
    check_place(folder, "a folder for the run")


def holds_files(folder: Path) -> bool:
    """Return whether a path is a folder with files other than locks and temporary files."""
    return folder.is_dir() and not all(map(is_bookkeeping, folder.iterdir()))


def check_still_exists(folder: Path) -> None:
    """Check that nobody has deleted the folder of a run while the run takes place.

    Raises:
        ThawlineError: If the folder does not exist.
    """
    if not folder.is_dir():
        found = f"no folder '{folder}', which was deleted during the run"
        raise ThawlineError("the folder of the run", found, "run the command again")


def is_run(folder: Path) -> bool:
    """Return whether a run was started in this folder."""
    return (folder / CONFIG).is_file() or (folder / RECORD).is_file()


def job_start(
    config: AnyConfig, started: str | None = None, starts: Sequence[float] = ()
) -> JobStart:
    """Return the part of a record that every job writes when it starts.

    Args:
        config: The settings.
        started: The time of the first start. If None, the current time.
        starts: The seconds of each earlier start.
    """
    return JobStart(
        started=now() if started is None else started,
        config=plain_settings(config),
        versions=hardware.versions(),
        hardware=Hardware(**hardware.describe_machine()),
        starts=list(starts),
    )


def seconds_of_starts(
    before: RunRecord | LadderRecord | StartedLadder | None, folder: Path
) -> list[float]:
    """Return the seconds of each start of a job so far.

    A start that was killed could not record its seconds. It is taken to have lasted until it wrote
    its last file.

    Args:
        before: The record of the job. None if there is none.
        folder: The folder of the job.
    """
    if before is None:
        return []
    starts = list(before.starts)
    if before.status == "finished" and not starts:  # written by an older version
        starts = [before.seconds.total]
    if before.status == "running":
        times = getattr(before, "resumed", None)
        begin = datetime.fromisoformat(times[-1] if times else before.started)
        starts.append(max(0.0, _last_write(folder) - begin.timestamp()))
    return starts


def _last_write(folder: Path) -> float:
    """Return the time at which the newest file in a folder was written."""
    newest = 0.0
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file() and not is_bookkeeping(path):
                newest = max(newest, path.stat().st_mtime)
    return newest


def run_start(
    config: AnyConfig,
    verb: Verb,
    before: RunRecord | None,
    *,
    resumed: bool,
    moment: str | None = None,
    starts: Sequence[float] = (),
) -> RunStart:
    """Return the part of a record that every run writes when it starts.

    Args:
        config: The settings.
        verb: The command that makes the run.
        before: The record of the same run before it was resumed. None if there is none.
        resumed: Whether the run is resumed.
        moment: The time of this start. If None, the current time.
        starts: The seconds of each earlier start.
    """
    moment = now() if moment is None else moment
    start = job_start(config, moment if before is None else before.started, starts)
    times = [] if before is None else before.resumed
    return RunStart(verb=verb, resumed=[*times, moment] if resumed else [], **dict(start))


def make_run(folder: Path, config: AnyConfig, started: StartedRun) -> None:
    """Write the config and the record of a run to its folder, which must exist.

    Args:
        folder: The folder.
        config: The settings. If the run is resumed, they are written only if the file of the run
            is missing or damaged.
        started: The record.

    Raises:
        OSError: If a file cannot be written. A new run then leaves no file.
    """
    try:
        restore_config(folder, config, started)
        write_record(folder / RECORD, started)
    except OSError:
        if not started.resumed:
            (folder / CONFIG).unlink(missing_ok=True)
        raise


def restore_config(folder: Path, config: AnyConfig, record: RunStart) -> bool:
    """Write the file of a run's settings if it is missing or damaged.

    Args:
        folder: The folder of the run.
        config: The settings.
        record: The record of the run, which has the same settings.

    Returns:
        Whether the file was written.

    Raises:
        OSError: If the file cannot be written.
    """
    if same_settings(folder / CONFIG, record.config):
        return False
    write_file(folder / CONFIG, config_to_toml(config, record.verb).encode())
    return True


def same_settings(file: Path, settings: Settings) -> bool:
    """Return whether a TOML file has exactly these settings, apart from those that are None."""
    try:
        values = tomllib.loads(read_regular(file, limit=MAX_FILE_BYTES).decode())
        found = dict(flatten_settings(values))
    except (OSError, ValueError, RecursionError):
        return False
    recorded = {key: value for key, value in flatten_settings(settings) if value is not None}
    return found == recorded


@contextmanager
def outcome_recorded(
    file: Path, started: StartedRun | StartedLadder, start: float
) -> Iterator[Callable[[StartedRun | StartedLadder], None]]:
    """Record that a job was stopped or failed. The job itself records its success.

    A signal that ends the process, such as SIGTERM, stops the job as Ctrl-C does. The process then
    exits with the code 128 plus the signal's number, as shells report it.

    Args:
        file: The file of the record.
        started: The record so far.
        start: The time at which the job started, from `time.perf_counter`.

    Yields:
        A function that writes the record again if the job has added something to it.
    """
    latest = started

    def write(record: StartedRun | StartedLadder) -> None:
        nonlocal latest
        latest = record
        write_record(file, record)

    def end(**changes: str) -> None:
        starts = [*latest.starts, time.perf_counter() - start]
        ended = latest.model_copy(update=changes | {"starts": starts})
        try:
            write_record(file, ended)
        except OSError:
            # The disk may be full, so the file is overwritten in place. Without line breaks the new
            # text is usually shorter than the old one, so it fits.
            if file.is_file():
                with suppress(OSError):
                    text = json.dumps(ended.to_dict(), ensure_ascii=False)
                    file.write_text(text, encoding="utf-8")
                raise

    try:
        with signals_raise():
            yield write
    except (KeyboardInterrupt, SystemExit):
        end(status="stopped")
        raise
    except BaseException as error:
        end(status="failed", error=f"{type(error).__name__}: {error}")
        raise


@contextmanager
def signals_raise() -> Iterator[None]:
    """Raise SystemExit for signals that would end the process without a trace.

    Handlers of the program that uses Thawline are kept, and so are those of other threads, because
    only the main thread can set handlers.
    """
    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    own = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]

    def leave(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    for number in own:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in own:
            signal.signal(number, signal.SIG_DFL)


def plain_settings(config: AnyConfig) -> Settings:
    """Return the settings of a config as JSON values."""
    plain: Settings = json.loads(json.dumps(config.to_dict(), default=as_plain))
    return plain


def now() -> str:
    """Return the current time in UTC and ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
