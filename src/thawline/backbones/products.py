"""Attention as plain matrix products in bf16, with and without gradients, for a CPU.

The softmax is computed with base 2, and without subtracting the largest score if no score can be
large. It is not normalised: the attended values are divided by its sums, which are far fewer than
its weights. The gradients follow from FlashAttention (Dao et al., 2022, arXiv 2205.14135, appendix
B.4), with all weights kept instead of computed again.

Shapes: batch = texts, heads, tokens = padded length, width = the width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

LONG = 96
"""Texts of at least so many tokens are computed one at a time, without their padding. Shorter ones
are computed together, because each call of torch has a cost of its own."""

CAUSAL_ROWS = 128
"""The number of queries of a causal text that are computed together. Later keys are left out."""

LARGEST_POWER = 64.0
"""The largest score, as a power of 2, whose weights are computed without subtracting a maximum.

Weights from 2⁻⁶⁴ to 2⁶⁴, their sums and their gradients are far from the limits of bf16 and fp32.
"""


class Visible(NamedTuple):
    """The keys that each query attends to.

    Attributes:
        lengths: The number of real tokens of each text. Padding after them is hidden.
        causal: Whether each query attends only to itself and to earlier keys.
    """

    lengths: list[int]
    causal: bool


class _Piece(NamedTuple):
    """Queries that are computed together, with the keys that they attend to."""

    texts: slice
    rows: slice
    keys: slice


def visible_keys(query: Tensor, mask: Tensor | None, is_causal: bool) -> Visible | None:
    """Return the keys that each query attends to. None if a mask hides keys in another way.

    Args:
        query: The queries, ``(batch, heads, tokens, width)``.
        mask: The mask of `torch.nn.functional.scaled_dot_product_attention`.
        is_causal: Its argument of the same name.
    """
    batch, _, tokens, _ = query.shape
    if mask is None:
        return Visible([tokens] * batch, is_causal)
    if mask.dtype != torch.bool or mask.dim() != 4 or mask.shape[1] != 1:
        return None
    if mask.shape[0] != batch or mask.shape[3] != tokens:
        return None
    rows = mask[:, 0]
    lengths = rows[:, -1].sum(-1)
    causal = rows.shape[1] > 1 and not bool(rows[:, 0, 1:].any())
    positions = torch.arange(tokens)
    expected = (positions < lengths[:, None])[:, None]
    if causal:
        expected = expected & (positions <= positions[:, None])
    if bool((lengths == 0).any()) or not torch.equal(rows, expected.expand_as(rows)):
        return None
    return Visible(lengths.tolist(), causal)


def attend_to(
    query: Tensor, key: Tensor, value: Tensor, visible: Visible, scale: float | None = None
) -> Tensor:
    """Compute attention in bf16.

    Args:
        query: The queries, ``(batch, heads, tokens, width)``.
        key: The keys, of the same shape.
        value: The values, of the same shape.
        visible: The keys that each query attends to.
        scale: The factor of the products of queries and keys. If None, one over the square root of
            the width.

    Returns:
        The attended values, of the same shape in bf16. Those at padding have no meaning.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    tensors = (tensor.to(torch.bfloat16) for tensor in (query, key, value))
    attended: Tensor = _Attention.apply(*tensors, visible, scale)  # type: ignore[no-untyped-call]
    return attended


class _Attention(torch.autograd.Function):
    """The attention of `attend_to`, whose tensors are bf16."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, visible: Visible, scale: float
    ) -> Tensor:
        query = (query * (scale * math.log2(math.e))).contiguous()
        key, value = key.contiguous(), value.contiguous()
        batch, heads, tokens, width = query.shape
        needs_gradient = any(ctx.needs_input_grad)
        safe = _has_small_scores(query, key)
        attended = query.new_zeros(batch, tokens, heads, width)
        kept: list[Tensor] = []
        for piece in _pieces(visible, tokens):
            rows, keys, values = _take(piece, query, key, value)
            weights = torch.bmm(rows, keys.transpose(1, 2))
            if not safe:
                weights.sub_(weights.amax(-1, keepdim=True))
            weights.exp2_()
            _hide(weights, piece, visible)
            factors = weights.sum(-1, keepdim=True, dtype=torch.float32).reciprocal_()
            found = torch.bmm(weights, values).mul_(factors)
            attended[piece.texts, piece.rows] = _split_heads(found, heads)
            if needs_gradient:
                kept += weights, factors
        ctx.save_for_backward(query, key, value, attended, *kept)
        ctx.visible, ctx.scale = visible, scale
        return attended.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        query, key, value, attended, *kept = ctx.saved_tensors
        batch, heads, tokens, width = query.shape
        gradient = gradients[0].contiguous()
        to_query, to_key, to_value = (query.new_zeros(batch, tokens, heads, width) for _ in "qkv")
        for number, piece in enumerate(_pieces(ctx.visible, tokens)):
            weights, factors = kept[2 * number : 2 * number + 2]
            rows, keys, values = _take(piece, query, key, value)
            outer = gradient[piece.texts, :, piece.rows].flatten(0, 1)
            outer = (outer * factors).to(query.dtype)
            inner = attended[piece.texts, piece.rows].transpose(1, 2).flatten(0, 1)
            products = (outer * inner).sum(-1, keepdim=True)
            scores = torch.baddbmm(products, outer, values.transpose(1, 2), beta=-1).mul_(weights)
            for target, found, span in (
                (to_value, torch.bmm(weights.transpose(1, 2), outer), piece.keys),
                (to_query, torch.bmm(scores, keys), piece.rows),
                (to_key, torch.bmm(scores.transpose(1, 2), rows), piece.keys),
            ):
                target[piece.texts, span] += _split_heads(found, heads)
        to_query *= ctx.scale
        to_key *= 1 / math.log2(math.e)  # the queries contain the scale already
        return *(part.transpose(1, 2) for part in (to_query, to_key, to_value)), None, None


def _has_small_scores(query: Tensor, key: Tensor) -> bool:
    """Return whether the inequality of Cauchy and Schwarz excludes large scores."""
    longest = [torch.linalg.vector_norm(tensor, dim=-1).amax(-1) for tensor in (query, key)]
    return bool((longest[0].float() * longest[1].float()).amax() <= LARGEST_POWER)


def _pieces(visible: Visible, tokens: int) -> Iterator[_Piece]:
    """Yield the pieces of a batch, in an order that depends on its lengths only."""
    if tokens < LONG:
        everything = slice(0, tokens)
        yield _Piece(slice(0, len(visible.lengths)), everything, everything)
        return
    for text, length in enumerate(visible.lengths):
        size = CAUSAL_ROWS if visible.causal else length
        for start in range(0, length, size):
            end = min(start + size, length)
            keys = slice(0, end if visible.causal else length)
            yield _Piece(slice(text, text + 1), slice(start, end), keys)


def _take(piece: _Piece, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    """Return the queries, keys and values of a piece, ``(texts x heads, tokens, width)`` each."""
    spans = (query, piece.rows), (key, piece.keys), (value, piece.keys)
    return tuple(tensor[piece.texts, :, span].flatten(0, 1) for tensor, span in spans)


def _hide(weights: Tensor, piece: _Piece, visible: Visible) -> None:
    """Set the weights of hidden keys to 0.

    Args:
        weights: The weights of a piece, ``(texts x heads, rows, keys)``.
        piece: The piece.
        visible: The keys that each query of the batch attends to.
    """
    lengths = visible.lengths[piece.texts]
    if visible.causal:
        weights.tril_(piece.rows.start)
    elif min(lengths) < piece.keys.stop:
        real = torch.arange(piece.keys.stop) < torch.tensor(lengths)[:, None]
        by_text = weights.view(len(lengths), -1, *weights.shape[1:])
        by_text.mul_(real[:, None, None].to(weights.dtype))


def _split_heads(tensor: Tensor, heads: int) -> Tensor:
    """Return ``(texts x heads, tokens, width)`` as ``(texts, tokens, heads, width)``."""
    width = tensor.shape[2]
    return tensor.view(-1, heads, tensor.shape[1], width).transpose(1, 2)
