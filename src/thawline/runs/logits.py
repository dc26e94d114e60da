"""Write and read ``logits.safetensors``, the logits of a fit on validation and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from thawline.errors import ThawlineError
from thawline.runs.layout import LOGITS
from thawline.runs.records.fit import FitRecord
from thawline.runtime.files import write_file
from thawline.runtime.hardware import available_memory_bytes
from thawline.runtime.untrusted import read_regular


@dataclass(frozen=True)
class RunLogits:
    """The logits of a fit, from which all paired statistics can be computed.

    Attributes:
        validation: The logits on validation, ``(rows, classes)``.
        validation_labels: The class ids on validation, ``(rows,)``.
        test: The logits on test, ``(rows, classes)``.
        test_labels: The class ids on test, ``(rows,)``.
        candidates: The validation logits of each candidate, ``(candidates, rows, classes)``: of
            each evaluation in the record's ``history``, or of each fit in its ``choice``. There are
            no candidates if their logits are too large to be kept.
        test_copies: The number of the text of each test row, which is the same for copies,
            ``(rows,)``. None if all texts are different.
    """

    validation: NDArray[np.float32]
    validation_labels: NDArray[np.int64]
    test: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    candidates: NDArray[np.float16]
    test_copies: NDArray[np.int64] | None = None


_TENSORS = {
    "validation.logits": "validation",
    "validation.labels": "validation_labels",
    "validation.candidates": "candidates",
    "test.logits": "test",
    "test.labels": "test_labels",
    "test.copies": "test_copies",
}
"""The fields of `RunLogits` by the names of the tensors in the file."""

_OPTIONAL = {"test.copies"}
"""The tensors that the file has only if their field is not None."""

_DTYPES = {
    "logits": np.float32,
    "labels": np.int64,
    "candidates": np.float16,
    "copies": np.int64,
}
"""The types of the tensors, by the end of their names."""


def write_logits(folder: Path, logits: RunLogits) -> str:
    """Write the logits to the folder of a run.

    Returns:
        The SHA-256 of the file in hexadecimal, for the record.

    Raises:
        OSError: If the file cannot be written.
    """
    tensors = {name: getattr(logits, field) for name, field in _TENSORS.items()}
    content = save(
        {
            name: np.ascontiguousarray(tensor)
            for name, tensor in tensors.items()
            if tensor is not None
        }
    )
    write_file(folder / LOGITS, content)
    return hashlib.sha256(content).hexdigest()


def read_logits(folder: Path, record: FitRecord) -> RunLogits:
    """Read the logits of a finished fit.

    Args:
        folder: The folder of the run.
        record: The record of the run.

    Raises:
        ThawlineError: If the file is missing, or if it does not belong to the record.
    """
    path = folder / LOGITS
    fix = f"fit again with thawline fit --resume --out {folder}"
    if not path.is_file():
        raise ThawlineError(f"a run with its {LOGITS} in '{folder}'", f"no {LOGITS}", fix)
    content = read_regular(path, limit=available_memory_bytes())
    if hashlib.sha256(content).hexdigest() != record.logits:
        expected = f"the file '{path}' as the run wrote it"
        raise ThawlineError(expected, f"other contents of {LOGITS}", fix)
    try:
        tensors = load(content)
        known = [name for name in _TENSORS if name in tensors or name not in _OPTIONAL]
        found = RunLogits(**{_TENSORS[name]: tensors[name] for name in known})
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ThawlineError(f"logits in '{path}'", "other contents", fix) from error
    if not _matches(tensors, record):
        raise ThawlineError(f"logits of the run in '{path}'", "tensors of other sizes", fix)
    return found


def _matches(tensors: dict[str, NDArray[np.generic]], record: FitRecord) -> bool:
    """Return whether tensors have the types and sizes that belong to a record."""
    classes = len(record.labels.names)
    rows = {name: len(record.data.rows[name]) for name in ("validation", "test")}
    candidates = tensors["validation.candidates"].shape[:1]
    if candidates not in ((0,), (len(record.history),), (len(record.choice),)):
        return False
    shapes = {
        "validation.candidates": (*candidates, rows["validation"], classes),
        **{f"{part}.logits": (count, classes) for part, count in rows.items()},
        **{f"{part}.labels": (count,) for part, count in rows.items()},
    }
    for name in _OPTIONAL & tensors.keys():
        shapes[name] = (rows[name.partition(".")[0]],)
    return tensors.keys() == shapes.keys() and all(
        tensors[name].shape == shape and tensors[name].dtype == _DTYPES[name.rpartition(".")[2]]
        for name, shape in shapes.items()
    )
