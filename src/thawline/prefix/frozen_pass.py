"""Run the prefix once over the texts whose states are missing from the store."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from thawline.backbones.loading import Backbone
from thawline.backbones.operations import forward_operations
from thawline.backbones.pooling import POOLINGS
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.data.batches import plan_batches
from thawline.data.tokens import TEXTS_PER_CALL, TokenizedTexts, tokenize
from thawline.prefix.compute import (
    Batch,
    Compute,
    PooledStates,
    StatesAtLine,
    frozen_stack,
    run_batches,
)
from thawline.prefix.report import Kind, PassReport
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.runtime.hardware import release_memory
from thawline.runtime.progress import Reporter
from thawline.store import KEY_BYTES, Content, Entry, KeyedTexts, NoRoom, StoreKey

LENGTH_BYTES = 4
"""Size in the store of the number of a text's tokens."""


@dataclass(frozen=True)
class FrozenPass:
    """The prefix of one backbone under fixed settings. It computes and stores missing states.

    Attributes:
        backbone: The backbone whose stages run.
        max_length: Maximum number of tokens of a text, including special tokens.
        truncation_side: Side on which longer texts are truncated, ``right`` or ``left``.
        compute: The device, the dtype, the size of batches and the limit of the store.
        reporter: Receives progress and messages.
        report: The work that has been done so far.
    """

    backbone: Backbone
    max_length: int
    truncation_side: str
    compute: ComputeConfig
    reporter: Reporter = field(default_factory=Reporter)
    report: PassReport = field(default_factory=PassReport, init=False)

    @property
    def device(self) -> str:
        """The device on which the prefix runs."""
        return pick_device(self.compute.device)

    @property
    def dtype(self) -> str:
        """The dtype in which states are computed and stored."""
        return pick_dtype(self.compute.dtype, self.device)

    def open_entry(self, line: int | None = None, stage: int | None = None) -> Entry:
        """Open the entry of the store that holds the states of this backbone and settings.

        Args:
            line: The line whose token states the entry holds, from 2 to the number of blocks. If
                None, the entry holds pooled states.
            stage: The last stage whose pooled states the entry holds, below the number of blocks.
                If None, it holds those of every stage.

        Raises:
            ValueError: If the line or the stage is outside its range.
        """
        depth = self.backbone.stack.depth
        if stage is not None and not 0 <= stage < depth:
            raise ValueError(f"stage {stage} is not between 0 and {depth - 1}")
        if line is not None and not 2 <= line <= depth:
            raise ValueError(f"line {line} is not between 2 and {depth}")
        digest = self.backbone.digest()
        key = StoreKey(
            digest, self.max_length, self.truncation_side, self.dtype, line=line, stage=stage
        )
        return Entry(key, name=self.backbone.name)

    def tokenize(self, texts: Sequence[Text]) -> TokenizedTexts:
        """Tokenise texts under the settings of this pass."""
        report, reporter = self.report, self.reporter
        with report.timing("tokenising"), reporter.task("tokenising", len(texts)) as advance:
            tokens = tokenize(
                self.backbone.tokenizer,
                texts,
                max_length=self.max_length,
                truncation_side=self.truncation_side,
                advance=advance,
            )
            if len(texts) > TEXTS_PER_CALL:  # it takes milliseconds, which a few texts notice
                release_memory()
        return tokens

    def ensure_pooled_states(
        self, entry: Entry, texts: Sequence[Text], tokens: TokenizedTexts | None = None
    ) -> None:
        """Compute the pooled states that an entry lacks.

        If the store has no space for them or cannot be written, they stay in the memory of the
        entry, and a warning says so. If nothing is missing, the store is only read.

        Args:
            entry: The entry of pooled states, from `open_entry`.
            texts: Any number of texts or pairs.
            tokens: The tokens of these texts. If None, the missing texts are tokenised.

        Raises:
            ThawlineError: If neither the store nor memory has space for the states.
        """
        texts = KeyedTexts.of(texts)
        with self._filling(entry, texts) as positions:
            if positions:
                missing, stack, stage = texts.take(positions), self.backbone.stack, entry.key.stage
                last = stack.depth if stage is None else stage
                size = len(missing) * _pooled_bytes(stack.hidden_size, last, entry.key.dtype)
                entry.plan(len(missing), size, self.compute.store_limit, self.reporter.message)
                if tokens is None:
                    missing_tokens = self.tokenize(missing)
                else:
                    missing_tokens = tokens.select(np.array(positions))
                fill = _Fill(self, {"states": entry}, PooledStates(last), range(last + 1))
                self._count_computed(entry, missing_tokens, fill.run(missing, missing_tokens))

    def ensure_token_states(
        self, entry: Entry, texts: Sequence[Text], tokens: TokenizedTexts
    ) -> None:
        """Compute the token states that an entry lacks.

        If the entry of a lower line holds the states of all missing texts, only the blocks between
        the two lines run. If nothing is missing, the store is only read.

        Args:
            entry: The entry of a line, from `open_entry`.
            texts: Any number of texts or pairs.
            tokens: The tokens of these texts, from `tokenize`.

        Raises:
            NoRoom: If the store has no space for the states or cannot be written.
        """
        texts = KeyedTexts.of(texts)
        with self._filling(entry, texts) as positions:
            if positions:
                missing, missing_tokens = texts.take(positions), tokens.select(np.array(positions))
                size = _token_bytes(self.backbone.stack, entry.key.dtype, missing_tokens.lengths)
                entry.plan(len(missing), size, self.compute.store_limit, self.reporter.message)
                compute = states_at_line(entry, missing)
                earlier: float | None = 0.0
                if compute.below is not None:
                    earlier = self._count_found(entry.at_line(compute.start), missing)
                fill = _Fill(self, {"states": entry}, compute, compute.stages)
                self._count_computed(
                    entry, missing_tokens, fill.run(missing, missing_tokens), earlier
                )

    def compute_both(
        self,
        pooled: Entry,
        at_line: Entry,
        texts: Sequence[Text],
        tokens: TokenizedTexts | None = None,
        *,
        needed: int = 2,
    ) -> None:
        """Compute the pooled and the token states of the texts that both entries lack, in one pass.

        `ensure_pooled_states` or `ensure_token_states` must follow for each entry that this fit
        needs. They complete the entry, also if the store has no space for the token states.

        Args:
            pooled: The entry of the pooled states of every stage, from `open_entry`.
            at_line: The entry of a line, from `open_entry`.
            texts: Any number of texts or pairs.
            tokens: The tokens of these texts, from `tokenize`. If None, the missing texts are
                tokenised.
            needed: How many of the two entries this fit needs. The other one is for later fits.
        """
        texts, stack = KeyedTexts.of(texts), self.backbone.stack
        notify, limit = self.reporter.message, self.compute.store_limit
        if not (pooled.missing(texts) and at_line.missing(texts)):
            return
        with suppress(NoRoom), pooled.filling(notify), at_line.filling(notify):
            positions = sorted({*pooled.missing(texts)} & {*at_line.missing(texts)})
            if positions:
                missing = texts.take(positions)
                if tokens is None:
                    read = self.tokenize(missing)
                else:
                    read = tokens.select(np.array(positions))
                dtype, n_texts = pooled.key.dtype, len(positions)
                size = n_texts * _pooled_bytes(stack.hidden_size, stack.depth, dtype)
                both = size + _token_bytes(stack, dtype, read.lengths)
                at_line.plan(n_texts, both, limit, notify)  # the store must have space for both
                pooled.plan(n_texts, size, limit, lambda line: None)
                compute = PooledStates(stack.depth, at_line.key.line)
                entries = {"states": pooled, "at_line": at_line}
                # The calls that follow count these texts as found in the store.
                self.report.from_store -= needed * n_texts
                fill, n_tokens = _Fill(self, entries, compute, range(stack.depth + 1)), read.lengths
                seconds = fill.run(missing, read)
                of_line, of_pooled = fill.writing["at_line"], fill.writing["states"]
                below = self._share_below(at_line, read) * (seconds - of_line - of_pooled)
                pooled.record_work(seconds - of_line, int(n_tokens.sum()))
                at_line.record_work(below + of_line, int(n_tokens.sum()))

    def _share_below(self, at_line: Entry, tokens: TokenizedTexts) -> float:
        """Return the share of the operations that lies before the line of an entry."""
        stack, lengths, line = self.backbone.stack, tokens.lengths, at_line.key.line
        assert line is not None, "pooled states belong to no line"
        below = forward_operations(stack, lengths, range(line))
        return below / forward_operations(stack, lengths, range(stack.depth + 1))

    @contextmanager
    def _filling(self, entry: Entry, texts: KeyedTexts) -> Iterator[list[int]]:
        """Yield the positions of texts to compute, under the entry's lock if there are any."""
        _, distinct = np.unique(texts.keys, return_index=True)
        if not entry.missing(texts):
            entry.repair(self.reporter.message)
            self.report.from_store += len(distinct)
            self._count_found(entry, texts.take(distinct))
            yield []
            return
        with entry.filling(self.reporter.message):
            # Another process may have computed some of them while this one waited for the lock.
            missing = entry.missing(texts)
            found = np.setdiff1d(distinct, missing)
            self.report.from_store += len(found)
            self._count_found(entry, texts.take(found))
            yield missing

    def _count_found(self, entry: Entry, texts: KeyedTexts) -> float | None:
        """Add the work for texts whose states an entry holds to the report.

        Returns:
            The seconds that their computation took. None if they are unknown.
        """
        if not len(texts):
            return 0.0
        seconds, kind = entry.seconds_of(texts), _kind(entry)
        if seconds is None:
            stack, key = self.backbone.stack, entry.key
            last = stack.depth if key.stage is None else key.stage
            stages = range(last + 1 if key.line is None else key.line)
            flops = forward_operations(stack, entry.lengths(texts), stages)
            self.report.untimed_flops[kind] += flops
        else:
            self.report.alone[kind] += seconds
        return seconds

    def _count_computed(
        self, entry: Entry, tokens: TokenizedTexts, seconds: float, earlier: float | None = 0.0
    ) -> None:
        """Add the work of a computation to the report and to the entry.

        Args:
            entry: The entry of the computed states.
            tokens: The tokens of the texts.
            seconds: The seconds of the computation.
            earlier: The seconds that the states took from which the computation started. 0 if it
                started from the tokens, and None if they are unknown.
        """
        self.report.alone[_kind(entry)] += seconds
        if earlier is not None:
            entry.record_work(seconds + earlier, int(tokens.lengths.sum()))


def _kind(entry: Entry) -> Kind:
    return "pooled" if entry.key.line is None else "line"


def states_at_line(entry: Entry, texts: Sequence[Text]) -> StatesAtLine:
    """Choose where the computation of token states starts.

    It starts from the highest lower line at which the store has the states of all texts. If no line
    has them, it starts from the tokens.

    Args:
        entry: The entry of the line that is computed.
        texts: The texts whose states are computed.
    """
    line = entry.key.line
    assert line is not None, "pooled states belong to no line"
    for lower in range(line - 1, 1, -1):
        below = entry.at_line(lower)
        if not below.missing(texts):
            return StatesAtLine(line, lower, below.token_states(texts))
    return StatesAtLine(line)


@dataclass(frozen=True)
class _Fill:
    """The computation of the states that an entry or several entries lack.

    Attributes:
        frozen_pass: The backbone and the settings.
        entries: The entry that receives the states, by their name in the computed content.
        compute: Computes the content of the entries for one batch.
        stages: The stages that run.
        writing: The seconds that the states took to be added to each entry, by the same names.
    """

    frozen_pass: FrozenPass
    entries: Mapping[str, Entry]
    compute: Compute
    stages: range
    writing: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def run(self, texts: KeyedTexts, tokens: TokenizedTexts) -> float:
        """Compute the states of all texts, and add them to the entries chunk by chunk.

        Returns:
            The seconds that this took.
        """
        start = time.perf_counter()
        config, lengths = self.frozen_pass.compute, tokens.lengths
        stack, device = self.frozen_pass.backbone.stack, self.frozen_pass.device
        report, reporter = self.frozen_pass.report, self.frozen_pass.reporter
        batches = plan_batches(
            lengths, tokens_per_batch=config.tokens_per_batch, density=config.density
        )
        pending: list[tuple[Batch, Content]] = []
        # Progress counts tokens, because a batch of long texts takes longer than one of short ones.
        with (
            report.timing("prefix"),
            reporter.task("frozen prefix", int(lengths.sum())) as advance,
        ):
            frozen = frozen_stack(stack, self.frozen_pass.dtype, device)
            for batch, content in run_batches(frozen, tokens, batches, device, self.compute):
                pending.append((batch, content))
                report.count(lengths[batch], forward_operations(stack, lengths[batch], self.stages))
                advance(int(lengths[batch].sum()))
                if self._fills_chunk(pending):
                    self._add_chunk(texts, pending)
            self._add_chunk(texts, pending)
        return time.perf_counter() - start

    def _fills_chunk(self, pending: Sequence[tuple[Batch, Content]]) -> bool:
        config = self.frozen_pass.compute
        rows = sum(len(batch) for batch, _ in pending)
        size = sum(tensor.nbytes for _, content in pending for tensor in content.values())
        return rows >= config.rows_per_chunk or size >= config.bytes_per_chunk

    def _add_chunk(self, texts: KeyedTexts, pending: list[tuple[Batch, Content]]) -> None:
        if pending:
            positions = np.concatenate([batch for batch, _ in pending])
            contents = [content for _, content in pending]
            pending.clear()
            joined = {name: torch.cat([each[name] for each in contents]) for name in contents[0]}
            del contents  # free this copy, because packing a chunk makes another one
            taken, lengths = texts.take(positions), joined.pop("lengths")
            for name, entry in self.entries.items():
                start = time.perf_counter()
                entry.add(taken, {"states": joined.pop(name), "lengths": lengths})
                self.writing[name] += time.perf_counter() - start
            release_memory()


def _pooled_bytes(hidden: int, last: int, dtype: str) -> int:
    """Return the size in the store of one text's pooled states, length and key, in bytes.

    Args:
        hidden: The width of the states.
        last: The last stage.
        dtype: The dtype of the states.
    """
    values = (last + 1) * len(POOLINGS) * hidden
    return values * int(getattr(torch, dtype).itemsize) + KEY_BYTES + LENGTH_BYTES


def _token_bytes(stack: Stack, dtype: str, lengths: NDArray[np.int64]) -> int:
    """Return the size in the store of the token states, lengths and keys of texts, in bytes.

    Args:
        stack: The backbone.
        dtype: The dtype of the states.
        lengths: Number of tokens of each text, ``(texts,)``.
    """
    values = int(lengths.sum()) * stack.hidden_size
    return values * int(getattr(torch, dtype).itemsize) + len(lengths) * (KEY_BYTES + LENGTH_BYTES)
