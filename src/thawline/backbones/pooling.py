"""Pooling: from a state for each token to one vector for each text."""

from __future__ import annotations

import torch
from torch import Tensor

POOLINGS = ("first", "last", "mean")
"""The order of the poolings in stored tensors."""


def pool(states: Tensor, mask: Tensor | None, pooling: str) -> Tensor:
    """Pool token states into one vector a text.

    Args:
        states: ``(batch, tokens, hidden)``, padded on the right.
        mask: ``(batch, tokens)``, 1 at real tokens and 0 at padding; None: all are real.
        pooling: ``first`` or ``last`` real token, or the ``mean`` of the real tokens, which is
            summed in fp32 whatever the states' dtype.

    Returns:
        ``(batch, hidden)``, in the states' dtype.

    Raises:
        ValueError: there is no such pooling.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"no pooling '{pooling}', only {', '.join(POOLINGS)}")
    if pooling == "first":
        return states[:, 0]
    if pooling == "last":
        if mask is None:
            return states[:, -1]
        return states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]
    if mask is None:
        return states.mean(1, dtype=torch.float32).to(states.dtype)
    total = (states * mask[:, :, None].to(states.dtype)).sum(1, dtype=torch.float32)
    return (total / mask.sum(1, keepdim=True)).to(states.dtype)


def pool_all(states: Tensor, mask: Tensor | None) -> Tensor:
    """Return every pooling side by side, ``(batch, 3, hidden)``, in the order of `POOLINGS`."""
    return torch.stack([pool(states, mask, pooling) for pooling in POOLINGS], dim=1)
