"""Objectives: the order of texts, the terms of a step's loss, and the scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.support.loops import labelled, objective, weighting
from tests.support.tasks import FP32, make_task
from thawline.config import ComputeConfig, HeadConfig, TrainingConfig
from thawline.inference.examples import Positions
from thawline.inference.predictor import example_logits
from thawline.training.adapt import Task
from thawline.training.blocks import make_classifier
from thawline.training.objectives import Classification
from thawline.training.suffix import Suffix
from thawline.training.weighting import class_weights

Reviews = Callable[..., tuple[list[str], list[int]]]


class TestOrder:
    @given(st.integers(1, 40), st.integers(1, 45), st.integers(0, 9), st.integers(1, 9))
    def test_each_text_occurs_once_in_an_epoch(
        self, rows: int, batch_size: int, seed: int, epoch: int
    ) -> None:
        config = TrainingConfig(batch_size=batch_size)
        train = labelled(rows)
        parts = (train, labelled(2), weighting(train, config), config, ComputeConfig())
        task = Classification(nn.Identity(), *parts, seed=seed)
        steps = list(task.steps(epoch))
        assert sorted(np.concatenate(steps).tolist()) == list(range(rows))
        assert len(steps) == task.steps_per_epoch == math.ceil(rows / batch_size)
        assert all(len(step) == batch_size for step in steps[:-1])

    def test_the_order_depends_on_seed_and_epoch_only(self) -> None:
        def order(seed: int, epoch: int, disturb: int) -> list[int]:
            task = objective(seed=seed)
            torch.manual_seed(disturb)
            np.random.seed(disturb)
            return np.concatenate(list(task.steps(epoch))).tolist()

        assert order(seed=3, epoch=2, disturb=0) == order(seed=3, epoch=2, disturb=1)
        assert order(seed=3, epoch=2, disturb=0) != order(seed=3, epoch=1, disturb=0)
        assert order(seed=3, epoch=2, disturb=0) != order(seed=4, epoch=2, disturb=0)

    def test_the_order_of_an_epoch_does_not_depend_on_earlier_epochs(self) -> None:
        through, straight = objective(), objective()
        for epoch in (1, 2):
            list(through.steps(epoch))
        for one, other in zip(through.steps(3), straight.steps(3), strict=True):
            assert np.array_equal(one, other)


class TestClassWeights:
    @pytest.mark.parametrize("counts", [(5, 5), (9, 1), (7, 2, 4), (1, 30, 2)])
    def test_balanced_equals_scikit_learn(self, counts: tuple[int, ...]) -> None:
        labels = np.repeat(np.arange(len(counts)), counts)
        classes = np.arange(len(counts))
        expected = compute_class_weight("balanced", classes=classes, y=labels)
        found = class_weights(torch.from_numpy(labels), len(counts))
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    def test_a_class_without_rows_does_not_change_the_other_weights(self) -> None:
        labels = torch.tensor([0, 0, 0, 2])
        assert class_weights(labels, 4)[[0, 2]].tolist() == pytest.approx([4 / 6, 2.0])


@pytest.fixture(scope="module")
def lopsided(
    toy_backbone: Callable[[str], Path],
    toy_reviews: Reviews,
    tmp_path_factory: pytest.TempPathFactory,
) -> Task:
    """Return a task that trains a complete toy BERT. A third of its texts have the second class."""
    texts, _ = toy_reviews(24, 1)
    parts = {"train": (texts, [int(row % 3 == 0) for row in range(24)]), "validation": ([], [])}
    parts["validation"] = toy_reviews(10, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THAWLINE_HOME", str(tmp_path_factory.mktemp("home")))
        return make_task(toy_backbone("bert"), parts, "full", head=HeadConfig("linear"))


def classification(task: Task, tokens_per_batch: int = 4_096, **given: Any) -> Classification:
    """Return the objective of a task, with its module in evaluation mode to disable dropout."""
    model, _ = make_classifier(task)
    examples = {
        name: replace(part, tokens_per_batch=tokens_per_batch)
        for name, part in task.frozen.examples.items()
    }
    config = replace(task.config, training=TrainingConfig(**{"batch_size": 24} | given))
    suffix = Suffix(model, task.plan.line, task.plan.pooling, use_bf16=False).double().eval()
    return replace(task, config=config).objective(suffix, examples)


def gradients(task: Classification, step: Positions) -> tuple[float, dict[str, Tensor], int]:
    """Return the mean loss of a step, its gradients and the number of its terms."""
    task.module.zero_grad()
    (passes,) = task.shares(step, threads=1)
    losses = [task.loss(task.module, part) for part in passes]
    for loss in losses:
        loss.backward()
    found = {
        name: parameter.grad.clone()
        for name, parameter in task.module.named_parameters()
        if parameter.grad is not None
    }
    return sum(float(loss.detach()) for loss in losses), found, len(losses)


WAYS: list[dict[str, Any]] = [
    {},
    {"class_weights": "balanced"},
    {"label_smoothing": 0.2},
    {"class_weights": "balanced", "label_smoothing": 0.1},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
class TestLosses:
    @pytest.mark.parametrize(("overhead", "tokens"), [(0, 4_096), (1, 200), (10**6, 120)])
    def test_several_batches_in_a_step_give_the_gradients_of_one(
        self, lopsided: Task, way: dict[str, Any], overhead: int, tokens: int
    ) -> None:
        step = np.random.default_rng(0).permutation(24)
        loss, expected, one = gradients(classification(lopsided, pass_overhead=10**6, **way), step)
        task = classification(lopsided, tokens, pass_overhead=overhead, **way)
        split_loss, found, several = gradients(task, step)
        assert one == 1
        assert several > 3
        assert split_loss == pytest.approx(loss, abs=1e-6)
        assert found.keys() == expected.keys()
        assert max(float(grad.abs().max()) for grad in expected.values()) > 0.01
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-6, msg=name)

    def test_the_terms_sum_to_the_mean_over_the_step(
        self, lopsided: Task, way: dict[str, Any]
    ) -> None:
        task = classification(lopsided, pass_overhead=0, **way)
        logits = torch.from_numpy(
            example_logits(task.module, lopsided.frozen.examples["train"], density=1.0)
        )
        labels = lopsided.ids("train")
        balanced = "class_weights" in way
        weights = class_weights(labels, 2) if balanced else None
        smoothing = way.get("label_smoothing", 0.0)
        for step in (np.arange(24), np.array([3, 0, 7]), np.array([5])):
            expected = cross_entropy(logits[step], labels[step], weights, label_smoothing=smoothing)
            assert gradients(task, step)[0] == pytest.approx(float(expected), abs=1e-6)


class TestScores:
    def test_scores_equal_scikit_learn_on_validation(self, lopsided: Task) -> None:
        task = classification(lopsided, class_weights="balanced", label_smoothing=0.3)
        task.module.train()
        with torch.inference_mode():
            scores = task.evaluate()
        assert not task.module.training
        examples, labels = lopsided.frozen.examples["validation"], lopsided.ids("validation")
        logits = torch.from_numpy(example_logits(task.module, examples, FP32.density))
        shares, found = logits.softmax(1).double().numpy(), logits.argmax(1)
        assert scores == pytest.approx(
            {
                "validation_loss": log_loss(labels, shares / shares.sum(1, keepdims=True)),
                "validation_accuracy": accuracy_score(labels, found),
                "validation_f1_macro": f1_score(labels, found, average="macro"),
            },
            abs=1e-6,
        )

    def test_the_density_is_the_share_of_real_tokens_in_the_first_epoch(
        self, lopsided: Task
    ) -> None:
        lengths = lopsided.frozen.examples["train"].tokens.lengths[:24]
        alone = classification(lopsided, pass_overhead=0)
        together = classification(lopsided, pass_overhead=10**6)
        assert alone.density() == 1.0
        assert together.density() == pytest.approx(lengths.sum() / (24 * lengths.max()))
