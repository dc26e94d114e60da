"""Output escapes what could control the terminal, and works with every stream."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest
from rich.table import Table
from rich.text import Text

from thawline.runtime.progress import TerminalReporter
from thawline.runtime.terminal import ClosedPipeError, EscapedStream, console, safe_streams

HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e[red]:smile:"


class Terminal(io.StringIO):
    """A stream that calls itself a terminal, so that rich writes escape sequences."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


@contextmanager
def streams() -> Iterator[tuple[Terminal, Terminal]]:
    """Replace both streams by safe ones on terminals, and yield the terminals."""
    out, err = Terminal(), Terminal()
    with redirect_stdout(out), redirect_stderr(err):
        with safe_streams():
            yield out, err
        assert (sys.stdout, sys.stderr) == (out, err)


def is_escaped(text: str) -> bool:
    return (
        "\x1b]" not in text and "\x1b[2J" not in text and not {"\x07", "\x9b", "\u202e"} & {*text}
    )


def test_everything_that_is_written_is_escaped():
    with streams() as (out, err):
        print(HOSTILE)
        print(HOSTILE, file=sys.stderr)
        sys.stdout.writelines([HOSTILE, HOSTILE])
    assert out.getvalue().count("\\x1b") == 6
    assert is_escaped(out.getvalue() + err.getvalue())


def test_a_console_prints_colours_but_no_escape_sequences_of_others():
    table = Table(title=HOSTILE, caption=HOSTILE, header_style="bold")
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(Text(HOSTILE, style="red"))
    with streams() as (out, _):
        console().print(HOSTILE, style="red")
        console().print(table)
        console().print(Text(HOSTILE))
    assert is_escaped(out.getvalue())
    assert "\x1b[31m" in out.getvalue()
    assert "[red]:smile:" in out.getvalue()


def test_a_progress_bar_is_escaped():
    with streams() as (_, err):
        reporter = TerminalReporter()
        with reporter.task(f"reading {HOSTILE}", 2) as advance:
            advance(1, f"loss {HOSTILE}")
            reporter.message(HOSTILE)
            sys.stderr.write(HOSTILE)
            advance(1, HOSTILE)
    assert is_escaped(err.getvalue())
    assert "[red]:smile:" in err.getvalue()
    assert "\x1b[" in err.getvalue()


def test_a_character_that_the_encoding_lacks_is_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    with safe_streams():
        print("café 🙂")
        console().print("café")
        sys.stdout.flush()
    assert raw.getvalue() == b"caf\\xe9 \\U0001f642\ncaf\\xe9\n"


def test_a_closed_pipe_is_an_error_of_its_own(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w", encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    with safe_streams():
        with pytest.raises(ClosedPipeError):
            print("a", flush=True)
        with pytest.raises(ClosedPipeError):
            console().print("b" * 100_000)
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_only_text_can_be_written():
    with pytest.raises(TypeError):
        EscapedStream(io.StringIO()).write(b"")  # type: ignore[arg-type]
