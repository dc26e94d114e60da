"""The process around the verbs: arguments in, one line for an error, an exit code out."""

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
from thawline.errors import ThawlineError
from thawline.runtime.failures import is_out_of_memory
from thawline.runtime.hardware import let_idle_threads_sleep, limit_kernel_cache

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

_FULL = "free some disk, or choose a place on another one"
_FORBIDDEN = "choose a place that you may read and write"
_FIXES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENAMETOOLONG: "give a shorter name",
}
"""How to fix what the operating system refuses, where that is known."""


def print_json(value: Any) -> None:
    """Print one line of JSON on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    sys.stderr.write(f"warning: {one_line(message)}\n")


def one_line(message: object) -> str:
    """Return a message with its line breaks as spaces."""
    return " ".join(str(message).split())


def _split_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Take ``--debug`` out, wherever it stands before a ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return options + arguments[end:], len(options) < end


def _explain(error: Exception) -> ThawlineError | None:
    """Return what was wrong and how to fix it; None: that is not the user's to fix."""
    if isinstance(error, ThawlineError):
        return error
    if isinstance(error, usage.UsageError):
        return usage.explain(error)
    if isinstance(error, OSError):
        return _explain_refusal(error)
    if is_out_of_memory(error):
        fix = "take a smaller --batch-size, head or backbone"
        return ThawlineError("memory enough for this", "too little", fix)
    return None


def _explain_refusal(error: OSError) -> ThawlineError:
    """Say what the operating system refused."""
    place = "" if error.filename is None else f" ('{_shortened(str(error.filename))}')"
    found = f"{error.strerror or one_line(error)}{place}"
    otherwise = "fix that, or add --debug to see where it happened"
    fix = otherwise if error.errno is None else _FIXES.get(error.errno, otherwise)
    return ThawlineError("files that can be read and written", found, fix)


def _shortened(path: str) -> str:
    return path if len(path) <= 200 else f"{path[:60]}…"


def run(app: typer.Typer) -> NoReturn:
    """Run the command line and leave: an error that the user can fix is one line, exit code 2."""
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
