"""Run the frozen part, once, over the texts whose states the store does not hold."""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thawline.backbones import POOLINGS, Backbone, Stack, attention
from thawline.compat import pick_device, pick_dtype, release_memory
from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.progress import Reporter
from thawline.store import KEY_BYTES, Entry, StoreKey
from thawline.tokens import TokenizedTexts, padding_density, plan_batches, tokenize


@dataclass
class PassReport:
    """What the frozen pass cost; passes add up.

    Attributes:
        texts: texts that were computed; those that the store held are not counted.
        tokens: real tokens that were computed.
        padded: tokens computed, padding counted.
        flops: floating-point operations of the matrix products on real tokens.
        seconds: of ``tokenising`` and of the ``prefix``, writing to the store counted.
    """

    texts: int = 0
    tokens: int = 0
    padded: int = 0
    flops: float = 0.0
    seconds: dict[str, float] = field(default_factory=lambda: {"tokenising": 0.0, "prefix": 0.0})

    @property
    def density(self) -> float | None:
        """The share of real tokens among those computed; None where nothing was."""
        return self.tokens / self.padded if self.padded else None


def open_entry(backbone: Backbone, max_length: int, side: str, config: ComputeConfig) -> Entry:
    """Open the store's entry for a backbone's pooled states under these settings."""
    dtype = pick_dtype(config.dtype, pick_device(config.device))
    key = StoreKey(backbone.digest(), max_length, side, dtype)
    return Entry(key, name=backbone.name)


def ensure_states(
    entry: Entry,
    backbone: Backbone,
    texts: Sequence[Text],
    config: ComputeConfig,
    report: PassReport,
    reporter: Reporter,
) -> None:
    """Make sure that the entry has every text's pooled states, computing those that it lacks.

    Where the store has no room for them or cannot be written, they stay in the entry's memory and
    a warning says so. A store that has them all is only read.

    Raises:
        ThawlineError: neither the store nor memory has room for the states.
    """
    if not entry.missing(texts):
        entry.mend()
        return
    with entry.filling(reporter.note):
        missing = [texts[position] for position in entry.missing(texts)]
        if not missing:  # another process has computed them meanwhile
            return
        size = len(missing) * _bytes_per_text(backbone.stack, entry.key.dtype)
        entry.plan(len(missing), size, config.store_limit, reporter.note)
        start = time.perf_counter()
        with reporter.task("tokenising", len(missing)) as advance:
            tokens = tokenize(
                backbone.tokenizer,
                missing,
                max_length=entry.key.max_length,
                truncation_side=entry.key.truncation_side,
                advance=advance,
            )
        release_memory()
        tokenised = time.perf_counter()
        report.seconds["tokenising"] += tokenised - start
        batches = plan_batches(
            tokens.lengths, tokens_per_batch=config.tokens_per_batch, density=config.density
        )
        _fill(entry, backbone.stack, missing, tokens, batches, config, reporter)
        report.seconds["prefix"] += time.perf_counter() - tokenised
        report.texts += len(missing)
        report.tokens += int(tokens.lengths.sum())
        density = padding_density(tokens.lengths, batches)
        report.padded += round(int(tokens.lengths.sum()) / density) if density else 0
        report.flops += matmul_flops(backbone.stack, tokens.lengths)


def _fill(
    entry: Entry,
    stack: Stack,
    texts: Sequence[Text],
    tokens: TokenizedTexts,
    batches: Sequence[NDArray[np.int64]],
    config: ComputeConfig,
    reporter: Reporter,
) -> None:
    """Compute all batches, adding a chunk to the entry whenever there is enough for one."""
    dtype, device = entry.key.dtype, pick_device(config.device)
    rows = max(1, config.bytes_per_chunk // _bytes_per_text(stack, dtype))
    # Progress counts tokens: a batch of long texts takes longer than one of short ones.
    with reporter.task("frozen prefix", int(tokens.lengths.sum())) as advance:
        pending: list[tuple[NDArray[np.int64], Tensor]] = []
        for batch, states in _pooled_states(stack, tokens, batches, dtype, device):
            pending.append((batch, states))
            advance(int(tokens.lengths[batch].sum()))
            if sum(len(each) for each, _ in pending) >= min(rows, config.rows_per_chunk):
                _flush(entry, texts, pending)
        _flush(entry, texts, pending)


def _bytes_per_text(stack: Stack, dtype: str) -> int:
    """Return the size of one text's pooled states, and of its key, in the store."""
    values = (stack.depth + 1) * len(POOLINGS) * stack.hidden_size
    return values * int(getattr(torch, dtype).itemsize) + KEY_BYTES


def _flush(
    entry: Entry, texts: Sequence[Text], pending: list[tuple[NDArray[np.int64], Tensor]]
) -> None:
    if pending:
        positions = np.concatenate([batch for batch, _ in pending])
        entry.add([texts[position] for position in positions], torch.cat([s for _, s in pending]))
        pending.clear()
        release_memory()


def _pooled_states(
    stack: Stack,
    tokens: TokenizedTexts,
    batches: Sequence[NDArray[np.int64]],
    dtype: str,
    device: str,
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Yield each batch with its states, ``(batch, stages, 3, hidden)`` on the CPU."""
    frozen = Stack(copy.deepcopy(stack.model).to(device, getattr(torch, dtype)).eval())
    if device == "cpu" and frozen.family.sees_all:
        frozen.model.set_attn_implementation(attention.NAME)
    yield from run_batches(frozen, tokens, batches, device)


def run_batches(
    stack: Stack, tokens: TokenizedTexts, batches: Sequence[NDArray[np.int64]], device: str
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Run a frozen stack over batches, yielding each with its states in the order given.

    On a CPU each batch is computed by one thread, several batches at a time: the threads then
    never wait for each other within a layer, and the states do not depend on how many there are.
    """
    own = threading.local()

    def prepare() -> None:
        if device == "cpu":
            torch.set_num_threads(1)
        own.stack = stack.sharing_weights()

    @torch.inference_mode()
    def compute(batch: NDArray[np.int64]) -> Tensor:
        inputs = {name: tensor.to(device) for name, tensor in tokens.batch(batch).items()}
        pooled: Tensor = own.stack.pooled(inputs)
        return pooled.cpu()

    workers = torch.get_num_threads() if device == "cpu" else 1
    with ThreadPoolExecutor(workers, initializer=prepare) as pool:
        waiting: deque[tuple[NDArray[np.int64], Future[Tensor]]] = deque()
        try:
            for batch in batches:
                waiting.append((batch, pool.submit(compute, batch)))
                if len(waiting) > 2 * workers:
                    done, states = waiting.popleft()
                    yield done, states.result()
            for done, states in waiting:
                yield done, states.result()
        finally:
            pool.shutdown(cancel_futures=True)


def matmul_flops(stack: Stack, lengths: NDArray[np.int64]) -> float:
    """Count the operations of the blocks' matrix products over texts of these lengths.

    Two for each weight and token, and in attention four for each pair of tokens and each unit of
    width (Kaplan et al., 2020, arXiv 2001.08361, appendix B, without the causal half).
    """
    weights = sum(p.numel() for p in stack.blocks.parameters() if p.dim() == 2)
    config = stack.model.config
    head = getattr(config, "head_dim", None)
    width = stack.hidden_size if head is None else head * config.num_attention_heads
    tokens = lengths.astype(np.float64)
    return float(2 * weights * tokens.sum() + 4 * stack.depth * width * (tokens**2).sum())
