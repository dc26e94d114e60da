"""The process around the verbs: arguments in, one line for an error, an exit code out."""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from thawline.compat import bound_kernel_cache, let_idle_threads_sleep
from thawline.errors import ThawlineError

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

# typer's own usage errors (no such option, a word where a number belongs …): their base has no
# public name of its own.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


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


def _explain(error: Exception) -> str:
    """Return one line that says what was wrong and how to mend it."""
    if isinstance(error, _UsageError):
        context: typer.Context | None = getattr(error, "ctx", None)
        verb = "thawline" if context is None else context.command_path
        message = error.format_message()  # type: ignore[attr-defined]
        return f"{one_line(message).rstrip('.')}; see {verb} --help"
    if isinstance(error, OSError):
        place = "" if error.filename is None else f" ('{error.filename}')"
        found = f"{error.strerror or one_line(error)}{place}"
        mend = "mend that, or add --debug to see where it happened"
        return str(ThawlineError("files that can be read and written", found, mend))
    return str(error)


def run(app: typer.Typer) -> NoReturn:
    """Run the command line and leave: an error that the user can mend is one line, exit code 2."""
    warnings.showwarning = _show_warning
    bound_kernel_cache()
    let_idle_threads_sleep()
    arguments, debug = _split_debug(sys.argv[1:])
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        code = command(arguments, prog_name="thawline", standalone_mode=False)
    except (ThawlineError, _UsageError, OSError) as error:
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"error: {_explain(error)}\n")
        code = 2
    if code == INTERRUPTED:
        sys.stderr.write("interrupted\n")
    sys.exit(code)
