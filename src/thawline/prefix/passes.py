"""Run the frozen part, once, over the texts whose states the store does not hold."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from thawline.backbones.loading import Backbone
from thawline.backbones.pooling import POOLINGS
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.data.batches import plan_batches
from thawline.data.tokens import TokenizedTexts, tokenize
from thawline.prefix.compute import (
    Batch,
    Compute,
    StatesAtLine,
    frozen_stack,
    matmul_flops,
    pooled_states,
    run_batches,
)
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.runtime.hardware import release_memory
from thawline.runtime.progress import Reporter
from thawline.store import KEY_BYTES, Content, Entry, StoreKey

LENGTH_BYTES = 4
"""Of the number of a text's tokens, beside its states."""


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

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Add the seconds of what is done within."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - start

    def count(self, lengths: NDArray[np.int64], flops: float) -> None:
        """Add a batch of texts of these lengths."""
        self.texts += len(lengths)
        self.tokens += int(lengths.sum())
        self.padded += len(lengths) * int(lengths.max())
        self.flops += flops


def open_entry(
    backbone: Backbone, max_length: int, side: str, config: ComputeConfig, line: int | None = None
) -> Entry:
    """Open the store's entry for a backbone's states under these settings.

    Args:
        backbone: whose states they are.
        max_length: tokens kept of a text.
        side: of a text that is cut off.
        config: the device and the dtype.
        line: of the token states, 2 … L: at a lower one tokens are stored, not states; None: the
            pooled states of every stage.
    """
    if line is not None and not 2 <= line <= backbone.stack.depth:
        raise ValueError(f"line {line} is not within 2 and {backbone.stack.depth}")
    dtype = pick_dtype(config.dtype, pick_device(config.device))
    key = StoreKey(backbone.digest(), max_length, side, dtype, line=line)
    return Entry(key, name=backbone.name)


def tokenize_for(
    entry: Entry,
    backbone: Backbone,
    texts: Sequence[Text],
    report: PassReport,
    reporter: Reporter,
) -> TokenizedTexts:
    """Tokenise texts as an entry's states have them, counting the seconds."""
    with report.timing("tokenising"), reporter.task("tokenising", len(texts)) as advance:
        tokens = tokenize(
            backbone.tokenizer,
            texts,
            max_length=entry.key.max_length,
            truncation_side=entry.key.truncation_side,
            advance=advance,
        )
        release_memory()
    return tokens


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
    with _filling(entry, texts, reporter) as positions:
        if positions:
            missing = [texts[position] for position in positions]
            size = len(missing) * _pooled_bytes(backbone.stack, entry.key.dtype)
            entry.plan(len(missing), size, config.store_limit, reporter.message)
            tokens = tokenize_for(entry, backbone, missing, report, reporter)
            blocks = range(1, backbone.stack.depth + 1)
            fill = _Fill(entry, backbone.stack, pooled_states, blocks, config, report)
            fill.run(missing, tokens, reporter)


def ensure_token_states(
    entry: Entry,
    backbone: Backbone,
    texts: Sequence[Text],
    tokens: TokenizedTexts,
    config: ComputeConfig,
    report: PassReport,
    reporter: Reporter,
) -> None:
    """Make sure that the entry has every text's states at its line, computing those that it lacks.

    Where the entry of a lower line holds them all, only the blocks between the two lines run. A
    store that has them all is only read.

    Args:
        entry: of a line, by `open_entry`.
        backbone: whose states they are.
        texts: any number of texts or pairs.
        tokens: of the texts, under the entry's settings.
        config: how the frozen part is run, and the store's limit.
        report: is told what was computed.
        reporter: told of progress.

    Raises:
        NoRoom: the store has no room for the states, or cannot be written.
    """
    with _filling(entry, texts, reporter) as positions:
        if positions:
            missing = [texts[position] for position in positions]
            lacking = tokens.select(np.array(positions))
            size = token_bytes(backbone.stack, entry.key.dtype, lacking.lengths)
            entry.plan(len(missing), size, config.store_limit, reporter.message)
            compute = states_at_line(entry, missing)
            fill = _Fill(entry, backbone.stack, compute, compute.blocks, config, report)
            fill.run(missing, lacking, reporter)


def states_at_line(entry: Entry, texts: Sequence[Text]) -> StatesAtLine:
    """Return what computes texts' states at an entry's line from the nearest that is stored.

    That is the entry of the highest lower line that holds all of the texts, or their tokens.
    """
    line = entry.key.line
    assert line is not None, "pooled states are at no line"
    for lower in range(line - 1, 1, -1):
        below = entry.at_line(lower)
        if not below.missing(texts):
            return StatesAtLine(line, lower, below.token_states(texts))
    return StatesAtLine(line)


@contextmanager
def _filling(entry: Entry, texts: Sequence[Text], reporter: Reporter) -> Iterator[list[int]]:
    """Yield the positions of texts to compute, under the entry's lock if there are any."""
    if not entry.missing(texts):
        entry.repair()
        yield []
        return
    with entry.filling(reporter.message):
        yield entry.missing(texts)  # another process may have computed them meanwhile


@dataclass(frozen=True)
class _Fill:
    """The frozen pass over what an entry lacks.

    Attributes:
        entry: it is filled.
        stack: the backbone.
        compute: what the entry keeps of a batch.
        blocks: those that run for it.
        config: how batches and chunks are made.
        report: is told what was computed.
    """

    entry: Entry
    stack: Stack
    compute: Compute
    blocks: range
    config: ComputeConfig
    report: PassReport

    def run(self, texts: Sequence[Text], tokens: TokenizedTexts, reporter: Reporter) -> None:
        """Compute all texts, adding a chunk to the entry whenever there is enough for one."""
        config, lengths = self.config, tokens.lengths
        batches = plan_batches(
            lengths, tokens_per_batch=config.tokens_per_batch, density=config.density
        )
        device = pick_device(config.device)
        pending: list[tuple[Batch, Content]] = []
        # Progress counts tokens: a batch of long texts takes longer than one of short ones.
        with (
            self.report.timing("prefix"),
            reporter.task("frozen prefix", int(lengths.sum())) as advance,
        ):
            frozen = frozen_stack(self.stack, self.entry.key.dtype, device)
            for batch, content in run_batches(frozen, tokens, batches, device, self.compute):
                pending.append((batch, content))
                self.report.count(
                    lengths[batch], matmul_flops(self.stack, lengths[batch], self.blocks)
                )
                advance(int(lengths[batch].sum()))
                if self._is_chunk(pending):
                    self._flush(texts, pending)
            self._flush(texts, pending)

    def _is_chunk(self, pending: Sequence[tuple[Batch, Content]]) -> bool:
        rows = sum(len(batch) for batch, _ in pending)
        size = sum(tensor.nbytes for _, content in pending for tensor in content.values())
        return rows >= self.config.rows_per_chunk or size >= self.config.bytes_per_chunk

    def _flush(self, texts: Sequence[Text], pending: list[tuple[Batch, Content]]) -> None:
        if pending:
            positions = np.concatenate([batch for batch, _ in pending])
            contents = [content for _, content in pending]
            pending.clear()
            joined = {name: torch.cat([each[name] for each in contents]) for name in contents[0]}
            del contents  # before a chunk is made of it: that takes as much again
            self.entry.add([texts[position] for position in positions], joined)
            release_memory()


def _pooled_bytes(stack: Stack, dtype: str) -> int:
    """Return the size of one text's pooled states, length and key, in the store."""
    values = (stack.depth + 1) * len(POOLINGS) * stack.hidden_size
    return values * int(getattr(torch, dtype).itemsize) + KEY_BYTES + LENGTH_BYTES


def token_bytes(stack: Stack, dtype: str, lengths: NDArray[np.int64]) -> int:
    """Return the size of texts' token states, lengths and keys, in the store."""
    values = int(lengths.sum()) * stack.hidden_size
    return values * int(getattr(torch, dtype).itemsize) + len(lengths) * (KEY_BYTES + LENGTH_BYTES)
