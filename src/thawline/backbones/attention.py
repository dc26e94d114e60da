"""Attention for the frozen pass on a CPU: plain matrix products, a text at a time.

torch's CPU flash kernel computes in small fp32 tiles and reaches a quarter of the bf16 matrix
rate. Two batched products with the softmax in between are faster for long texts, and without
their padding no mask is needed; ``benchmarks/frozen_pass.py`` measures both.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "thawline_cpu"
"""The ``attn_implementation`` under which transformers finds it."""

SHORTEST = 96
"""Texts of fewer tokens are left to torch: the calls would cost more than the products."""


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Bidirectional attention of right-padded texts, in inference only.

    Args:
        module: the attention module that asks.
        query: ``(batch, heads, tokens, head width)``.
        key: as ``query``.
        value: as ``query``.
        attention_mask: ``(batch, 1, tokens, tokens)`` bool, hiding nothing but padding; or None.
        scaling: of the products; None: one over the root of the head width.
        options: what else transformers hands on.

    Returns:
        ``(batch, tokens, heads, head width)``, zero at padded places; and None for the weights.
    """
    batch, heads, tokens, width = query.shape
    if tokens < SHORTEST:
        usual: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return usual
    real = [tokens] * batch
    if attention_mask is not None:
        real = attention_mask[:, 0, 0].sum(-1).tolist()
    scale = width**-0.5 if scaling is None else scaling
    attended = query.new_zeros(batch, tokens, heads, width)
    scratch = query.new_empty(heads * tokens * tokens)
    for text, length in enumerate(real):
        weights = scratch[: heads * length**2].view(heads, length, length)
        keys = key[text, :, :length].transpose(1, 2)
        torch.baddbmm(weights, query[text, :, :length], keys, beta=0, alpha=scale, out=weights)
        torch.softmax(weights, -1, out=weights)
        attended[text, :length] = torch.bmm(weights, value[text, :, :length]).transpose(0, 1)
    return attended, None


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, AttentionMaskInterface()["sdpa"])
