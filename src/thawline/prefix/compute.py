"""Run a frozen backbone over batches of texts, on several threads."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thawline.backbones.kernels import fast_kernels
from thawline.backbones.packed import pack_weights
from thawline.backbones.stack import Stack
from thawline.data.tokens import Inputs, TokenizedTexts
from thawline.runtime.devices import copy_to
from thawline.runtime.threads import run_in_order
from thawline.store import Content, TokenStates

Batch = NDArray[np.int64]
"""Positions of the texts of a batch, ``(batch,)``."""

Compute = Callable[[Stack, Batch, Inputs], Content]
"""A function that computes the stored content of a batch from inputs on the stack's device."""


def frozen_stack(stack: Stack, dtype: str, device: str) -> Stack:
    """Copy a backbone to a device, in evaluation mode.

    Args:
        stack: The backbone; it is not changed.
        dtype: The dtype of the copy, ``float32`` or ``bfloat16``.
        device: The device of the copy.
    """
    model = copy.deepcopy(stack.model).to(device, getattr(torch, dtype)).eval()
    pack_weights(model, device)
    return Stack(model)


@dataclass(frozen=True)
class PooledStates:
    """A function that computes every pooling of every stage up to one stage.

    Attributes:
        last: The last stage. If None, all blocks run.
        line: A line, from 2 to the number of blocks, whose token states are returned, too. If None,
            there are only pooled states.
    """

    last: int | None = None
    line: int | None = None

    def __call__(self, stack: Stack, batch: Batch, inputs: Inputs) -> Content:
        """Compute the states of a batch.

        Returns:
            ``states``, ``(batch, stages, 3, hidden)``, and ``lengths``, ``(batch,)``. With a line
            also ``at_line``, ``(all tokens, hidden)``.
        """
        mask, at_line = inputs.get("attention_mask"), {}

        def visit(stage: int, states: Tensor) -> None:
            if self.line is not None and stage == self.line - 1:
                at_line["at_line"] = _without_padding(states, mask)

        pooled = stack.pooled(inputs, self.last, visit)
        return {"states": pooled, "lengths": _lengths(inputs), **at_line}


def _without_padding(states: Tensor, mask: Tensor | None) -> Tensor:
    """Return the states of the real tokens, ``(all tokens, hidden)``."""
    return states.flatten(0, 1) if mask is None else states[mask.bool()]


def _lengths(inputs: Inputs) -> Tensor:
    """Return the number of tokens of each text without padding, ``(batch,)`` int32."""
    mask, ids = inputs.get("attention_mask"), inputs["input_ids"]
    real = torch.ones_like(ids) if mask is None else mask
    return real.sum(1, dtype=torch.int32)


@dataclass(frozen=True)
class StatesAtLine:
    """A function that computes the token states at a line, without padding.

    Attributes:
        line: The line, from 2 to the number of blocks.
        start: The line at which the computation starts. 1 if it starts from the tokens.
        below: The states of the texts at the line ``start``. None if it starts from the tokens.
    """

    line: int
    start: int = 1
    below: TokenStates | None = None

    @property
    def stages(self) -> range:
        """The stages that run."""
        return range(0 if self.below is None else self.start, self.line)

    def __call__(self, stack: Stack, batch: Batch, inputs: Inputs) -> Content:
        """Compute the states of a batch.

        Returns:
            ``states``, ``(all tokens, hidden)``, and ``lengths``, ``(batch,)``.
        """
        states = self._padded(stack, batch, inputs)
        real = _without_padding(states, inputs.get("attention_mask"))
        return {"states": real, "lengths": _lengths(inputs)}

    def _padded(self, stack: Stack, batch: Batch, inputs: Inputs) -> Tensor:
        if self.below is None:
            return stack.prefix(self.line, inputs)
        below = self.below.take(batch).to(inputs["input_ids"].device)
        return stack.prefix(self.line, inputs, start=self.start, states=below)


def run_batch(
    stack: Stack, tokens: TokenizedTexts, batch: Batch, device: str, compute: Compute
) -> Content:
    """Compute the content that is stored for one batch.

    Args:
        stack: The frozen backbone.
        tokens: The tokens of all texts.
        batch: Positions of the texts in the batch.
        device: The device of the stack.
        compute: The function that computes the content.

    Returns:
        The content, on the CPU.
    """
    inputs = {name: copy_to(tensor, device) for name, tensor in tokens.batch(batch).items()}
    with fast_kernels(device):
        content = compute(stack, batch, inputs)
    return {name: tensor.cpu() for name, tensor in content.items()}


def run_batches(
    stack: Stack, tokens: TokenizedTexts, batches: Sequence[Batch], device: str, compute: Compute
) -> Iterator[tuple[Batch, Content]]:
    """Run a frozen backbone over batches and yield each batch with its content, in order.

    See `run_in_order`.

    Args:
        stack: The frozen backbone.
        tokens: The tokens of all texts.
        batches: Positions of the texts of each batch.
        device: The device of the stack.
        compute: The function that computes the content of a batch.
    """
    run = partial(run_batch, stack, tokens, device=device, compute=compute)
    return run_in_order(run, batches, device)
