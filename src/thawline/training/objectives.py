"""Objectives, which compute the losses of a training step and the scores on validation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from thawline.config import ComputeConfig, TrainingConfig
from thawline.evaluation.confusion import f1_macro
from thawline.inference.examples import Examples, Positions
from thawline.inference.predictor import example_logits
from thawline.runtime.randomness import RandomStream
from thawline.runtime.threads import WORKERS
from thawline.training.evaluated import EvaluatedLogits
from thawline.training.weighting import Weighting


class Objective(Protocol):
    """The module and the data of a training, in the form that the training loop needs.

    Attributes:
        module: The module to train. Its parameters with ``requires_grad`` are optimised.
        steps_per_epoch: The number of optimiser steps in an epoch.
        unit: The unit of `size`, in the plural, for example ``texts``.
        random: The random numbers of the training, for example for dropout. Checkpoints hold its
            state.
        evaluated: The logits of the evaluations so far. Checkpoints hold them.
    """

    module: nn.Module
    steps_per_epoch: int
    unit: str
    random: RandomStream
    evaluated: EvaluatedLogits

    def steps(self, epoch: int) -> Iterator[Any]:
        """Yield the data of each step, in an order that depends on the seed and the epoch only."""

    def size(self, step: Any) -> int:
        """Return the number of texts, or of tokens, in a step."""

    def shares(self, step: Any, threads: int) -> list[list[Any]]:
        """Divide a step among threads.

        Args:
            step: The data of a step.
            threads: The maximum number of shares.

        Returns:
            For each share, the data of its forward passes. There is at least one share.
        """

    def loss(self, module: nn.Module, part: Any) -> Tensor:
        """Compute the loss of one forward pass.

        Args:
            module: The module, or a replica of it.
            part: The data of the pass, from `shares`.

        Returns:
            A scalar with its graph. The sum over all passes is the mean loss over the step.
        """

    def take_right(self) -> Tensor | None:
        """Return the number of examples that were predicted correctly since the last call.

        Returns:
            A scalar on the device of the module, for the passes of `loss` in training mode. None if
            the objective does not count them.
        """

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


class Pass(NamedTuple):
    """One forward pass of a training step.

    Attributes:
        rows: Positions of the texts of the pass, ``(texts,)``.
        total: The sum by which the losses of all texts of the step are divided.
    """

    rows: Positions
    total: float


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

    Attributes:
        trained: By epoch, how often each training text was trained on in this process,
            ``(texts,)``.
        evaluations: The number of evaluations in this process.
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
        self._epoch = 1
        self.trained = {1: np.zeros(len(train.labels), dtype=np.int64)}
        self.evaluations = 0
        self._right: list[Tensor] = []
        self.evaluated = EvaluatedLogits(len(validation.labels), len(weighting.classes))

    def steps(self, epoch: int) -> Iterator[Positions]:
        """Yield the positions of the texts in each step. Each text occurs once in an epoch."""
        self._epoch = epoch
        self.trained.setdefault(epoch, np.zeros(len(self._train.labels), dtype=np.int64))
        random, size = np.random.default_rng((self._seed, epoch)), self._config.batch_size
        order = self._train.examples.order(random, size, self._config.length_pool)
        yield from (order[start : start + size] for start in range(0, len(order), size))

    def size(self, step: Positions) -> int:
        """Return the number of texts in a step."""
        return len(step)

    def shares(self, step: Positions, threads: int) -> list[list[Pass]]:
        """Divide a step among threads, and the texts of each thread into forward passes.

        A step consists of ``batch_size`` texts. Passes have texts of similar length only to save
        padding. The weight of a text does not depend on its pass.
        """
        weighting = self._weighting
        total = weighting.total(self._train.labels[step], weighting.rows[step])
        shares = self._train.examples.split(step, self._config.pass_overhead, threads)
        return [[Pass(rows, total) for rows in share] for share in shares]

    def loss(self, module: nn.Module, part: Pass) -> Tensor:
        """Return the cross-entropy of a pass, in nats. Their sum is the mean over the step."""
        rows, weighting = part.rows, self._weighting
        self.trained[self._epoch][rows] += 1  # no other thread has these rows
        logits = module(self._train.examples.take(rows))
        labels = self._train.labels[rows].to(logits.device)
        self._right.append((logits.detach().argmax(1) == labels).sum())
        return weighting.loss(logits, labels, weighting.rows[rows]) / part.total

    def take_right(self) -> Tensor | None:
        """Return the number of texts that were predicted correctly since the last call."""
        right, self._right = self._right, []
        return torch.stack(right).sum() if right else None

    def density(self) -> float:
        """Return the share of real tokens, not padding, in the passes of the first epoch."""
        threads = WORKERS.number()
        shares = (share for step in self.steps(1) for share in self.shares(step, threads))
        return self._train.examples.density([part.rows for share in shares for part in share])

    def evaluate(self) -> dict[str, float]:
        """Return the mean cross-entropy, the accuracy and the macro F1 on the validation split."""
        self.evaluations += 1
        labels = self._validation.labels
        density = self._compute.density
        logits = torch.from_numpy(example_logits(self.module, self._validation.examples, density))
        self.evaluated.add(logits)
        predicted = logits.argmax(1)
        return {
            "validation_loss": float(cross_entropy(logits, labels)),
            "validation_accuracy": float((predicted == labels).float().mean()),
            "validation_f1_macro": f1_macro(labels.numpy(), predicted.numpy(), logits.shape[1]),
        }
