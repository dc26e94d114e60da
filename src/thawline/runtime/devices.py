"""The few differences between platforms and library versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thawline.errors import ThawlineError, did_you_mean

DTYPES = ("auto", "float32", "bfloat16")
"""What ``--dtype`` may be."""

DEVICES = ("auto", "cuda", "mps", "cpu")
"""What ``--device`` may be."""


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
        fix = f"give --device {here[0]}, or leave it out"
        raise ThawlineError(f"a device of this machine ({', '.join(here)})", f"'{wanted}'", fix)
    return wanted


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
