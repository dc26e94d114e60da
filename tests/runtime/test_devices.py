from __future__ import annotations

import errno
import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import psutil
import pytest
import torch

from thawline.errors import ThawlineError
from thawline.runtime import devices, failures, hardware, hub


@pytest.fixture
def capabilities(monkeypatch):
    """Return what sets this CPU's capabilities."""

    def give(**capabilities: bool) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)

    return give


# Devices and dtypes


@pytest.mark.parametrize(
    ("cuda", "mps", "device"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_fastest_device_is_picked(monkeypatch, cuda, mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert devices.pick_device("auto") == device
    assert devices.pick_device("cpu") == "cpu"


def test_a_device_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.pick_device("cuda") == "cuda"
    for wanted, message in {
        "mps": "expected a device of this machine (cuda, cpu), found 'mps'; "
        "give --device cuda, or leave it out",
        "gpu": "expected a device, found 'gpu'; did you mean 'cpu'?",
    }.items():
        with pytest.raises(ThawlineError) as caught:
            devices.pick_device(wanted)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("has", "picked"),
    [
        ({"avx512_f": True, "avx512_bf16": False}, "float32"),
        ({"avx2": True}, "float32"),
        ({"avx512_bf16": True}, "bfloat16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bfloat16"),
    ],
)
def test_a_cpu_takes_bfloat16_where_it_has_instructions_for_it(capabilities, has, picked):
    capabilities(**has)
    assert devices.pick_dtype("auto", "cpu") == picked


def test_a_busy_machine_does_not_change_the_dtype(monkeypatch, capabilities):
    capabilities(avx512_bf16=True)
    monkeypatch.setattr(hardware, "matmul_rates", lambda: {"float32": 2.0, "bfloat16": 1.0})
    assert devices.pick_dtype("auto", "cpu") == "bfloat16"


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("wanted", ["float32", "bfloat16"])
def test_a_dtype_that_was_asked_for_is_kept(capabilities, device, wanted):
    capabilities(avx512_bf16=wanted == "float32")
    assert devices.pick_dtype(wanted, device) == wanted


@pytest.mark.parametrize(("supported", "picked"), [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_takes_bfloat16_where_it_has_it_in_hardware(monkeypatch, supported, picked):
    def is_supported(including_emulation: bool) -> bool:
        return supported or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert devices.pick_dtype("auto", "cuda") == picked
    assert devices.pick_dtype("auto", "mps") == "float32"


def test_an_unknown_dtype_is_told_with_the_nearest():
    with pytest.raises(ThawlineError) as caught:
        devices.pick_dtype("bfloat", "cpu")
    assert str(caught.value) == "expected a dtype, found 'bfloat'; did you mean 'bfloat16'?"


def test_the_rates_are_measured_once():
    rates = hardware.matmul_rates()
    assert set(rates) == {"float32", "bfloat16"}
    assert all(1e7 < rate < 1e16 for rate in rates.values())
    assert hardware.matmul_rates() is rates


# Memory


def test_the_peak_of_memory_only_rises():
    before = hardware.peak_memory_bytes()
    room = before - psutil.Process().memory_info().rss
    ballast = bytearray(b"1") * (room + 64 * 2**20)  # that much beyond the peak so far
    after = hardware.peak_memory_bytes()
    assert before + 32 * 2**20 <= after <= before + 128 * 2**20
    del ballast
    assert hardware.peak_memory_bytes() >= after


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone forgets it")
def test_a_peak_can_be_forgotten():
    ballast = bytearray(b"1") * (256 * 2**20)
    high = hardware.peak_memory_bytes()
    del ballast
    if not hardware.forget_peak_memory():
        pytest.skip("this process may not")
    assert hardware.peak_memory_bytes() <= high - 128 * 2**20


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module")
def test_the_peak_is_in_bytes_on_linux_and_on_macos(monkeypatch):
    import resource

    usage = type("Usage", (), {"ru_maxrss": 5_000})
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert hardware.peak_memory_bytes() == 5_000
    monkeypatch.setattr(sys, "platform", "linux")
    assert hardware.peak_memory_bytes() == 5_000 * 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
def test_freed_memory_goes_back_to_the_system():
    process = psutil.Process()
    # Small pieces with a live one behind each: free would keep them all.
    pieces = [bytearray(2_000) for _ in range(40_000)]
    kept = pieces[::50]
    held = process.memory_info().rss
    pieces = []
    hardware.release_memory()
    assert process.memory_info().rss < held - 20 * 2**20
    assert len(kept) == 800


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_are_left_to_themselves(monkeypatch, system):
    import ctypes

    def refuse(name: object) -> None:
        raise AssertionError("no C library of glibc's kind here")

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    hardware.release_memory()


def test_the_kernel_cache_is_bounded_unless_the_user_set_it(monkeypatch):
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "7")
    hardware.bound_kernel_cache()
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    hardware.bound_kernel_cache()
    assert os.environ[name] == "64"


# What a record says of the machine


def test_the_hardware_is_told_in_json():
    told = hardware.describe_machine()
    assert json.loads(json.dumps(told)) == told
    assert told["cores"] == os.cpu_count()
    assert told["threads"] == torch.get_num_threads()
    assert told["memory_bytes"] > hardware.peak_memory_bytes()
    assert told["platform"] == platform.platform()
    assert (told["gpu"] is None) is not torch.cuda.is_available()
    assert told["cpu"] == hardware.cpu_name() != ""


def test_a_processor_without_a_name_is_told_by_its_architecture(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert hardware.cpu_name() == "arm64"


def test_the_versions_are_those_that_are_installed():
    versions = hardware.versions()
    assert versions["python"] == platform.python_version()
    for name in ("thawline", "torch", "transformers", "tokenizers", "numpy", "scikit-learn"):
        assert versions[name] == metadata.version(name)


def test_transformers_is_quiet_but_for_errors():
    from transformers.utils import logging

    before, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    try:
        logging.set_verbosity_info()
        logging.enable_progress_bar()
        hub.quieten_transformers()
        assert logging.get_verbosity() == logging.ERROR
        assert not logging.is_progress_bar_enabled()
    finally:
        logging.set_verbosity(before)
        (logging.enable_progress_bar if bar else logging.disable_progress_bar)()


def test_idle_threads_are_told_to_sleep_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")  # so that it is put back afterwards
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setenv("KMP_BLOCKTIME", "200")
    hardware.let_idle_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    assert os.environ["KMP_BLOCKTIME"] == "200"


@pytest.mark.parametrize(
    "raised",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError(f"while writing: No space left on device (os error {errno.ENOSPC})"),
    ],
)
def test_what_the_system_refuses_names_what_was_being_written(raised):
    with (
        pytest.raises(OSError, match="No space left") as caught,
        failures.system_errors(Path("run/model")),
    ):
        raise raised
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(Path("run/model")))


def test_other_errors_stay_as_they_are():
    with pytest.raises(RuntimeError, match="a bug"), failures.system_errors(Path("run/model")):
        raise RuntimeError("a bug")


def test_the_first_line_of_a_missing_key_says_what_it_is():
    assert failures.first_line(KeyError("nope")) == "'nope', which is unknown or missing"
    assert failures.first_line(ValueError("a list:\n  one\n  two")) == "a list: one"


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("a bug"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_too_little_memory_is_known_in_each_of_its_forms(error, is_one):
    assert failures.is_out_of_memory(error) is is_one
