"""Pooling: combine the states of a text's tokens into one vector."""

from __future__ import annotations

import torch
from torch import Tensor

POOLINGS = ("first", "last", "mean")
"""The order of the poolings in stored tensors."""


def pool(states: Tensor, mask: Tensor | None, pooling: str) -> Tensor:
    """Pool token states into one vector per text.

    Args:
        states: Token states, ``(batch, tokens, hidden)``, padded on the right.
        mask: ``(batch, tokens)``, 1 at real tokens and 0 at padding. None if no text is padded.
        pooling: ``first`` or ``last`` for that real token, or ``mean`` for the mean of the real
            tokens. The mean is summed in fp32 for every dtype.

    Returns:
        Pooled states, ``(batch, hidden)``, in the dtype of ``states``.

    Raises:
        ValueError: If ``pooling`` is unknown.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"unknown pooling '{pooling}'; choose from {', '.join(POOLINGS)}")
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
    """Compute every pooling of token states.

    Args:
        states: Token states, ``(batch, tokens, hidden)``, padded on the right.
        mask: ``(batch, tokens)``, 1 at real tokens and 0 at padding. None if no text is padded.

    Returns:
        ``(batch, 3, hidden)``, in the order of `POOLINGS`.
    """
    return torch.stack([pool(states, mask, pooling) for pooling in POOLINGS], dim=1)
