"""The one training loop. What it trains, and on what, is an objective."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from thawline.config import LoopConfig
from thawline.errors import ThawlineError
from thawline.runtime.devices import make_accelerator, random_states, restore_random_states
from thawline.runtime.progress import Reporter
from thawline.training.objectives import Objective
from thawline.training.optimizers import make_optimizers

Row = dict[str, Any]
"""What was measured at one evaluation."""

MERITS: dict[str, Callable[[Row], float]] = {
    "accuracy": lambda row: float(row["validation_accuracy"]),
    "f1_macro": lambda row: float(row["validation_f1_macro"]),
    "loss": lambda row: -float(row["validation_loss"]),
    "last": lambda row: float(row["step"]),
}
"""How good an evaluation is, by what keeps one; of equals, the last is kept."""


def train(
    objective: Objective,
    config: LoopConfig,
    *,
    epochs: int,
    lr: float,
    device: str,
    reporter: Reporter,
    checkpoints: Checkpoints | None = None,
) -> list[Row]:
    """Train an objective's module and leave it, in evaluation mode, at its best evaluation.

    Args:
        objective: what trains, and on what.
        config: the optimiser, the schedule, and when to evaluate and to stop.
        epochs: the most epochs.
        lr: the highest rate.
        device: ``cuda``, ``mps`` or ``cpu``.
        reporter: told of the steps and of each evaluation.
        checkpoints: where the training is kept, and taken up again; None: nowhere.

    Returns:
        The history: one dict an evaluation, the first of the untrained module, with ``epoch``,
        ``step``, ``train_loss`` (mean over the texts since the last; None at first), the
        objective's scores, ``lr``, ``seconds``, and ``kept``: whether the module is as it was then.

    Raises:
        ThawlineError: the loss or its gradient is not finite.
    """
    training = Training(objective, config, epochs=epochs, lr=lr, device=device)
    if checkpoints is not None:
        checkpoints.restore(training)
    if not training.history:
        training.evaluate()
    with reporter.task("training", training.total) as advance:
        advance(training.done)
        for step in training.steps():
            training.update(step)
            advance(1, training.now())
            if training.is_at(config.evaluate_every):
                training.evaluate()
                reporter.message(said(training.history[-1]))
            if checkpoints is not None and training.is_at(config.checkpoint_every):
                checkpoints.save(training)
    training.restore_best()
    return training.history


class Checkpoints(Protocol):
    """Where a training is kept."""

    def restore(self, training: Training) -> None:
        """Take up the training that is kept, if there is one."""

    def save(self, training: Training) -> None:
        """Keep the training as it stands."""


class Training:
    """A training as it stands between two steps; `state` is all that a checkpoint holds.

    Attributes:
        done: optimiser steps so far.
        total: optimiser steps in all epochs.
        history: what was measured so far.
    """

    def __init__(
        self, objective: Objective, config: LoopConfig, *, epochs: int, lr: float, device: str
    ) -> None:
        self._objective, self._config, self._epochs = objective, config, epochs
        self._accelerator = make_accelerator(device)
        self.total = epochs * objective.steps_per_epoch
        self._learnt = {n: p for n, p in objective.module.named_parameters() if p.requires_grad}
        optimizers = make_optimizers(objective.module, config, lr)
        factor = partial(decay, total=self.total, config=config)
        self._schedules = [LambdaLR(optimizer, factor) for optimizer in optimizers]
        prepared = self._accelerator.prepare(objective.module, *optimizers)
        objective.module, *self._optimizers = prepared
        self.done = 0
        self.history: list[Row] = []
        self._best: dict[str, Tensor] = {}
        self._best_merit = -math.inf
        self._best_step: int | None = None
        self._waited = 0  # evaluations since the best
        self._summed, self._seen, self._seconds = 0.0, 0, 0.0  # since the last evaluation

    def steps(self) -> Iterator[Any]:
        """Yield what each of the steps trains on that are still to come, until it has stopped."""
        per_epoch = self._objective.steps_per_epoch
        for epoch in range(self.done // per_epoch + 1, self._epochs + 1):
            begun = self.done - (epoch - 1) * per_epoch
            for step in islice(self._objective.steps(epoch), begun, None):
                if self.has_stopped:
                    return
                yield step

    def update(self, step: Any) -> None:
        """Take one step of the optimiser."""
        start, mean = time.perf_counter(), 0.0
        self._objective.module.train()
        for loss in self._objective.losses(step):
            self._accelerator.backward(loss)
            mean += loss.item()
        self._check_finite("loss", mean)
        longest = self._config.max_grad_norm
        norm = self._accelerator.clip_grad_norm_(self._learnt.values(), longest)
        self._check_finite("gradient", float(norm))
        for optimizer, schedule in zip(self._optimizers, self._schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        self.done += 1
        size = self._objective.size(step)
        self._summed, self._seen = self._summed + mean * size, self._seen + size
        self._seconds += time.perf_counter() - start

    def now(self) -> str:
        """Say how it stands: the loss since the last evaluation, the learning rate, the speed."""
        loss, speed = self._summed / self._seen, self._seen / self._seconds
        lr = self._rate()
        return f"loss {loss:.3f}, rate {lr:.2g}, {speed:,.0f} {self._objective.unit}/s"

    def _rate(self) -> float:
        """Return AdamW's rate, which every training has."""
        return float(self._schedules[0].get_last_lr()[0])

    def is_at(self, every: int | None) -> bool:
        """Return whether a multiple of so many steps is done, or an epoch."""
        of_epoch = self.done % self._objective.steps_per_epoch == 0
        return of_epoch or (every is not None and self.done % every == 0)

    def evaluate(self) -> None:
        """Add a row to the history; remember the module where it is better than ever."""
        with torch.inference_mode():
            scores = self._objective.evaluate()
        epoch = self.done / self._objective.steps_per_epoch
        row = {
            "epoch": int(epoch) if epoch.is_integer() else epoch,
            "step": self.done,
            "train_loss": self._summed / self._seen if self._seen else None,
            **scores,
            "lr": self._rate() if self.done else None,
            "seconds": self._seconds if self.done else None,
        }
        self.history.append(row)
        self._summed, self._seen, self._seconds = 0.0, 0, 0.0
        if self.done:
            self._remember(row)

    def _remember(self, row: Row) -> None:
        merit = MERITS[self._config.keep](row)
        self._waited = 0 if merit > self._best_merit else self._waited + 1
        if merit >= self._best_merit:
            self._best_merit, self._best_step = merit, self.done
            self._best = {name: tensor.detach().clone() for name, tensor in self._learnt.items()}

    @property
    def has_stopped(self) -> bool:
        """Whether there were as many evaluations without a better one as patience allows."""
        return self._config.patience is not None and self._waited >= self._config.patience

    def restore_best(self) -> None:
        """Put the best weights back into the module, in evaluation mode, and mark their row."""
        with torch.no_grad():
            for name, tensor in self._best.items():
                self._learnt[name].copy_(tensor)
        self._objective.module.eval()
        for row in self.history:
            row["kept"] = row["step"] == self._best_step

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that `load_state` needs to go on bit for bit: tensors, and JSON values."""
        optimizers = [optimizer.state_dict() for optimizer in self._optimizers]
        tensors = {f"learnt.{name}": tensor.detach() for name, tensor in self._learnt.items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self._best.items()}
        tensors |= {
            f"optimizer.{number}.{index}.{name}": tensor
            for number, optimizer in enumerate(optimizers)
            for index, parts in optimizer["state"].items()
            for name, tensor in parts.items()
        }
        tensors |= random_states()
        return tensors, {
            "done": self.done,
            "history": self.history,
            "groups": [optimizer["param_groups"] for optimizer in optimizers],
            "schedules": [schedule.state_dict() for schedule in self._schedules],
            "best_merit": self._best_merit,
            "best_step": self._best_step,
            "waited": self._waited,
            "since": [self._summed, self._seen, self._seconds],
        }

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Take up what `state` returned of a training of the same objective and config."""
        kinds: dict[str, dict[str, Tensor]] = defaultdict(dict)
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            kinds[kind][rest] = tensor
        with torch.no_grad():
            for name, parameter in self._learnt.items():
                parameter.copy_(kinds["learnt"][name])
        self._best = {name: kinds["best"][name] for name in self._learnt if kinds["best"]}
        parts: dict[int, dict[int, dict[str, Tensor]]] = defaultdict(lambda: defaultdict(dict))
        for name, tensor in kinds["optimizer"].items():
            which, index, part = name.split(".", 2)
            parts[int(which)][int(index)][part] = tensor
        for number, optimizer in enumerate(self._optimizers):
            groups = values["groups"][number]
            optimizer.load_state_dict({"state": parts[number], "param_groups": groups})
            self._schedules[number].load_state_dict(values["schedules"][number])
        self.done, self.history = values["done"], values["history"]
        self._best_merit = values["best_merit"]
        self._best_step = values["best_step"]
        self._waited = values["waited"]
        self._summed, self._seen, self._seconds = values["since"]
        restore_random_states(kinds["random"])

    def _check_finite(self, name: str, value: float) -> None:
        if not math.isfinite(value):
            step = self.done % self._objective.steps_per_epoch + 1
            epoch = self.done // self._objective.steps_per_epoch + 1
            found = f"{value} at step {step} of epoch {epoch}"
            raise ThawlineError(f"a finite {name}", found, "give a smaller --lr")


SAID = {
    "train loss": "train_loss",
    "validation loss": "validation_loss",
    "accuracy": "validation_accuracy",
    "bits per byte": "validation_bits_per_byte",
}
"""What a line tells of an evaluation, where it was measured."""


def said(row: Row) -> str:
    """Return an evaluation as one line."""
    scores = {name: row[key] for name, key in SAID.items() if row.get(key) is not None}
    return f"epoch {row['epoch']:.3g}: " + ", ".join(
        f"{name} {value:.3f}" for name, value in scores.items()
    )


def decay(step: int, total: int, config: LoopConfig) -> float:
    """Return the rate's factor at a step: up from 0 over the warm-up, then down to 0 at the end.

    It falls along a line, or along half a cosine (Loshchilov and Hutter, 2017, arXiv 1608.03983).
    """
    warmup = round(total * config.warmup_share)
    if step < warmup:
        return (step + 1) / warmup
    left = max(0.0, (total - step) / max(1, total - warmup))
    return left if config.schedule == "linear" else (1 - math.cos(math.pi * left)) / 2
