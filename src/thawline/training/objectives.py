"""Objectives, which compute the losses of a training step and the scores on validation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from thawline.config import ComputeConfig, TrainingConfig
from thawline.evaluation.confusion import averages, count_confusion
from thawline.inference.examples import Examples, Positions
from thawline.inference.predictor import example_logits
from thawline.runtime.randomness import RandomStream
from thawline.training.weighting import Weighting


class Objective(Protocol):
    """The module and the data of a training, in the form that the training loop needs.

    Attributes:
        module: The module to train. Its parameters with ``requires_grad`` are optimised.
        steps_per_epoch: The number of optimiser steps in an epoch.
        unit: The unit of `size`, in the plural, for example ``texts``.
        random: The random numbers of the training, for example for dropout. Checkpoints hold its
            state.
    """

    module: nn.Module
    steps_per_epoch: int
    unit: str
    random: RandomStream

    def steps(self, epoch: int) -> Iterator[Any]:
        """Yield the data of each step, in an order that depends on the seed and the epoch only."""

    def size(self, step: Any) -> int:
        """Return the number of texts, or of tokens, in a step."""

    def losses(self, step: Any) -> Iterator[Tensor]:
        """Yield one term for each forward pass. Their sum is the mean loss over the step."""

    def evaluate(self) -> dict[str, float]:
        """Return the scores on the validation split, including ``validation_loss``."""


@dataclass(frozen=True)
class Labelled:
    """Texts with their labels.

    Attributes:
        examples: The texts as the module reads them.
        labels: The class ids, ``(texts,)`` int64.
    """

    examples: Examples
    labels: Tensor


class Classification:
    """The objective of classification: cross-entropy over labelled texts.

    Args:
        module: Maps a batch of examples to logits, ``(batch, labels)``.
        train: The texts of the train split.
        validation: The texts of the validation split.
        weighting: The weights of the training texts and the label smoothing.
        config: The number of texts in a step.
        compute: The settings with the minimum share of real tokens in a batch of the evaluation.
        seed: The random seed for shuffling the texts.
        random: The random numbers for dropout. If None, a stream with the same seed.
    """

    unit = "texts"

    def __init__(
        self,
        module: nn.Module,
        train: Labelled,
        validation: Labelled,
        weighting: Weighting,
        config: TrainingConfig,
        compute: ComputeConfig,
        *,
        seed: int,
        random: RandomStream | None = None,
    ) -> None:
        self.module = module
        self.random = RandomStream(seed) if random is None else random
        self.steps_per_epoch = math.ceil(len(train.labels) / config.batch_size)
        self._train, self._validation = train, validation
        self._weighting = weighting
        self._config, self._compute, self._seed = config, compute, seed

    def steps(self, epoch: int) -> Iterator[Positions]:
        """Yield the positions of the texts in each step. Each text occurs once in an epoch."""
        random, size = np.random.default_rng((self._seed, epoch)), self._config.batch_size
        order = self._train.examples.order(random, size, self._config.length_pool)
        yield from (order[start : start + size] for start in range(0, len(order), size))

    def size(self, step: Positions) -> int:
        """Return the number of texts in a step."""
        return len(step)

    def losses(self, step: Positions) -> Iterator[Tensor]:
        """Yield the loss of each forward pass. Their sum is the mean cross-entropy in nats.

        A step consists of ``batch_size`` texts. It is split into batches of texts of similar length
        only to save padding. The weight of a text does not depend on its batch.
        """
        examples, labels, weighting = self._train.examples, self._train.labels, self._weighting
        total = weighting.total(labels[step], weighting.rows[step])
        for batch in examples.split(step, self._config.pass_overhead):
            with self.random.training():
                logits = self.module(examples.take(batch))
            here = labels[batch].to(logits.device)
            yield weighting.loss(logits, here, weighting.rows[batch]) / total

    def density(self) -> float:
        """Return the share of real tokens, not padding, in the batches of the first epoch."""
        examples, overhead = self._train.examples, self._config.pass_overhead
        batches = (batch for step in self.steps(1) for batch in examples.split(step, overhead))
        return examples.density(list(batches))

    def evaluate(self) -> dict[str, float]:
        """Return the mean cross-entropy, the accuracy and the macro F1 on the validation split."""
        labels = self._validation.labels
        density = self._compute.density
        logits = torch.from_numpy(example_logits(self.module, self._validation.examples, density))
        predicted = logits.argmax(1)
        confusion = count_confusion(labels.numpy(), predicted.numpy(), logits.shape[1])
        return {
            "validation_loss": float(cross_entropy(logits, labels)),
            "validation_accuracy": float((predicted == labels).float().mean()),
            "validation_f1_macro": float(averages(confusion.margins())["f1_macro"]),
        }
