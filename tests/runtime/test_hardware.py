"""Test the measurements and the description of the machine."""

from __future__ import annotations

import json
import mmap
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import psutil
import pytest
import torch

from thawline.runtime import hardware


def test_the_matrix_rate_is_measured_once_for_each_dtype():
    rates = {dtype: hardware.matrix_rate(dtype) for dtype in ("float32", "bfloat16")}
    assert all(1e7 < rate < 1e16 for rate in rates.values())
    assert rates == {dtype: hardware.matrix_rate(dtype) for dtype in rates}


def test_the_matrix_rate_is_the_best_of_several_bursts(monkeypatch):
    rates = iter([4e11, 9e11, 5e11, 8e11])
    monkeypatch.setattr(hardware, "_RATES", {})
    monkeypatch.setattr(hardware, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(hardware, "_measure_rate", lambda dtype, device: next(rates))
    assert hardware.matrix_rate("float32") == 4e11
    assert hardware.matrix_rate("float32", bursts=4) == 9e11
    assert hardware.matrix_rate("float32") == 9e11  # nothing is measured again


def test_the_word_rate_is_the_best_of_several_bursts(monkeypatch):
    monkeypatch.setattr(hardware, "_RATES", {})
    assert 1e5 < hardware.word_rate() < 1e10
    rates = iter([2e7, 4e7, 3e7])
    monkeypatch.setattr(hardware, "_RATES", {})
    monkeypatch.setattr(hardware, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(hardware, "_measure_word_rate", lambda: next(rates))
    assert hardware.word_rate() == 2e7
    assert hardware.word_rate(bursts=3) == 4e7


@contextmanager
def occupied(size: int) -> Iterator[None]:
    """Occupy memory that the system gives and takes, unlike freed memory that is used again."""
    with mmap.mmap(-1, size) as ballast:
        for page in range(0, size, mmap.PAGESIZE):
            ballast[page] = 1
        yield


def test_peak_memory_only_rises():
    before = hardware.peak_memory_bytes()
    room = before - psutil.Process().memory_info().rss
    with occupied(room + 64 * 2**20):  # 64 MiB above the peak so far
        after = hardware.peak_memory_bytes()
        assert before + 32 * 2**20 <= after <= before + 128 * 2**20
    assert hardware.peak_memory_bytes() >= after


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only on Linux")
def test_reset_peak_memory():
    room = hardware.peak_memory_bytes() - psutil.Process().memory_info().rss
    with occupied(room + 256 * 2**20):
        high = hardware.peak_memory_bytes()
    if not hardware.reset_peak_memory():
        pytest.skip("this process has no permission")
    assert hardware.peak_memory_bytes() <= high - 128 * 2**20


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module")
def test_peak_memory_is_in_bytes_on_linux_and_macos(monkeypatch):
    import resource

    usage = type("Usage", (), {"ru_maxrss": 5_000})
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert hardware.peak_memory_bytes() == 5_000
    monkeypatch.setattr(sys, "platform", "linux")
    assert hardware.peak_memory_bytes() == 5_000 * 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has malloc_trim")
def test_release_memory():
    process = psutil.Process()
    # Live pieces between the freed ones keep the heap from shrinking without malloc_trim.
    pieces = [bytearray(2_000) for _ in range(40_000)]
    kept = pieces[::50]
    held = process.memory_info().rss
    pieces = []
    hardware.release_memory()
    assert process.memory_info().rss < held - 20 * 2**20
    assert len(kept) == 800


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_release_memory_does_nothing_on_other_systems(monkeypatch, system):
    import ctypes

    def refuse(name: object) -> None:
        raise AssertionError("ctypes.CDLL was called")

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    hardware.release_memory()


def test_limit_kernel_cache_keeps_the_users_setting(monkeypatch):
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "7")
    hardware.limit_kernel_cache()
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    hardware.limit_kernel_cache()
    assert os.environ[name] == "64"


def test_idle_threads_sleep_unless_the_user_set_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")  # so that the fixture restores it
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setenv("KMP_BLOCKTIME", "200")
    hardware.let_idle_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    assert os.environ["KMP_BLOCKTIME"] == "200"


def test_describe_machine():
    machine = hardware.describe_machine()
    assert json.loads(json.dumps(machine)) == machine
    assert machine["cores"] == os.cpu_count()
    assert machine["threads"] == torch.get_num_threads()
    assert machine["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert machine["memory_bytes"] > hardware.peak_memory_bytes()
    assert machine["platform"] == platform.platform()
    assert (machine["gpu"] is None) is not torch.cuda.is_available()
    assert machine["cpu"] == hardware.cpu_name() != ""


def test_cpu_name_falls_back_to_the_architecture(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert hardware.cpu_name() == "arm64"


def test_versions_are_the_installed_ones():
    versions = hardware.versions()
    assert versions["python"] == platform.python_version()
    for name in ("thawline", "torch", "transformers", "tokenizers", "numpy", "scikit-learn"):
        assert versions[name] == metadata.version(name)
