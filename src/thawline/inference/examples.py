"""Batches of texts in the form that a module reads: stored features, or tokens and states.

Training and evaluation request batches by position and do not depend on the thaw line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from thawline.data.batches import deal_by_length, padding_density, plan_batches, split_by_length
from thawline.data.tokens import Inputs, TokenizedTexts
from thawline.models.heads import Standardisation
from thawline.prefix.token_states import States
from thawline.store import Features

ROWS_PER_BLOCK = 4_096
"""Number of rows of stored features in one batch of a head."""

MIN_TOKENS_PER_THREAD = 512
"""Number of tokens from which a thread of its own saves time in a training step.

Each thread converts all weights to bf16 and computes a gradient for all of them. With MiniLM a step
of 370 tokens took 0.78 of the time on one pass for both threads, and one of 1,490 tokens 1.38.
"""

Positions = NDArray[np.int64]


class Examples(Protocol):
    """Texts in the form that a module reads."""

    def __len__(self) -> int:
        """Return the number of texts."""

    def batches(self, positions: Positions, density: float) -> list[Positions]:
        """Split positions into batches of texts of similar length that fit into memory.

        Args:
            positions: Positions of texts, ``(texts,)``.
            density: The lowest share of tokens in a batch that are not padding.
        """

    def order(self, random: np.random.Generator, step: int, pool: int) -> Positions:
        """Return all positions in a random order, ``(texts,)``, from which steps are taken.

        Args:
            random: The random generator.
            step: Number of texts in a training step.
            pool: Number of steps whose texts are sorted by length together.
        """

    def split(self, step: Positions, overhead: int, threads: int) -> list[list[Positions]]:
        """Split a training step into forward passes for each thread.

        Args:
            step: Positions of the texts of the step, ``(texts,)``.
            overhead: Fixed cost of a pass, in tokens.
            threads: Maximum number of threads.
        """

    def density(self, batches: Sequence[Positions]) -> float:
        """Return the share of tokens in batches that are not padding."""

    def take(self, positions: Positions) -> object:
        """Return the texts at some positions as one batch for the module."""


@dataclass(frozen=True)
class PooledExamples:
    """Pooled states as features for a head. A batch is a tensor ``(texts, width)`` in fp32.

    Attributes:
        features: The features from the store.
        scale: The standardisation that is applied to the features.
    """

    features: Features
    scale: Standardisation

    def __len__(self) -> int:
        return len(self.features)

    def batches(self, positions: Positions, density: float) -> list[Positions]:
        """Split positions into batches of equal size, because features have no padding."""
        return np.array_split(positions, range(ROWS_PER_BLOCK, len(positions), ROWS_PER_BLOCK))

    def order(self, random: np.random.Generator, step: int, pool: int) -> Positions:
        """Return a random order; features have no length to sort by."""
        return random.permutation(len(self))

    def split(self, step: Positions, overhead: int, threads: int) -> list[list[Positions]]:
        """Return the step as one forward pass, because it is too small for several threads."""
        return [[step]]

    def density(self, batches: Sequence[Positions]) -> float:
        """Return 1, because features have no padding."""
        return 1.0

    def take(self, positions: Positions) -> Tensor:
        """Return the standardised features of some texts, ``(texts, width)``."""
        return self.scale(self.features.take(from_numpy(positions)))


class TokenBatch(NamedTuple):
    """A batch for a classifier that computes the stages from the thaw line on.

    Attributes:
        inputs: The keyword arguments of the model.
        states: The states at the line, ``(texts, tokens, hidden)``. None if the line is 0 or 1.
    """

    inputs: Inputs
    states: Tensor | None


@dataclass(frozen=True)
class TokenExamples:
    """The tokens of texts and, if the thaw line is above 1, their frozen states at the line.

    Attributes:
        tokens: The tokens of these texts and possibly of others.
        states: The states of the same texts as the tokens. None if the line is 0 or 1.
        rows: Positions of these texts in ``tokens`` and ``states``, ``(texts,)``.
        tokens_per_batch: Maximum number of tokens in a batch, including padding.
    """

    tokens: TokenizedTexts
    states: States | None
    rows: Positions
    tokens_per_batch: int

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, positions: Positions, density: float) -> list[Positions]:
        """Split positions into batches of texts of similar length under the token budget."""
        lengths = self.tokens.lengths[self.rows[positions]]
        planned = plan_batches(lengths, tokens_per_batch=self.tokens_per_batch, density=density)
        return [positions[batch] for batch in planned]

    def order(self, random: np.random.Generator, step: int, pool: int) -> Positions:
        """Return an order in which the texts of a step have similar lengths.

        Texts are shuffled and divided into pools. Each pool is sorted by length and cut into
        steps, and the steps are shuffled. The texts that do not fill a step come last.
        """
        shuffled, complete = random.permutation(len(self)), len(self) // step
        lengths = self.tokens.lengths[self.rows]
        end, size = complete * step, pool * step
        pools = np.split(shuffled[:end], range(size, end, size))
        by_length = [rows[np.argsort(lengths[rows], kind="stable")] for rows in pools]
        steps = np.concatenate(by_length).reshape(complete, step)
        return np.concatenate([steps[random.permutation(complete)].ravel(), shuffled[end:]])

    def split(self, step: Positions, overhead: int, threads: int) -> list[list[Positions]]:
        """Give each thread about the same number of tokens, and split its texts by length.

        An additional pass is made if it saves more padding than it costs. The token budget is that
        of all threads together.
        """
        lengths, most = self.tokens.lengths[self.rows[step]], self.tokens_per_batch
        worthwhile = max(1, int(lengths.sum()) // MIN_TOKENS_PER_THREAD)
        shares = deal_by_length(lengths, min(threads, len(step), worthwhile))
        return [
            [
                step[share[batch]]
                for batch in split_by_length(
                    lengths[share], tokens_per_batch=most // len(shares), overhead=overhead
                )
            ]
            for share in shares
        ]

    def density(self, batches: Sequence[Positions]) -> float:
        """Return the share of tokens in batches that are not padding, or 1 without batches."""
        density = padding_density(self.tokens.lengths[self.rows], batches)
        return 1.0 if density is None else density

    def take(self, positions: Positions) -> TokenBatch:
        """Return the ids, the masks and the states of some texts."""
        rows = self.rows[positions]
        states = None if self.states is None else self.states.take(rows)
        return TokenBatch(self.tokens.batch(rows), states)
