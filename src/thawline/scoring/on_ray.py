"""Score files on a cluster with Ray Data: tasks read blocks, and a pool of actors scores them.

Each block of rows becomes one part, whose name says from which file and from where in it the rows
are. Ray repeats work when a machine fails. The repeated work then writes the same part again, so
that every row is in the output exactly once.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext

from thawline.config import ScoreConfig
from thawline.data.sources.files import DataFile
from thawline.errors import ThawlineError
from thawline.runs.layout import find
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter
from thawline.scoring.files import Inputs
from thawline.scoring.job import Scored, ScoringJob, nothing_left
from thawline.scoring.places import Place, open_folder
from thawline.scoring.ray_workers import Actor, Rows, Work, read_folder
from thawline.scoring.readers import Reader
from thawline.scoring.remote import RemoteFile, is_url
from thawline.scoring.writers import Format, lacks_columns, open_format

BLOCK_BYTES = 2**20
"""The size from which Ray Data passes blocks on to the actors, so that no task waits for others."""

WAITING_BLOCKS = 2
"""The number of blocks that an actor is given at a time: the one it scores, and the next one."""

ACTORS_PER_READER = 8
"""The number of actors for each task that reads. A reader keeps about 20 of the fastest busy."""

_FORMAT = re.compile(r"(\.(?:csv|tsv|jsonl)(?:\.gz)?|\.parquet)/?$", re.IGNORECASE)
"""A folder's name that contains the format of its parts, for example ``scored.parquet``."""


def score_on_ray(
    runs: Sequence[Path],
    config: ScoreConfig,
    inputs: Inputs,
    output: str,
    reporter: Reporter,
) -> Scored:
    """Score files on a Ray cluster, into a folder of parts.

    Args:
        runs: The folders of runs or of saved classifiers, which are copied to the other machines.
        config: The settings. ``ray`` is the address of the cluster.
        inputs: The files. Every machine must be able to read them.
        output: The path or the URL of the folder. Every machine must be able to write to it.
        reporter: Receives messages and progress.

    Raises:
        ThawlineError: If a file cannot be scored, or if the folder holds something else.
    """
    start = time.perf_counter()
    job = ScoringJob(runs, config, reporter)
    for line in job.predictor.describe([run.name for run in runs]):
        reporter.message(line)
    # The processes of the cluster may run in another working folder.
    output = output if is_url(output) else str(expand(output).absolute())
    files = [
        file if isinstance(file, RemoteFile) else replace(file, path=file.path.absolute())
        for file in inputs.files
    ]
    suffix = _suffix_of_parts(output, files[0])
    form = open_format(f"part{suffix}", safe=config.safe_csv)  # fails before the cluster starts
    first = job.open(files[0])
    for warning in first.warnings:
        reporter.message(warning)
    has_rows = _have_rows(itertools.chain([first], map(job.open, files[1:])), form)
    place = open_folder(output)
    with place.working(), nothing_left(place, lambda: _parts_of(place)):
        done = _parts_of(place)
        if done and place.read_state() is None:
            fix = "choose another folder, or delete this one"
            raise ThawlineError("a new folder", f"'{place.shown}', which has parts", fix)
        with _connected(config.ray or None):
            job.check_state(place, state_of(files, suffix), is_new=not done)
            if done:
                kept = sum(done.values())
                reporter.message(f"resuming after {kept:,} scored rows in '{place.shown}'")
            size, resources = _pool(uses_gpu=bool(job.predictor.groups) and config.device != "cpu")
            machines = sum(node["Alive"] for node in ray.nodes())
            reporter.message(f"scoring with {size} processes, machines: {machines}")
            work = Work(
                names=[run.resolve().name for run in runs],
                folders=ray.put([read_folder(find(run)) for run in runs]),
                config=config,
                output=output,
                suffix=suffix,
                threads=int(resources["num_cpus"]),
                added=job.added,
                pairs=job.pairs,
            )
            sizes = [int(file.fingerprint()[1]) for file in files]
            total = round(first.estimate_rows() * sum(sizes) / max(1, sizes[0]))
            with (reporter if has_rows else Reporter()).task("scoring", total) as advance:
                advance(sum(done.values()))
                found, without_text = dict(done), 0
                now = 0
                for part in _parts(Rows(files, work, frozenset(done)), work, size, resources):
                    if part["name"] not in found:  # work that was repeated
                        found[part["name"]] = part["rows"]
                        without_text += part["without_text"]
                        now += part["rows"]
                        speed = now / (time.perf_counter() - start)
                        advance(part["rows"], f"{speed:,.0f} texts/s")
        _check_complete(place, found)
        place.end()
    kept, seconds = sum(done.values()), time.perf_counter() - start
    if not kept + now:
        reporter.message("no rows in the inputs, so the output has none")
    return Scored(place.shown, kept + now, kept, without_text, seconds)


def _parts(
    rows: Rows, work: Work, size: int, resources: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    """Yield the name and the rows of each part, as soon as it is written.

    Args:
        rows: The blocks.
        work: What the processes need to know.
        size: The number of actors.
        resources: What each of them takes.
    """
    with _small_blocks(), _errors():
        source = ray.data.read_datasource(
            rows,
            num_cpus=0,  # actors take all cores, and reading takes little time
            concurrency=max(1, size // ACTORS_PER_READER),
            override_num_blocks=len(rows.files),
        )
        yield from source.map_batches(
            Actor,
            batch_size=1,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=WAITING_BLOCKS),
            fn_constructor_args=(work,),
            **resources,
        ).iter_rows()


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    """Connect to a cluster, or start Ray on this machine, inside a ``with`` block.

    Args:
        address: The address of the cluster, ``auto`` or ``local``. If None, the cluster that
            ``RAY_ADDRESS`` names or that runs on this machine, otherwise ``local``.
    """
    if ray.is_initialized():  # by the program that called
        yield
        return
    # Ray warns that actors cannot start again if its driver ends, and does so for every Dataset.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ThawlineError(
            "the address of a Ray cluster that runs",
            f"'{address}'",
            "start one with ray start --head, or use `ray=local`",
            setting="ray",
        ) from error
    with redirect_stdout(sys.stderr):  # Ray prints that a machine has failed, also at the end
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _small_blocks() -> Iterator[None]:
    """Let Ray Data pass on blocks soon, and print nothing, inside a ``with`` block."""
    context = DataContext.get_current()
    settings = {
        "target_max_block_size": BLOCK_BYTES,
        "enable_progress_bars": False,
        "print_on_execution_start": False,
    }
    before = {name: getattr(context, name) for name in settings}
    logger = logging.getLogger("ray.data")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        for name, value in settings.items():
            setattr(context, name, value)
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            setattr(context, name, value)


def _pool(*, uses_gpu: bool) -> tuple[int, dict[str, float]]:
    """Return the number of actors and the resources of each: a GPU, or else one core.

    Args:
        uses_gpu: Whether the classifiers run on a GPU if there is one.
    """
    resources = ray.cluster_resources()
    cores, gpus = int(resources.get("CPU", 1)), int(resources.get("GPU", 0))
    if uses_gpu and gpus:
        return gpus, {"num_cpus": max(1, cores // gpus), "num_gpus": 1}
    return max(1, cores), {"num_cpus": 1}


@contextmanager
def _errors() -> Iterator[None]:
    """Raise the error of a process of the cluster as if it had happened here."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ThawlineError | OSError):
            cause = getattr(cause, "cause", None) or cause.__cause__
        if cause is None or cause is error:
            raise
        raise cause from error


def _have_rows(readers: Iterable[Reader], form: Format) -> bool:
    """Return whether a file has a row. Only the first row of each file is read.

    Args:
        readers: The files, which are opened up to the first one with a row.
        form: The format of the parts.

    Raises:
        ThawlineError: If the parts have columns, but no file has a header or a row.
    """
    lack_columns = True
    for reader in readers:
        with closing(reader.blocks(1)) as blocks:
            block = next(blocks)
        if len(block):
            return True
        lack_columns = lack_columns and lacks_columns(block, form)
    if lack_columns:
        fix = "give a file with a header"
        raise ThawlineError("a header or a row in the inputs", "neither", fix, setting="input")
    return False


def state_of(files: Sequence[DataFile], suffix: str) -> list[str | int]:
    """Return values that change if a file or the format of the parts changes.

    Args:
        files: The inputs.
        suffix: The suffix of the parts.
    """
    prints = json.dumps([file.fingerprint() for file in files])
    return [hashlib.sha256(prints.encode()).hexdigest(), suffix]


def _suffix_of_parts(output: str, file: DataFile) -> str:
    """Return the suffix of the parts: that of the folder if it names a format, or of the input."""
    named = _FORMAT.search(output)
    if named is not None:
        return named[1].lower()
    suffix = ".csv" if file.suffix == ".txt" else file.suffix
    return f"{suffix}.gz" if file.is_packed else suffix


def _parts_of(place: Place) -> dict[str, int]:
    """Return the rows of each part that exists, by its name."""
    found = {}
    for name in place.part_names():
        pieces = name.partition(".")[0].split("-")
        if len(pieces) == 4 and pieces[0] == "part" and all(map(str.isdecimal, pieces[1:])):
            found[name] = int(pieces[3])
    return found


def _check_complete(place: Place, found: Mapping[str, int]) -> None:
    """Check that this machine sees all parts.

    Raises:
        ThawlineError: If other machines wrote parts elsewhere.
    """
    missing = found.keys() - place.part_names()
    if missing:
        raise ThawlineError(
            f"a folder that all machines of the cluster share ('{place.shown}')",
            f"{len(missing):,} of {len(found):,} parts on other machines",
            "give a folder on a shared disk, or a URL such as s3://bucket/scored",
            setting="output",
        )
