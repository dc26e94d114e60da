"""Measure and describe this machine: memory, processor, speed and installed versions."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any


def peak_memory_bytes() -> int:
    """Return the largest resident memory that this process has used, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def reset_peak_memory() -> bool:
    """Restart the measurement of `peak_memory_bytes`.

    Returns:
        Whether the operating system supports this. Only Linux does.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")  # only on Linux, see proc(5)
    except OSError:
        return False
    return True


def available_memory_bytes() -> int:
    """Return the memory that a process can allocate before the system swaps, in bytes."""
    import psutil

    return int(psutil.virtual_memory().available)


def release_memory() -> None:
    """Return freed memory to the operating system, if the C library is glibc.

    Batches of many shapes fragment the heap of glibc, and only `malloc_trim` returns the fragments.
    """
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


_MALLOC_SETTINGS = {
    -1: 2**31 - 1,  # M_TRIM_THRESHOLD: the size of the free end of the heap that is returned
    -3: 2**25 - 1,  # M_MMAP_THRESHOLD: the size from which memory is mapped, at its maximum
    -8: 1,  # M_ARENA_MAX: the number of heaps
}
"""Parameters of glibc's `mallopt` and their values."""


def keep_freed_memory() -> None:
    """Let the process keep freed memory for its next use, if the C library is glibc.

    By default, glibc returns each large tensor to the operating system, which clears every page
    before the next use. `release_memory` still returns the memory.
    """
    if sys.platform == "linux":
        import ctypes

        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option is not None:
            for option, value in _MALLOC_SETTINGS.items():
                set_option(option, value)


def limit_kernel_cache() -> None:
    """Limit oneDNN's cache, which otherwise keeps a compiled kernel for each length of a text.

    Call this before the first matrix product. An environment variable that is already set is kept.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def let_idle_threads_sleep() -> None:
    """Let idle OpenMP threads sleep, because spinning ones slow down the busy ones on shared cores.

    Call this before torch is imported. Environment variables that are already set are kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("KMP_BLOCKTIME", "0")


MEASURED_SECONDS, PAUSE_SECONDS = 0.15, 0.1
"""The duration of a burst that measures a rate, and of the pause after it."""

_RATES: dict[tuple[str, ...], tuple[float, int]] = {}
"""The best rate so far and the number of its measurements, by what was measured."""


def matrix_rate(dtype: str, device: str = "cpu", *, bursts: int = 1) -> float:
    """Measure the rate of matrix products on a device, in floating-point operations per second.

    It is the best rate of several products of large square matrices. Each burst takes
    `MEASURED_SECONDS`, and the results are cached. Call it while no other thread computes. If other
    programs compute, the system may run both threads of a burst on one core, so that the rate is
    half of that of the next burst. Several bursts with pauses find the rate of a quiet machine.

    Args:
        dtype: The dtype of the matrices, ``float32`` or ``bfloat16``.
        device: The device: ``cuda``, ``mps`` or ``cpu``.
        bursts: The least number of bursts, together with those of earlier calls.
    """
    return _best_rate(("products", dtype, device), partial(_measure_rate, dtype, device), bursts)


def word_rate(*, bursts: int = 1) -> float:
    """Measure the rate at which one core finds and counts words, in characters per second.

    It stands for all work that consists of many small steps in one thread. It is measured and
    cached like `matrix_rate`.

    Args:
        bursts: The least number of bursts, together with those of earlier calls.
    """
    return _best_rate(("words",), _measure_word_rate, bursts)


def _best_rate(name: tuple[str, ...], measure: Callable[[], float], bursts: int) -> float:
    """Return the best of several measurements, and remember it."""
    best, done = _RATES.get(name, (0.0, 0))
    for burst in range(done, bursts):
        if burst:
            time.sleep(PAUSE_SECONDS)
        best = max(best, measure())
        _RATES[name] = best, burst + 1
    return best


def _measure_rate(dtype: str, device: str) -> float:
    import torch

    size = 1_024 if device == "cpu" else 8_192
    matrix = torch.ones(size, size, dtype=getattr(torch, dtype), device=device)
    # Reading an element waits for the result.
    return 2 * size**3 / _least_seconds(lambda: (matrix @ matrix)[0, 0].item())


def _measure_word_rate() -> float:
    text = " ".join(f"word{i * i % 997} and a part{i % 61}" for i in range(2_000))
    find = re.compile(r"\b\w\w+\b").findall
    return len(text) / _least_seconds(lambda: Counter(find(text)))


def _least_seconds(task: Callable[[], object]) -> float:
    """Return the seconds of the fastest of several runs of a task."""
    seconds: list[float] = []
    while len(seconds) < 6 or sum(seconds) < MEASURED_SECONDS:
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def cpu_name() -> str:
    """Return the processor's name as the operating system reports it, or its architecture."""
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe_machine() -> dict[str, Any]:
    """Describe this machine as JSON values for a record; memory is in bytes."""
    import psutil
    import torch

    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "platform": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that affect the results."""
    names = ("thawline", "torch", "transformers", "tokenizers", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in names}
