"""Run a command, print its errors as one line and set the exit code."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn

import typer

from thawline.cli import usage
from thawline.cli.naming import fit_naming
from thawline.errors import ThawlineError, in_words, join_lines, printable, settings_named
from thawline.runtime import terminal
from thawline.runtime.failures import describe_system_error, first_line, is_out_of_memory
from thawline.runtime.hardware import (
    keep_freed_memory,
    let_idle_threads_sleep,
    limit_kernel_cache,
)
from thawline.runtime.untrusted import read_regular

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

CLOSED_PIPE = 141
"""The exit code if the reader of standard output ends first, as in ``thawline … | head``."""

_FULL = "free some disk space, or choose a place on another disk"
_FORBIDDEN = "choose a place that you can read and write"
_FIXES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENAMETOOLONG: "give a shorter name",
}
"""How to fix an error of the operating system, by its number."""


def print_json(value: Any) -> None:
    """Print one line of JSON on standard output.

    Characters that could control a terminal, or that the encoding of the output lacks, are written
    as escapes of JSON, so that a reader of the JSON gets the exact values.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
        is_safe = printable(text) == text
    except UnicodeEncodeError:
        is_safe = False
    print_text(text if is_safe else json.dumps(value, ensure_ascii=True))


def print_text(text: str) -> None:
    """Print a line of text on standard output at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def read_standard_input() -> str:
    """Return standard input, which must be UTF-8. A byte order mark is skipped.

    Raises:
        ThawlineError: If it is not UTF-8.
    """
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:  # a test, or a program that replaced standard input
        return sys.stdin.read().removeprefix("\ufeff")
    content = stream.read()
    try:
        return str(content, "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"the invalid byte 0x{content[error.start]:02x} in line {line}"
        fix = "convert the text to UTF-8"
        raise ThawlineError("UTF-8 on standard input", found, fix) from error


def input_bytes() -> IO[bytes]:
    """Return the stream of the bytes of standard input."""
    stream = getattr(sys.stdin, "buffer", None)
    # A test, or a program, may have replaced standard input by a stream of text.
    return io.BytesIO(sys.stdin.read().encode()) if stream is None else stream


def write_bytes(content: bytes) -> None:
    """Write bytes to standard output, unchanged."""
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(content.decode())
    else:
        stream.write(content)


def _show_warning(message: Warning | str, *ignored: Any, **also_ignored: Any) -> None:
    """Print a warning on one line. The signature is that of `warnings.showwarning`."""
    sys.stderr.write(f"warning: {in_words(join_lines(message))}\n")


def _show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback, escaped. The signature is that of `sys.excepthook`."""
    lines = traceback.format_exception(kind, error, trace)
    sys.stderr.write(printable("".join(lines), terminal.KEPT))


def _split_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Return the arguments without ``--debug``, and whether it was given before any ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return options + arguments[end:], len(options) < end


def _explain(error: Exception) -> ThawlineError | None:
    """Return a ThawlineError if the user can fix the error, or None if the error is a bug."""
    if isinstance(error, ThawlineError):
        return error
    if isinstance(error, usage.UsageError):
        return usage.explain(error)
    if isinstance(error, OSError):
        return _explain_system_error(error)
    if is_out_of_memory(error):
        fix = "use a smaller --batch-size, head or backbone"
        return ThawlineError("enough memory for this command", "too little memory", fix)
    return None


def _explain_system_error(error: OSError) -> ThawlineError:
    """Return a ThawlineError for an error of the operating system."""
    place = "" if error.filename is None else f" ('{error.filename}')"
    found = f"{describe_system_error(error)}{place}"
    default_fix = "fix the cause, or add --debug to see where it happened"
    fix = default_fix if error.errno is None else _FIXES.get(error.errno, default_fix)
    return ThawlineError("files that can be read and written", found, fix)


def _trace(error: Exception) -> str:
    """Return the traceback of an error, without the message if it is the one that is printed."""
    lines = traceback.format_exception(error)
    if isinstance(error, ThawlineError):
        del lines[-1]
    return "".join(lines)


def _check_plot_settings() -> None:
    """Check the file of the working folder that matplotlib reads when it is imported.

    Raises:
        ThawlineError: If it is not a regular text file of at most 1 MiB.
    """
    path = Path("matplotlibrc")
    if path.is_dir():  # matplotlib ignores it
        return
    try:
        read_regular(path, limit=2**20).decode()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        found = error.found if isinstance(error, ThawlineError) else first_line(error)
        raise ThawlineError(
            f"a text file, because matplotlib reads '{path}' in the working folder",
            found,
            "rename the file, or work in another folder",
        ) from error


def _prepare_environment() -> None:
    """Prepare the process for a command.

    Raises:
        ThawlineError: If Python removed the docstrings, which transformers reads when it is loaded,
            or if matplotlib could not read a file of the working folder.
    """
    warnings.showwarning = _show_warning
    sys.excepthook = _show_bug
    # Plots are written without a display. An unknown backend would stop matplotlib's import.
    os.environ.pop("MPLBACKEND", None)
    limit_kernel_cache()
    keep_freed_memory()
    let_idle_threads_sleep()
    if sys.flags.optimize > 1:
        fix = "unset PYTHONOPTIMIZE, or run python without -OO"
        raise ThawlineError("Python with docstrings", "PYTHONOPTIMIZE=2 or -OO", fix)
    _check_plot_settings()


def run(app: typer.Typer) -> NoReturn:
    """Run the command line and exit.

    An error that the user can fix is printed as one line, and the exit code is 2. Other errors are
    printed with their traceback.

    Args:
        app: The application with all verbs.
    """
    with terminal.safe_streams():
        code = _run(app)
    sys.exit(code)


def _run(app: typer.Typer) -> Any:
    arguments, debug = _split_debug(sys.argv[1:])
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        _prepare_environment()
        with settings_named(fit_naming()):  # unless a verb has settings of its own
            code = command(arguments, prog_name="thawline", standalone_mode=False)
        sys.stdout.flush()
    except terminal.ClosedPipeError:
        terminal.discard_output()
        return CLOSED_PIPE
    except Exception as error:
        explained = _explain(error)
        if explained is None:
            raise
        if debug:
            sys.stderr.write(_trace(error))
        sys.stderr.write(f"error: {explained}\n")
        code = 2
    if code == INTERRUPTED:
        sys.stderr.write("interrupted\n")
    return code
