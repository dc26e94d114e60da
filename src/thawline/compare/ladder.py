"""A ladder: several strategies on identical splits and seeds, compared, with a verdict."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from thawline import artifact
from thawline.backbones.opening import open_backbone
from thawline.compare.plan import Climb, plan_climbs
from thawline.compare.verdict import compared
from thawline.config import LadderConfig
from thawline.data import Dataset, load
from thawline.jobs.fit import Shared, check_same_rows, fit_run
from thawline.report.curves import draw_curves
from thawline.report.rungs import draw_rungs
from thawline.runs.folder import check_folder, is_run, write_json
from thawline.runs.layout import read_whole_record
from thawline.runs.resume import check_begun
from thawline.runtime import failures, hardware
from thawline.runtime.progress import Advance, Reporter
from thawline.training.plan import make_plan

LADDER = "ladder.json"


def run_ladder(config: LadderConfig, folder: Path, reporter: Reporter) -> dict[str, Any]:
    """Fit every rung with every seed, compare them and say which is worth its cost.

    All runs are made in this process, on one reading of the set, with one fresh process that proves
    their artifacts; whatever a rung needs of the store, an earlier one may have put there. A ladder
    that was stopped goes on when it is run again: finished runs are kept. So are those of a ladder
    to which rungs or seeds are added.

    Args:
        config: the rungs, the seeds, and what all of them share.
        folder: of the ladder; each run has a folder in it.
        reporter: told of progress.

    Returns:
        What is also in ``ladder.json``: ``rungs``, each with its test scores (means over the
        seeds, with intervals and deviations), its cost, and ``against_best``, row by row on test;
        the ``best``, by accuracy on test; the ``verdict``, the cheapest rung that cannot be told
        from it; and ``chosen``, the run with the highest accuracy on validation: the one to use,
        since nothing was chosen on test for it.

    Raises:
        ThawlineError: a rung cannot work, the folder holds something else or runs with other
            settings, or an artifact could not be proven.
    """
    start = time.perf_counter()
    climbs = plan_climbs(config, folder)
    read = cache(partial(load, config.fit.data))
    _check(climbs, folder, read)
    dataset = read()
    for climb in climbs:
        check_same_rows(read_whole_record(climb.folder), dataset, climb.folder)
    record: dict[str, Any] = {
        "status": "running",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": config.to_dict(),
        "versions": hardware.versions(),
        "hardware": hardware.describe_machine(),
        "data": {
            "name": dataset.name,
            "sha256": dataset.digest,
            "protocol": dataset.protocol,
            "labels": dataset.labels.to_dict(),
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / LADDER, record)
    with _told(record, folder / LADDER):
        records = _fit(climbs, dataset, _Once(reporter))
        record |= compared(config, climbs, records)
        record["plots"] = _draw(record, folder)
        record["seconds"] = {"total": time.perf_counter() - start}
        record["status"] = "finished"
    return record


@contextmanager
def _told(record: dict[str, Any], file: Path) -> Iterator[None]:
    """Write the record when a ladder ends, in whichever way."""
    try:
        yield
    except KeyboardInterrupt:
        record["status"] = "stopped"
        raise
    except BaseException as error:
        record |= {"status": "failed", "error": f"{type(error).__name__}: {error}"}
        raise
    finally:
        write_json(file, record)


# -- before anything is fitted --------------------------------------------------------------------


def _check(climbs: Sequence[Climb], folder: Path, read: Callable[[], Dataset]) -> None:
    """Check every run against its backbone and against what is in the folder.

    The set is read here only where a backbone is made of its texts.
    """
    if not (folder / LADDER).is_file():
        check_folder(folder)
    for climb in climbs:
        if is_run(climb.folder):
            check_begun(climb.folder, climb.config)
    backbones: dict[Any, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each run warns for itself
        for climb in climbs:
            if not climb.finished:
                own = climb.config
                named = own.backbone, own.tokens, own.encoder
                if named not in backbones:
                    backbones[named] = open_backbone(own, lambda: read().train.texts, Reporter())
                make_plan(backbones[named], own)


# -- fitting --------------------------------------------------------------------------------------


class _Once(Reporter):
    """Tells each note once: what is true of the set is the same for every rung."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._told: set[str] = set()

    def message(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._reporter.message(text)

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        with self._reporter.task(description, total) as advance:
            yield advance


def _fit(climbs: Sequence[Climb], dataset: Dataset, reporter: Reporter) -> list[dict[str, Any]]:
    """Make the runs that are not finished; return the records of all."""
    records = []
    with ExitStack() as stack:
        prover = None
        if not all(climb.finished for climb in climbs):
            device = climbs[0].config.compute.device
            prover = stack.enter_context(artifact.Prover(device))
            prover.wait()  # or its start would count among the first rung's seconds
        shared = Shared(dataset, prover)
        for number, climb in enumerate(climbs, 1):
            seed = climb.config.seed
            reporter.message(f"-- {climb.rung}, seed {seed} ({number} of {len(climbs)})")
            _forget_the_last()
            run = fit_run(climb.config, climb.folder, reporter, resume=True, shared=shared)
            records.append(run)
    return records


def _forget_the_last() -> None:
    """Let the next run's peak of memory be its own, as far as the system can."""
    gc.collect()
    hardware.release_memory()
    hardware.reset_peak_memory()


def _draw(record: Mapping[str, Any], folder: Path) -> list[str]:
    """Draw bars and, where a rung has epochs, lines; return the files' names."""
    backbone = Path(record["config"]["fit"]["backbone"]).name
    title = f"{record['data']['name']}: strategies on {backbone}"
    rungs = record["rungs"]
    with failures.system_errors(folder):
        plots = draw_rungs(rungs, folder, title=title, names=[rung["rung"] for rung in rungs])
        if any(run["history"] for rung in rungs for run in rung["runs"]):
            plots += draw_curves(rungs, folder, title=title)
    return [path.name for path in plots]
