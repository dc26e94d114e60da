"""Save the state of a training to disk, so that another process can resume it bit for bit.

A checkpoint is one safetensors file, named after its optimiser step. It holds the weights, the best
weights so far, the state of the optimiser and the random states. Its header holds the schedule, the
history and the position in the loop, as JSON, and a SHA-256 of the file. So an incomplete or
damaged file is never loaded. The name has no checksum, because the history holds measured seconds,
and a resumed run should leave the same files as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from thawline.errors import ThawlineError
from thawline.runtime.failures import first_line
from thawline.runtime.files import remove_leftovers, write_file
from thawline.runtime.untrusted import open_regular, parse_json
from thawline.training.restored import find_problem
from thawline.training.steps import Training

KEPT = 2
"""The number of checkpoints to keep: the newest, and one more in case the newest is damaged."""

SUFFIX = ".safetensors"

_NAME = re.compile(r"\d{9,}(?:-[0-9a-f]{16})?\.safetensors")
"""The name of a checkpoint. Earlier versions appended the start of a SHA-256."""

_NO_DIGEST = "0" * 64
"""The value of the file's SHA-256 in the header while the SHA-256 is computed."""

_DIGEST = re.compile(rb'"sha256":"([0-9a-f]{64})"')


class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        folder: A folder for checkpoints only. It is created when the first checkpoint is saved.

    Attributes:
        earlier_seconds: The seconds of the training before the checkpoint that was restored. 0 if
            none was.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.earlier_seconds = 0.0

    def save(self, training: Training) -> None:
        """Write a checkpoint and delete those that are no longer needed.

        Args:
            training: The training to save.

        Raises:
            OSError: If the folder cannot be written or the disk is full, or if the folder of the
                run does not exist any more.
        """
        tensors, values = training.state()
        content = save(
            {name: tensor.cpu().contiguous() for name, tensor in tensors.items()},
            metadata={"thawline": json.dumps(values), "sha256": _NO_DIGEST},
        )
        self.folder.mkdir(exist_ok=True)
        write_file(self._path(training.done), _with_digest(content))
        self._delete_old()

    def restore(self, training: Training) -> None:
        """Load the newest undamaged checkpoint, if one exists.

        Args:
            training: A training of the same objective and config as the saved one.

        Raises:
            ThawlineError: If an undamaged checkpoint does not belong to this training.
        """
        for path in self._newest_first():
            with open_regular(path) as file:
                content = file.read()
            if _is_intact(content):
                tensors, values = _read(path)
                problem = find_problem(training, tensors, values)
                if problem is not None:
                    raise _foreign(path, problem)
                if path == self._path(values["done"]):
                    training.load_state(tensors, values)
                    self.earlier_seconds = training.earlier_seconds
                    self._delete_old()  # the process may have ended just before it
                    return

    def clear(self) -> None:
        """Delete all checkpoints, and their folder if nothing else is in it."""
        with suppress(OSError):
            for path in self._newest_first():
                path.unlink(missing_ok=True)
            remove_leftovers(self.folder, locked=True)  # the process holds the lock of the run
            self.folder.rmdir()

    def _path(self, step: int) -> Path:
        return self.folder / f"{step:09d}{SUFFIX}"

    def _newest_first(self) -> list[Path]:
        """Return the checkpoint files, the newest first. Files with other names are not ours."""
        paths = self.folder.glob(f"*{SUFFIX}")
        return sorted((path for path in paths if _NAME.fullmatch(path.name)), reverse=True)

    def _delete_old(self) -> None:
        """Delete old checkpoints and the temporary files of processes that were killed."""
        for path in self._newest_first()[KEPT:]:
            path.unlink(missing_ok=True)
        remove_leftovers(self.folder, locked=True)  # the process holds the lock of the run


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a checkpoint and the values in its header.

    Raises:
        ThawlineError: If it is not a checkpoint, although its SHA-256 is right.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, parse_json((file.metadata() or {})["thawline"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise _foreign(path, first_line(error)) from error


def _foreign(path: Path, found: str) -> ThawlineError:
    fix = f"remove the folder '{path.parent}', so that the training starts again"
    return ThawlineError(f"a checkpoint of this training in '{path}'", found, fix)


def _with_digest(content: bytes) -> bytes:
    """Return the bytes of a checkpoint with their SHA-256 in the header."""
    digest = hashlib.sha256(content).hexdigest()
    return content.replace(f'"sha256":"{_NO_DIGEST}"'.encode(), f'"sha256":"{digest}"'.encode(), 1)


def _is_intact(content: bytes) -> bool:
    """Return whether the bytes of a checkpoint have the SHA-256 that their header names."""
    found = _DIGEST.search(content)
    if found is None:
        return False
    start, end = found.span(1)
    digest = hashlib.sha256(content[:start] + _NO_DIGEST.encode())
    digest.update(memoryview(content)[end:])
    return digest.hexdigest().encode() == found[1]
