"""Report the messages and the progress of long jobs, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from thawline.runtime.terminal import console

if TYPE_CHECKING:
    from rich.console import RenderableType


class Advance(Protocol):
    """Define the function that a job calls to report the progress of a task."""

    def __call__(self, steps: int, now: str = "") -> None:
        """Report progress.

        Args:
            steps: The number of steps completed since the last call.
            now: The current state in a few words, for example the loss.
        """


class Reporter:
    """Discard all messages and progress; the command line uses `TerminalReporter`."""

    def message(self, text: str) -> None:
        """Report one line of information."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """Report the progress of a task, through the function that is yielded.

        Args:
            description: A short description of the task.
            total: The number of steps of the task.
        """
        yield lambda steps, now="": None

    @contextmanager
    def live(self, render: Callable[[], RenderableType]) -> Iterator[None]:
        """Show something that changes while the ``with`` block runs, for example a table.

        Args:
            render: Returns what is shown now.
        """
        yield


class TerminalReporter(Reporter):
    """Print messages and progress bars on standard error."""

    def __init__(self) -> None:
        self.console = console(stderr=True)

    def message(self, text: str) -> None:
        """Print one line of information."""
        self.console.print(text)

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """Show a progress bar with the remaining time, or one line at the end without a terminal.

        Args:
            description: A short description of the task.
            total: The number of steps of the task.
        """
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}", markup=False),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(description, total=total, now="")
            yield lambda steps, now="": progress.update(task, advance=steps, now=now)

    @contextmanager
    def live(self, render: Callable[[], RenderableType]) -> Iterator[None]:
        """Show something below the messages while the block runs, or once without a terminal.

        Args:
            render: Returns what is shown now. It is called from another thread.
        """
        if not self.console.is_terminal:
            self.console.print(render())
            yield
            return
        from rich.live import Live

        with Live(
            get_renderable=render, console=self.console, refresh_per_second=2, transient=True
        ):
            yield
