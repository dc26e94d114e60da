"""What the tests of the verbs have in common."""

from __future__ import annotations

from tests.support.command_line import Outcome

TRAIN, TEST = 80, 32
"""Rows of the toy reviews."""

NAMED = ("--labels", "neg,pos")


def refusal(done: Outcome) -> str:
    """Check that a command printed one line, exited with 2 and printed no output; return it."""
    assert (done.code, done.out) == (2, ""), done
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert "Traceback" not in line
    return line
