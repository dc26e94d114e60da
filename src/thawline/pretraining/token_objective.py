"""The objective by which a backbone is trained on the texts of a task, without labels.

An encoder predicts masked tokens (Devlin et al., 2019, arXiv 1810.04805), a decoder the next token.
Each text is read as the classifier reads it, with its special tokens and truncated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thawline.config import TrainingConfig
from thawline.inference.examples import Positions, TokenExamples
from thawline.pretraining.model import IGNORED
from thawline.pretraining.token_model import TokenBatch, TokenModel
from thawline.runtime.randomness import RandomStream
from thawline.training.evaluated import EvaluatedLogits

MASKED, REPLACED = 0.8, 0.1
"""Of the predicted tokens, the shares that are masked and replaced by a random token."""

DENSITY = 0.9
"""The lowest share of tokens that are not padding, in a batch of an evaluation."""


@dataclass(frozen=True)
class Masking:
    """How the predicted tokens of an encoder are chosen and hidden.

    Attributes:
        share: The share of the tokens that are predicted.
        mask_id: The id of the mask token.
        special_ids: The ids that are never predicted.
        vocabulary: The number of ids, from which random tokens are drawn.
    """

    share: float
    mask_id: int
    special_ids: tuple[int, ...]
    vocabulary: int

    def apply(
        self, ids: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Choose tokens of a text and hide them. At least one is chosen, if there is any.

        Args:
            ids: The ids of the text, ``(tokens,)``.
            random: The random generator.

        Returns:
            The ids with hidden tokens, and the targets with `IGNORED` at all other positions.
        """
        chosen, how = random.random((2, len(ids)))
        candidates = ~np.isin(ids, self.special_ids)
        chosen[~candidates] = 2.0
        predicted = chosen < self.share
        if candidates.any() and not predicted.any():
            predicted[chosen.argmin()] = True
        others = random.integers(self.vocabulary, size=len(ids))
        hidden = np.where(how < MASKED, self.mask_id, ids)
        hidden = np.where((how >= MASKED) & (how < MASKED + REPLACED), others, hidden)
        return np.where(predicted, hidden, ids), np.where(predicted, ids, IGNORED)


class Step(NamedTuple):
    """The texts of one training step.

    Attributes:
        rows: The positions of the texts.
        epoch: The number of the epoch.
    """

    rows: Positions
    epoch: int


class Pass(NamedTuple):
    """One forward pass of a training step.

    Attributes:
        batch: The texts of the pass.
        predicted: The number of tokens that are predicted in the complete step.
    """

    batch: TokenBatch
    predicted: int


class TokenPrediction:
    """The objective: the cross-entropy of masked or of next tokens.

    Args:
        module: The module that computes the loss of a batch.
        train: The texts to train on.
        held_out: The texts to evaluate on.
        masking: How tokens are chosen and hidden. None for a decoder, which predicts each next
            token.
        config: The number of texts in a step and how it is split into passes.
        seed: The random seed for the order of the texts and for masking.
    """

    unit = "tokens"

    def __init__(
        self,
        module: TokenModel,
        train: TokenExamples,
        held_out: TokenExamples,
        masking: Masking | None,
        config: TrainingConfig,
        *,
        seed: int,
        random: RandomStream,
    ) -> None:
        self.module: nn.Module = module
        self.random = random
        self._train, self._held_out, self._masking = train, held_out, masking
        self._config, self._seed = config, seed
        self.evaluated = EvaluatedLogits()  # those of all tokens would be too large
        self.steps_per_epoch = math.ceil(len(train) / config.batch_size)

    def steps(self, epoch: int) -> Iterator[Step]:
        """Yield the texts of each step. Each text occurs once in an epoch."""
        random, size = np.random.default_rng((self._seed, epoch)), self._config.batch_size
        order = self._train.order(random, size, self._config.length_pool)
        for start in range(0, len(order), size):
            yield Step(order[start : start + size], epoch)

    def size(self, step: Step) -> int:
        """Return the number of tokens of a step."""
        return int(self._train.tokens.lengths[self._train.rows[step.rows]].sum())

    def shares(self, step: Step, threads: int) -> list[list[Pass]]:
        """Divide a step among threads, and the texts of each thread into forward passes."""
        shares = [
            [self._batch(self._train, rows, step.epoch) for rows in share]
            for share in self._train.split(step.rows, self._config.pass_overhead, threads)
        ]
        predicted = sum(_count(batch) for share in shares for batch in share)
        return [[Pass(batch, max(1, predicted)) for batch in share] for share in shares]

    def loss(self, module: nn.Module, part: Pass) -> Tensor:
        """Return the cross-entropy of a pass, in nats. Their sum is the mean per token."""
        nats, _ = module(part.batch)
        loss: Tensor = nats / part.predicted
        return loss

    def take_right(self) -> None:
        """Return None, because the correct predictions of training are not counted."""

    def evaluate(self) -> dict[str, float]:
        """Return the loss in nats per token, the accuracy and the perplexity on held-out texts.

        The same tokens are masked in each evaluation.
        """
        self.module.eval()
        nats = right = predicted = 0.0
        for rows in self._held_out.batches(np.arange(len(self._held_out)), DENSITY):
            batch = self._batch(self._held_out, rows, 0)
            batch_nats, batch_right = self.module(batch)
            nats, right = nats + float(batch_nats), right + float(batch_right)
            predicted += _count(batch)
        loss = nats / max(1.0, predicted)
        return {
            "validation_loss": loss,
            "validation_accuracy": right / max(1.0, predicted),
            "validation_perplexity": math.exp(min(loss, 700.0)),
        }

    def _batch(self, examples: TokenExamples, rows: Positions, epoch: int) -> TokenBatch:
        """Return a batch. What is masked depends on the text, the epoch and the seed only."""
        inputs = dict(examples.take(rows).inputs)
        ids = inputs["input_ids"]
        targets = torch.full_like(ids, IGNORED)
        lengths = examples.tokens.lengths[examples.rows[rows]].tolist()
        if self._masking is None:
            targets[:, :-1] = ids[:, 1:]
            for place, length in enumerate(lengths):
                targets[place, length - 1 :] = IGNORED
            return TokenBatch(inputs, targets)
        for place, (row, length) in enumerate(zip(rows.tolist(), lengths, strict=True)):
            random = np.random.default_rng((self._seed, epoch, row))
            hidden, wanted = self._masking.apply(ids[place, :length].numpy(), random)
            ids[place, :length] = torch.from_numpy(hidden)
            targets[place, :length] = torch.from_numpy(wanted)
        return TokenBatch(inputs, targets)


def _count(batch: TokenBatch) -> int:
    return int((batch.targets != IGNORED).sum())
