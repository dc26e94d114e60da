"""The gradients of training steps: one thread or several, with dropout and embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from thawline.runtime.randomness import RandomStream
from thawline.training.gradients import Gradients

IDS = torch.tensor([[1, 2, 2, 5], [5, 7, 1, 1], [3, 3, 3, 3]])


class Words(nn.Module):
    """A model with embeddings, a tied embedding, dropout and a frozen layer."""

    def __init__(self, share: float) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.words, self.tied = nn.Embedding(50, 4), nn.Embedding(50, 4)
        self.output = nn.Linear(4, 50, bias=False)
        self.frozen, self.dropout = nn.Linear(4, 4), nn.Dropout(share)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)
        self.output.weight = self.tied.weight
        self.frozen.requires_grad_(False)

    def forward(self, ids: Tensor) -> Tensor:
        states = self.frozen(self.dropout(self.words(ids))) + self.tied(ids)
        return self.output(states.tanh()).logsumexp(-1).mean()


class Texts:
    """An objective with one text in each forward pass."""

    unit, steps_per_epoch = "texts", 1

    def __init__(self, share: float = 0.0) -> None:
        self.module: nn.Module = Words(share)
        self.random = RandomStream(0)

    def shares(self, step: Tensor, threads: int) -> list[list[Any]]:
        return [list(step[first::threads]) for first in range(min(threads, len(step)))]

    def loss(self, module: nn.Module, part: Tensor) -> Tensor:
        return module(part) / len(IDS)


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def compute(objective: Texts, steps: int = 1) -> tuple[float, dict[str, Tensor]]:
    """Return the loss and the gradients of the last of several steps."""
    gradients = Gradients(objective, "cpu")
    assert objective.module.words.sparse
    assert not objective.module.tied.sparse
    for number in range(steps):
        objective.module.zero_grad()
        loss = float(gradients.compute(IDS.roll(number, 0)))
    found = {
        name: parameter.grad.clone()
        for name, parameter in objective.module.named_parameters()
        if parameter.grad is not None
    }
    gradients.close()
    assert not objective.module.words.sparse
    return loss, found


def test_threads_give_the_gradients_of_one_pass(threads: int) -> None:
    objective = Texts()
    expected = objective.module(IDS)
    expected.backward()
    parameters = objective.module.named_parameters()
    dense = {name: p.grad.clone() for name, p in parameters if p.grad is not None}
    loss, found = compute(Texts(), steps=3)
    assert loss == pytest.approx(float(expected.detach()), rel=1e-6)
    assert found.keys() == dense.keys() == {"words.weight", "tied.weight"}
    torch.testing.assert_close(found, dense, rtol=1e-5, atol=1e-7)


def test_threads_give_the_same_bits_each_time(threads: int) -> None:
    results = [compute(Texts(0.5), steps=2) for _ in range(4)]
    for loss, found in results[1:]:
        assert loss == results[0][0]
        for name, gradient in found.items():
            assert torch.equal(gradient, results[0][1][name]), name


def test_each_text_has_its_own_dropout(threads: int) -> None:
    same = IDS[:1].expand(3, -1)
    losses: list[float] = []

    class Recorded(Texts):
        def loss(self, module: nn.Module, part: Tensor) -> Tensor:
            found = super().loss(module, part)
            losses.append(float(found.detach()))
            return found

    Gradients(Recorded(0.5), "cpu").compute(same)
    assert len(set(losses)) == 3


def test_weights_that_an_optimizer_changes_reach_every_thread(threads: int) -> None:
    objective = Texts()
    gradients = Gradients(objective, "cpu")
    before = float(gradients.compute(IDS))
    with torch.no_grad():
        for parameter in objective.module.parameters():
            parameter.mul_(0.5)
    objective.module.zero_grad()
    after = float(gradients.compute(IDS))
    assert after == pytest.approx(float(objective.module(IDS).detach()), rel=1e-6)
    assert after != pytest.approx(before, rel=1e-3)


def test_threads_end_with_the_gradients(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pools: list[ThreadPoolExecutor] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            pools.append(self)

    monkeypatch.setattr("thawline.training.gradients.ThreadPoolExecutor", Pool)
    gradients = Gradients(Texts(), "cpu")
    gradients.compute(IDS)
    gradients.close()
    assert len(pools) == (threads > 1)
    assert not any(thread.is_alive() for pool in pools for thread in pool._threads)


def test_an_error_in_a_thread_is_raised(threads: int) -> None:
    class Broken(Texts):
        def loss(self, module: nn.Module, part: Tensor) -> Tensor:
            raise MemoryError("no memory")

    with pytest.raises(MemoryError):
        Gradients(Broken(), "cpu").compute(IDS)
