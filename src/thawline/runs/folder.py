"""A run: one folder with its config, its record, its plots and its artifact."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from thawline.runtime import hardware
from thawline.config.resolve import config_to_toml
from thawline.runtime.files import check_place, new_file
from thawline.config import Config
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter
from thawline.runs.layout import RECORD, read_whole_record
from thawline.config.resolve import AnyConfig, ConfigT, GivenSetting

CONFIG = "config.toml"

FIT, PRETRAIN = "fit", "pretrain"
"""The verbs that make runs."""


def default_folder(named: str, now: datetime | None = None) -> Path:
    """Return ``runs/<time>-<name>``, which is not there yet."""
    stamp = (datetime.now(UTC) if now is None else now).strftime("%Y%m%d-%H%M%S")
    name = f"{stamp}-{re.sub(r'[^A-Za-z0-9.]+', '-', named).strip('-')}"
    folders = (Path("runs") / f"{name}{'' if n == 1 else f'-{n}'}" for n in count(1))
    return next(folder for folder in folders if not folder.exists())


def check_folder(folder: Path) -> None:
    """Raise ThawlineError unless a run can be made at this path."""
    if folder.is_file():
        raise ThawlineError("a folder for the run", f"the file '{folder}'", "choose another --out")
    if folder.is_symlink() and not folder.exists():
        found = f"'{folder}', a link that leads nowhere"
        raise ThawlineError("a folder for the run", found, "choose another --out or remove it")
    if folder.is_dir() and any(folder.iterdir()):
        raise ThawlineError(
            "a new folder for the run",
            f"'{folder}', which exists",
            "choose another --out or remove it",
        )
    check_place(folder, "a folder for the run")


class Run:
    """A run's folder while it is being made; its record is on disk from the first moment.

    Args:
        folder: where it is to be.
        config: the settings.
        verb: of the command line that makes such a run.
        resume: whether to go on with the run that may be there, unfinished.

    Raises:
        ThawlineError: the folder cannot hold a run.
    """

    def __init__(
        self, folder: Path, config: AnyConfig, *, verb: str = FIT, resume: bool = False
    ) -> None:
        begun = resume and is_run(folder)
        before = read_whole_record(folder) if begun else {}
        self._named = folder  # as the user did
        self.folder = folder.absolute()
        self.record: dict[str, Any] = {
            "status": "running",
            "verb": verb,
            "started": before.get("started", _now()),
            "config": config.to_dict(),
            "versions": hardware.versions(),
            "hardware": hardware.describe_machine(),
        }
        if begun:
            self.record["resumed"] = [*before.get("resumed", []), _now()]
            self.write()
        else:
            check_folder(folder)
            self._make(config_to_toml(config, verb))

    def _make(self, config: str) -> None:
        """Make the folder with the config and the record, or leave nothing behind."""
        made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            _write_whole(self.folder / CONFIG, config)
            self.write()
        except OSError:
            (self.folder / CONFIG).unlink(missing_ok=True)
            for path in made:
                path.rmdir()
            raise

    def write(self) -> None:
        """Write the record as it stands."""
        write_json(self.folder / RECORD, self.record)

    @contextmanager
    def told(self, reporter: Reporter) -> Iterator[None]:
        """Write the record at once, and again when what is done within ends, in whichever way.

        Args:
            reporter: told how a run that is stopped goes on.
        """
        try:
            self.write()  # what is known of it by now, should it be killed
            yield
            self.finish("finished")
        except KeyboardInterrupt:
            self.finish("stopped")
            out = shlex.quote(str(self._named))
            again = f"thawline {self.record['verb']} --resume --out {out}"
            reporter.message(f"stopped; {again} goes on from here")
            raise
        except BaseException as error:
            self.finish("failed", error=f"{type(error).__name__}: {error}")
            raise

    def finish(self, status: str, **more: Any) -> None:
        """Close the record with ``finished`` or ``failed``.

        On a full disk the record of a run that failed takes the place of the one that was there
        from the start, without what has been added since.
        """
        begun = {
            key: self.record[key] for key in ("verb", "started", "config", "versions", "hardware")
        }
        self.record |= {"status": status, **more}
        try:
            self.write()
        except OSError:
            if status == "failed":
                with suppress(OSError):
                    # Without its line breaks it is shorter than the one in whose place it goes.
                    text = json.dumps({"status": status, **more, **begun}, ensure_ascii=False)
                    (self.folder / RECORD).write_text(text, encoding="utf-8")
            raise


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_run(folder: Path) -> bool:
    """Return whether a run was begun in this folder."""
    return (folder / CONFIG).is_file()






def read_record(path: Path) -> dict[str, Any]:
    """Read the record of a run that got as far as its data.

    Raises:
        ThawlineError: the folder holds none, or one that is no JSON or breaks off.
    """
    try:
        record: dict[str, Any] = json.loads((path / RECORD).read_text(encoding="utf-8"))
        tables = record if isinstance(record, dict) else {}
        missing = [key for key in ("config", "data") if not isinstance(tables.get(key), dict)]
        found = f"no '{missing[0]}' in it" if missing else ""
    except OSError:
        found = f"no {RECORD} in it"
    except ValueError as error:
        found = f"a damaged one: {error}"
    if found:
        fix = "give a run's folder, or name a set with --data"
        raise ThawlineError(f"a run with its {RECORD} at '{path}'", found, fix)
    return record


def write_json(path: Path, value: Any) -> None:
    """Write JSON; a reader never sees half a file."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    # Row numbers by the thousand: a list of numbers stays on one line.
    text = re.sub(
        r"\[\s+([-+.eE\d,\s]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text
    )
    _write_whole(path, text)


def _write_whole(path: Path, text: str) -> None:
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
