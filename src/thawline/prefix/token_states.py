"""Token states at the thaw line, which are read from the store or recomputed in each epoch."""

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

from thawline.backbones.operations import forward_operations
from thawline.backbones.stack import Stack
from thawline.data import Text
from thawline.data.tokens import TokenizedTexts
from thawline.errors import in_words
from thawline.prefix.compute import StatesAtLine, frozen_stack, run_batch
from thawline.prefix.frozen_pass import FrozenPass, states_at_line
from thawline.store import Entry, KeyedTexts, NoRoom

TRAINING_PASSES = 3
"""Cost of a training step in forward passes, because a backward pass costs as much as two."""


class States(Protocol):
    """Token states of texts at a line: `TokenStates` or `RecomputedStates`."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each text, ``(texts,)``."""

    def __len__(self) -> int:
        """Return the number of texts."""

    def take(self, positions: NDArray[np.int64]) -> Tensor:
        """Return the states of the texts at some positions.

        Returns:
            ``(batch, tokens, hidden)``, zero where padded. The tensor may be used in autograd.
        """


class RecomputedStates:
    """Token states that are not stored: the prefix runs whenever they are requested.

    Args:
        frozen_pass: The backbone, which is copied, and the settings.
        compute: Computes the states at the line.
        tokens: The tokens of the texts.
    """

    def __init__(
        self, frozen_pass: FrozenPass, compute: StatesAtLine, tokens: TokenizedTexts
    ) -> None:
        self._device = frozen_pass.device
        stack = frozen_pass.backbone.stack
        self._frozen = frozen_stack(stack, frozen_pass.dtype, self._device)
        self._compute, self._tokens = compute, tokens

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each text, ``(texts,)``."""
        return self._tokens.lengths

    def __len__(self) -> int:
        return len(self._tokens)

    def take(self, positions: NDArray[np.int64]) -> Tensor:
        """Compute the states of the texts at some positions, as `TokenStates.take` returns them.

        Returns:
            ``(batch, tokens, hidden)`` on the CPU, zero where padded.
        """
        with torch.inference_mode(False), torch.no_grad():
            content = run_batch(self._frozen, self._tokens, positions, self._device, self._compute)
            rows = content["states"].split(content["lengths"].tolist())
            return pad_sequence(rows, batch_first=True)


def token_states(
    frozen_pass: FrozenPass, entry: Entry, texts: Sequence[Text], tokens: TokenizedTexts
) -> States:
    """Return the states of texts at the line of an entry; compute those that are missing.

    If the store has no space for them or is not writable, they are recomputed whenever they are
    requested, and a warning states the cost.

    Args:
        frozen_pass: The backbone and the settings.
        entry: The entry of the line, from `FrozenPass.open_entry`.
        texts: Any number of texts or pairs.
        tokens: The tokens of these texts, from `FrozenPass.tokenize`.
    """
    texts = KeyedTexts.of(texts)
    try:
        frozen_pass.ensure_token_states(entry, texts, tokens)
    except NoRoom as refused:
        compute = states_at_line(entry, texts)
        message = _recompute_warning(refused, frozen_pass.backbone.stack, compute, tokens.lengths)
        warnings.warn(in_words(message), stacklevel=2)
        return RecomputedStates(frozen_pass, compute, tokens)
    return entry.token_states(texts)


def _recompute_warning(
    refused: NoRoom, stack: Stack, compute: StatesAtLine, lengths: NDArray[np.int64]
) -> str:
    """Return the warning that states are recomputed in every epoch, with the cost of that."""
    frozen = forward_operations(stack, lengths, compute.stages)
    above = range(compute.line, stack.depth + 1)
    trained = TRAINING_PASSES * forward_operations(stack, lengths, above)
    first, last = compute.start, compute.line - 1
    blocks = f"block {first} runs" if first == last else f"blocks {first} to {last} run"
    return (
        f"the store {refused.obstacle.why}, so {decimal(refused.size)} of token states at line "
        f"{compute.line} are not stored: {blocks} again in every epoch, which takes "
        f"{(frozen + trained) / trained:.1f} times the work; {refused.obstacle.fix}"
    )
