"""The one loop: its order, its history, its rate, what it restores and what stops it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.optimizer import register_optimizer_step_pre_hook

from thawline.config import TrainingConfig
from thawline.errors import ThawlineError
from thawline.heads import HeadSpec, Standardisation, build_head
from thawline.progress import Reporter
from thawline.store import Features
from thawline.training import HeadObjective, linear_decay, train

HIDDEN = 6


def stored(values: Tensor) -> Features:
    """Return pooled states (rows, hidden) as the features of a store's only stage."""
    rows = torch.arange(len(values))
    states = values[:, None, None].expand(-1, 1, 3, -1)
    return Features([states], chunks=torch.zeros_like(rows), rows=rows, stages=(0,), pooling=2)


def separable(rows: int, seed: int = 0) -> tuple[Features, Tensor]:
    torch.manual_seed(seed)
    labels = torch.arange(rows) % 2
    return stored(torch.randn(rows, HIDDEN) + 4.0 * (labels[:, None] - 0.5)), labels


def objective(
    rows: int = 40, *, batch_size: int = 8, seed: int = 0, dropout: float = 0.0, hidden: int = 4
) -> HeadObjective:
    torch.manual_seed(seed)
    head = build_head(HeadSpec("mlp", hidden), HIDDEN, 2, dropout)
    data = separable(rows)
    scale = Standardisation.of(data[0].blocks(16))
    return HeadObjective(head, scale, data, separable(20, 1), batch_size=batch_size, seed=seed)


def run(
    task: Any, *, epochs: int = 3, lr: float = 1e-2, config: TrainingConfig | None = None
) -> list[dict[str, Any]]:
    config = TrainingConfig() if config is None else config
    return train(task, config, epochs=epochs, lr=lr, reporter=Reporter())


class Scripted:
    """An objective with one weight, whose losses and scores are given beforehand.

    Args:
        scores: validation accuracy and loss of each epoch, epoch 0 first.
        losses: the factor of the weight in the loss of each step of an epoch.
        texts: the texts of each step.
    """

    def __init__(
        self,
        scores: list[tuple[float, float]],
        losses: tuple[float, ...] = (1.0, 1.0),
        texts: tuple[int, ...] | None = None,
    ) -> None:
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.module.weight, 1.0)
        self.steps_per_epoch = len(losses)
        self.scores, self.losses = iter(scores), losses
        self.texts = (1,) * len(losses) if texts is None else texts
        self.weights: list[float] = []
        self.modes: list[tuple[str, bool]] = []

    def steps(self, epoch: int) -> Iterator[int]:
        yield from range(self.steps_per_epoch)

    def loss(self, step: int) -> tuple[Tensor, int]:
        self.modes.append(("loss", self.module.training))
        return self.module.weight.sum() * self.losses[step], self.texts[step]

    def evaluate(self) -> dict[str, float]:
        self.modes.append(("evaluate", self.module.training))
        self.weights.append(float(self.module.weight.detach()))
        accuracy, loss = next(self.scores)
        return {"validation_loss": loss, "validation_accuracy": accuracy}


class TestOrder:
    @given(st.integers(1, 40), st.integers(1, 45), st.integers(0, 9), st.integers(1, 9))
    def test_each_text_comes_once_an_epoch(
        self, rows: int, batch_size: int, seed: int, epoch: int
    ) -> None:
        task = HeadObjective(
            nn.Identity(),
            Standardisation.none(),
            separable(rows),
            separable(2),
            batch_size=batch_size,
            seed=seed,
        )
        steps = list(task.steps(epoch))
        assert sorted(torch.cat(steps).tolist()) == list(range(rows))
        assert len(steps) == task.steps_per_epoch == math.ceil(rows / batch_size)
        assert all(len(step) == batch_size for step in steps[:-1])

    def test_the_order_depends_on_seed_and_epoch_only(self) -> None:
        def order(seed: int, epoch: int, disturb: int) -> list[int]:
            torch.manual_seed(disturb)
            np.random.seed(disturb)
            return torch.cat(list(objective(seed=seed).steps(epoch))).tolist()

        assert order(seed=3, epoch=2, disturb=0) == order(seed=3, epoch=2, disturb=1)
        assert order(seed=3, epoch=2, disturb=0) != order(seed=3, epoch=1, disturb=0)
        assert order(seed=3, epoch=2, disturb=0) != order(seed=4, epoch=2, disturb=0)

    def test_a_later_epoch_has_its_order_without_the_epochs_before_it(self) -> None:
        through, straight = objective(), objective()
        for epoch in (1, 2):
            list(through.steps(epoch))
        assert all(
            torch.equal(one, other)
            for one, other in zip(through.steps(3), straight.steps(3), strict=True)
        )


class TestHistory:
    def test_a_row_an_epoch_by_these_names(self) -> None:
        history = run(objective(), epochs=2)
        names = [
            "epoch",
            "train_loss",
            "validation_loss",
            "validation_accuracy",
            "lr",
            "seconds",
        ]
        assert [list(row) for row in history] == [names] * 3
        assert [row["epoch"] for row in history] == [0, 1, 2]
        assert all(row["seconds"] > 0 for row in history[1:])

    def test_epoch_0_is_measured_before_anything_trains(self) -> None:
        task = objective()
        task.module.eval()
        with torch.no_grad():
            before = task.evaluate()
        first = run(task)[0]
        assert {name: first[name] for name in before} == before
        assert (first["train_loss"], first["lr"], first["seconds"]) == (None, None, None)

    def test_the_rate_of_a_row_is_that_at_the_epoch_s_end(self) -> None:
        config = replace(TrainingConfig(), warmup_share=0.5)
        history = run(objective(40, batch_size=10), epochs=4, lr=0.1, config=config)
        assert [row["lr"] for row in history[1:]] == pytest.approx([0.0625, 0.1, 0.05, 0.0])

    def test_training_lowers_the_loss_on_separable_features(self) -> None:
        history = run(objective(80), epochs=5, lr=1e-2)
        assert history[-1]["train_loss"] < history[1]["train_loss"]
        assert history[-1]["validation_loss"] < history[0]["validation_loss"] / 2
        assert history[-1]["validation_accuracy"] > 0.9

    def test_it_trains_in_train_mode_and_evaluates_in_evaluation_mode(self) -> None:
        task = Scripted([(0.5, 1.0)] * 3)
        run(task, epochs=2)
        evaluate, epoch = ("evaluate", False), [("loss", True), ("loss", True)]
        assert task.modes == [evaluate, *epoch, evaluate, *epoch, evaluate]
        assert not task.module.training

    def test_it_warns_of_nothing(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(objective(), epochs=1)

    def test_the_same_seed_trains_the_same_weights(self) -> None:
        tasks = [objective(dropout=0.2, seed=seed) for seed in (5, 5, 6)]
        for task, seed in zip(tasks, (5, 5, 6), strict=True):
            torch.manual_seed(seed)
            run(task)
        first, same, other = (task.module[-1].weight for task in tasks)
        assert torch.equal(first, same)
        assert not torch.equal(first, other)


class TestBest:
    @pytest.mark.parametrize(
        ("scores", "best"),
        [
            ([(0.5, 1.0), (0.9, 0.3), (0.6, 0.2), (0.5, 0.1)], 1),
            ([(0.5, 1.0), (0.6, 0.3), (0.9, 0.9), (0.5, 0.1)], 2),
            ([(0.5, 1.0), (0.9, 0.3), (0.9, 0.2), (0.9, 0.4)], 2),  # of equals the least loss
            ([(0.5, 1.0), (0.9, 0.3), (0.9, 0.3), (0.9, 0.3)], 1),  # of equals the first
            ([(0.99, 0.1), (0.6, 0.3), (0.7, 0.3), (0.5, 0.3)], 2),  # never the untrained
        ],
    )
    def test_the_best_epoch_is_restored(self, scores: list[tuple[float, float]], best: int) -> None:
        task = Scripted(scores)
        run(task, epochs=3, lr=0.1)
        assert len(set(task.weights)) == 4  # every epoch moved the weight
        assert float(task.module.weight.detach()) == task.weights[best]

    def test_a_rate_that_breaks_a_head_late_leaves_its_best_epoch(self) -> None:
        task = objective(80, batch_size=4)
        history = run(task, epochs=4, lr=300.0)
        with torch.inference_mode():
            scores = task.evaluate()
        rows = history[1:]
        best = max(rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
        assert scores["validation_accuracy"] == best["validation_accuracy"]
        assert scores["validation_loss"] == pytest.approx(best["validation_loss"])
        assert min(row["validation_accuracy"] for row in rows) < best["validation_accuracy"]


class TestRate:
    def test_without_warm_up_it_falls_from_1_to_0(self) -> None:
        factors = [linear_decay(step, 4, 0.0) for step in range(5)]
        assert factors == [1.0, 0.75, 0.5, 0.25, 0.0]

    def test_with_warm_up_it_rises_first(self) -> None:
        factors = [linear_decay(step, 10, 0.4) for step in range(11)]
        assert factors[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
        assert factors[4:] == pytest.approx([1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0.0])

    @given(st.integers(1, 500), st.floats(0, 1))
    def test_it_stays_within_0_and_1_and_no_step_is_lost(self, total: int, share: float) -> None:
        factors = [linear_decay(step, total, share) for step in range(total)]
        assert all(0 < factor <= 1 for factor in factors)
        assert linear_decay(total, total, share) == 0


class TestSteps:
    @pytest.mark.parametrize("broken", [float("nan"), float("inf")])
    def test_a_loss_that_is_not_finite_names_its_step_and_epoch(self, broken: float) -> None:
        task = Scripted([(0.5, 1.0)] * 3, losses=(1.0, 1.0, 1.0))
        steps = task.loss
        task.loss = lambda step: (  # type: ignore[method-assign]
            (torch.tensor(broken), 1) if len(task.weights) == 2 and step == 2 else steps(step)
        )
        with pytest.raises(ThawlineError) as caught:
            run(task, epochs=2)
        assert str(caught.value) == (
            f"expected a finite loss, found {broken} at step 3 of epoch 2; give a smaller --lr"
        )

    def test_features_that_are_not_finite_stop_the_first_step(self) -> None:
        features, labels = separable(8)
        broken = stored(torch.full((8, HIDDEN), float("nan")))
        task = HeadObjective(
            nn.Linear(HIDDEN, 2),
            Standardisation.none(),
            (broken, labels),
            (features, labels),
            batch_size=4,
            seed=0,
        )
        with pytest.raises(ThawlineError, match="found nan at step 1 of epoch 1"):
            run(task)

    @pytest.mark.parametrize(("size", "expected"), [(1e6, 1.0), (7.0, 1.0), (0.25, 0.25)])
    def test_gradients_are_clipped_to_the_norm_and_no_further(
        self, size: float, expected: float
    ) -> None:
        task = Scripted([(0.5, 1.0)] * 2, losses=(size, size))
        norms: list[float] = []

        def look(optimizer: torch.optim.Optimizer, *_: object) -> None:
            norms.append(float(optimizer.param_groups[0]["params"][0].grad.norm()))

        handle = register_optimizer_step_pre_hook(look)
        try:
            run(task, epochs=1, config=replace(TrainingConfig(), max_grad_norm=1.0))
        finally:
            handle.remove()
        assert norms == pytest.approx([expected] * 2, rel=1e-5)

    def test_only_parameters_that_ask_for_gradients_train(self) -> None:
        task = objective()
        task.module[1].requires_grad_(False)
        frozen, trained = task.module[1].weight.clone(), task.module[4].weight.clone()
        run(task, config=replace(TrainingConfig(), weight_decay=0.5))
        assert torch.equal(task.module[1].weight, frozen)
        assert not torch.equal(task.module[4].weight, trained)

    def test_the_last_smaller_batch_counts_by_its_real_texts(self) -> None:
        task = objective(10, batch_size=4)
        features, labels = task.train
        steps = list(task.steps(1))
        losses = [task.loss(step) for step in steps]
        assert [texts for _, texts in losses] == [4, 4, 2]
        with torch.inference_mode():
            logits = task.module(task.scale(features.take(torch.arange(10))))
            each = cross_entropy(logits, labels, reduction="none")
        for (loss, texts), step in zip(losses, steps, strict=True):
            assert float(loss.detach()) == pytest.approx(float(each[step].sum()) / texts)

    def test_the_epoch_s_loss_is_the_mean_over_its_texts(self) -> None:
        task = Scripted([(0.5, 1.0)] * 2, losses=(1.0, 4.0), texts=(30, 10))
        history = run(task, epochs=1, lr=1e-12)
        assert history[1]["train_loss"] == pytest.approx((1.0 * 30 + 4.0 * 10) / 40)

    def test_progress_counts_the_steps(self) -> None:
        told: list[int] = []

        class Telling(Reporter):
            def task(self, description: str, total: int) -> Any:
                told.append(-total)
                return super().task(description, total)

        train(objective(10, batch_size=4), TrainingConfig(), epochs=2, lr=0.1, reporter=Telling())
        assert told == [-6]
