"""What a reporter shows while it changes: live on a terminal, and once in a pipe."""

from __future__ import annotations

import io

from rich.console import Console

from thawline.runtime.progress import Reporter, TerminalReporter


def reporter_on(*, terminal: bool) -> tuple[TerminalReporter, io.StringIO]:
    out = io.StringIO()
    reporter = TerminalReporter()
    reporter.console = Console(file=out, force_terminal=terminal, width=60)
    return reporter, out


def test_it_is_printed_once_in_a_pipe() -> None:
    reporter, out = reporter_on(terminal=False)
    states = iter(["first state", "second state"])
    with reporter.live(lambda: next(states)):
        reporter.message("a message")
    assert out.getvalue().splitlines() == ["first state", "a message"]


def test_it_is_drawn_again_on_a_terminal_below_messages_and_around_a_task() -> None:
    reporter, out = reporter_on(terminal=True)
    state = ["first state"]
    with reporter.live(lambda: state[0]):
        with reporter.task("work", 2) as advance:
            advance(2)
        reporter.message("a message")
        state[0] = "second state"
    shown = out.getvalue()
    assert "a message" in shown
    assert "second state" in shown
    assert "work" in shown


def test_a_silent_reporter_shows_nothing() -> None:
    with Reporter().live(lambda: 1 / 0):
        pass
