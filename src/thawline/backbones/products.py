"""Attention as plain matrix products in bf16, with and without gradients, for a CPU.

torch's flash kernel computes in small fp32 tiles on a CPU and reaches a quarter of the bf16 matrix
rate; its backward pass is slower still. Here, texts of the same length are computed together,
without their padding. The softmax is computed with base 2, in half the time of base e, and without
subtracting the maximum where that is safe. The attended values are divided by the totals of the
weights, because they are far fewer than the weights. The gradients follow from FlashAttention (Dao
et al., 2022, arXiv 2205.14135, appendix B.4), with all weights kept instead of computed again.

Shapes: batch = texts, heads, tokens = padded length, width = the width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor

TRAINED_TOGETHER = 96
"""The padded length below which all texts of a training pass are computed together. Each call of
torch has a cost of its own, which is larger than that of the padding of such texts."""

CAUSAL_ROWS = 128
"""The number of queries of a causal text that are computed together. Later keys are left out."""

SCORES_AT_ONCE = 2**20
"""The number of scores of several texts that are computed at once, so that they stay in a cache."""

SAFE_TOTALS = 2.0**-64, 2.0**64
"""The totals of weights between which no weight, total or gradient leaves the range of bf16.

A softmax subtracts the maximum of each row, which takes longer than the powers themselves. So the
maximum is subtracted only if a total is not safe, as in some blocks of MiniLM on long texts.
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

    def size(self, heads: int) -> int:
        """Return the number of scores."""
        size: int = heads * math.prod(part.stop - part.start for part in self)
        return size


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
    if mask.is_floating_point():  # added to the scores
        seen, mask = mask, mask == 0
        if not bool((mask | (seen == -math.inf)).all()):
            return None
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
        batch, heads, tokens, width = query.shape
        trains = any(ctx.needs_input_grad)
        pieces = list(
            _pieces(visible, heads, tokens, together=trains and tokens < TRAINED_TOGETHER)
        )
        attended = query.new_zeros(batch, tokens, heads, width)
        largest = max(piece.size(heads) for piece in pieces)
        scratch = None if trains else query.new_empty(largest)
        kept: list[Tensor] = []
        for piece in pieces:
            rows, keys, values = _take(piece, query, key, value)
            if trains:
                weights = query.new_empty(piece.size(heads))
            else:
                assert scratch is not None
                weights = scratch[: piece.size(heads)]
            weights = weights.view(len(rows), rows.shape[1], keys.shape[1])
            totals = _weigh(rows, keys, scale, _hidden(piece, visible, heads), out=weights)
            found = _split_heads(torch.bmm(weights, values), heads)
            by_token = _split_heads(totals, heads)
            torch.div(found, by_token, out=attended[piece.texts, piece.rows])
            if trains:
                kept += weights, totals
        ctx.save_for_backward(query, key, value, attended, *kept)
        ctx.pieces, ctx.scale = pieces, scale
        return attended.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        query, key, value, attended, *kept = ctx.saved_tensors
        batch, heads, tokens, width = query.shape
        to_query, to_key, to_value = (query.new_zeros(batch, tokens, heads, width) for _ in "qkv")
        for number, piece in enumerate(ctx.pieces):
            weights, totals = kept[2 * number : 2 * number + 2]
            rows, keys, values = _take(piece, query, key, value)
            outer = gradients[0][piece.texts, :, piece.rows].flatten(0, 1)
            outer = outer / totals
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
        to_key *= ctx.scale
        return *(part.transpose(1, 2) for part in (to_query, to_key, to_value)), None, None


def _pieces(visible: Visible, heads: int, tokens: int, *, together: bool) -> Iterator[_Piece]:
    """Yield the pieces of a batch.

    Args:
        visible: The keys that each query attends to.
        heads: The number of heads.
        tokens: The padded length.
        together: Whether the complete batch, with its padding, is one piece.
    """
    if together:
        everything = slice(0, tokens)
        yield _Piece(slice(0, len(visible.lengths)), everything, everything)
        return
    first = 0
    for length, equal in groupby(visible.lengths):
        end = first + sum(1 for _ in equal)
        in_parts = visible.causal and length > CAUSAL_ROWS
        texts = 1 if in_parts else max(1, SCORES_AT_ONCE // (heads * length**2))
        queries = CAUSAL_ROWS if visible.causal else length
        for start in range(first, end, texts):
            for row in range(0, length, queries):  # several only if there is one text
                rows = slice(row, min(row + queries, length))
                keys = slice(0, rows.stop if visible.causal else length)
                yield _Piece(slice(start, min(start + texts, end)), rows, keys)
        first = end


def _take(piece: _Piece, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    """Return the queries, keys and values of a piece, ``(texts x heads, tokens, width)`` each."""
    spans = (query, piece.rows), (key, piece.keys), (value, piece.keys)
    return tuple(tensor[piece.texts, :, span].flatten(0, 1) for tensor, span in spans)


def _hidden(piece: _Piece, visible: Visible, heads: int) -> Tensor | None:
    """Return which keys of a piece are hidden. None if all are visible.

    Args:
        piece: The piece.
        visible: The keys that each query of the batch attends to.
        heads: The number of heads.

    Returns:
        A boolean tensor that can be broadcast to ``(texts x heads, rows, keys)``.
    """
    keys = torch.arange(piece.keys.stop)
    if visible.causal:
        rows = torch.arange(piece.rows.start, piece.rows.stop)
        return keys > rows[:, None]
    lengths = visible.lengths[piece.texts]
    if min(lengths) == piece.keys.stop:
        return None
    padding = keys >= torch.tensor(lengths)[:, None]
    return padding.repeat_interleave(heads, 0)[:, None]


def _weigh(rows: Tensor, keys: Tensor, scale: float, hidden: Tensor | None, out: Tensor) -> Tensor:
    """Compute attention weights that are not divided by their totals yet.

    Args:
        rows: The queries, ``(texts x heads, rows, width)``.
        keys: The keys, ``(texts x heads, keys, width)``.
        scale: The factor of their products.
        hidden: The hidden keys, from `_hidden`.
        out: Receives the weights, ``(texts x heads, rows, keys)``.

    Returns:
        The total of each row of weights, ``(texts x heads, rows, 1)``.
    """
    for subtract in (False, True):
        out.baddbmm_(rows, keys.transpose(1, 2), beta=0, alpha=scale * math.log2(math.e))
        if hidden is not None:
            out.masked_fill_(hidden, -math.inf)
        if subtract:
            out.sub_(out.amax(-1, keepdim=True))
        totals = out.exp2_().sum(-1, keepdim=True)
        lowest, highest = (float(total) for total in totals.aminmax())
        if SAFE_TOTALS[0] <= lowest and highest <= SAFE_TOTALS[1]:
            break
    return totals


def _split_heads(tensor: Tensor, heads: int) -> Tensor:
    """Return ``(texts x heads, tokens, width)`` as ``(texts, tokens, heads, width)``."""
    width = tensor.shape[2]
    return tensor.view(-1, heads, tensor.shape[1], width).transpose(1, 2)
