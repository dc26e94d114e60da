"""Write to the terminal, so that text from a file can neither control it nor stop the command.

`safe_streams` replaces standard output and standard error for the time of a command. All text that
is written there is escaped by `printable`. Only rich writes escape sequences, through `console`,
which escapes the text before it adds colours.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from thawline.errors import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

KEPT = "\n\t"
"""The control characters that output keeps."""

# In a notebook, rich would show HTML instead, and a warning without the package ipywidgets.
_LITERALLY: dict[str, Any] = {
    "highlight": False,
    "soft_wrap": True,
    "markup": False,
    "emoji": False,
    "force_jupyter": False,
}
"""The options of a console that prints text as it is."""


class ClosedPipeError(Exception):
    """The reader of standard output or standard error has ended, as in ``thawline … | head``.

    It is no OSError, which typer would catch itself.
    """


class EscapedStream:
    """A text stream that escapes control characters and invisible characters.

    All other attributes are those of the stream below it.

    Args:
        stream: The stream to write to.
    """

    def __init__(self, stream: TextIO) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        """Write a text, and return its number of characters."""
        if not isinstance(text, str):  # typer tries to write bytes to find a binary stream
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with _closed_pipes():
            self.unescaped.write(printable(text, KEPT))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        with _closed_pipes():
            self.unescaped.flush()

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)


@contextmanager
def _closed_pipes() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ClosedPipeError from error


@contextmanager
def safe_streams() -> Iterator[None]:
    """Escape what is written to standard output and standard error inside the ``with`` block.

    Characters that the encoding of a stream lacks are escaped too. A stream that is closed is
    replaced by an empty one.
    """
    _open_closed_streams()
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (EscapedStream(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _open_closed_streams() -> None:
    """Open the standard streams that the process was started without, as ``<&-`` does.

    Otherwise a file that is opened later would take the number of the stream.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        with suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def discard_output() -> None:
    """Send further output to nowhere, so that Python's last flush of a closed pipe is silent."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (ClosedPipeError, BrokenPipeError):
            os.dup2(nowhere, stream.fileno())


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text literally, without markup, emoji codes or wrapping.

    Args:
        stderr: Whether it prints to standard error instead of standard output.
    """
    return _console_type()(stderr=stderr, **_LITERALLY)


def as_text(renderable: RenderableType, width: int = 80) -> str:
    """Return what `console` would print, without colours and without spaces at the ends of lines.

    Args:
        renderable: A text, or a table of rich.
        width: The number of columns.
    """
    stream = io.StringIO()
    _console_type()(file=stream, width=width, color_system=None, **_LITERALLY).print(renderable)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()).strip("\n")


@cache
def _console_type() -> type[Console]:
    from rich.console import Console

    class SafeConsole(Console):
        """A console that escapes text, and writes its own escape sequences past `EscapedStream`."""

        @property
        def file(self) -> Any:
            """The stream that the console writes to."""
            stream = super().file
            return getattr(stream, "unescaped", stream)

        @file.setter
        def file(self, new: Any) -> None:
            self._file = new

        def render_str(self, text: str, **options: Any) -> Any:
            """Escape a string before its width is measured."""
            return super().render_str(printable(text, KEPT), **options)

        def render(self, renderable: Any, options: Any = None) -> Iterator[Any]:
            """Escape all text that is printed, but not the movements of the cursor."""
            for segment in super().render(renderable, options):
                if segment.control:
                    yield segment
                else:
                    yield segment._replace(text=printable(segment.text, KEPT))

        def on_broken_pipe(self) -> None:
            """Raise the error that the command line handles."""
            raise ClosedPipeError

    return SafeConsole
