"""What this machine is: its memory, its processor, its matrix rate, and the versions installed."""

from __future__ import annotations

import os
import platform
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any


def peak_memory_bytes() -> int:
    """Return the largest resident size that this process has had, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def forget_peak_memory() -> bool:
    """Let `peak_memory_bytes` count from now on, where the system can; say whether it does."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # Linux alone has it, see proc(5)
    except OSError:
        return False
    return True


def available_memory_bytes() -> int:
    """Return how many bytes a process could still take without anything being swapped out."""
    import psutil

    return int(psutil.virtual_memory().available)


def release_memory() -> None:
    """Give freed memory back to the operating system, where its C library keeps hold of it.

    glibc does: batches of many shapes leave its heap in pieces that only `malloc_trim` returns.
    """
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def bound_kernel_cache() -> None:
    """Keep oneDNN from hoarding a compiled kernel for each length of text that it meets.

    It must be called before the first matrix product; a user's own setting wins.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def let_idle_threads_sleep() -> None:
    """Keep idle OpenMP threads from spinning: where a core is shared, they stall the busy ones.

    It must be called before torch is imported; a user's own settings win.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("KMP_BLOCKTIME", "0")


def _matmul_rate(dtype: Any, size: int = 1_024, repeats: int = 6) -> float:
    """Return the best rate of several matrix products, in floating-point operations a second."""
    import torch

    left = torch.ones(size, size, dtype=dtype)
    right = left @ left
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        right = left @ left
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best if right.numel() else 0.0


@cache
def matmul_rates() -> dict[str, float]:
    """Measure this CPU's rate for square matrix products in fp32 and bf16 (about 0.1 s, once)."""
    import torch

    return {
        "float32": _matmul_rate(torch.float32),
        "bfloat16": _matmul_rate(torch.bfloat16),
    }


def cpu_name() -> str:
    """Return the processor's name as the operating system tells it."""
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe_machine() -> dict[str, Any]:
    """Describe this machine for a record: JSON values, bytes and counts."""
    import psutil
    import torch

    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "platform": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result depends on."""
    names = ("thawline", "torch", "transformers", "tokenizers", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in names}
