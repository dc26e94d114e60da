"""Save the state of a training to disk, so that another process can resume it bit for bit.

A checkpoint is one safetensors file. It holds the weights, the best weights so far, the state of
the optimiser and the random states. Its header holds the schedule, the history and the position in
the loop, as JSON. The file is written under a temporary name first, and its name ends in a checksum
of its content. So an incomplete or damaged file is never loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from thawline.training.loop import Training

KEPT = 2
"""The number of checkpoints to keep: the newest, and one more in case the newest is damaged."""

SUFFIX, TEMPORARY = ".safetensors", ".tmp"


class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        folder: A folder for checkpoints only. It is created when the first checkpoint is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, training: Training) -> None:
        """Write a checkpoint and delete those that are no longer needed.

        Args:
            training: The training to save.

        Raises:
            OSError: If the folder cannot be written or the disk is full.
        """
        tensors, values = training.state()
        content = save(
            {name: tensor.cpu().contiguous() for name, tensor in tensors.items()},
            metadata={"thawline": json.dumps(values)},
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{training.done:09d}-{_checksum(content)}"
        temporary = self.folder / f"{name}{TEMPORARY}"
        temporary.write_bytes(content)
        os.replace(temporary, self.folder / f"{name}{SUFFIX}")
        self._delete_old()

    def restore(self, training: Training) -> None:
        """Load the newest undamaged checkpoint, if one exists.

        Args:
            training: A training of the same objective and config as the saved one.
        """
        for path in self._newest_first():
            content = path.read_bytes()
            if path.stem.partition("-")[2] == _checksum(content):
                training.load_state(*_read(path))
                return

    def clear(self) -> None:
        """Delete all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        """Return the checkpoint files, the newest first."""
        return sorted(self.folder.glob(f"*{SUFFIX}"), reverse=True)

    def _delete_old(self) -> None:
        """Delete old checkpoints and the temporary files of processes that were killed."""
        for path in [*self._newest_first()[KEPT:], *self.folder.glob(f"*{TEMPORARY}")]:
            path.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a checkpoint and the values in its header."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, json.loads(file.metadata()["thawline"])


def _checksum(content: bytes) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()[:16]
