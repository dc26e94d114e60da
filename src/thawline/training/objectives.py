"""What the loop trains on: an objective gives each step's losses and scores what was learnt."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from thawline.config import ComputeConfig, TrainingConfig
from thawline.inference.examples import Examples, Positions
from thawline.inference.predictor import example_logits


class Objective(Protocol):
    """What the loop needs to know of a task.

    Attributes:
        module: what trains; its parameters with ``requires_grad`` are optimised.
        steps_per_epoch: optimiser steps in an epoch.
        unit: what `size` counts, in the plural.
    """

    module: nn.Module
    steps_per_epoch: int
    unit: str

    def steps(self, epoch: int) -> Iterator[Any]:
        """Yield what each step trains on, in an order set by seed and epoch."""

    def size(self, step: Any) -> int:
        """Return how many texts, or tokens, a step trains on."""

    def losses(self, step: Any) -> Iterator[Tensor]:
        """Yield terms whose sum is the mean loss over the step, one a forward pass."""

    def evaluate(self) -> dict[str, float]:
        """Return scores on validation, ``validation_loss`` among them."""


@dataclass(frozen=True)
class Labelled:
    """Texts as the module reads them, with the ids of their classes, ``(texts,)``."""

    examples: Examples
    labels: Tensor


class Classification:
    """Cross-entropy over labelled texts.

    Args:
        module: from a batch of examples to logits, ``(batch, labels)``.
        train: what is trained on.
        validation: what is evaluated on.
        config: the number of texts in a step, class weights, label smoothing.
        compute: the share of real tokens in a batch of the evaluation.
        n_classes: how many classes there are.
        seed: of the order of texts.
    """

    unit = "texts"

    def __init__(
        self,
        module: nn.Module,
        train: Labelled,
        validation: Labelled,
        config: TrainingConfig,
        compute: ComputeConfig,
        *,
        n_classes: int,
        seed: int,
    ) -> None:
        self.module = module
        self.steps_per_epoch = math.ceil(len(train.labels) / config.batch_size)
        self._train, self._validation = train, validation
        self._config, self._compute, self._seed = config, compute, seed
        balanced = config.class_weights == "balanced"
        self._weights = class_weights(train.labels, n_classes) if balanced else None

    def steps(self, epoch: int) -> Iterator[Positions]:
        """Yield the positions of each step's texts; all texts once an epoch."""
        random, size = np.random.default_rng((self._seed, epoch)), self._config.batch_size
        order = self._train.examples.order(random, size, self._config.length_pool)
        yield from (order[start : start + size] for start in range(0, len(order), size))

    def size(self, step: Positions) -> int:
        """Return the number of texts."""
        return len(step)

    def losses(self, step: Positions) -> Iterator[Tensor]:
        """Yield the cross-entropy of each of the step's batches, in nats, as a share of the mean.

        A step is as many texts as the batch size says; batches of like length within it only
        save padding, so each text counts the same in whichever it falls.
        """
        examples, smoothing = self._train.examples, self._config.label_smoothing
        whole = self._weight(self._train.labels[step])
        for batch in examples.split(step, self._config.pass_overhead):
            logits = self.module(examples.take(batch))
            labels = self._train.labels[batch].to(logits.device)
            weights = None if self._weights is None else self._weights.to(logits.device)
            loss = cross_entropy(logits, labels, weights, label_smoothing=smoothing)
            yield loss * (self._weight(labels.cpu()) / whole)

    def density(self) -> float:
        """Return the share of real tokens among those of the first epoch's forward passes."""
        examples, overhead = self._train.examples, self._config.pass_overhead
        split = (examples.split(step, overhead) for step in self.steps(1))
        return examples.density([batch for batches in split for batch in batches])

    def _weight(self, labels: Tensor) -> float:
        """Return what some texts weigh together in a mean."""
        return float(len(labels) if self._weights is None else self._weights[labels].sum())

    def evaluate(self) -> dict[str, float]:
        """Measure mean cross-entropy, accuracy and macro F1 on validation."""
        labels = self._validation.labels
        density = self._compute.density
        logits = torch.from_numpy(example_logits(self.module, self._validation.examples, density))
        found = logits.argmax(1)
        return {
            "validation_loss": float(cross_entropy(logits, labels)),
            "validation_accuracy": float((found == labels).float().mean()),
            "validation_f1_macro": float(f1_score(labels, found, average="macro")),
        }


def class_weights(labels: Tensor, n_classes: int) -> Tensor:
    """Return weights, ``(classes,)``, with which every class that is there counts the same.

    Rows over classes times the rows of the class, as scikit-learn's ``balanced`` has it.
    """
    counts = torch.bincount(labels, minlength=n_classes)
    return len(labels) / (torch.count_nonzero(counts) * counts.clamp_min(1)).float()
