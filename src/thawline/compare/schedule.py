"""Decide which runs of a ladder fit into its budget, and in which order they are made."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from thawline.compare.forecast import Forecast
from thawline.compare.plan import LadderRun
from thawline.runs.records import FitRecord, LeftOut
from thawline.training.states import NOTHING_LATER, LaterStates

Stored = dict[int, set[Hashable]]
"""The states that runs left in the store, by the draw of their training rows."""


@dataclass
class Schedule:
    """The order of the runs of a ladder, which changes when runs finish.

    Every rung is first run with the first seed, from the cheapest to the most expensive, if it fits
    into the budget. If a rung can continue from the states at the lower line of a more expensive
    one, the more expensive one runs first, so that no block runs twice for a text. For the same
    reason, the first rung that reads texts also computes the states that later ones need, if one
    pass can compute both. Further draws, and then further seeds, are added in rounds: a round
    begins only if all its runs fit, so that the rungs have the same draws and seeds.

    Attributes:
        runs: The runs of the ladder. Those with the same folder are one run.
        forecast: The predicted seconds of a run of each rung.
        budget: The seconds for all runs together. 0 sets no limit.
        refused: The rungs that cannot run on their backbone, which have no runs.
        done: The folders of the runs that have finished.
        failed: The rungs with a failed run. Their other runs are not made.
        spent: The seconds of the runs that have finished or failed.
        stored: The states that these runs left in the store, by draw.
    """

    runs: Sequence[LadderRun]
    forecast: Forecast
    budget: float
    refused: Sequence[LeftOut] = ()
    done: set[Path] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    spent: float = 0.0
    stored: Stored = field(default_factory=lambda: defaultdict(set))

    def later(self, runs: Sequence[LadderRun]) -> LaterStates:
        """Return the states that the first of several runs can compute for the others.

        Args:
            runs: The runs that are still to be made, in their order.
        """
        first, *others = runs
        same = [run.rung for run in others if run.draw == first.draw]
        return self.forecast.later(first.rung, same, self.stored[first.draw])

    def finish(self, run: LadderRun, record: FitRecord, later: LaterStates = NOTHING_LATER) -> None:
        """Note that a run has finished, and correct the predictions by it.

        Args:
            run: The run.
            record: Its record.
            later: The states that it computed for other runs.
        """
        self.done.add(run.folder)
        self.spent += record.seconds.total
        self.stored[run.draw] |= self.forecast.states(run.rung)
        if record.prefix.texts:  # otherwise the store had what this run needs, and it ran no pass
            self.stored[run.draw] |= self.forecast.computed_later(run.rung, later)
        self.forecast.learn(run.rung, record)

    def fail(self, run: LadderRun, seconds: float) -> None:
        """Note that a run has failed after some seconds."""
        self.failed.add(run.rung)
        self.spent += seconds

    def next_runs(self) -> list[LadderRun]:
        """Return the runs that are still to be made and fit into the budget, in their order."""
        left = self.budget - self.spent if self.budget else math.inf
        assumed, taken = _Assumed.of(self.stored), list[LadderRun]()
        left_out: set[str] = set()
        for number, runs in enumerate(self._rounds()):
            has_begun = number == 0 or any(run.folder in self.done for run in runs)
            open_runs = [
                run
                for run in runs
                if run.folder not in self.done and run.rung not in self.failed | left_out
            ]
            if not has_begun and left < sum(self._seconds(open_runs, assumed.copy())):
                break
            fitting = []
            for run in open_runs:
                seconds = assumed.seconds(self.forecast, run)
                if seconds <= left:
                    left -= seconds
                    fitting.append(run)
                    assumed.add(self.forecast, run)
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
        return sum(self._seconds(runs, _Assumed.of(self.stored)))

    def by_cost(self) -> list[str]:
        """Return the rungs from the cheapest to the most expensive."""
        return sorted(dict.fromkeys(run.rung for run in self.runs), key=self.forecast.seconds)

    def _seconds(self, runs: Iterable[LadderRun], assumed: _Assumed) -> list[float]:
        """Return the predicted seconds of several runs, one after the other."""
        seconds = []
        for run in runs:
            seconds.append(assumed.seconds(self.forecast, run))
            assumed.add(self.forecast, run)
        return seconds

    def distinct(self) -> list[LadderRun]:
        """Return the first run of each folder."""
        first: dict[Path, LadderRun] = {}
        for run in self.runs:
            first.setdefault(run.folder, run)
        return list(first.values())

    def _rounds(self) -> list[list[LadderRun]]:
        """Return the runs of each draw with the first seed, then of each further seed.

        The runs of a round are ordered from the cheapest to the most expensive.
        """
        order = {rung: position for position, rung in enumerate(self.by_cost())}
        seeds: dict[int, dict[int, int]] = {}  # the position of each seed of a draw
        for run in self.runs:
            of_draw = seeds.setdefault(run.draw, {})
            of_draw.setdefault(run.seed, len(of_draw))
        rounds: dict[tuple[int, int], list[LadderRun]] = {}
        for run in sorted(self.distinct(), key=lambda run: order[run.rung]):
            rounds.setdefault((seeds[run.draw][run.seed], run.draw), []).append(run)
        return [runs for _, runs in sorted(rounds.items(), key=lambda item: item[0])]


@dataclass
class _Assumed:
    """What the store is assumed to hold when a planned run begins.

    Attributes:
        stored: The states that finished and planned runs leave, by draw.
        coming: Those of planned runs. Their passes can also compute the states at a line.
    """

    stored: Stored
    coming: Stored

    @classmethod
    def of(cls, stored: Stored) -> _Assumed:
        """Return what is assumed before any run is planned."""
        return cls(stored, defaultdict(set)).copy()

    def copy(self) -> _Assumed:
        """Return a copy that can be changed."""
        return _Assumed(
            *(
                defaultdict(set, {draw: set(states) for draw, states in states_by_draw.items()})
                for states_by_draw in (self.stored, self.coming)
            )
        )

    def seconds(self, forecast: Forecast, run: LadderRun) -> float:
        """Return the predicted seconds of a run."""
        stored: set[Hashable] = self.stored[run.draw]
        if forecast.is_passed(run.rung, self.coming[run.draw]):
            stored = stored | forecast.states(run.rung)
        others = [states for draw, states in self.stored.items() if draw != run.draw]
        return forecast.seconds(run.rung, stored, set[Hashable]().union(*others))

    def add(self, forecast: Forecast, run: LadderRun) -> None:
        """Assume that a run is made."""
        states = forecast.states(run.rung)
        self.coming[run.draw] |= states - self.stored[run.draw]
        self.stored[run.draw] |= states
