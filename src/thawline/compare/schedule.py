"""Decide which runs of a ladder fit into its budget, and in which order they are made."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from thawline.compare.forecast import Forecast
from thawline.compare.plan import LadderRun
from thawline.runs.records import FitRecord, LeftOut


@dataclass
class Schedule:
    """The order of the runs of a ladder, which changes when runs finish.

    Every rung is first run with the first seed, from the cheapest to the dearest, if it fits into
    the budget. If a rung can continue from the states at the lower line of a dearer one, this one
    runs before it, so that no block runs twice for a text. Further seeds are added in rounds: a
    round begins only if all its runs fit, so that the rungs have the same seeds.

    Attributes:
        runs: The runs of the ladder. Those with the same folder are one run.
        forecast: The predicted seconds of a run of each rung.
        budget: The seconds for all runs together. 0 sets no limit.
        refused: The rungs that cannot run on their backbone, which have no runs.
        done: The folders of the runs that have finished.
        failed: The rungs with a failed run. Their other runs are not made.
        spent: The seconds of the runs that have finished or failed.
        stored: The states that these runs left in the store.
    """

    runs: Sequence[LadderRun]
    forecast: Forecast
    budget: float
    refused: Sequence[LeftOut] = ()
    done: set[Path] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    spent: float = 0.0
    stored: set[Hashable] = field(default_factory=set)

    def finish(self, run: LadderRun, record: FitRecord) -> None:
        """Note that a run has finished, and correct the predictions by it."""
        self.done.add(run.folder)
        self.spent += record.seconds.total
        self.stored |= self.forecast.states(run.rung)
        self.forecast.learn(run.rung, record)

    def fail(self, run: LadderRun, seconds: float) -> None:
        """Note that a run has failed after some seconds."""
        self.failed.add(run.rung)
        self.spent += seconds

    def next_runs(self) -> list[LadderRun]:
        """Return the runs that are still to be made and fit into the budget, in their order."""
        left = self.budget - self.spent if self.budget else math.inf
        stored, taken = set(self.stored), list[LadderRun]()
        left_out: set[str] = set()
        for number, runs in enumerate(self._rounds()):
            has_begun = number == 0 or any(run.folder in self.done for run in runs)
            open_runs = [
                run
                for run in runs
                if run.folder not in self.done and run.rung not in self.failed | left_out
            ]
            if not has_begun and left < sum(self._seconds(open_runs, stored)):
                break
            fitting = []
            for run in open_runs:
                (seconds,) = self._seconds([run], stored)
                if seconds <= left:
                    left -= seconds
                    fitting.append(run)
                    stored |= self.forecast.states(run.rung)
                else:
                    left_out.add(run.rung)
            taken += self._lower_lines_first(fitting)
        return taken

    def _lower_lines_first(self, runs: Sequence[LadderRun]) -> list[LadderRun]:
        """Move each run before those that can continue from the states at its line."""
        ordered: list[LadderRun] = []
        for run in runs:
            below = [other for other in runs if self.forecast.is_below(other.rung, run.rung)]
            below.sort(key=lambda one: sum(self.forecast.is_below(o.rung, one.rung) for o in runs))
            ordered += [one for one in [*below, run] if one not in ordered]
        return ordered

    def left_out(self) -> dict[str, list[LadderRun]]:
        """Return the runs that do not fit into the budget, by rung."""
        kept = self.done | {run.folder for run in self.next_runs()}
        rungs: dict[str, list[LadderRun]] = {}
        for run in self.distinct():
            if run.folder not in kept and run.rung not in self.failed:
                rungs.setdefault(run.rung, []).append(run)
        return rungs

    def predicted(self, runs: Iterable[LadderRun]) -> float:
        """Return the predicted seconds of several runs, with the states that they share."""
        return sum(self._seconds(runs, set(self.stored)))

    def by_cost(self) -> list[str]:
        """Return the rungs from the cheapest to the dearest."""
        return sorted(dict.fromkeys(run.rung for run in self.runs), key=self.forecast.seconds)

    def _seconds(self, runs: Iterable[LadderRun], stored: set[Hashable]) -> list[float]:
        """Return the predicted seconds of several runs, one after the other."""
        seconds, stored = [], set(stored)
        for run in runs:
            seconds.append(self.forecast.seconds(run.rung, stored))
            stored |= self.forecast.states(run.rung)
        return seconds

    def distinct(self) -> list[LadderRun]:
        """Return the first run of each folder."""
        first: dict[Path, LadderRun] = {}
        for run in self.runs:
            first.setdefault(run.folder, run)
        return list(first.values())

    def _rounds(self) -> list[list[LadderRun]]:
        """Return the runs of each seed, from the cheapest to the dearest."""
        order = {rung: position for position, rung in enumerate(self.by_cost())}
        rounds: dict[int, list[LadderRun]] = {run.seed: [] for run in self.runs}
        for run in sorted(self.distinct(), key=lambda run: order[run.rung]):
            rounds[run.seed].append(run)
        return list(rounds.values())
