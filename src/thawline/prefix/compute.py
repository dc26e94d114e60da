"""Run a frozen backbone over batches of texts, on several threads, and count its operations."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thawline.backbones import attention
from thawline.backbones.stack import Stack
from thawline.data.tokens import Inputs, TokenizedTexts
from thawline.store import Content, TokenStates

Batch = NDArray[np.int64]
"""Positions of the texts of a batch, ``(batch,)``."""

Compute = Callable[[Stack, Batch, Inputs], Content]
"""A function that computes the stored content of a batch from inputs on the stack's device."""


def frozen_stack(stack: Stack, dtype: str, device: str) -> Stack:
    """Copy a backbone to a device, in evaluation mode, with the fastest attention for that device.

    Args:
        stack: The backbone; it is not changed.
        dtype: The dtype of the copy, ``float32`` or ``bfloat16``.
        device: The device of the copy.
    """
    frozen = Stack(copy.deepcopy(stack.model).to(device, getattr(torch, dtype)).eval())
    if device == "cpu" and frozen.family.full_attention:
        frozen.model.set_attn_implementation(attention.NAME)
    return frozen


@dataclass(frozen=True)
class PooledStates:
    """A function that computes every pooling of every stage up to one stage.

    Attributes:
        last: The last stage. If None, all blocks run.
    """

    last: int | None = None

    def __call__(self, stack: Stack, batch: Batch, inputs: Inputs) -> Content:
        """Compute the states of a batch.

        Returns:
            ``states``, ``(batch, stages, 3, hidden)``, and ``lengths``, ``(batch,)``.
        """
        return {"states": stack.pooled(inputs, self.last), "lengths": _lengths(inputs)}


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
    def blocks(self) -> range:
        """The blocks that run, counted from 1."""
        return range(self.start, self.line)

    def __call__(self, stack: Stack, batch: Batch, inputs: Inputs) -> Content:
        """Compute the states of a batch.

        Returns:
            ``states``, ``(all tokens, hidden)``, and ``lengths``, ``(batch,)``.
        """
        states, mask = self._padded(stack, batch, inputs), inputs.get("attention_mask")
        real = states.flatten(0, 1) if mask is None else states[mask.bool()]
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
    inputs = {name: tensor.to(device) for name, tensor in tokens.batch(batch).items()}
    return {name: tensor.cpu() for name, tensor in compute(stack, batch, inputs).items()}


class _Workers:
    """The threads that compute batches on a CPU, each of which computes one batch alone.

    `torch.set_num_threads` in one thread also changes the number for other threads. So the number
    of the process is restored as soon as no pass is running.
    """

    def __init__(self) -> None:
        self._lock, self._passes, self._number = Lock(), 0, 1

    @contextmanager
    def started(self, device: str) -> Iterator[tuple[ThreadPoolExecutor, int]]:
        """Start the threads and yield them with their number.

        Args:
            device: The device of the pass. There is one thread for a device other than the CPU.
        """
        if device != "cpu":
            with ThreadPoolExecutor(1) as pool:
                yield pool, 1
            return
        with self._lock:
            if not self._passes:
                self._number = torch.get_num_threads()
            self._passes += 1
        try:
            with ThreadPoolExecutor(
                self._number, initializer=torch.set_num_threads, initargs=(1,)
            ) as pool:
                yield pool, self._number
        finally:
            with self._lock:
                self._passes -= 1
                if not self._passes:
                    torch.set_num_threads(self._number)


_WORKERS = _Workers()


def run_batches(
    stack: Stack, tokens: TokenizedTexts, batches: Sequence[Batch], device: str, compute: Compute
) -> Iterator[tuple[Batch, Content]]:
    """Run a frozen backbone over batches and yield each batch with its content, in order.

    On a CPU each batch is computed by one thread, and several batches at the same time. The
    threads then do not wait for each other within a layer, and the states do not depend on the
    number of threads.

    Args:
        stack: The frozen backbone.
        tokens: The tokens of all texts.
        batches: Positions of the texts of each batch.
        device: The device of the stack.
        compute: The function that computes the content of a batch.
    """

    @torch.inference_mode()
    def run(batch: Batch) -> Content:
        return run_batch(stack, tokens, batch, device, compute)

    with _WORKERS.started(device) as (pool, workers):
        waiting: deque[tuple[Batch, Future[Content]]] = deque()
        try:
            for batch in batches:
                waiting.append((batch, pool.submit(run, batch)))
                if len(waiting) > 2 * workers:
                    done, content = waiting.popleft()
                    yield done, content.result()
            for done, content in waiting:
                yield done, content.result()
        finally:
            pool.shutdown(cancel_futures=True)


def matmul_flops(
    stack: Stack, lengths: NDArray[np.int64], blocks: Sequence[int] | None = None
) -> float:
    """Count the floating-point operations of the matrix products in some blocks.

    Each weight costs two operations per token. Attention costs four operations for each pair of
    tokens and each unit of width (Kaplan et al., 2020, arXiv 2001.08361, appendix B, without
    halving for causal attention).

    Args:
        stack: The backbone.
        lengths: Number of tokens of each text, ``(texts,)``.
        blocks: The blocks that run, counted from 1. If None, all blocks run.
    """
    chosen = range(1, stack.depth + 1) if blocks is None else blocks
    parameters = [p for block in chosen for p in stack.blocks[block - 1].parameters()]
    weights = sum(p.numel() for p in parameters if p.dim() == 2)
    config = stack.model.config
    head = getattr(config, "head_dim", None)
    width = stack.hidden_size if head is None else head * config.num_attention_heads
    tokens = lengths.astype(np.float64)
    return float(2 * weights * tokens.sum() + 4 * len(chosen) * width * (tokens**2).sum())
