"""Make the runs of a ladder one after the other, as far as its budget allows."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from thawline import artifact
from thawline.compare.plan import LadderRun
from thawline.compare.progress import LadderProgress
from thawline.compare.schedule import Schedule
from thawline.data import Dataset
from thawline.errors import ThawlineError
from thawline.jobs.fit import Shared, fit_run
from thawline.runs.records import FailedRun, FitRecord, LeftOut
from thawline.runtime import hardware
from thawline.runtime.durations import format_duration
from thawline.runtime.progress import Advance, Reporter


@dataclass
class FittedRuns:
    """The runs of a ladder after fitting.

    Attributes:
        finished: The runs with their records, in the order of the ladder.
        failed: The runs that failed.
        left_out: The rungs that cannot run on their backbone, and those that did not fit into the
            budget or of which some runs did not.
        predicted: The predicted seconds of each rung, alone and with an empty store.
    """

    finished: list[tuple[LadderRun, FitRecord]]
    failed: list[FailedRun]
    left_out: list[LeftOut]
    predicted: dict[str, float]


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


def fit_runs(
    schedule: Schedule,
    draws: Sequence[Dataset],
    predicted: dict[str, float],
    reporter: Reporter,
    save: Callable[[dict[str, float]], None],
) -> FittedRuns:
    """Make the runs that are not finished and fit into the budget.

    A run that fails does not end the ladder, unless no run on draw 0 succeeds.

    Args:
        schedule: The order of the runs.
        draws: The data set of each draw.
        predicted: The predictions of rungs that were run in an earlier start.
        reporter: Shows progress and warnings.
        save: Writes the predictions to the record of the ladder. It is called before each run.

    Returns:
        The records of all runs, including those that were finished before.

    Raises:
        ThawlineError: If every run on draw 0 failed, or if the budget is too small for any.
    """
    fitting = _Fitting(schedule, draws, _OnceReporter(reporter))
    for run in schedule.distinct():
        if isinstance(run.read(), FitRecord):
            fitting.make([run], None)
    predicted = dict(predicted)
    with ExitStack() as stack:
        prover = None
        if schedule.next_runs():
            device = schedule.runs[0].config.compute.device
            prover = stack.enter_context(artifact.Prover(device))
            prover.wait()  # otherwise the first rung's seconds would include its start
        stack.enter_context(reporter.live(fitting.progress.table))
        while runs := schedule.next_runs():
            predicted.setdefault(runs[0].rung, schedule.forecast.seconds(runs[0].rung))
            save(predicted)
            fitting.announce(runs)
            fitting.make(runs, prover)
    records = fitting.records
    finished = [(run, records[run.folder]) for run in schedule.runs if run.folder in records]
    if not any(run.draw == 0 for run, _ in finished):
        raise fitting.errors[0] if fitting.errors else too_small(schedule)
    return FittedRuns(finished, fitting.failed, _describe_left_out(schedule), predicted)


class _Fitting:
    """The state of the runs while they are made.

    Args:
        schedule: The order of the runs.
        draws: The data set of each draw.
        reporter: Shows progress and warnings.

    Attributes:
        records: The records of the finished runs, by folder.
        failed: The runs that failed.
        errors: The errors of these runs.
        progress: The table of the rungs.
    """

    def __init__(self, schedule: Schedule, draws: Sequence[Dataset], reporter: Reporter) -> None:
        self._schedule, self._draws, self._reporter = schedule, draws, reporter
        self.records: dict[Path, FitRecord] = {}
        self.failed: list[FailedRun] = []
        self.errors: list[Exception] = []
        self.progress = LadderProgress(schedule)

    def announce(self, runs: Sequence[LadderRun]) -> None:
        """Report which run begins, and how many there are."""
        number = len(self._schedule.done) + len(self.failed) + 1
        last = number + len(runs) - 1
        self._reporter.message(f"-- {runs[0].rung}, {runs[0].place} ({number} of {last})")

    def make(self, runs: Sequence[LadderRun], prover: artifact.Prover | None) -> None:
        """Make the first of several runs. If it fails, note its error.

        Args:
            runs: The runs that are still to be made, in their order.
            prover: The fresh process that proves the artifact. If None, one is started if needed.
        """
        _forget_last_run()
        run, later = runs[0], self._schedule.later(runs)
        shared, start = Shared(self._draws[run.draw], prover, later), time.perf_counter()
        with self.progress.running(run):
            try:
                record = fit_run(run.config, run.folder, self._reporter, resume=True, shared=shared)
            except Exception as error:  # one failed run must not take the others with it
                self._schedule.fail(run, time.perf_counter() - start)
                words = f"{type(error).__name__}: {error}"
                failed = FailedRun(rung=run.rung, seed=run.seed, draw=run.draw, error=words)
                self.failed.append(failed)
                self.errors.append(error)
                self._reporter.message(f"{run.rung}, {run.place}: failed. {words}")
                return
        self.records[run.folder] = record
        self._schedule.finish(run, record, later)
        self._reporter.message(self.progress.finish(run, record))


def _forget_last_run() -> None:
    """Release memory, so that the peak memory of the next run does not include it."""
    gc.collect()
    hardware.release_memory()
    hardware.reset_peak_memory()


def _describe_left_out(schedule: Schedule) -> list[LeftOut]:
    """Describe the rungs that cannot run, and those that did not fit into the budget.

    The latter are ordered from the cheapest to the most expensive.
    """
    left_out, budget = schedule.left_out(), format_duration(schedule.budget)
    found = list(schedule.refused)
    for rung in schedule.by_cost():
        if rung not in left_out:
            continue
        runs = left_out[rung]
        whole = not any(run.rung == rung and run.folder in schedule.done for run in schedule.runs)
        which = "its run" if len(runs) == 1 else f"its {len(runs)} runs"
        which = which if whole else _missing(schedule, runs)
        found.append(
            LeftOut(
                rung=rung,
                predicted=schedule.predicted(runs),
                reason=f"{which} would exceed the budget of {budget}",
            )
        )
    return found


def _missing(schedule: Schedule, runs: Sequence[LadderRun]) -> str:
    """Return which runs of a rung are missing, as "seeds 1, 2" or as "4 of 9 runs"."""
    if any(run.draw for run in schedule.runs):
        total = sum(run.rung == runs[0].rung for run in schedule.distinct())
        return f"{len(runs)} of {total} runs"
    seeds = ", ".join(str(run.seed) for run in runs)
    return f"seed{'s' * (len(runs) > 1)} {seeds}"


def too_small(schedule: Schedule) -> ThawlineError:
    """Return the error for a budget into which not even the cheapest run fits."""
    cheapest = schedule.by_cost()[0]
    seconds = format_duration(schedule.forecast.seconds(cheapest))
    return ThawlineError(
        f"a budget for at least one run ('{cheapest}' is predicted to take {seconds})",
        f"'{format_duration(schedule.budget)}'",
        "use a larger `budget`, or fewer rows with `fit.data.limit`",
        setting="budget",
    )
