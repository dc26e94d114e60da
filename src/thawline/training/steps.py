"""The optimiser steps of a training, and its state between two of them."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from thawline.config import LoopConfig
from thawline.errors import ThawlineError
from thawline.training.gradients import Gradients
from thawline.training.kept import KeptWeights, Row
from thawline.training.objectives import Objective
from thawline.training.optimizers import STATES, make_optimizers
from thawline.training.schedules import decay
from thawline.training.sums import Sums
from thawline.training.thawing import Thawing

STEPS_PER_READ = 16
"""The number of steps after which losses are read from a device other than the CPU.

Reading a value waits until the device has computed it. Until then, the next steps are prepared.
"""


class _Unread(NamedTuple):
    """A step whose results are not read from the device yet.

    Attributes:
        done: The number of steps before it.
        size: The number of texts, or of tokens.
        loss: The mean loss, a scalar.
        norm: The norm of its gradient, a scalar.
        right: The number of correct predictions, a scalar. None if they are not counted.
    """

    done: int
    size: int
    loss: Tensor
    norm: Tensor
    right: Tensor | None


class Training:
    """The state of a training between two optimiser steps.

    Args:
        objective: The module to train and the data to train and evaluate it on.
        config: The optimiser, the schedule, and when to evaluate and stop.
        epochs: The maximum number of epochs.
        lr: The peak learning rate of AdamW or SGD.
        device: The device to train on: ``cuda``, ``mps`` or ``cpu``.
        start_is_trained: Whether the module was already trained for the same data.
        thawing: The stages that train in each epoch. If None, all trainable parameters.

    Attributes:
        done: The number of optimiser steps taken so far.
        total: The number of optimiser steps in all epochs.
        history: One row for each evaluation so far.
        kept: The weights of the best evaluation so far.
        earlier_seconds: The seconds of the training in earlier starts, up to the checkpoint from
            which it was resumed.
    """

    def __init__(
        self,
        objective: Objective,
        config: LoopConfig,
        *,
        epochs: int,
        lr: float,
        device: str,
        start_is_trained: bool = False,
        thawing: Thawing | None = None,
    ) -> None:
        self._objective, self._config, self._epochs = objective, config, epochs
        self._thawing = thawing
        self.total = epochs * objective.steps_per_epoch
        self._trainable = {n: p for n, p in objective.module.named_parameters() if p.requires_grad}
        factors = {} if thawing is None else thawing.factors()
        self._optimizers = make_optimizers(objective.module, config, lr, factors)
        per_epoch = objective.steps_per_epoch
        lr_factor = partial(decay, total=self.total, config=config, per_epoch=per_epoch)
        self._schedules = [LambdaLR(optimizer, lr_factor) for optimizer in self._optimizers]
        self._gradients = Gradients(objective, device)
        self._unread: list[_Unread] = []
        self._steps_per_read = 1 if device == "cpu" else STEPS_PER_READ
        self.done = 0
        self.history: list[Row] = []
        self.kept = KeptWeights(self._trainable, config, start_is_trained)
        self._since = Sums()
        self.earlier_seconds, self._start = 0.0, time.perf_counter()

    def steps(self) -> Iterator[Any]:
        """Yield the data of each remaining step, until patience runs out."""
        per_epoch = self._objective.steps_per_epoch
        for epoch in range(self.done // per_epoch + 1, self._epochs + 1):
            done_in_epoch = self.done - (epoch - 1) * per_epoch
            if self._thawing is not None:
                self._thawing.start(epoch)
                self._gradients.renew()
            for step in islice(self._objective.steps(epoch), done_in_epoch, None):
                if self.kept.patience_is_out:
                    return
                yield step

    def update(self, step: Any) -> None:
        """Take one optimiser step.

        Args:
            step: The data of the step, as `steps` yields it.

        Raises:
            ThawlineError: If the loss or the norm of its gradient is not finite. On another device
                than the CPU, up to `STEPS_PER_READ` further steps may have been taken.
        """
        start = time.perf_counter()
        loss = self._gradients.compute(step)
        norm = nn.utils.clip_grad_norm_(self._trainable.values(), self._config.max_grad_norm)
        right = self._objective.take_right()
        self._unread.append(_Unread(self.done, self._objective.size(step), loss, norm, right))
        if len(self._unread) >= self._steps_per_read:
            self._read()
        for optimizer, schedule in zip(self._optimizers, self._schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        self.done += 1
        self._since.seconds += time.perf_counter() - start

    def _read(self) -> None:
        """Read and check the losses and gradient norms of the steps since the last call.

        Raises:
            ThawlineError: If one of them is not finite.
        """
        unread, self._unread = self._unread, []
        if not unread:
            return
        start = time.perf_counter()
        rows = [
            (step.loss, step.norm, step.norm if step.right is None else step.right)
            for step in unread
        ]
        values = torch.stack([value.float() for row in rows for value in row])
        for step, (loss, norm, right) in zip(unread, values.view(-1, 3).tolist(), strict=True):
            self._check_finite("loss", loss, step.done)
            self._check_finite("gradient", norm, step.done)
            self._since.add(step.size, loss, None if step.right is None else right)
        self._since.seconds += time.perf_counter() - start

    def close(self) -> None:
        """End the threads that compute gradients."""
        self._gradients.close()

    def progress(self) -> str:
        """Return the mean loss and accuracy since the last evaluation, the rate and the speed.

        The text is empty if no loss was read since then.
        """
        since = self._since
        if since.mean_loss is None:
            return ""
        loss, speed = since.mean_loss, since.examples / since.seconds
        right = "" if since.accuracy is None else f"accuracy {since.accuracy:.3f}, "
        lr, unit = self._rate(), self._objective.unit
        return f"loss {loss:.3f}, {right}{speed:,.0f} {unit}/s, rate {lr:.2g}"

    def _rate(self) -> float:
        """Return the current learning rate of the first optimiser, which is AdamW or SGD."""
        return float(self._schedules[0].get_last_lr()[0])

    def is_due(self, every: int | None) -> bool:
        """Return whether an event is due after the current step.

        Args:
            every: The number of steps between two events. If None, an event is due only at the end
                of each epoch, where an event is always due.
        """
        ends_epoch = self.done % self._objective.steps_per_epoch == 0
        return ends_epoch or (every is not None and self.done % every == 0)

    def evaluate(self) -> None:
        """Evaluate the module, add a row to the history and copy the weights if they are best.

        Raises:
            ThawlineError: If a loss or the norm of a gradient since the last one is not finite.
        """
        self._read()
        with torch.inference_mode():
            scores = self._objective.evaluate()
        epoch = self.done / self._objective.steps_per_epoch
        row = {
            "epoch": int(epoch) if epoch.is_integer() else epoch,
            "step": self.done,
            "train_loss": self._since.mean_loss,
            "train_accuracy": self._since.accuracy,
            **scores,
            "lr": self._rate() if self.done else None,
            "seconds": self._since.seconds if self.done else None,
        }
        if self._thawing is not None:
            in_epoch = math.ceil(epoch)
            row["stages"] = self._thawing.stages(in_epoch) if in_epoch else 0
        self.history.append(row)
        self._since = Sums()
        self.kept.compare(self.history)

    def keep_best(self) -> None:
        """Load the best weights into the module, mark their row and set evaluation mode."""
        self.kept.restore(self.history)
        self._objective.module.eval()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return everything that `load_state` needs to continue the training bit for bit.

        Returns:
            The tensors by name (weights, best weights, optimiser states, random states), and the
            remaining values, which can be written as JSON.

        Raises:
            ThawlineError: If a loss or the norm of a gradient is not finite.
        """
        self._read()
        optimizers = [optimizer.state_dict() for optimizer in self._optimizers]
        tensors = {f"learnt.{name}": tensor.detach() for name, tensor in self._trainable.items()}
        best, of_best = self.kept.state()
        tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
        tensors |= {
            f"optimizer.{number}.{index}.{name}": tensor
            for number, optimizer in enumerate(optimizers)
            for index, parts in optimizer["state"].items()
            for name, tensor in parts.items()
        }
        tensors |= self._objective.random.states()
        tensors |= self._objective.evaluated.states()
        return tensors, {
            "done": self.done,
            "history": self.history,
            "groups": [optimizer["param_groups"] for optimizer in optimizers],
            "schedules": [schedule.state_dict() for schedule in self._schedules],
            **of_best,
            **self._since.state(),
            "spent": self.earlier_seconds + time.perf_counter() - self._start,
        }

    def optimized(self) -> list[tuple[tuple[str, ...], list[Tensor]]]:
        """Return the names of the tensors that each optimiser keeps, and its parameters."""
        return [
            (
                STATES[type(optimizer)],
                [parameter for group in optimizer.param_groups for parameter in group["params"]],
            )
            for optimizer in self._optimizers
        ]

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Restore a training to a saved state.

        Args:
            tensors: The tensors that `state` returned for the same objective and config.
            values: The other values that `state` returned.
        """
        groups: dict[str, dict[str, Tensor]] = defaultdict(dict)
        for name, tensor in tensors.items():
            group, _, rest = name.partition(".")
            groups[group][rest] = tensor
        with torch.no_grad():
            for name, parameter in self._trainable.items():
                parameter.copy_(groups["learnt"][name])
        best = {name: groups["best"][name] for name in self._trainable if groups["best"]}
        self.kept.load_state(best, values)
        states: dict[int, dict[int, dict[str, Tensor]]] = defaultdict(lambda: defaultdict(dict))
        for name, tensor in groups["optimizer"].items():
            number, index, part = name.split(".", 2)
            states[int(number)][int(index)][part] = tensor
        for n, optimizer in enumerate(self._optimizers):
            optimizer.load_state_dict({"state": states[n], "param_groups": values["groups"][n]})
            self._schedules[n].load_state_dict(values["schedules"][n])
        self.done, self.history = values["done"], values["history"]
        self._since = Sums.restored(values)
        self._objective.random.restore(groups["random"])
        self._objective.evaluated.restore(groups["evaluated"], len(self.history))
        self.earlier_seconds, self._start = values["spent"], time.perf_counter()

    def has_logits(self, tensor: Tensor, evaluations: int) -> bool:
        """Return whether a tensor can be the logits of the evaluations of this training.

        Args:
            tensor: The tensor, for example from a checkpoint.
            evaluations: The number of evaluations.
        """
        return self._objective.evaluated.matches(tensor, evaluations)

    def _check_finite(self, name: str, value: float, done: int) -> None:
        """Raise ThawlineError if a value after some steps is infinite or not a number."""
        if not math.isfinite(value):
            epoch, step = divmod(done, self._objective.steps_per_epoch)
            raise ThawlineError(
                f"a finite {name}",
                f"{value} at step {step + 1} of epoch {epoch + 1}",
                "use a smaller learning rate (`training.lr`)",
                setting="training.lr",
            )
