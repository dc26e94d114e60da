"""The file names of runs and of saved classifiers, and light functions to find and read them.

These functions need neither torch nor pydantic. `artifact`, `runs.settings` and `runs.records`
read classifiers, their settings and records completely.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from thawline.errors import ThawlineError
from thawline.runtime.untrusted import parse_json, read_json, read_regular

RECORD = "record.json"
"""The record of a run, which is written when the run starts."""

LOGITS = "logits.safetensors"
"""The logits of a fit on validation and test. It exists once the fit has finished."""

LADDER = "ladder.json"
"""The record of a ladder, which is written when the ladder starts."""

TUNING = "tune.json"
"""The record of a search for the settings of a fit, which is written when the search ends."""

BEST = "best.toml"
"""The best settings of a search."""

MAX_RECORD_BYTES = 512 * 2**20
"""The largest record that is read, in bytes. The record of a fit lists the row numbers."""

FOLDER = "model"
"""The folder of the artifact within the folder of a run. It exists once the run has saved it."""

SETTINGS = "thawline.json"
"""The settings of an artifact."""

PROVER = "thawline.artifact.child"
"""The module that proves an artifact in a fresh process. Its name is here, where it can be read
without importing torch."""

ADAPTER = "adapter"
HEAD = "head.safetensors"
"""The folder of the adapters and the weights of the head, in an artifact with live adapters."""

TERMS = "words.json"
WORD_WEIGHTS = "words.safetensors"
"""The words and pairs of words, and their weights, in an artifact that reads words."""

ONNX = "model.onnx"
ONNX_WEIGHTS = "model.onnx.data"
"""The model of a classifier that was exported to ONNX, and the weights of one above 2 GB."""

FORMAT = 2
"""The version of the format of artifacts that is written."""

FORMATS = (1, 2)
"""The versions of the format that are read. Artifacts of format 1 have no checksums."""

MODEL_TYPE = "thawline"
"""The model type in the ``config.json`` of a complete model that has one of Thawline's heads."""


@dataclass(frozen=True)
class AdapterSettings:
    """The base model that live adapters were trained on, and the dropout of the head.

    Attributes:
        base: The name of the base model.
        base_sha256: The digest of the base model, from `backbones.adapters.base_digest`.
        head_dropout: The dropout of one of Thawline's heads. A native head takes its dropout from
            the config of the base model.
    """

    base: str
    base_sha256: str
    head_dropout: float


def find(path: Path) -> Path:
    """Find the folder of an artifact.

    Args:
        path: The folder of the artifact, or of the run that made it.

    Raises:
        ThawlineError: If neither the path nor its folder ``model`` is an artifact.
    """
    for folder in _places(path):
        if (folder / SETTINGS).is_file():
            return folder
    found, fix = f"no {SETTINGS} in it or in its {FOLDER}/", "give the folder that fit printed"
    if (path / RECORD).is_file():
        found = "a run that did not finish"
        fix = f"resume it with thawline fit --resume --out {path}"
    elif (path / LADDER).is_file():
        found, fix = "a comparison of several runs", "give the folder of one of its runs"
        if run := _run_to_use(path):
            fix = f"give the folder of the run to use, {path / run}"
    elif (path / TUNING).is_file():
        found = "a search of thawline tune"
        fix = f"fit its best settings with thawline fit --config {shlex.quote(str(path / BEST))}"
    elif not path.is_dir():
        found = "a file" if path.exists() else "no such folder"
        if is_pickle(path):
            found, fix = PICKLE_FOUND, f"{PICKLE_FIX}, and train it with `backbone=FOLDER`"
    raise ThawlineError(f"a run or a saved classifier at '{path}'", found, fix)


PICKLE_FOUND = "a checkpoint of PyTorch, which may be a pickle and is never loaded"
"""What `is_pickle` recognised, for an error."""

PICKLE_FIX = (
    "load it in the program that saved it, and save the model and the tokenizer as a folder with "
    "model.save_pretrained('FOLDER') and tokenizer.save_pretrained('FOLDER')"
)
"""How to make a folder of a checkpoint that `is_pickle` recognised."""


def is_pickle(path: Path) -> bool:
    """Return whether a path is a file with the suffix of PyTorch's checkpoints."""
    return path.suffix.lower() in (".pt", ".pth", ".bin", ".ckpt") and path.is_file()


def is_artifact(path: Path) -> bool:
    """Return whether a path is the folder of an artifact, or of a run that made one."""
    try:
        return any((folder / SETTINGS).is_file() for folder in _places(path))
    except (OSError, ValueError):  # a text is too long for a path, or has a null character
        return False


def _places(path: Path) -> tuple[Path, Path]:
    return path, path / FOLDER


def _run_to_use(ladder: Path) -> str | None:
    """Return the name of the run to use of a ladder. None if its record does not name one."""
    try:
        record = load_json(ladder / LADDER)
    except (OSError, ValueError, ThawlineError):
        return None
    chosen = record.get("chosen") if isinstance(record, dict) else None
    run = chosen.get("run") if isinstance(chosen, dict) else None
    return run if isinstance(run, str) else None


class RunStatus(NamedTuple):
    """The status of a run and the command that made it.

    Attributes:
        status: The status in the record. None if the record is missing or damaged.
        verb: The command, fit or pretrain.
    """

    status: str | None
    verb: str


def read_status(run: Path, verb: str = "fit") -> RunStatus:
    """Read the status of a run, without checking the rest of its record.

    `read_record` checks the complete record, but needs pydantic, which would slow down a
    prediction.

    Args:
        run: The folder of the run.
        verb: The command to return if the record does not name one.
    """
    try:
        record = load_json(run / RECORD)
    except (OSError, ValueError):
        record = None
    values = record if isinstance(record, dict) else {}
    status, made_by = values.get("status"), values.get("verb")
    return RunStatus(
        status if isinstance(status, str) else None, made_by if isinstance(made_by, str) else verb
    )


def load_json(file: Path) -> object:
    """Read the JSON file of a record, which may be large because it lists the rows of the data.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ThawlineError: If it is not a regular file with JSON in UTF-8, or too large.
    """
    return read_json(file, limit=MAX_RECORD_BYTES)


def is_cut(file: Path) -> bool:
    """Return whether the file of a record is empty or only its beginning, because it is not JSON.

    A file that is missing or cannot be read is not cut.
    """
    try:
        parse_json(read_regular(file, limit=MAX_RECORD_BYTES))
    except (OSError, ThawlineError):
        return False
    except ValueError:
        return True
    return False
