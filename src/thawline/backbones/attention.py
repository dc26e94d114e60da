"""Attention for the frozen pass on a CPU: plain matrix products, one text at a time.

The flash kernel of torch computes in small fp32 tiles on a CPU and reaches a quarter of the bf16
matrix rate. Two batched products with a softmax between them are faster for long texts. Padding
is cut off first, so that no mask is needed. ``benchmarks/frozen_pass.py`` measures both.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "thawline_cpu"
"""The ``attn_implementation`` that selects this function in transformers."""

MIN_TOKENS = 96
"""Batches with fewer tokens per text use torch's attention, because one call per text is slow."""


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
        options: Further options of transformers, which are passed on to torch's attention.

    Returns:
        The attended values, ``(batch, tokens, heads, head width)``, which are 0 at padding, and
        None instead of attention weights.
    """
    batch, heads, tokens, width = query.shape
    if tokens < MIN_TOKENS:
        result: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return result
    lengths = [tokens] * batch
    if attention_mask is not None:
        lengths = attention_mask[:, 0, 0].sum(-1).tolist()
    scale = width**-0.5 if scaling is None else scaling
    attended = query.new_zeros(batch, tokens, heads, width)
    scratch = query.new_empty(heads * tokens * tokens)
    for text, length in enumerate(lengths):
        weights = scratch[: heads * length**2].view(heads, length, length)
        keys = key[text, :, :length].transpose(1, 2)
        torch.baddbmm(weights, query[text, :, :length], keys, beta=0, alpha=scale, out=weights)
        torch.softmax(weights, -1, out=weights)
        attended[text, :length] = torch.bmm(weights, value[text, :, :length]).transpose(0, 1)
    return attended, None


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, AttentionMaskInterface()["sdpa"])
