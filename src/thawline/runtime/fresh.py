"""Run a module in a fresh Python process, and exchange lines of JSON with it.

Importing torch and transformers takes seconds. `spare_process` therefore starts a process before
this process has done its own imports, so that both import at the same time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

READY = "ready"
"""The line that a module prints when it has finished its imports."""


class ProcessEndedError(Exception):
    """The process has ended instead of answering. The message is the last line of its errors."""


class FreshProcess:
    """A Python process that runs a module, until the ``with`` block ends.

    The module prints `READY`. Then it reads one request per line from standard input, and prints
    one answer per line. It ends at the end of its input, so it does not outlive a process that is
    killed.

    Args:
        module: The name of the module.
    """

    def __init__(self, module: str) -> None:
        self._is_ready = False
        # A pipe that is not read could fill up and block the process.
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                # -P keeps the working folder off the import path, and the variable does so in every
                # process that a library might start. Files there may come from an untrusted source.
                [sys.executable, "-P", "-m", module],
                env={**os.environ, "PYTHONSAFEPATH": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
            )
        except BaseException:
            self._errors.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process at once, whatever it does, and wait until it has ended."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def wait(self) -> None:
        """Wait until the process has finished its imports, or has ended."""
        assert self._process.stdout is not None, "the process has pipes"
        if not self._is_ready:
            self._process.stdout.readline()
            self._is_ready = True

    def send(self, request: Any) -> None:
        """Send a request. The process computes its answer while this process continues.

        Args:
            request: A value that JSON can hold.
        """
        assert self._process.stdin is not None, "the process has pipes"
        with suppress(BrokenPipeError):  # the process has ended, which `receive` reports
            self._process.stdin.write(f"{json.dumps(request)}\n")
            self._process.stdin.flush()

    def receive(self) -> Any:
        """Wait for the answer to the oldest request, and return it.

        Raises:
            ProcessEndedError: If the process ended without an answer.
        """
        assert self._process.stdout is not None, "the process has pipes"
        self.wait()
        answer = self._process.stdout.readline()
        if not answer:
            raise ProcessEndedError(self._last_error_line())
        return json.loads(answer)

    def _last_error_line(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        return (self._errors.read().strip().splitlines() or ["no message"])[-1]


_spare: dict[str, FreshProcess] = {}
"""Processes that were started early and are not used yet, by the name of their module."""


@contextmanager
def spare_process(module: str) -> Iterator[None]:
    """Start a process early, for the first `take_process` inside the ``with`` block.

    If nothing takes the process, it ends with the block. If the modelling code of transformers is
    already imported, nothing happens, because then the imports of this process take no time in
    which another process could start.

    Args:
        module: The name of the module.
    """
    if "transformers.modeling_utils" in sys.modules or module in _spare:
        yield
        return
    _spare[module] = FreshProcess(module)
    try:
        yield
    finally:
        unused = _spare.pop(module, None)
        if unused is not None:
            unused.close()


def take_process(module: str) -> FreshProcess:
    """Return the process that `spare_process` started, or else start one.

    The caller closes it.

    Args:
        module: The name of the module.
    """
    started = _spare.pop(module, None)
    return FreshProcess(module) if started is None else started
