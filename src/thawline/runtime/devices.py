"""The few differences between platforms and library versions."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from thawline.errors import ThawlineError, did_you_mean

DTYPES = ("auto", "float32", "bfloat16")
"""What ``--dtype`` may be."""

DEVICES = ("auto", "cuda", "mps", "cpu")
"""What ``--device`` may be."""


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


def devices() -> list[str]:
    """Return those of ``cuda``, ``mps`` and ``cpu`` that this machine has, the fastest first."""
    import torch

    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [*(device for device, is_here in has.items() if is_here), "cpu"]


def pick_device(wanted: str) -> str:
    """Return ``cuda``, ``mps`` or ``cpu``: what is wanted, or for ``auto`` the fastest here.

    Raises:
        ThawlineError: another device than these, or one that this machine lacks.
    """
    if wanted not in DEVICES:
        raise ThawlineError("a device", f"'{wanted}'", did_you_mean(wanted, DEVICES))
    here = devices()
    if wanted == "auto":
        return here[0]
    if wanted not in here:
        mend = f"give --device {here[0]}, or leave it out"
        raise ThawlineError(f"a device of this machine ({', '.join(here)})", f"'{wanted}'", mend)
    return wanted


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


def has_bf16_instructions() -> bool:
    """Return whether this CPU multiplies bf16 matrices in hardware (AVX512-BF16, AMX, Arm BF16).

    It is asked, not timed: a timing on a busy machine could pick another dtype from one run to the
    next, and with it another entry of the store.
    """
    import torch

    ask = getattr(torch.cpu, "get_capabilities", dict)  # torch 2.9 lacks it
    return any(bool(has) for name, has in ask().items() if name.endswith("bf16"))


def pick_dtype(wanted: str, device: str) -> str:
    """Resolve ``auto``: bfloat16 where this device is clearly faster with it, else float32.

    Raises:
        ThawlineError: another dtype than these three.
    """
    if wanted not in DTYPES:
        raise ThawlineError("a dtype", f"'{wanted}'", did_you_mean(wanted, DTYPES))
    if wanted != "auto":
        return wanted
    if device == "cuda":
        import torch

        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device == "mps":
        return "float32"
    return "bfloat16" if has_bf16_instructions() else "float32"


def cpu_name() -> str:
    """Return the processor's name as the operating system tells it."""
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def hardware() -> dict[str, Any]:
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


def quieten_transformers() -> None:
    """Keep transformers' progress bars and notices off the terminal; errors still come through."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # peft asks each model for it; the user can do nothing about that.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    quieten_hub()


HUB_ANSWER_SECONDS = 5.0
"""How long the hub may take to say that it is there."""


def hub_silence(ask: Callable[..., Any]) -> str | None:
    """Return why the hub does not answer; None: it does, be it that it has no such thing.

    One request and no more: its client tries for half a minute before it looks into its cache.

    Args:
        ask: asks the hub for something small, and takes ``timeout`` in seconds.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        ask(timeout=HUB_ANSWER_SECONDS)
    except HfHubHTTPError:
        return None
    except Exception as error:  # of whichever HTTP library this version of the client uses
        return first_line(error)
    return None


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its name where it has none.

    Where that line ends with a colon, the next one is added: it says what was announced.
    """
    if isinstance(error, KeyError):
        return f"{error}, which is unknown or missing"
    lines = [line.strip() for line in str(error).splitlines()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory, a GPU's or this machine's, was not enough."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


@contextmanager
def system_errors(place: Path) -> Iterator[None]:
    """Make whatever the operating system refuses an OSError that names what is being written.

    Of a full disk Python names no file, and safetensors and tokenizers, which write files
    themselves, say no more than a text that ends in ``(os error 28)``.

    Args:
        place: what is being written.
    """
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(place), None
        raise
    except Exception as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(place)) from error


def quieten_hub() -> None:
    """Keep the hub client from telling of each try to reach the network; errors come through."""
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()


def make_accelerator(device: str) -> Any:
    """Return an `accelerate.Accelerator` on a device, whatever this process trained on before.

    Mixed precision is left to autocast, so that two trainings of one process may differ in it.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    if PartialState().device.type != device:  # it keeps one device for a whole process
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=device == "cpu", mixed_precision="no")


def random_states() -> dict[str, Any]:
    """Return the states of torch's generators as tensors of bytes, ``random.cpu`` among them."""
    import torch

    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        states["random.mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(states: Mapping[str, Any]) -> None:
    """Set torch's generators to states under the names ``cpu``, ``cuda`` and ``mps``."""
    import torch

    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])
