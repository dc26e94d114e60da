"""Run a function over many batches, on a CPU with several batches at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

import torch

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def run_in_order(
    function: Callable[[Batch], Result],
    batches: Sequence[Batch],
    device: str,
    *,
    share_single: bool = False,
) -> Iterator[tuple[Batch, Result]]:
    """Yield each batch with the result of a function, in the order of the batches.

    On a CPU each batch is computed by one thread, and several batches at the same time. The
    threads then do not wait for each other within a layer, and the results do not depend on the
    number of threads.

    Args:
        function: A function that computes the result of one batch, without gradients.
        batches: The batches.
        device: The device of the computation.
        share_single: Whether all threads share the operations of a single batch, which is faster.
            Its result then depends on the number of threads.
    """

    @torch.inference_mode()
    def run(batch: Batch) -> Result:
        return function(batch)

    if share_single and len(batches) == 1:
        yield batches[0], run(batches[0])
        return
    with _WORKERS.started(device) as (pool, workers):
        waiting: deque[tuple[Batch, Future[Result]]] = deque()
        try:
            for batch in batches:
                waiting.append((batch, pool.submit(run, batch)))
                if len(waiting) > 2 * workers:
                    done, result = waiting.popleft()
                    yield done, result.result()
            for done, result in waiting:
                yield done, result.result()
        finally:
            pool.shutdown(cancel_futures=True)


class _Workers:
    """The threads that compute batches on a CPU, each of which computes one batch alone.

    `torch.set_num_threads` in one thread also changes the number for other threads. So the number
    of the process is restored as soon as no threads are running.
    """

    def __init__(self) -> None:
        self._lock, self._running, self._number = Lock(), 0, 1

    @contextmanager
    def started(self, device: str) -> Iterator[tuple[ThreadPoolExecutor, int]]:
        """Start the threads and yield them with their number.

        Args:
            device: The device. There is one thread for a device other than the CPU.
        """
        if device != "cpu":
            with ThreadPoolExecutor(1) as pool:
                yield pool, 1
            return
        with self._lock:
            if not self._running:
                self._number = torch.get_num_threads()
            self._running += 1
        try:
            with ThreadPoolExecutor(
                self._number, initializer=torch.set_num_threads, initargs=(1,)
            ) as pool:
                yield pool, self._number
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    torch.set_num_threads(self._number)


_WORKERS = _Workers()
