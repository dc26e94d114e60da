"""What a long job tells whoever waits for it: on standard error, never on standard output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """What a task tells of its progress."""

    def __call__(self, steps: int, now: str = "") -> None:
        """Tell how many more steps are done, and in a few words how it stands."""


class Reporter:
    """Tells nothing; the command line uses `TerminalReporter`."""

    def message(self, text: str) -> None:
        """Tell one line."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """Follow a task of ``total`` steps; the yielded function is told how many more are done."""
        yield lambda steps, now="": None


class TerminalReporter(Reporter):
    """Notes and progress bars on standard error."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    def message(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, markup=False)

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """Show a bar with the time left; where there is no terminal, one line at the end."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}"),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(description, total=total, now="")
            yield lambda steps, now="": progress.update(task, advance=steps, now=now)
