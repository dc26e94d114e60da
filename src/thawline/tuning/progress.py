"""The best trials of a search while it runs, as a table for the terminal."""

from __future__ import annotations

from rich.console import RenderableType

from thawline.report.trials import describe_score, short_settings, trials_table
from thawline.runs.records import TuneTrial

SHOWN = 5
"""The number of trials in the table."""


class SearchProgress:
    """The trials that have ended, of all processes.

    Args:
        score: The score, as in `measure`.
        planned: The number of trials to make.

    Attributes:
        finished: The finished trials with settings of their own, the best one first.
        others: The pruned and the failed trials.
        repeated: The number of trials whose settings were known.
    """

    def __init__(self, score: str, planned: int) -> None:
        self._score, self._planned = score, planned
        self._seen: set[int] = set()
        self._next = 0
        self.finished: list[TuneTrial] = []
        self.others: list[TuneTrial] = []
        self.repeated = 0

    @property
    def made(self) -> int:
        """The number of trials that count, which are finished or pruned."""
        return len(self.finished) + sum(trial.state == "pruned" for trial in self.others)

    @property
    def first_unknown(self) -> int:
        """The number of the first trial that was not added."""
        while self._next in self._seen:
            self._next += 1
        return self._next

    def knows(self, number: int) -> bool:
        """Return whether a trial was added."""
        return number in self._seen

    def skip(self, number: int) -> None:
        """Leave out a trial that was interrupted."""
        self._seen.add(number)

    def add(self, trial: TuneTrial, repeated: bool) -> str | None:
        """Add a trial that has ended.

        Args:
            trial: The trial.
            repeated: Whether an earlier trial had the same settings.

        Returns:
            A line that describes it if it is the best one so far, otherwise None.
        """
        self._seen.add(trial.number)
        if repeated:
            self.repeated += 1
            return None
        if trial.state != "finished":
            self.others.append(trial)
            return None
        self.finished.append(trial)
        self.finished.sort(key=self._order)
        if self.finished[0] is not trial:
            return None
        score = describe_score(trial, self._score)
        return f"trial {trial.number}: {score}, the best so far. {short_settings(trial)}"

    def _order(self, trial: TuneTrial) -> tuple[float, int]:
        assert trial.score is not None
        return (trial.score if self._score == "loss" else -trial.score, trial.number)

    def table(self) -> RenderableType:
        """Return the table of the best trials so far, or a line if no trial has finished."""
        caption = f"{self.made} of {self._planned} trials"
        if not self.finished:
            return caption
        return trials_table(self.finished[:SHOWN], self._score, caption=caption)
