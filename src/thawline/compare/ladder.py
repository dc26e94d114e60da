"""Run a ladder: several strategies, trained and compared on identical splits and seeds."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from thawline import artifact
from thawline.backbones.loading import Backbone
from thawline.backbones.opening import open_backbone
from thawline.compare.plan import LadderRun, plan_runs
from thawline.compare.results import FinishedRun
from thawline.compare.verdict import check_texts, compare_runs
from thawline.config import Config, LadderConfig
from thawline.data import Dataset, load
from thawline.data.copies import number_copies
from thawline.errors import ThawlineError
from thawline.jobs.fit import Shared, check_same_rows, fit_run
from thawline.report.curves import draw_curves
from thawline.report.differences import draw_verdict
from thawline.report.figures import interval_note
from thawline.report.rungs import RungBar, draw_rungs
from thawline.runs.folder import (
    check_folder,
    check_still_exists,
    is_run,
    job_start,
    outcome_recorded,
    seconds_of_starts,
)
from thawline.runs.layout import LADDER
from thawline.runs.lock import locked
from thawline.runs.records import (
    Comparison,
    FitRecord,
    LabelNames,
    LadderData,
    LadderRecord,
    LadderResults,
    Protocol,
    StartedLadder,
    TotalSeconds,
    finish,
    read_record,
    write_record,
)
from thawline.runs.resume import check_same_config
from thawline.runtime import failures, hardware
from thawline.runtime.files import make_folder, remove_leftovers
from thawline.runtime.paths import expand
from thawline.runtime.progress import Advance, Reporter
from thawline.training.preparation import prepare


def run_ladder(
    config: LadderConfig, folder: Path | str, reporter: Reporter | None = None
) -> LadderRecord:
    """Fit every rung with every seed, and compare the rungs.

    All runs take place in this process. They share the data set and the fresh process that proves
    their artifacts, and each run reads from the store the states that earlier runs computed. An
    interrupted ladder is resumed when it is run again. Finished runs are kept, even if rungs or
    seeds are added.

    Args:
        config: The rungs, the seeds, and the settings that all rungs share.
        folder: The folder of the ladder, in which each run has a folder.
        reporter: Shows progress and warnings. If None, nothing is shown.

    Returns:
        The record of the ladder, which is also written to ``ladder.json`` in its folder.

    Raises:
        ThawlineError: If a rung is invalid, if the folder contains other files or runs with other
            settings, if ``ladder.json`` cannot be read, if another process runs the ladder, or if
            an artifact could not be proven.
    """
    start, folder = time.perf_counter(), expand(folder)
    reporter = Reporter() if reporter is None else reporter
    runs = plan_runs(config, folder)
    read = cache(partial(load, config.fit.data))
    before = _read_ladder(folder)
    _check(runs, read)
    dataset = read()
    check_texts(len(dataset.parts["validation"]), len(dataset.parts["test"]))
    for run in runs:
        check_same_rows(run.read(), dataset, run.folder)
    make_folder(folder)
    with locked(folder):
        remove_leftovers(folder, locked=True)
        started = _start(config, before, dataset, folder)
        return _run(config, runs, started, dataset, folder.absolute(), reporter, start)


def _start(
    config: LadderConfig,
    before: LadderRecord | StartedLadder | None,
    dataset: Dataset,
    folder: Path,
) -> StartedLadder:
    """Write that the ladder has started, and return its record."""
    starts = seconds_of_starts(before, folder)
    started = StartedLadder(
        **dict(job_start(config, None if before is None else before.started, starts)),
        status="running",
        data=LadderData(
            name=dataset.name,
            sha256=dataset.digest,
            protocol=Protocol(**dataset.protocol),
            text_columns=list(dataset.text_columns),
            label_column=dataset.label_column,
            notes=list(dataset.warnings),
            labels=LabelNames(**dataset.labels.to_dict()),
        ),
    )
    write_record(folder / LADDER, started)
    return started


def _run(
    config: LadderConfig,
    runs: Sequence[LadderRun],
    started: StartedLadder,
    dataset: Dataset,
    folder: Path,
    reporter: Reporter,
    start: float,
) -> LadderRecord:
    """Make the runs, compare them and write the record of the finished ladder."""
    file = folder / LADDER
    with outcome_recorded(file, started, start):
        records = _fit(runs, dataset, _OnceReporter(reporter))
        made = [FinishedRun.read(*one) for one in zip(runs, records, strict=True)]
        copies = number_copies(dataset.parts["validation"].texts)
        comparison = compare_runs(config, made, copies)
        check_still_exists(folder)
        plots = _draw(config, started, comparison, folder)
        starts = [*started.starts, time.perf_counter() - start]
        record = finish(
            LadderRecord,
            started.model_copy(update={"starts": starts}),
            comparison,
            LadderResults(plots=plots, seconds=TotalSeconds(total=sum(starts))),
        )
        write_record(file, record)
    return record


# -- before anything is fitted --------------------------------------------------------------------


def _read_ladder(folder: Path) -> LadderRecord | StartedLadder | None:
    """Return the record of a ladder that is run again. None if the ladder is new.

    Raises:
        ThawlineError: If the record cannot be read, or if the folder cannot hold a new ladder.
    """
    if not (folder / LADDER).is_file():
        check_folder(folder)
        return None
    record = read_record(folder / LADDER)
    if not isinstance(record, LadderRecord | StartedLadder):
        found = f"the record of a run in '{folder / LADDER}'"
        raise ThawlineError(f"a ladder in '{folder}'", found, "choose another --out")
    return record


def _check(runs: Sequence[LadderRun], read: Callable[[], Dataset]) -> None:
    """Check the settings of every run.

    Args:
        runs: The runs.
        read: Reads the data set. It is only called if a backbone is built from the texts.
    """
    for run in runs:
        if is_run(run.folder):
            check_same_config(run.folder, run.config)
    backbones: dict[Any, Backbone] = {}

    def opened(config: Config) -> Backbone:
        key = config.backbone, config.tokens, config.encoder
        if key not in backbones:
            backbones[key] = open_backbone(config, lambda: read().train.texts, Reporter())
        return backbones[key]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each run gives its own warnings
        for run in runs:
            if not isinstance(run.read(), FitRecord):
                prepare(run.config, partial(opened, run.config))


# -- fitting --------------------------------------------------------------------------------------


class _OnceReporter(Reporter):
    """Shows each message only once, because messages about the data repeat for every run."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._reported: set[str] = set()

    def message(self, text: str) -> None:
        if text not in self._reported:
            self._reported.add(text)
            self._reporter.message(text)

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        with self._reporter.task(description, total) as advance:
            yield advance


def _fit(runs: Sequence[LadderRun], dataset: Dataset, reporter: Reporter) -> list[FitRecord]:
    """Make the runs that are not finished, and return the records of all runs."""
    records = []
    with ExitStack() as stack:
        prover = None
        if not all(isinstance(run.read(), FitRecord) for run in runs):
            device = runs[0].config.compute.device
            prover = stack.enter_context(artifact.Prover(device))
            prover.wait()  # otherwise the first rung's seconds would include its start
        shared = Shared(dataset, prover)
        for number, run in enumerate(runs, 1):
            seed = run.config.seed
            reporter.message(f"-- {run.rung}, seed {seed} ({number} of {len(runs)})")
            _forget_last_run()
            record = fit_run(run.config, run.folder, reporter, resume=True, shared=shared)
            records.append(record)
    return records


def _forget_last_run() -> None:
    """Release memory, so that the peak memory of the next run does not include it."""
    gc.collect()
    hardware.release_memory()
    hardware.reset_peak_memory()


def _draw(
    config: LadderConfig, started: StartedLadder, comparison: Comparison, folder: Path
) -> list[str]:
    """Draw the rungs as bars, the verdict and, if a rung was trained by epochs, its curves.

    Returns:
        The names of the files.
    """
    title = f"{started.data.name}: strategies on {Path(config.fit.backbone).name}"
    rungs = comparison.rungs
    bars = [
        RungBar(rung.rung, rung.test.accuracy, rung.cost.seconds, rung.parameters.trainable)
        for rung in rungs
    ]
    with failures.system_errors(folder):
        plots = draw_rungs(bars, folder, title=title, subtitle=interval_note(rungs[0].test))
        plots += draw_verdict(rungs, comparison.verdict, folder, title=title)
        if any(run.history for rung in rungs for run in rung.runs):
            plots += draw_curves(rungs, folder, title=title)
    return [path.name for path in plots]
