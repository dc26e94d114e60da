"""The one training loop. What it trains, and on what, is an objective."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

from thawline.config import TrainingConfig
from thawline.errors import ThawlineError
from thawline.heads import Standardisation
from thawline.inference import ROWS_PER_BLOCK
from thawline.progress import Reporter
from thawline.store import Features


class Objective(Protocol):
    """What the loop needs to know of a task.

    Attributes:
        module: what trains; its parameters with ``requires_grad`` are optimised.
        steps_per_epoch: optimiser steps in an epoch.
    """

    module: nn.Module
    steps_per_epoch: int

    def steps(self, epoch: int) -> Iterator[Any]:
        """Yield what each step of an epoch trains on, in an order set by seed and epoch."""

    def loss(self, step: Any) -> tuple[Tensor, int]:
        """Return the mean loss over a step's texts, and how many they are."""

    def evaluate(self) -> dict[str, float]:
        """Return ``validation_loss`` and ``validation_accuracy``."""


class HeadObjective:
    """Classification by a head on stored features.

    Args:
        module: from standardised features ``(batch, width)`` to logits.
        scale: the standardisation of features.
        train: features and ids ``(rows,)`` to train on.
        validation: features and ids to evaluate on.
        batch_size: texts in a step.
        seed: of the order of texts.
    """

    def __init__(
        self,
        module: nn.Module,
        scale: Standardisation,
        train: tuple[Features, Tensor],
        validation: tuple[Features, Tensor],
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self.module = module
        self.scale = scale
        self.train, self.validation = train, validation
        self.batch_size, self.seed = batch_size, seed
        self.steps_per_epoch = math.ceil(len(train[1]) / batch_size)

    def steps(self, epoch: int) -> Iterator[Tensor]:
        """Yield the positions of each step's texts; all texts once an epoch."""
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.train[1]))
        yield from torch.from_numpy(order).split(self.batch_size)

    def loss(self, step: Tensor) -> tuple[Tensor, int]:
        """Return the mean cross-entropy of a step's texts, in nats."""
        features, labels = self.train
        logits = self.module(self.scale(features.take(step)))
        return cross_entropy(logits, labels[step]), len(step)

    def evaluate(self) -> dict[str, float]:
        """Measure mean cross-entropy and accuracy on validation."""
        features, labels = self.validation
        blocks = [self.module(self.scale(block)) for block in features.blocks(ROWS_PER_BLOCK)]
        logits = torch.cat(blocks)
        return {
            "validation_loss": float(cross_entropy(logits, labels)),
            "validation_accuracy": float((logits.argmax(1) == labels).float().mean()),
        }


def train(
    objective: Objective, config: TrainingConfig, *, epochs: int, lr: float, reporter: Reporter
) -> list[dict[str, Any]]:
    """Train an objective's module and leave it, in evaluation mode, at its best epoch.

    The best epoch has the highest validation accuracy, of equals the lowest validation loss. The
    rate rises over ``warmup_share`` of the steps and falls linearly to 0.

    Returns:
        The history: one dict an epoch, epoch 0 the untrained module, with ``epoch``,
        ``train_loss`` (mean over the epoch's texts; None at epoch 0), ``validation_loss``,
        ``validation_accuracy``, ``lr`` (at the epoch's end) and ``seconds``.

    Raises:
        ThawlineError: the loss is not finite.
    """
    module = objective.module
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=config.weight_decay)
    total = epochs * objective.steps_per_epoch
    schedule = LambdaLR(optimizer, lambda step: linear_decay(step, total, config.warmup_share))
    history = [_history_row(objective, epoch=0, train_loss=None, lr=None, seconds=None)]
    best: tuple[tuple[float, float], dict[str, Tensor]] | None = None

    with reporter.task("training", total) as advance:
        for epoch in range(1, epochs + 1):
            start, summed, seen = time.perf_counter(), 0.0, 0
            module.train()
            for number, step in enumerate(objective.steps(epoch), start=1):
                loss, texts = objective.loss(step)
                _check_finite(loss, epoch, number)
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, config.max_grad_norm)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                summed, seen = summed + loss.item() * texts, seen + texts
                advance(1)
            seconds, rate = time.perf_counter() - start, float(schedule.get_last_lr()[0])
            history.append(_history_row(objective, epoch, summed / seen, rate, seconds))
            score = (history[-1]["validation_accuracy"], -history[-1]["validation_loss"])
            if best is None or score > best[0]:
                best = (score, copy.deepcopy(module.state_dict()))
    if best is not None:
        module.load_state_dict(best[1])
    module.eval()
    return history


def linear_decay(step: int, total: int, warmup_share: float) -> float:
    """Return the rate's factor at a step: up from 0 over the warm-up, then down to 0 at the end."""
    warmup = round(total * warmup_share)
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (total - step) / max(1, total - warmup))


def _history_row(
    objective: Objective,
    epoch: int,
    train_loss: float | None,
    lr: float | None,
    seconds: float | None,
) -> dict[str, Any]:
    objective.module.eval()
    with torch.inference_mode():
        scores = objective.evaluate()
    return {"epoch": epoch, "train_loss": train_loss, **scores, "lr": lr, "seconds": seconds}


def _check_finite(loss: Tensor, epoch: int, step: int) -> None:
    if not torch.isfinite(loss):
        raise ThawlineError(
            "a finite loss", f"{loss.item()} at step {step} of epoch {epoch}", "give a smaller --lr"
        )
