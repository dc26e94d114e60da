"""Run a block for the first token of each text alone.

A head with the pooling ``first`` reads only this token from the last block. The other tokens are
needed for its keys and values, but their queries, their output and the complete feed-forward layer
are not. In a block of BERT this leaves a sixth of the products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

FirstToken = Callable[[Any, Tensor, "Tensor | None"], Tensor]
"""A function that runs a block for the first token of each text.

It takes the block, the states that enter it, ``(batch, tokens, hidden)``, and the mask of
`torch.nn.functional.scaled_dot_product_attention`. It returns ``(batch, 1, hidden)``."""


def bert(block: Any, states: Tensor, mask: Tensor | None) -> Tensor:
    """Run a block of BERT or RoBERTa for the first token of each text; see `FirstToken`."""
    attention, first = block.attention, states[:, :1]
    layer = attention.self
    projections = layer.query(first), layer.key(states), layer.value(states)
    attended = _attend(*projections, mask, layer.num_attention_heads, layer.dropout)
    output: Tensor = block.feed_forward_chunk(attention.output(attended, first))
    return output


def distilbert(block: Any, states: Tensor, mask: Tensor | None) -> Tensor:
    """Run a block of DistilBERT for the first token of each text; see `FirstToken`."""
    layer, first = block.attention, states[:, :1]
    projections = layer.q_lin(first), layer.k_lin(states), layer.v_lin(states)
    attended = _attend(*projections, mask, layer.n_heads, layer.dropout)
    inner = block.sa_layer_norm(layer.out_lin(attended) + first)
    output: Tensor = block.output_layer_norm(block.ffn(inner) + inner)
    return output


def _attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, heads: int, dropout: Any
) -> Tensor:
    """Return what the first token of each text attends to, ``(batch, 1, hidden)``."""
    split = [tensor.unflatten(2, (heads, -1)).transpose(1, 2) for tensor in (query, key, value)]
    hidden = None if mask is None else mask[:, :, :1]
    probability = dropout.p if dropout.training else 0.0
    attended = scaled_dot_product_attention(split[0], split[1], split[2], hidden, probability)
    return attended.transpose(1, 2).flatten(2)
