"""Threads that each compute on one core."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

Batch = TypeVar("Batch")
Result = TypeVar("Result")


class Workers:
    """Threads of which each computes alone, so that they do not wait for each other.

    `torch.set_num_threads` in one thread also changes the number for other threads. So the number
    of the process is restored as soon as no work is running.
    """

    def __init__(self) -> None:
        self._lock, self._running, self._number = Lock(), 0, 1

    def number(self) -> int:
        """Return the number of threads that torch uses while no work is running."""
        import torch

        with self._lock:
            return self._number if self._running else torch.get_num_threads()

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


@contextmanager
def _started(device: str) -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Start threads and yield them with their number, which is 1 unless the device is a CPU."""
    if device == "cpu":
        with WORKERS.started() as started:
            yield started
        return
    with ThreadPoolExecutor(1) as pool:
        yield pool, 1


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
    import torch

    @torch.inference_mode()
    def run(batch: Batch) -> Result:
        return function(batch)

    if share_single and len(batches) == 1:
        yield batches[0], run(batches[0])
        return
    with _started(device) as (pool, workers):
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


class SingleBlasThread:
    """Let the BLAS libraries of NumPy and SciPy compute with one thread inside a ``with`` block.

    Optimisers call BLAS for many short vectors. Its threads then wait for each other busily, which
    takes many times longer than one thread if another process needs the cores. The number of
    threads belongs to the process, so it is restored when no thread is in such a block any more.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._limits: Any = None

    def __enter__(self) -> None:
        from threadpoolctl import threadpool_limits

        with self._lock:
            if self._inside == 0:
                self._limits = threadpool_limits(1, user_api="blas")
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limits.restore_original_limits()


single_blas_thread = SingleBlasThread()
"""The only object of its class, because the number of threads belongs to the process."""
