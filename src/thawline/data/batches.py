"""Batches of texts of similar length under a token budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def plan_batches(
    lengths: NDArray[np.int64], *, tokens_per_batch: int, density: float
) -> list[NDArray[np.int64]]:
    """Group texts of like length, longest first, so that memory peaks at the start.

    A batch is closed before its padded size would pass the budget or its share of real tokens
    would fall below ``density``; a text alone may be longer than the budget.

    Args:
        lengths: tokens of each text, ``(texts,)``.
        tokens_per_batch: the most tokens of a batch, padding counted.
        density: the least share of real tokens, 0 to 1.

    Returns:
        Arrays of positions into ``lengths``; each position occurs once.
    """
    order = np.argsort(-lengths, kind="stable")
    batches: list[NDArray[np.int64]] = []
    start, real = 0, 0
    for end, length in enumerate(lengths[order]):
        padded = int(lengths[order[start]]) * (end - start + 1)
        if end > start and (padded > tokens_per_batch or real + length < density * padded):
            batches.append(order[start:end])
            start, real = end, 0
        real += int(length)
    if len(order):
        batches.append(order[start:])
    return batches


def split_by_length(
    lengths: NDArray[np.int64], *, tokens_per_batch: int, overhead: int
) -> list[NDArray[np.int64]]:
    """Split a few texts into the batches that are computed soonest together.

    A batch costs its tokens, padding counted, and a fixed part. Of all splits of the texts in the
    order of their lengths the cheapest is found exactly, in time quadratic in their number.

    Args:
        lengths: tokens of each text, ``(texts,)``.
        tokens_per_batch: the most tokens of a batch, padding counted; a text alone may be longer.
        overhead: the fixed part, in tokens.

    Returns:
        Arrays of positions into ``lengths``, longest first; each position occurs once.
    """
    order = np.argsort(-lengths, kind="stable")
    cost, starts = [0.0], [0]
    for end in range(1, len(order) + 1):
        sizes = {start: int(lengths[order[start]]) * (end - start) for start in range(end)}
        allowed = [s for s in sizes if sizes[s] <= tokens_per_batch or s == end - 1]
        start = min(allowed, key=lambda s: cost[s] + sizes[s] + overhead)
        cost.append(cost[start] + sizes[start] + overhead)
        starts.append(start)
    batches, end = [], len(order)
    while end:
        batches.append(order[starts[end] : end])
        end = starts[end]
    return batches[::-1]


def padding_density(
    lengths: NDArray[np.int64], batches: Sequence[NDArray[np.int64]]
) -> float | None:
    """Return the share of real tokens among all that the batches hold; None without batches."""
    if not batches:
        return None
    padded = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    return float(sum(int(lengths[batch].sum()) for batch in batches) / padded)
