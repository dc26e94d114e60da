"""Keep the validation logits of each evaluation of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MAX_BYTES = 128 * 2**20
"""The largest size of the logits of all candidates of a training, in bytes.

If they were larger, which happens with hundreds of classes, none are kept.
"""

_NAME = "logits"


class EvaluatedLogits:
    """The validation logits of each evaluation so far, which checkpoints hold.

    Args:
        rows: The number of validation texts. 0 if the objective does not classify texts.
        classes: The number of classes.
    """

    def __init__(self, rows: int = 0, classes: int = 0) -> None:
        self._shape = (rows, classes)
        self._kept: list[Tensor] = []
        self._too_large = rows == 0

    def add(self, logits: Tensor) -> None:
        """Add the logits of an evaluation, ``(rows, classes)`` fp32."""
        self._too_large |= (len(self._kept) + 1) * logits.nbytes > MAX_BYTES
        if self._too_large:
            self._kept.clear()
        else:
            self._kept.append(logits)

    def of(self, evaluation: int) -> NDArray[np.float32] | None:
        """Return the logits of one evaluation, counted from 0. None if they are not kept."""
        return self._kept[evaluation].numpy() if self._kept else None

    def candidates(self) -> NDArray[np.float16]:
        """Return the logits of all evaluations, ``(evaluations, rows, classes)``."""
        return stack_candidates([in_half_precision(one) for one in self._kept], *self._shape)

    def states(self) -> dict[str, Tensor]:
        """Return the tensors that `restore` needs, by name."""
        return {f"evaluated.{_NAME}": torch.stack(self._kept)} if self._kept else {}

    def restore(self, states: Mapping[str, Tensor], evaluations: int) -> None:
        """Restore the logits from a checkpoint.

        Args:
            states: The tensors, by the part of their name after ``evaluated.``.
            evaluations: The number of evaluations so far.
        """
        self._kept = list(states[_NAME].unbind()) if states else []
        self._too_large = len(self._kept) < evaluations

    def matches(self, tensor: Tensor, evaluations: int) -> bool:
        """Return whether a tensor of a checkpoint can be the logits of this training.

        Args:
            tensor: The tensor.
            evaluations: The number of evaluations so far.
        """
        wanted = (evaluations, *self._shape)
        return tensor.shape == wanted and tensor.dtype == torch.float32 and self._shape[0] > 0


def are_kept(rows: int, classes: int, candidates: int) -> bool:
    """Return whether the logits of an exact fit are kept, by their number of candidates."""
    return rows * classes * candidates * torch.float16.itemsize <= MAX_BYTES


def in_half_precision(logits: Tensor) -> Tensor:
    """Return logits as float16. Values beyond its range are limited to it."""
    most = torch.finfo(torch.float16).max
    return logits.clamp(-most, most).half()


def stack_candidates(logits: Sequence[Tensor], rows: int, classes: int) -> NDArray[np.float16]:
    """Return the logits of several candidates as one array, which may be empty.

    Args:
        logits: The logits of each candidate, ``(rows, classes)`` float16.
        rows: The number of texts.
        classes: The number of classes.

    Returns:
        An array of shape ``(candidates, rows, classes)``.
    """
    stacked = torch.stack(list(logits)) if logits else torch.empty(0, rows, classes).half()
    return stacked.numpy()
