"""A training on disk, from which another process goes on bit for bit.

A checkpoint is one safetensors file: weights, the best weights so far, the optimiser, the random
states, and in its header, as JSON, the schedule, the history and the place in the loop. Its name
ends in a checksum of its content, and it is written under a temporary name first: whatever kills
the process, the newest whole file is a whole checkpoint.
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
"""Files that stay: the newest, and the one before it should the disk spoil that."""

SUFFIX, TEMPORARY = ".safetensors", ".tmp"


class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        folder: theirs alone; made when the first is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, training: Training) -> None:
        """Write a checkpoint; those that it makes needless go.

        Raises:
            OSError: the folder cannot be written, or the disk is full.
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
        self._tidy()

    def restore(self, training: Training) -> None:
        """Bring a training to where the newest whole checkpoint has it; without one, do nothing."""
        for path in self._newest_first():
            content = path.read_bytes()
            if path.stem.partition("-")[2] == _checksum(content):
                training.load_state(*_read(path))
                return

    def clear(self) -> None:
        """Delete all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{SUFFIX}"), reverse=True)

    def _tidy(self) -> None:
        for path in [*self._newest_first()[KEPT:], *self.folder.glob(f"*{TEMPORARY}")]:
            path.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, json.loads(file.metadata()["thawline"])


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
