"""Compute the gradients of training steps, on a CPU with one thread for each share of a step.

Threads that share one operation wait for each other at its end, and the small operations between
the matrix products run on one thread only. So each thread computes forward and backward passes of
its own, on a replica of the module. The gradients are added up in a fixed order, so the result
depends on the number of threads but not on their timing.
"""

from __future__ import annotations

import copy
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

from thawline.runtime.randomness import RandomStream
from thawline.runtime.threads import WORKERS
from thawline.training.objectives import Objective


class Gradients:
    """Computes the gradients of the mean loss of training steps.

    Args:
        objective: The module and the data.
        device: The device of the training: ``cuda``, ``mps`` or ``cpu``.
    """

    def __init__(self, objective: Objective, device: str) -> None:
        self._objective = objective
        self._on_cpu = device == "cpu"
        self._threads = WORKERS.number() if self._on_cpu else 1
        self._replicas: list[nn.Module] = []
        self._pool: ThreadPoolExecutor | None = None
        self._embeddings = _separate_embeddings(objective.module) if device == "cpu" else []
        for embedding in self._embeddings:
            embedding.sparse = True
        self._rows = _RowGradients()

    def compute(self, step: Any) -> Tensor:
        """Add the gradient of a step's mean loss to the module's parameters.

        Args:
            step: The data of the step, as the objective yields it.

        Returns:
            The mean loss, a scalar on the device of the module, without a graph.
        """
        objective = self._objective
        if self._on_cpu:  # the thread may have started while others computed alone
            torch.set_num_threads(self._threads)
        shares = objective.shares(step, self._threads)
        if len(shares) == 1:
            loss = self._accumulate(objective.module, shares[0], objective.random)
            self._collect([objective.module])
            return loss
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, initializer=_use_one_thread)
        if not self._replicas:
            self._replicas = [_replicate(objective.module) for _ in range(self._threads)]
        streams = objective.random.spawn(len(shares))
        losses = list(self._pool.map(self._accumulate, self._replicas, shares, streams))
        torch.set_num_threads(self._threads)  # which a new thread of the pool has changed for all
        self._collect(self._replicas)
        return torch.stack(losses).sum()

    def renew(self) -> None:
        """Copy the module again before the next step, because other parameters train now."""
        self._replicas = []

    def close(self) -> None:
        """End the threads, if there are any, and give embeddings dense gradients again."""
        if self._pool is not None:
            self._pool.shutdown()
        for embedding in self._embeddings:
            embedding.sparse = False

    def _accumulate(self, module: nn.Module, share: list[Any], random: RandomStream) -> Tensor:
        """Run forward and backward passes, and return the sum of their losses."""
        module.train()
        losses = []
        for part in share:
            with random.training():
                loss = self._objective.loss(module, part)
            loss.backward()
            losses.append(loss.detach())
        return torch.stack(losses).sum()

    def _collect(self, sources: list[nn.Module]) -> None:
        """Add up the gradients of replicas, or of the module itself, in the module."""
        self._rows.clear()
        parameters = self._objective.module.parameters()
        copies = zip(*(source.parameters() for source in sources), strict=True)
        for parameter, copied in zip(parameters, copies, strict=True):
            for source in copied:
                gradient, source.grad = source.grad, None
                if gradient is None:
                    continue
                if gradient.is_sparse:
                    self._rows.add(parameter, gradient)
                elif parameter.grad is None:
                    parameter.grad = gradient
                else:
                    parameter.grad += gradient


class _RowGradients:
    """Adds up the gradients of embeddings, of which a step reads few rows.

    A dense gradient would be set to zero in full for each thread and each step.
    """

    def __init__(self) -> None:
        self._sums: dict[int, Tensor] = {}  # by the id of the parameter
        self._used: list[tuple[Tensor, Tensor]] = []

    def clear(self) -> None:
        """Set the rows of the previous step to zero."""
        for total, rows in self._used:
            total.index_fill_(0, rows, 0)
        self._used.clear()

    def add(self, parameter: Tensor, gradient: Tensor) -> None:
        """Add a sparse gradient to that of a parameter."""
        if id(parameter) not in self._sums:
            self._sums[id(parameter)] = torch.zeros_like(parameter)
        total = self._sums[id(parameter)]
        rows = gradient._indices()[0]
        total.index_add_(0, rows, gradient._values())
        self._used.append((total, rows))
        parameter.grad = total


def _use_one_thread() -> None:
    """Let the operations of this thread use no other threads."""
    torch.set_num_threads(1)


def _separate_embeddings(module: nn.Module) -> list[nn.Embedding]:
    """Return the embeddings that are trained and whose weights no other module uses."""
    uses = Counter(
        id(parameter) for part in module.modules() for parameter in part._parameters.values()
    )
    return [
        part
        for part in module.modules()
        if isinstance(part, nn.Embedding)
        and part.weight.requires_grad
        and not part.sparse
        and uses[id(part.weight)] == 1
    ]


def _replicate(module: nn.Module) -> nn.Module:
    """Return a copy of a module whose parameters have the same storage but their own gradients."""
    memo: dict[int, Any] = {
        id(parameter): nn.Parameter(parameter.detach(), parameter.requires_grad)
        for parameter in module.parameters()
    }
    memo |= {id(buffer): buffer for buffer in module.buffers()}
    replica: nn.Module = copy.deepcopy(module, memo)
    return replica
