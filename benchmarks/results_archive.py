"""Keep the finished runs of an unfinished comparison, so that another machine can continue it.

An archive contains what the statistics need: the record of the comparison, and the record and the
logits of each finished run. It does not contain the weights of the classifiers.

This module has no command of its own.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.results import Planned
from thawline.compare.plan import LadderRun, plan_runs
from thawline.compare.results import FinishedRun
from thawline.config import Config, LadderConfig
from thawline.config.resolve import build_config, change_config
from thawline.errors import ThawlineError
from thawline.runs.folder import plain_settings
from thawline.runs.layout import LADDER, LOGITS, RECORD
from thawline.runs.records import FitRecord, LadderRecord, StartedLadder, read_record
from thawline.runs.resume import started_config
from thawline.runtime.files import new_file

AnyLadder = LadderRecord | StartedLadder

Run = tuple[str, int]
"""A run of a comparison: the name of its rung, and its seed."""


def archive_of(one: Planned, results: Path) -> Path:
    """Return the archive of a comparison, which lies beside its results file.

    Args:
        one: The comparison.
        results: The folder of the results files.
    """
    return results / f"{one.name}.tar.xz"


def write_archive(archive: Path, folder: Path, made: Sequence[FinishedRun]) -> None:
    """Write the archive of a comparison. The same runs always give the same bytes.

    Args:
        archive: The file.
        folder: The folder with the record of the comparison.
        made: The finished runs.
    """
    files = {LADDER: folder / LADDER}
    for run in {one.run.folder: one.run for one in made}.values():
        files |= {f"{run.folder.name}/{name}": run.folder / name for name in (RECORD, LOGITS)}
    # A new file, because some of the runs may exist only in the archive that it replaces.
    with new_file(archive) as temporary, tarfile.open(temporary, "w:xz") as packed:
        for name, file in sorted(files.items()):
            content = file.read_bytes()
            if file.suffix == ".json":
                content = json.dumps(without_paths(json.loads(content))).encode()
            header = tarfile.TarInfo(name)
            header.size = len(content)
            packed.addfile(header, io.BytesIO(content))


@contextmanager
def unpacked(archive: Path) -> Iterator[Path | None]:
    """Unpack an archive into a temporary folder, and return it. None if there is no archive."""
    if not archive.is_file():
        yield None
        return
    with TemporaryDirectory() as folder, tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
        yield Path(folder)


def read_ladder(folder: Path) -> AnyLadder:
    """Read the record of a comparison, which may be unfinished.

    Raises:
        ThawlineError: If it cannot be read, or if it is the record of something else.
    """
    record = read_record(folder / LADDER)
    if not isinstance(record, AnyLadder):
        raise ThawlineError(f"a comparison in '{folder}'", "a run", "choose another --out")
    return record


def planned_config(one: Planned, record: AnyLadder) -> LadderConfig:
    """Return the settings of the whole comparison, whatever the last start of a folder ran.

    Args:
        one: The comparison.
        record: The record of the last start.
    """
    config = change_config(build_config(record.config, config_type=LadderConfig), ())
    return replace(config, rungs=one.rungs, seeds=tuple(range(one.seeds)))


def finished_runs(
    config: LadderConfig, folder: Path, earlier: Path | None
) -> dict[Run, FinishedRun]:
    """Return the finished runs of a comparison, in the order of the plan.

    Args:
        config: The settings of the whole comparison.
        folder: The folder of the comparison.
        earlier: The folder with runs of an earlier machine. A run is taken from it if the first
            folder lacks it, and if it has the same settings and the same texts and labels. None if
            there is no such folder.
    """
    found: dict[Run, FinishedRun] = {}
    data = read_ladder(folder).data.sha256
    older = plan_runs(config, earlier) if earlier else []
    archived = {(run.rung, run.seed): run for run in older}
    for run in plan_runs(config, folder):
        key = run.rung, run.seed
        for place in (run, archived.get(key)):
            record = None if place is None else place.read()
            if place is None or not isinstance(record, FitRecord) or record.data.sha256 != data:
                continue
            if _has_settings(place, run.config):
                found[key] = FinishedRun.read(place, record)
                break
    return found


def _has_settings(run: LadderRun, config: Config) -> bool:
    """Return whether a run was made with given settings, except for the folders of its files."""
    started = started_config(run.folder, Config)
    used, wanted = (plain_settings(change_config(one, ())) for one in (started, config))
    return bool(without_paths(used) == without_paths(wanted))


def archived_runs(one: Planned, archive: Path) -> set[tuple[str, int]]:
    """Return the strategy and the seed of each run in the archive of a comparison.

    Args:
        one: The comparison.
        archive: The archive, which may be missing.
    """
    with unpacked(archive) as earlier:
        if earlier is None:
            return set()
        config = planned_config(one, read_ladder(earlier))
        # The name of a rung is shorter than its strategy with all settings.
        names = dict.fromkeys(run.rung for run in plan_runs(config, earlier))
        strategies = dict(zip(names, one.rungs, strict=True))
        return {(strategies[rung], seed) for rung, seed in finished_runs(config, earlier, None)}


def without_paths(value: Any) -> Any:
    """Return a JSON value in which absolute paths are only names."""
    if isinstance(value, dict):
        return {key: without_paths(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(one) for one in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value
