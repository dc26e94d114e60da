"""Count the floating-point operations that a backbone must do, forward and backward.

Only matrix products are counted, as in Kaplan et al. (2020, arXiv 2001.08361, appendix B). With T
tokens in a text, a product with a matrix of n weights takes 2 n T operations. Attention of width w
multiplies queries with keys and weights with values, which takes 4 w operations for each pair of
tokens that attend to each other. There are T² pairs, T (T + 1) / 2 in a causal backbone, and fewer
with a sliding window. Kaplan et al. count T² pairs in a causal backbone too; here it is a part
that an implementation may skip. If a head reads only the first token of the last block, that block
has one query in each text, and all of its products but those to keys and values have one token.

The backward pass repeats a product twice: once for the gradient of its input, if something before
it trains, and once for the gradient of its matrix, if that matrix trains. Attention has four
products in its backward pass, each as large as one of the two of its forward pass.

Lookups of embeddings, norms, activations, dropout, the optimiser, poolers and heads are left out,
and so are the norms of the rows that DoRA computes. All of them take few operations. In the lowest
block that trains, the gradient of a norm before the attention is left out too. So the number of
operations is a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from thawline.backbones.stack import Stack

Lengths = NDArray[np.int64]
"""Number of tokens of each text without padding, ``(texts,)``."""


def forward_operations(
    stack: Stack, lengths: Lengths, stages: Iterable[int] | None = None, pooling: str = "mean"
) -> float:
    """Count the operations of a forward pass.

    Args:
        stack: The backbone, with or without adapters. Its parameters may be on the meta device.
        lengths: Number of tokens of each text, ``(texts,)``.
        stages: The stages that run. If None, all of them.
        pooling: The pooling of the head, which decides which tokens of the last block are computed.
    """
    chosen = range(stack.depth + 1) if stages is None else stages
    return sum(_forward(stack, stage, lengths, pooling) for stage in chosen)


def prefix_operations(stack: Stack, lengths: Lengths, line: int, *, pooled: bool = False) -> float:
    """Count the operations of the frozen part, which runs once per text.

    One pass is enough, because the states that enter a line are also on the way to pooled states.

    Args:
        stack: The backbone.
        lengths: Number of tokens of each text, ``(texts,)``.
        line: The thaw line. Nothing runs at line 0 and 1.
        pooled: Whether a head is trained on pooled states first, for which all stages run.
    """
    end = stack.depth + 1 if pooled else line
    return forward_operations(stack, lengths, range(end if end > 1 else 0))


def training_operations(stack: Stack, lengths: Lengths, line: int, pooling: str = "mean") -> float:
    """Count the operations of one forward and one backward pass over texts.

    The parameters that require gradients decide which products the backward pass needs.

    Args:
        stack: The backbone, with or without adapters. Its parameters may be on the meta device.
        lengths: Number of tokens of each text, ``(texts,)``.
        line: The thaw line. The stages before it do not run if it is above 1.
        pooling: The pooling of the head, which decides which tokens of the last block are computed.
    """
    forward = forward_operations(stack, lengths, trained_stages(line, stack.depth), pooling)
    trained = [_trains(stack.modules_of(stage)) for stage in range(stack.depth + 1)]
    backward = sum(
        _backward(stack, stage, lengths, pooling, below=any(trained[:stage]))
        for stage in range(stack.depth + 1)
        if any(trained[: stage + 1])
    )
    return forward + backward


def trained_stages(line: int, depth: int) -> range:
    """Return the stages that run in training: those from the line on, or all at line 0 and 1."""
    return range(line if line > 1 else 0, depth + 1)


# -- one stage -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Product:
    """A product with a matrix, and with the two matrices of a low-rank adapter beside it.

    Attributes:
        weights: Number of weights of the matrix.
        trains: Whether the matrix trains.
        bias_trains: Whether the bias that is added to the product trains.
        adapter_in: Number of weights of the adapter's first matrix. 0 if there is no adapter.
        adapter_out: Number of weights of its second matrix.
    """

    weights: int = 0
    trains: bool = False
    bias_trains: bool = False
    adapter_in: int = 0
    adapter_out: int = 0

    @property
    def changes(self) -> bool:
        """Whether the matrix, its bias or its adapter trains."""
        return self.trains or self.bias_trains or self.adapter_in > 0

    def forward(self) -> float:
        """Return the operations of a forward pass for one token."""
        return 2.0 * (self.weights + self.adapter_in + self.adapter_out)

    def backward(self, *, for_input: bool) -> float:
        """Return the operations of a backward pass for one token.

        Args:
            for_input: Whether the gradient of the input is needed.
        """
        gradients = self.weights * (for_input + self.trains)
        adapter = self.adapter_in * (for_input + 1) + self.adapter_out * 2
        return 2.0 * (gradients + adapter)


def _products(module: nn.Module) -> list[_Product]:
    """Return the products of a block with matrices, in the order of its layers."""
    found: dict[str, _Product] = {}
    for name, parameter in module.named_parameters():
        if parameter.dim() != 2:
            layer = name.rpartition(".")[0].removesuffix(".base_layer")
            if name.endswith("bias") and layer in found and parameter.requires_grad:
                found[layer] = replace(found[layer], bias_trains=True)
            continue
        path, _, adapter = name.partition(".lora_")
        layer = path if adapter else name.rpartition(".")[0].removesuffix(".base_layer")
        product, size = found.get(layer, _Product()), parameter.numel()
        if not adapter:
            product = replace(
                product,
                weights=product.weights + size,
                trains=product.trains or parameter.requires_grad,
            )
        elif adapter.startswith("A"):
            product = replace(product, adapter_in=product.adapter_in + size)
        else:
            product = replace(product, adapter_out=product.adapter_out + size)
        found[layer] = product
    return list(found.values())


def _forward(stack: Stack, stage: int, lengths: Lengths, pooling: str) -> float:
    if stage == 0:
        products = [product for product, _ in _embedding_products(stack)]
        return sum(product.forward() for product in products) * float(lengths.sum())
    first, others = _around_attention(stack, _products(stack.blocks[stage - 1]))
    tokens = _tokens(stack, stage, lengths, pooling, len(first))
    linear = sum(n * product.forward() for n, product in zip(tokens.first, first, strict=True))
    linear += tokens.others * sum(product.forward() for product in others)
    return linear + 4 * _attention(stack, stage, lengths, pooling)


def _backward(stack: Stack, stage: int, lengths: Lengths, pooling: str, *, below: bool) -> float:
    """Count the operations of the backward pass of a stage.

    Args:
        stack: The backbone.
        stage: The stage.
        lengths: Number of tokens of each text, ``(texts,)``.
        pooling: The pooling of the head.
        below: Whether a stage before this one trains.
    """
    if stage == 0:
        of_token = sum(p.backward(for_input=vectors) for p, vectors in _embedding_products(stack))
        return float(lengths.sum()) * of_token
    first, others = _around_attention(stack, _products(stack.blocks[stage - 1]))
    tokens = _tokens(stack, stage, lengths, pooling, len(first))
    linear = sum(
        n * product.backward(for_input=below)
        for n, product in zip(tokens.first, first, strict=True)
    )
    # The projections are those to queries, keys and values, or one to all three.
    needed = [below or product.changes for product in first] or [below]
    query, key, value = needed[0], needed[len(needed) // 2], needed[-1]
    of_attention = 2 * (value + (query or key) + query + key)
    upstream = below or any(needed)
    for product in others:
        linear += tokens.others * product.backward(for_input=upstream)
        upstream = upstream or product.changes
    return linear + of_attention * _attention(stack, stage, lengths, pooling)


class _Tokens(NamedTuple):
    """The number of tokens of all texts that the products of a block are computed for.

    Attributes:
        first: The number for each projection that attention reads.
        others: The number for all other products.
    """

    first: list[float]
    others: float


def _tokens(stack: Stack, stage: int, lengths: Lengths, pooling: str, projections: int) -> _Tokens:
    """Return the numbers of tokens of a block with a number of projections."""
    every = float(lengths.sum())
    if stage < stack.depth or not stack.reads_first_token(pooling):
        return _Tokens([every] * projections, every)
    one = float(len(lengths))  # also for the queries
    return _Tokens([one] + [every] * (projections - 1), one)


def _embedding_products(stack: Stack) -> list[tuple[_Product, bool]]:
    """Return the projections of embeddings, and whether the vectors before them train."""
    modules = [part for module in stack.modules_of(0) for part in module.modules()]
    vectors = _trains(part for part in modules if isinstance(part, nn.Embedding))
    linear = [part for part in modules if isinstance(part, nn.Linear)]
    return [(product, vectors) for part in linear for product in _products(part)]


def _around_attention(
    stack: Stack, products: list[_Product]
) -> tuple[list[_Product], list[_Product]]:
    """Split the products of a block into the projections that attention reads, and the others."""
    heads, keys, width = _heads(stack)
    total = (heads + 2 * keys) * width * stack.hidden_size
    number = seen = 0
    while seen < total and number < len(products):
        seen += products[number].weights
        number += 1
    return products[:number], products[number:]


def _heads(stack: Stack) -> tuple[int, int, int]:
    """Return the number of query heads, the number of key heads, and the width of a head.

    Families name these values alike. A config without them is taken to have one wide head.
    """
    config: Any = stack.model.config
    heads = int(getattr(config, "num_attention_heads", None) or 1)
    keys = int(getattr(config, "num_key_value_heads", None) or heads)
    width = int(getattr(config, "head_dim", None) or stack.hidden_size // heads)
    return heads, keys, width


def _attention(stack: Stack, stage: int, lengths: Lengths, pooling: str) -> float:
    """Return the width of attention times the number of pairs of tokens that it attends to."""
    heads, _, width = _heads(stack)
    tokens = lengths.astype(np.float64)
    if stage == stack.depth and stack.reads_first_token(pooling):
        return float(heads * width * tokens.sum())
    reach = np.minimum(_reach(stack, stage), tokens - 1)
    earlier = reach * tokens - reach * (reach + 1) / 2
    pairs = tokens + (earlier if stack.family.causal else 2 * earlier)
    return float(heads * width * pairs.sum())


def _reach(stack: Stack, stage: int) -> float:
    """Return how many tokens before itself a token attends to at most in a block."""
    config: Any = stack.model.config
    types = getattr(config, "layer_types", None)
    window = getattr(config, "sliding_window", None)
    if types is None or window is None or types[stage - 1] != "sliding_attention":
        return np.inf
    # A causal window includes the token itself.
    return float(window - stack.family.causal)


def _trains(modules: Iterable[nn.Module]) -> bool:
    return any(parameter.requires_grad for module in modules for parameter in module.parameters())
