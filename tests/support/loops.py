"""Objectives for tests of the training loop: a scripted one, and a head on separable features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from thawline.config import ComputeConfig, TrainingConfig
from thawline.inference.examples import PooledExamples, Positions
from thawline.models.heads import HeadSpec, Standardisation, build_head
from thawline.runtime.progress import Reporter
from thawline.runtime.randomness import RandomStream
from thawline.store import Features
from thawline.training.evaluated import EvaluatedLogits
from thawline.training.loop import Checkpoints, train
from thawline.training.objectives import Classification, Labelled
from thawline.training.weighting import Weighting

HIDDEN = 6


def stored(values: Tensor) -> Features:
    """Return pooled states, ``(rows, hidden)``, as the features of a store with one stage."""
    rows = torch.arange(len(values))
    states = values[:, None, None].expand(-1, 1, 3, -1)
    return Features([states], chunks=torch.zeros_like(rows), rows=rows, stages=(0,), pooling=2)


def separable(rows: int, seed: int = 0) -> tuple[Features, Tensor]:
    torch.manual_seed(seed)
    labels = torch.arange(rows) % 2
    return stored(torch.randn(rows, HIDDEN) + 4.0 * (labels[:, None] - 0.5)), labels


def labelled(rows: int, seed: int = 0) -> Labelled:
    features, labels = separable(rows, seed)
    return Labelled(PooledExamples(features, Standardisation.none()), labels)


def objective(
    rows: int = 40, *, seed: int = 0, dropout: float = 0.0, **settings: Any
) -> Classification:
    """Return an objective for an MLP head on separable features, by default in steps of 8 texts."""
    torch.manual_seed(seed)
    head = build_head(HeadSpec("mlp", 4), HIDDEN, 2, dropout)
    config = TrainingConfig(**{"batch_size": 8} | settings)
    train = labelled(rows)
    given = (train, labelled(20, 1), weighting(train, config), config, ComputeConfig())
    torch.manual_seed(seed)
    return Classification(head, *given, seed=seed)


def weighting(train: Labelled, config: TrainingConfig) -> Weighting:
    """Return the weighting of two classes that a config gives."""
    return Weighting.of(train.labels, 2, config)


def run(
    task: Any,
    *,
    epochs: int = 3,
    lr: float = 1e-2,
    reporter: Reporter | None = None,
    checkpoints: Checkpoints | None = None,
    start_is_trained: bool = False,
    device: str = "cpu",
    **settings: Any,
) -> list[dict[str, Any]]:
    return train(
        task,
        TrainingConfig(**settings),
        epochs=epochs,
        lr=lr,
        device=device,
        reporter=Reporter() if reporter is None else reporter,
        checkpoints=checkpoints,
        start_is_trained=start_is_trained,
    )


class Scripted:
    """An objective with one weight and predefined losses and scores.

    Args:
        scores: The validation accuracy, the validation loss and optionally the macro F1 of each
            evaluation. The first is the evaluation before the training.
        losses: The loss of each step of an epoch, as a factor of the weight.
        texts: The number of texts in each step. If None, each step has one text.
    """

    unit = "texts"

    def __init__(
        self,
        scores: list[tuple[float, ...]],
        losses: tuple[float, ...] = (1.0, 1.0),
        texts: tuple[int, ...] | None = None,
    ) -> None:
        self.module: nn.Module = nn.Linear(1, 1, bias=False)
        self.weight = self.module.weight
        nn.init.constant_(self.weight, 1.0)
        self.random = RandomStream(0)
        self.evaluated = EvaluatedLogits()
        self.steps_per_epoch = len(losses)
        self.scores, self.factors = iter(scores), losses
        self.texts = (1,) * len(losses) if texts is None else texts
        self.weights: list[float] = []  # the weight at each evaluation
        self.taken: list[tuple[int, int]] = []  # the epoch and the index of each step

    def steps(self, epoch: int) -> Iterator[Positions]:
        for place, texts in enumerate(self.texts):
            self.taken.append((epoch, place))
            yield np.full(texts, place)

    def size(self, step: Positions) -> int:
        return len(step)

    def shares(self, step: Positions, threads: int) -> list[list[Any]]:
        return [[step]]

    def loss(self, module: nn.Module, part: Any) -> Tensor:
        return self.weight.sum() * self.factors[int(part[0])]

    def take_right(self) -> None:
        """Count nothing."""

    def evaluate(self) -> dict[str, float]:
        self.weights.append(float(self.weight.detach()))
        accuracy, loss, *f1 = next(self.scores)
        return {
            "validation_loss": loss,
            "validation_accuracy": accuracy,
            "validation_f1_macro": f1[0] if f1 else accuracy,
        }
