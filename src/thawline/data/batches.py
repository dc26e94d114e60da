"""Form batches of texts of similar length under a token budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def plan_batches(
    lengths: NDArray[np.int64], *, tokens_per_batch: int, density: float
) -> list[NDArray[np.int64]]:
    """Group texts into batches of similar length, longest first, so that memory peaks early.

    A batch ends before its padded size would exceed the budget or its share of real tokens would
    fall below ``density``. A single text may be longer than the budget.

    Args:
        lengths: The number of tokens of each text, ``(texts,)``.
        tokens_per_batch: The maximum number of tokens in a batch, padding included.
        density: The minimum share of real tokens, from 0 to 1.

    Returns:
        Arrays of positions in ``lengths``. Each position occurs once.
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
    """Split a few texts into the batches with the lowest total cost.

    The cost of a batch is its number of tokens, padding included, plus a constant. The texts are
    sorted by length, and the cheapest way to cut that sequence is found exactly. The time is
    quadratic in the number of texts.

    Args:
        lengths: The number of tokens of each text, ``(texts,)``.
        tokens_per_batch: The maximum number of tokens in a batch, padding included. A single text
            may be longer.
        overhead: The constant cost of a batch, in tokens.

    Returns:
        Arrays of positions in ``lengths``, longest first. Each position occurs once.
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


def deal_by_length(lengths: NDArray[np.int64], shares: int) -> list[NDArray[np.int64]]:
    """Divide texts into shares with similar numbers of tokens and similar lengths.

    The texts are dealt one after the other, the longest first, to the share with the fewest tokens.

    Args:
        lengths: The number of tokens of each text, ``(texts,)``.
        shares: The number of shares, at most the number of texts.

    Returns:
        For each share, positions in ``lengths``. Each position occurs once.
    """
    dealt: list[list[int]] = [[] for _ in range(shares)]
    tokens = [0] * shares
    for position in np.argsort(-lengths, kind="stable"):
        # Empty texts count as one token, so that every share gets a text.
        share = tokens.index(min(tokens))
        dealt[share].append(int(position))
        tokens[share] += max(1, int(lengths[position]))
    return [np.array(positions) for positions in dealt]


def padding_density(
    lengths: NDArray[np.int64], batches: Sequence[NDArray[np.int64]]
) -> float | None:
    """Return the share of real tokens in the batches, or None if there are no batches."""
    if not batches:
        return None
    padded = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    return float(sum(int(lengths[batch].sum()) for batch in batches) / padded)
