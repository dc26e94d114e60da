"""Threads that each compute on one core."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock


class Workers:
    """Threads of which each computes alone, so that they do not wait for each other.

    `torch.set_num_threads` in one thread also changes the number for other threads. So the number
    of the process is restored as soon as no work is running.
    """

    def __init__(self) -> None:
        self._lock, self._running, self._number = Lock(), 0, 1

    @contextmanager
    def started(self, most: int | None = None) -> Iterator[tuple[ThreadPoolExecutor, int]]:
        """Start the threads and yield them with their number.

        Args:
            most: The maximum number of threads. If None, as many as torch uses.
        """
        import torch

        with self._lock:
            if not self._running:
                self._number = torch.get_num_threads()
            self._running += 1
        number = self._number if most is None else max(1, min(self._number, most))
        try:
            with ThreadPoolExecutor(
                number, initializer=torch.set_num_threads, initargs=(1,)
            ) as pool:
                yield pool, number
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    torch.set_num_threads(self._number)


WORKERS = Workers()
"""The threads of this process."""
