"""End the process of the command line without taking apart what the operating system frees.

At its end, Python deletes the modules and objects of torch and transformers one by one, which takes
a fifth of a second. Neither files nor other processes need that.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn


def run_and_leave(command: Callable[[], None]) -> NoReturn:
    """Run a command that ends with SystemExit, and end the process with its exit code.

    Functions registered with `atexit` run, and what is buffered is written. Python ends the process
    in its own way instead if the command raises another error, if another thread still works, or if
    something cannot be written.

    Args:
        command: Runs the command.
    """
    try:
        command()
        code: Any = 0
    except SystemExit as leaving:
        code = 0 if leaving.code is None else leaving.code
        if not isinstance(code, int) or not _is_alone():
            raise
    run_exit_functions = getattr(atexit, "_run_exitfuncs", None)
    if run_exit_functions is None:
        sys.exit(code)
    run_exit_functions()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # Python reports it, and changes the exit code
        sys.exit(code)
    os._exit(code & 0xFF)


def _is_alone() -> bool:
    """Return whether no thread works that Python would wait for."""
    main = threading.main_thread()
    return all(thread is main or thread.daemon for thread in threading.enumerate())
