"""Run a command, print its errors as one line and set the exit code."""

from __future__ import annotations

import errno
import json
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from thawline.cli import usage
from thawline.errors import ThawlineError, join_lines
from thawline.runtime.failures import describe_system_error, is_out_of_memory
from thawline.runtime.hardware import let_idle_threads_sleep, limit_kernel_cache

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

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
    """Print one line of JSON on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _show_warning(message: Warning | str, *ignored: Any, **also_ignored: Any) -> None:
    """Print a warning on one line. The signature is that of `warnings.showwarning`."""
    sys.stderr.write(f"warning: {join_lines(message)}\n")


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
    place = "" if error.filename is None else f" ('{_shortened(str(error.filename))}')"
    found = f"{describe_system_error(error)}{place}"
    default_fix = "fix the cause, or add --debug to see where it happened"
    fix = default_fix if error.errno is None else _FIXES.get(error.errno, default_fix)
    return ThawlineError("files that can be read and written", found, fix)


def _shortened(path: str) -> str:
    return path if len(path) <= 200 else f"{path[:60]}…"


def run(app: typer.Typer) -> NoReturn:
    """Run the command line and exit.

    An error that the user can fix is printed as one line, and the exit code is 2. Other errors are
    printed with their traceback.

    Args:
        app: The application with all verbs.
    """
    warnings.showwarning = _show_warning
    limit_kernel_cache()
    let_idle_threads_sleep()
    arguments, debug = _split_debug(sys.argv[1:])
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        code = command(arguments, prog_name="thawline", standalone_mode=False)
    except Exception as error:
        explained = _explain(error)
        if explained is None:
            raise
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"error: {explained}\n")
        code = 2
    if code == INTERRUPTED:
        sys.stderr.write("interrupted\n")
    sys.exit(code)
