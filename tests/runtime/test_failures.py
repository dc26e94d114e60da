"""Test how errors of the system and of other libraries are recognised."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from thawline.runtime import failures


@pytest.mark.parametrize(
    "raised",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError(f"while writing: No space left on device (os error {errno.ENOSPC})"),
    ],
)
def test_system_errors_name_the_path(raised):
    with (
        pytest.raises(OSError, match="No space left") as caught,
        failures.system_errors(Path("run/model")),
    ):
        raise raised
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(Path("run/model")))


@pytest.mark.parametrize("names", [("",), ("a", None, "b")])
def test_the_message_of_a_system_error_names_one_path(names):
    with pytest.raises(OSError, match="full") as caught, failures.system_errors(Path("run")):
        raise OSError(errno.ENOSPC, "full", *names)
    assert str(caught.value).endswith("'run'")


def test_system_errors_keep_other_errors():
    with pytest.raises(RuntimeError, match="a bug"), failures.system_errors(Path("run/model")):
        raise RuntimeError("a bug")


def test_first_line():
    assert failures.first_line(KeyError("nope")).startswith("'nope'")
    assert failures.first_line(ValueError("one\ntwo")) == "one"
    assert failures.first_line(ValueError()) == "ValueError"
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
def test_is_out_of_memory(error, is_one):
    assert failures.is_out_of_memory(error) is is_one
