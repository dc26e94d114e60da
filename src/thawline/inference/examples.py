"""What a module reads of texts, by their positions: stored features, or tokens and stored states.

Whoever trains or evaluates asks these for batches and knows nothing of where the thaw line is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from thawline.data.batches import padding_density, plan_batches, split_by_length
from thawline.data.tokens import Inputs, TokenizedTexts
from thawline.models.heads import Standardisation
from thawline.prefix.token_states import States
from thawline.store import Features

ROWS_PER_BLOCK = 4_096
"""Rows of stored features that a head sees at once."""

Positions = NDArray[np.int64]


class Examples(Protocol):
    """Texts as a module reads them."""

    def __len__(self) -> int:
        """Return the number of texts."""

    def batches(self, positions: Positions, density: float) -> list[Positions]:
        """Split positions into batches of like length that fit into memory.

        Args:
            positions: ``(texts,)``.
            density: the least share of real tokens in a batch.
        """

    def order(self, random: np.random.Generator, step: int, pool: int) -> Positions:
        """Return all positions in a random order, ``(texts,)``, to be cut into steps.

        Args:
            random: draws it.
            step: texts in one.
            pool: steps whose texts are sorted by length together.
        """

    def split(self, step: Positions, overhead: int) -> list[Positions]:
        """Split a training step into the forward passes that take the least time together.

        Args:
            step: positions, ``(texts,)``.
            overhead: what a pass costs beside its tokens, in tokens.
        """

    def density(self, batches: Sequence[Positions]) -> float:
        """Return the share of real tokens among those that batches hold, padding counted."""

    def take(self, positions: Positions) -> object:
        """Return a batch in the form that the module takes."""


@dataclass(frozen=True)
class PooledExamples:
    """Features of the frozen backbone, for a head: batches are ``(texts, width)`` in fp32.

    Attributes:
        features: from the store.
        scale: the standardisation that the head was made for.
    """

    features: Features
    scale: Standardisation

    def __len__(self) -> int:
        return len(self.features)

    def batches(self, positions: Positions, density: float) -> list[Positions]:
        """Split positions into blocks of equal size: pooled states have no padding."""
        return np.array_split(positions, range(ROWS_PER_BLOCK, len(positions), ROWS_PER_BLOCK))

    def order(self, random: np.random.Generator, step: int, pool: int) -> Positions:
        """Return any order: pooled states have no length."""
        return random.permutation(len(self))

    def split(self, step: Positions, overhead: int) -> list[Positions]:
        """Leave a step whole."""
        return [step]

    def density(self, batches: Sequence[Positions]) -> float:
        """Return 1: pooled states have no padding."""
        return 1.0

    def take(self, positions: Positions) -> Tensor:
        """Return standardised features, ``(texts, width)``."""
        return self.scale(self.features.take(from_numpy(positions)))


class TokenBatch(NamedTuple):
    """A batch for a classifier that trains from the thaw line on.

    Attributes:
        inputs: the model's keyword arguments.
        states: ``(texts, tokens, hidden)`` at the line; None where the line is 0 or 1.
    """

    inputs: Inputs
    states: Tensor | None


@dataclass(frozen=True)
class TokenExamples:
    """Tokens, and where the line is above 1 the frozen states at it.

    Attributes:
        tokens: of more texts, maybe.
        states: of the same texts as the tokens.
        rows: ``(texts,)``, where among them these are.
        tokens_per_batch: the most tokens of a batch, padding counted.
    """

    tokens: TokenizedTexts
    states: States | None
    rows: Positions
    tokens_per_batch: int

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, positions: Positions, density: float) -> list[Positions]:
        """Group positions by length."""
        lengths = self.tokens.lengths[self.rows[positions]]
        planned = plan_batches(lengths, tokens_per_batch=self.tokens_per_batch, density=density)
        return [positions[batch] for batch in planned]

    def order(self, random: np.random.Generator, step: int, pool: int) -> Positions:
        """Return an order in which the texts of a step are of like length.

        Texts are drawn into pools, each is sorted and cut into steps, and the steps are shuffled.
        What does not fill a step stands at the end, of any length.
        """
        drawn, whole = random.permutation(len(self)), len(self) // step
        lengths = self.tokens.lengths[self.rows]
        pools = np.split(drawn[: whole * step], range(pool * step, whole * step, pool * step))
        alike = [one[np.argsort(lengths[one], kind="stable")] for one in pools]
        steps = np.concatenate(alike).reshape(whole, step)
        return np.concatenate([steps[random.permutation(whole)].ravel(), drawn[whole * step :]])

    def split(self, step: Positions, overhead: int) -> list[Positions]:
        """Split a step by length where that saves more padding than another pass costs."""
        lengths, most = self.tokens.lengths[self.rows[step]], self.tokens_per_batch
        split = split_by_length(lengths, tokens_per_batch=most, overhead=overhead)
        return [step[batch] for batch in split]

    def density(self, batches: Sequence[Positions]) -> float:
        """Return the share of real tokens; 1 without batches."""
        density = padding_density(self.tokens.lengths[self.rows], batches)
        return 1.0 if density is None else density

    def take(self, positions: Positions) -> TokenBatch:
        """Return ids, masks and states of some texts."""
        rows = self.rows[positions]
        states = None if self.states is None else self.states.take(rows)
        return TokenBatch(self.tokens.batch(rows), states)
