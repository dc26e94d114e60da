"""The state of the rungs while a ladder is run, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean

from rich.table import Table

from thawline.compare.plan import LadderRun
from thawline.compare.schedule import Schedule
from thawline.report.tables import MISSING, literal, ruled_table
from thawline.runs.records import FitRecord
from thawline.runtime.durations import format_duration


class LadderProgress:
    """The predicted and the true seconds of the rungs, and what is done.

    The accuracies are those on validation, because the test scores are only shown together with
    the verdict.

    Args:
        schedule: The order of the runs.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._running: LadderRun | None = None
        self._finished: dict[str, dict[LadderRun, FitRecord]] = {}

    @contextmanager
    def running(self, run: LadderRun) -> Iterator[None]:
        """Show that a run takes place inside the ``with`` block."""
        self._running = run
        try:
            yield
        finally:
            self._running = None

    def finish(self, run: LadderRun, record: FitRecord) -> str:
        """Note that a run has finished, and return a line that describes it."""
        self._finished.setdefault(run.rung, {})[run] = record
        seconds, accuracy = record.seconds.total, record.validation.accuracy.value
        return (
            f"{run.rung}, {run.place}: {100 * accuracy:.1f} % on validation, "
            f"{format_duration(seconds)}"
        )

    def table(self) -> Table:
        """Return the table of the rungs, from the cheapest to the most expensive."""
        table = ruled_table()
        table.add_column("rung", overflow="fold", max_width=32)
        for heading in ("predicted", "taken", "validation"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("state", overflow="fold")
        planned = self._schedule.next_runs()
        for rung in self._schedule.by_cost():
            seconds = self._schedule.forecast.seconds(rung)
            records = list(self._finished.get(rung, {}).values())
            table.add_row(
                literal(rung),
                format_duration(seconds) if seconds else MISSING,
                _mean_seconds(records),
                _mean_accuracy(records),
                self._state(rung, planned),
            )
        return table

    def _state(self, rung: str, planned: list[LadderRun]) -> str:
        """Return what is done for a rung, and what remains to be done."""
        done = len(self._finished.get(rung, {}))
        if rung in self._schedule.failed:
            return "failed"
        running = self._running
        if running is not None and running.rung == rung:
            return f"running {running.place}"
        waiting = sum(run.rung == rung for run in planned)
        if waiting:
            return f"{done} of {done + waiting} runs" if done else f"waiting, {_runs(waiting)}"
        return f"finished, {_runs(done)}" if done else "left out: exceeds the budget"


def _runs(number: int) -> str:
    return f"{number} run{'s' * (number > 1)}"


def _mean_seconds(records: list[FitRecord]) -> str:
    if not records:
        return MISSING
    return format_duration(fmean(record.seconds.total for record in records))


def _mean_accuracy(records: list[FitRecord]) -> str:
    if not records:
        return MISSING
    return f"{100 * fmean(record.validation.accuracy.value for record in records):.1f} %"
