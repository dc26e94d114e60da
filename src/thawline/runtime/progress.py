"""Report the messages and the progress of long jobs, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from thawline.errors import in_words
from thawline.runtime.terminal import console

if TYPE_CHECKING:
    from rich.console import RenderableType


LINE_SECONDS = 60.0
"""Seconds between two lines of a task's progress if the output is not a terminal."""


WIDE = 120
"""Number of columns of a terminal from which a progress bar has its full width."""

WIDE_BAR, NARROW_BAR = 30, 8
"""The width of a progress bar in such a terminal, and in a narrower one."""


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
        """Print one line of information, with the names of settings of the command."""
        self.console.print(in_words(text))

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        """Show a progress bar with the remaining time.

        Without a terminal, the bar is printed once at the end, and a line every `LINE_SECONDS`.

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
        from rich.table import Column
        from rich.text import Text

        # The current state is cut, so that a bar takes one line.
        is_wide = self.console.width >= WIDE
        bar = WIDE_BAR if is_wide else NARROW_BAR
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar, table_column=Column(no_wrap=True)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            *([TimeElapsedColumn(table_column=Column(no_wrap=True))] if is_wide else []),
            TextColumn("left"),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[now]}", markup=False, table_column=Column()),
        )
        times = "0:00:00 left 0:00:00 " if is_wide else "left 0:00:00 "
        taken = len(f"{description} {total}/{total} {times}") + bar + 1
        room = max(NARROW_BAR, self.console.width - taken)
        printed, done = time.monotonic(), 0
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(description, total=total, now="")

            def advance(steps: int, now: str = "") -> None:
                nonlocal printed, done
                shown = Text(now)
                shown.truncate(room, overflow="ellipsis")
                done += steps
                progress.update(task, advance=steps, now=shown.plain)
                is_due = time.monotonic() - printed >= LINE_SECONDS
                if is_due and done < total and not self.console.is_terminal:
                    printed = time.monotonic()
                    self.console.print(f"{description} {done:,}/{total:,} {now}".rstrip())

            yield advance

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
