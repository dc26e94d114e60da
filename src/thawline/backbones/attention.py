"""Attention for the frozen pass on a CPU: plain matrix products of texts of the same length.

The flash kernel of torch computes in small fp32 tiles on a CPU and reaches a quarter of the bf16
matrix rate. Two batched products with an exponential between them are faster at every length.
Padding is cut off first, so that no mask is needed. ``benchmarks/frozen_pass.py`` measures both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

NAME = "thawline_cpu"
"""The ``attn_implementation`` that selects this function in transformers."""

SCORES_AT_ONCE = 2**20
"""Number of products of queries and keys that are kept at once, so that they stay in the cache."""

_SAFE_TOTALS = 2.0**-100, 2.0**100
"""Totals of exponentials between which neither of them over- or underflows in fp32 or bf16."""


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Compute bidirectional attention of right-padded texts, for inference only.

    Args:
        module: The attention module that calls this function.
        query: Queries, ``(batch, heads, tokens, head width)``.
        key: Keys, of the same shape.
        value: Values, of the same shape.
        attention_mask: Boolean mask ``(batch, 1, tokens, tokens)`` that hides padding and nothing
            else. None if no text is padded.
        scaling: Factor of the products of queries and keys. If None, one over the square root of
            the head width.
        options: Further options of transformers, which are not used.

    Returns:
        The attended values, ``(batch, tokens, heads, head width)``, which are 0 at padding, and
        None instead of attention weights.
    """
    batch, heads, tokens, width = query.shape
    scale = width**-0.5 if scaling is None else scaling
    if attention_mask is None:
        lengths = [tokens] * batch
        attended = query.new_empty(batch, tokens, heads, width)
    else:
        lengths = attention_mask[:, 0, 0].sum(-1).tolist()
        attended = query.new_zeros(batch, tokens, heads, width)
    scratch = query.new_empty(
        min(batch * heads * tokens**2, max(heads * tokens**2, SCORES_AT_ONCE))
    )
    for rows, length in _groups(lengths, heads):
        flat = [part[rows, :, :length].reshape(-1, length, width) for part in (query, key, value)]
        weights = scratch[: len(flat[0]) * length**2].view(-1, length, length)
        totals = _exponentials(flat[0], flat[1], scale, out=weights)
        shape = -1, heads, length
        values = torch.bmm(weights, flat[2]).view(*shape, width)
        torch.div(
            values.transpose(1, 2),
            totals.view(*shape, 1).transpose(1, 2),
            out=attended[rows, :length],
        )
    return attended, None


def _groups(lengths: Sequence[int], heads: int) -> Iterator[tuple[slice, int]]:
    """Yield neighbouring texts of the same length, at most `SCORES_AT_ONCE` scores at a time.

    Args:
        lengths: Number of tokens of each text.
        heads: Number of heads.
    """
    start = 0
    for length, equal in groupby(lengths):
        end = start + sum(1 for _ in equal)
        step = max(1, SCORES_AT_ONCE // (heads * length**2))
        for first in range(start, end, step):
            yield slice(first, min(first + step, end)), length
        start = end


def _exponentials(query: Tensor, key: Tensor, scale: float, out: Tensor) -> Tensor:
    """Compute attention weights that are not divided by their totals yet.

    A softmax subtracts the maximum of each row, so that no exponential overflows. That takes longer
    than the exponentials themselves. So the maximum is subtracted only if a total shows that it is
    necessary, as it is for part of the blocks of MiniLM on long texts.

    Args:
        query: Queries, ``(texts x heads, tokens, head width)``.
        key: Keys, of the same shape.
        scale: Factor of the products of queries and keys.
        out: Receives the weights, ``(texts x heads, tokens, tokens)``.

    Returns:
        The total of each row of weights, ``(texts x heads, tokens, 1)``.
    """
    keys = key.transpose(1, 2)
    # torch computes powers of two in half the time of powers of e.
    out.baddbmm_(query, keys, beta=0, alpha=scale * math.log2(math.e)).exp2_()
    totals = out.sum(-1, keepdim=True)
    lowest, highest = (float(total) for total in totals.aminmax())
    if _SAFE_TOTALS[0] <= lowest and highest <= _SAFE_TOTALS[1]:
        return totals
    torch.softmax(out.baddbmm_(query, keys, beta=0, alpha=scale), -1, out=out)
    return totals.fill_(1)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, AttentionMaskInterface()["sdpa"])
