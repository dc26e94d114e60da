"""The file of a fit's logits."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.support.records import FIT, fit_record
from thawline.errors import ThawlineError
from thawline.runs.layout import LOGITS
from thawline.runs.logits import RunLogits, read_logits, write_logits
from thawline.runs.records import FitRecord

ROWS = {"train": [0], "validation": [1, 2, 3], "test": [0, 1]}


def logits(candidates: int = 1, copies: list[int] | None = None) -> RunLogits:
    random = np.random.default_rng(0)
    return RunLogits(
        validation=random.normal(size=(3, 2)).astype(np.float32),
        validation_labels=np.array([0, 1, 1]),
        test=random.normal(size=(2, 2)).astype(np.float32),
        test_labels=np.array([1, 0]),
        candidates=random.normal(size=(candidates, 3, 2)).astype(np.float16),
        test_copies=None if copies is None else np.array(copies),
    )


def record(**changes: Any) -> FitRecord:
    """Return a record with one candidate."""
    return fit_record(data=FIT["data"] | {"rows": ROWS}, **changes)


@pytest.mark.parametrize(("candidates", "copies"), [(0, None), (1, [0, 0])])
def test_logits_are_read_as_they_were_written(candidates, copies):
    given = logits(candidates, copies)
    found = read_logits(Path(), record(logits=write_logits(Path(), given)))
    assert (found.test_copies is None) is (copies is None)
    for name, values in vars(given).items():
        if values is not None:
            assert np.array_equal(getattr(found, name), values)
            assert getattr(found, name).dtype == values.dtype


def test_a_changed_byte_or_a_missing_file_is_found():
    made = record(logits=write_logits(Path(), logits()))
    content = bytearray(Path(LOGITS).read_bytes())
    content[-1] ^= 1
    Path(LOGITS).write_bytes(content)
    with pytest.raises(ThawlineError) as caught:
        read_logits(Path(), made)
    assert LOGITS in caught.value.found
    Path(LOGITS).unlink()
    with pytest.raises(ThawlineError) as caught:
        read_logits(Path(), made)
    assert LOGITS in caught.value.found
    with pytest.raises(ThawlineError):
        read_logits(Path(), record())  # of an older version


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("test.logits", np.zeros((3, 2), np.float32)),
        ("test.logits", np.zeros((2, 3), np.float32)),
        ("test.logits", np.zeros((2, 2), np.float64)),
        ("test.labels", np.zeros(3, np.int64)),
        ("validation.candidates", np.zeros((2, 3, 2), np.float16)),
        ("validation.candidates", np.zeros((), np.float16)),
        ("test.copies", np.zeros(3, np.int64)),
        ("test.copies", np.zeros(2, np.int32)),
        ("validation.copies", np.zeros(3, np.int64)),
        ("more", np.zeros(1)),
        ("test.labels", None),
    ],
)
def test_tensors_that_do_not_belong_to_the_record_are_refused(name, values):
    write_logits(Path(), logits())
    tensors = load_file(LOGITS)
    if values is None:
        del tensors[name]
    else:
        tensors[name] = values
    save_file(tensors, LOGITS)
    signed = record(logits=hashlib.sha256(Path(LOGITS).read_bytes()).hexdigest())
    with pytest.raises(ThawlineError) as caught:
        read_logits(Path(), signed)
    assert LOGITS in caught.value.expected


def test_a_file_that_is_no_safetensors_is_refused():
    Path(LOGITS).write_bytes(b"x")
    with pytest.raises(ThawlineError):
        read_logits(Path(), record(logits=hashlib.sha256(b"x").hexdigest()))
