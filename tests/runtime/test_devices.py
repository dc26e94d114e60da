"""Test the choice of the device and of the dtype."""

from __future__ import annotations

import pytest
import torch

from thawline.errors import ThawlineError
from thawline.runtime import devices, hardware


@pytest.fixture
def capabilities(monkeypatch):
    """Return a function that replaces the CPU's capabilities."""

    def set_capabilities(**capabilities: bool) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)

    return set_capabilities


@pytest.mark.parametrize(
    ("cuda", "mps", "device"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_picks_the_fastest_device(monkeypatch, cuda, mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert devices.pick_device("auto") == device
    assert devices.pick_device("cpu") == "cpu"


def test_unavailable_device_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.pick_device("cuda") == "cuda"
    with pytest.raises(ThawlineError) as caught:
        devices.pick_device("mps")
    assert "cuda, cpu" in caught.value.expected
    assert caught.value.found == "'mps'"
    assert "`compute.device=cuda`" in caught.value.fix


def test_unknown_device_is_an_error():
    with pytest.raises(ThawlineError) as caught:
        devices.pick_device("gpu")
    assert "auto, cuda, mps, cpu" in caught.value.expected
    assert caught.value.found == "'gpu'"
    assert "'cpu'" in caught.value.fix


@pytest.mark.parametrize(
    ("has", "picked"),
    [
        ({"avx512_f": True, "avx512_bf16": False}, "float32"),
        ({"avx2": True}, "float32"),
        ({"avx512_bf16": True}, "bfloat16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bfloat16"),
    ],
)
def test_auto_picks_bfloat16_if_the_cpu_has_instructions_for_it(capabilities, has, picked):
    capabilities(**has)
    assert devices.pick_dtype("auto", "cpu") == picked


def test_a_busy_machine_does_not_change_the_dtype(monkeypatch, capabilities):
    capabilities(avx512_bf16=True)
    rates = {"float32": 2.0, "bfloat16": 1.0}
    monkeypatch.setattr(hardware, "matrix_rate", lambda dtype, device="cpu": rates[dtype])
    assert devices.pick_dtype("auto", "cpu") == "bfloat16"


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("wanted", ["float32", "bfloat16"])
def test_explicit_dtype_is_kept(capabilities, device, wanted):
    capabilities(avx512_bf16=wanted == "float32")
    assert devices.pick_dtype(wanted, device) == wanted


@pytest.mark.parametrize(("supported", "picked"), [(True, "bfloat16"), (False, "float32")])
def test_auto_picks_bfloat16_if_the_gpu_has_it_in_hardware(monkeypatch, supported, picked):
    def is_supported(including_emulation: bool) -> bool:
        return supported or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert devices.pick_dtype("auto", "cuda") == picked
    assert devices.pick_dtype("auto", "mps") == "float32"


def test_unknown_dtype_is_an_error():
    with pytest.raises(ThawlineError) as caught:
        devices.pick_dtype("bfloat", "cpu")
    assert "auto, float32, bfloat16" in caught.value.expected
    assert caught.value.found == "'bfloat'"
    assert "'bfloat16'" in caught.value.fix
