"""The token states that reach the thaw line: from the store, or computed again each time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from rich.filesize import decimal
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from thawline.backbones.loading import Backbone
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig
from thawline.data import Text
from thawline.data.tokens import TokenizedTexts
from thawline.prefix.compute import StatesAtLine, frozen_stack, matmul_flops, run_batch
from thawline.prefix.passes import PassReport, ensure_token_states, states_at_line
from thawline.runtime.devices import pick_device
from thawline.runtime.progress import Reporter
from thawline.store import Entry, NoRoom

TRAINING_PASSES = 3
"""What a training step costs, in forward passes: the backward pass takes two of them."""


class States(Protocol):
    """Token states of texts at a line, `TokenStates` or `RecomputedStates`."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, ``(texts,)``."""

    def __len__(self) -> int: ...

    def take(self, positions: NDArray[np.int64]) -> Tensor:
        """Return ``(batch, tokens, hidden)``, zero at padded places; it may enter a graph."""


class RecomputedStates:
    """Token states that are not kept: the frozen part runs whenever they are asked for.

    Args:
        stack: the backbone; it is copied.
        compute: the states at a line.
        tokens: of the texts.
        dtype: of the states.
        device: where they are computed.
    """

    def __init__(
        self, stack: Stack, compute: StatesAtLine, tokens: TokenizedTexts, dtype: str, device: str
    ) -> None:
        self._frozen = frozen_stack(stack, dtype, device)
        self._compute, self._tokens, self._device = compute, tokens, device

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, ``(texts,)``."""
        return self._tokens.lengths

    def __len__(self) -> int:
        return len(self._tokens)

    def take(self, positions: NDArray[np.int64]) -> Tensor:
        """Compute the states of some texts, as `TokenStates.take` gives them, on the CPU."""
        with torch.inference_mode(False), torch.no_grad():
            content = run_batch(self._frozen, self._tokens, positions, self._device, self._compute)
            rows = content["states"].split(content["lengths"].tolist())
            return pad_sequence(rows, batch_first=True)


def token_states(
    entry: Entry,
    backbone: Backbone,
    texts: Sequence[Text],
    tokens: TokenizedTexts,
    config: ComputeConfig,
    report: PassReport,
    reporter: Reporter,
) -> States:
    """Return texts' states at an entry's line, computing what the store lacks.

    Where the store has no room for them or cannot be written, they are computed again whenever
    they are asked for, and a warning says what that costs.

    Args:
        entry: of a line, by `open_entry`.
        backbone: whose states they are.
        texts: any number of texts or pairs.
        tokens: of the texts, under the entry's settings, as by `tokenize_for`.
        config: how the frozen part is run, and the store's limit.
        report: is told what was computed.
        reporter: told of progress.
    """
    try:
        ensure_token_states(entry, backbone, texts, tokens, config, report, reporter)
    except NoRoom as refused:
        compute = states_at_line(entry, texts)
        warnings.warn(_cost(refused, backbone.stack, compute, tokens.lengths), stacklevel=2)
        device = pick_device(config.device)
        return RecomputedStates(backbone.stack, compute, tokens, entry.key.dtype, device)
    return entry.token_states(texts)


def _cost(refused: NoRoom, stack: Stack, compute: StatesAtLine, lengths: NDArray[np.int64]) -> str:
    """Return what the user is told of states that are computed again in every epoch."""
    frozen = matmul_flops(stack, lengths, compute.blocks)
    trained = TRAINING_PASSES * matmul_flops(stack, lengths, range(compute.line, stack.depth + 1))
    first, last = compute.blocks[0], compute.blocks[-1]
    blocks = f"block {first} runs" if first == last else f"blocks {first} to {last} run"
    return (
        f"the store {refused.obstacle.why}: {decimal(refused.size)} of token states at line "
        f"{compute.line} are not kept, so {blocks} again in every epoch, which is then "
        f"{(frozen + trained) / trained:.1f} times the work; {refused.obstacle.fix}"
    )
