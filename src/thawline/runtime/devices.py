"""Choose the device and the dtype of a computation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thawline.errors import ThawlineError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

DTYPES = ("auto", "float32", "bfloat16")
"""The values of ``--dtype``."""

DEVICES = ("auto", "cuda", "mps", "cpu")
"""The values of ``--device``."""


def devices() -> list[str]:
    """Return the devices of this machine (``cuda``, ``mps``, ``cpu``), fastest first."""
    import torch

    accelerators = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    return [*(device for device, is_available in accelerators.items() if is_available), "cpu"]


def pick_device(wanted: str) -> str:
    """Return the device to compute on: ``cuda``, ``mps`` or ``cpu``.

    Args:
        wanted: One of `DEVICES`. ``auto`` selects the fastest device of this machine.

    Raises:
        ThawlineError: If the device is unknown, or if this machine does not have it.
    """
    if wanted not in DEVICES:
        raise ThawlineError(
            f"a device ({', '.join(DEVICES)})",
            f"'{wanted}'",
            did_you_mean(wanted, DEVICES),
        )
    available = devices()
    if wanted == "auto":
        return available[0]
    if wanted not in available:
        raise ThawlineError(
            f"a device of this machine ({', '.join(available)})",
            f"'{wanted}'",
            f"use `compute.device={available[0]}`, or omit it",
        )
    return wanted


def has_bf16_instructions() -> bool:
    """Return whether this CPU multiplies bf16 matrices in hardware (AVX512-BF16, AMX, Arm BF16).

    The answer comes from the CPU's capabilities and not from a measurement of time. On a busy
    machine, measured times could select a different dtype, and so a different entry of the store,
    in each run.
    """
    import torch

    get_capabilities = getattr(torch.cpu, "get_capabilities", dict)  # missing in torch 2.9
    return any(bool(has) for name, has in get_capabilities().items() if name.endswith("bf16"))


def copy_to(tensor: Tensor, device: str) -> Tensor:
    """Copy a tensor to a device. It is returned itself if it is already there.

    A copy to a GPU is made from pinned memory, so that this process does not wait for it.

    Args:
        tensor: The tensor, usually on the CPU.
        device: The device, as `pick_device` returns it.
    """
    if device == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def pick_dtype(wanted: str, device: str) -> str:
    """Return the dtype to compute in: ``float32`` or ``bfloat16``.

    Args:
        wanted: One of `DTYPES`. ``auto`` selects bfloat16 if the device has hardware for it.
        device: The device, as `pick_device` returns it.

    Raises:
        ThawlineError: If the dtype is unknown.
    """
    if wanted not in DTYPES:
        raise ThawlineError(
            f"a dtype ({', '.join(DTYPES)})",
            f"'{wanted}'",
            did_you_mean(wanted, DTYPES),
        )
    if wanted != "auto":
        return wanted
    if device == "cuda":
        import torch

        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device == "mps":
        return "float32"
    return "bfloat16" if has_bf16_instructions() else "float32"
