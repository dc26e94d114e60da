"""The training loop: its history, its learning rate, which weights it keeps and when it stops."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from tests.support.loops import (
    HIDDEN,
    Scripted,
    labelled,
    objective,
    run,
    stored,
    weighting,
)
from tests.training.test_schedules import rates
from thawline.config import ComputeConfig, TrainingConfig
from thawline.errors import ThawlineError
from thawline.inference.examples import PooledExamples, Positions
from thawline.models.heads import Standardisation
from thawline.runtime.progress import Advance, Reporter
from thawline.training import steps
from thawline.training.loop import describe_evaluation
from thawline.training.objectives import Classification, Labelled
from thawline.training.steps import Training

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
NAMES = ["epoch", "step", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
NAMES += ["validation_f1_macro", "lr", "seconds", "kept"]


def numbers_in(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


class TestHistory:
    def test_one_row_per_epoch_with_these_names(self) -> None:
        history = run(objective(), epochs=2)
        assert [list(row) for row in history] == [NAMES] * 3
        assert [(row["epoch"], row["step"]) for row in history] == [(0, 0), (1, 5), (2, 10)]
        assert all(type(row["epoch"]) is int for row in history)
        assert all(row["seconds"] > 0 for row in history[1:])

    def test_epoch_0_is_measured_before_anything_trains(self) -> None:
        task = objective()
        before = task.evaluate()
        first = run(task)[0]
        assert {name: first[name] for name in before} == before
        assert (first["train_loss"], first["lr"], first["seconds"]) == (None, None, None)
        assert not first["kept"]

    def test_rows_every_few_steps_and_at_the_end_of_each_epoch(self) -> None:
        history = run(objective(), epochs=2, evaluate_every=2)
        assert [row["step"] for row in history] == [0, 2, 4, 5, 6, 8, 10]
        assert [row["epoch"] for row in history] == [0, 0.4, 0.8, 1, 1.2, 1.6, 2]

    def test_the_loss_is_the_mean_over_the_texts_since_the_last_evaluation(self) -> None:
        task = Scripted([(0.5, 1.0)] * 4, losses=(1.0, 4.0, 2.0), texts=(30, 10, 20))
        history = run(task, epochs=1, lr=1e-12, evaluate_every=2)
        assert [row["step"] for row in history] == [0, 2, 3]
        assert history[1]["train_loss"] == pytest.approx((1.0 * 30 + 4.0 * 10) / 40)
        assert history[2]["train_loss"] == pytest.approx(2.0)

    def test_the_accuracy_in_training_is_that_since_the_last_evaluation(self) -> None:
        task = objective(40)
        right: list[float] = []
        loss = task.loss

        def counted(module: nn.Module, part: Any) -> Tensor:
            logits = module(task._train.examples.take(part.rows))
            right.append(float((logits.argmax(1) == task._train.labels[part.rows]).sum()))
            return loss(module, part)

        task.loss = counted  # type: ignore[method-assign]
        history = run(task, epochs=2, evaluate_every=2)
        ends = [row["step"] for row in history]
        assert history[0]["train_accuracy"] is None
        for row, start, end in zip(history[1:], ends, ends[1:], strict=False):
            assert row["train_accuracy"] == pytest.approx(
                sum(right[start:end]) / (8 * (end - start))
            )

    def test_an_objective_that_counts_nothing_has_no_accuracy_in_training(self) -> None:
        history = run(Scripted([(0.5, 1.0)] * 2), epochs=1)
        assert [row["train_accuracy"] for row in history] == [None, None]

    def test_the_history_does_not_depend_on_when_losses_are_read(self) -> None:
        found = []
        for device in ("cpu", "cuda"):  # the module stays on the CPU in both cases
            history = run(objective(), epochs=2, device=device, evaluate_every=2)
            found.append([{**row, "seconds": None} for row in history])
        assert found[0] == found[1]

    def test_the_rate_of_a_row_is_that_of_the_next_step(self) -> None:
        history = run(objective(batch_size=10), epochs=4, lr=0.1, warmup_share=0.5)
        assert [row["lr"] for row in history[1:]] == pytest.approx([0.0625, 0.1, 0.05, 0.0])

    def test_training_lowers_the_loss_on_separable_features(self) -> None:
        history = run(objective(80), epochs=5, lr=1e-2)
        assert history[-1]["train_loss"] < history[1]["train_loss"]
        assert history[-1]["validation_loss"] < history[0]["validation_loss"] / 2
        assert history[-1]["validation_accuracy"] > 0.9

    def test_it_trains_in_train_mode_and_evaluates_in_evaluation_mode(self) -> None:
        modes: list[tuple[bool, bool]] = []
        task = objective()
        task.module.register_forward_hook(
            lambda module, args, output: modes.append((module.training, output.requires_grad))
        )
        run(task, epochs=2)
        evaluation, epoch = (False, False), [(True, True)] * 5
        assert modes == [evaluation, *epoch, evaluation, *epoch, evaluation]
        assert not task.module.training

    def test_it_emits_no_warning(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(objective(), epochs=1)

    def test_the_same_seed_trains_the_same_weights(self) -> None:
        weights = []
        for seed in (5, 5, 6):
            task = objective(dropout=0.2, seed=seed)
            run(task)
            weights.append(task.module[-1].weight)
        first, same, other = weights
        assert torch.equal(first, same)
        assert not torch.equal(first, other)

    def test_progress_counts_the_steps(self) -> None:
        totals: list[int] = []

        class Recorder(Reporter):
            def task(self, description: str, total: int) -> Any:
                totals.append(total)
                return super().task(description, total)

        run(objective(10, batch_size=4), epochs=2, reporter=Recorder())
        assert totals == [6]

    def test_progress_shows_loss_rate_and_speed_and_each_evaluation(self) -> None:
        states: list[str] = []
        notes: list[str] = []

        class Recorder(Reporter):
            def message(self, text: str) -> None:
                notes.append(text)

            @contextmanager
            def task(self, description: str, total: int) -> Iterator[Advance]:
                yield lambda steps, now="": states.append(now)

        scores = [(0.5, 1.0), (0.75, 0.5), (0.875, 0.25)]
        task = Scripted(scores, losses=(1.0, 4.0), texts=(30, 10))
        history = run(task, epochs=2, lr=0.01, reporter=Recorder())
        assert states[0] == ""  # nothing is trained yet
        assert all("texts/s" in state for state in states[1:])
        losses, speeds, rates = zip(*map(numbers_in, states[1:]), strict=True)
        # The loss is the mean since the last evaluation, and the learning rate falls linearly.
        assert [losses[1], losses[3]] == pytest.approx(
            [row["train_loss"] for row in history[1:]], abs=5e-4
        )
        assert rates == pytest.approx([0.0075, 0.005, 0.0025, 0.0], abs=1e-9)
        assert min(speeds) > 0
        for note, row in zip(notes, history[1:], strict=True):
            names = ("epoch", "train_loss", "validation_loss", "validation_accuracy")
            assert numbers_in(note) == pytest.approx([row[name] for name in names], abs=5e-4)


BEST = [
    ("accuracy", [(0.5, 1.0), (0.9, 0.3), (0.6, 0.2), (0.5, 0.1)], 1),
    ("accuracy", [(0.5, 1.0), (0.6, 0.3), (0.9, 0.9), (0.5, 0.1)], 2),
    ("accuracy", [(0.5, 1.0), (0.9, 0.3), (0.9, 0.2), (0.9, 0.4)], 3),  # the last of equals
    ("accuracy", [(0.99, 0.1), (0.6, 0.3), (0.7, 0.3), (0.5, 0.3)], 0),
    ("accuracy", [(0.7, 0.1), (0.6, 0.3), (0.7, 0.3), (0.7, 0.3)], 3),
    ("f1_macro", [(0.5, 1.0, 0.5), (0.9, 0.3, 0.2), (0.6, 0.2, 0.4), (0.5, 0.1, 0.7)], 3),
    ("f1_macro", [(0.5, 1.0, 0.9), (0.6, 0.3, 0.4), (0.9, 0.2, 0.4), (0.5, 0.3, 0.1)], 0),
    ("loss", [(0.5, 1.0), (0.9, 0.3), (0.6, 0.1), (0.5, 0.2)], 2),
    ("loss", [(0.5, 0.5), (0.9, 0.3), (0.6, 0.3), (0.5, 0.4)], 2),
    ("last", [(0.5, 1.0), (0.9, 0.1), (0.6, 0.2), (0.5, 0.3)], 3),
]


class TestBest:
    @pytest.mark.parametrize(("keep", "scores", "best"), BEST)
    def test_the_best_evaluation_is_restored_and_marked(
        self, keep: str, scores: list[tuple[float, ...]], best: int
    ) -> None:
        task = Scripted(scores)
        history = run(task, epochs=3, lr=0.1, keep=keep)
        assert len(set(task.weights)) == 4  # every epoch moved the weight
        assert float(task.weight.detach()) == task.weights[best]
        assert [row["kept"] for row in history] == [n == best for n in range(4)]

    def test_a_rate_that_ruins_a_late_epoch_leaves_the_best_one(self) -> None:
        task = objective(80, batch_size=4)
        history = run(task, epochs=4, lr=300.0)
        scores = task.evaluate()
        rows = history[1:]
        best = max(rows, key=lambda row: (row["validation_accuracy"], row["step"]))
        assert scores["validation_accuracy"] == best["validation_accuracy"]
        assert scores["validation_loss"] == pytest.approx(best["validation_loss"])
        assert min(row["validation_accuracy"] for row in rows) < best["validation_accuracy"]


def test_an_evaluation_that_is_the_best_so_far_is_reported() -> None:
    notes: list[str] = []

    class Recorder(Reporter):
        def message(self, text: str) -> None:
            notes.append(text)

    scores = [(share, 1.0) for share in (0.5, 0.6, 0.55, 0.7, 0.6, 0.7)]
    for keep in ("accuracy", "last"):
        _, *rows = run(Scripted(scores), epochs=5, lr=0.1, keep=keep, reporter=Recorder())
        plain = [describe_evaluation(row) for row in rows]
        reasons = [note.removeprefix(line) for note, line in zip(notes, plain, strict=True)]
        best, none, again, worse, tie = reasons if keep == "accuracy" else [""] * 5
        assert (best == again != tie, none, worse) == (keep == "accuracy", "", "")
        assert bool(best) == bool(tie) == (keep == "accuracy")
        notes.clear()


RISING = [(0.5, 1.0), (0.6, 1.0), (0.8, 1.0)]
WORSE = [(0.7, 1.0)]


class TestPatience:
    @pytest.mark.parametrize(
        ("patience", "scores", "steps", "best"),
        [
            (1, [*RISING, *WORSE * 3], 6, 2),
            (2, [*RISING, *WORSE * 3], 8, 2),
            (2, [*RISING, *WORSE, (0.9, 1.0), *WORSE * 3], 12, 4),  # a better one resets it
            (2, [*RISING, (0.8, 1.0), (0.8, 1.0), (0.8, 1.0)], 8, 4),  # an equal one does not
            (5, [*RISING, *WORSE * 3], 10, 2),  # never reached: all epochs run
            (None, [*RISING, *WORSE * 3], 10, 2),
        ],
    )
    def test_it_stops_after_as_many_evaluations_without_a_better_one(
        self, patience: int | None, scores: list[tuple[float, ...]], steps: int, best: int
    ) -> None:
        task = Scripted(scores)
        history = run(task, epochs=steps // 2 if patience in (5, None) else 9, patience=patience)
        assert history[-1]["step"] == steps
        assert [row["epoch"] for row in history if row["kept"]] == [best]
        assert float(task.weight.detach()) == task.weights[best]

    def test_it_counts_evaluations_and_not_epochs(self) -> None:
        task = Scripted([*RISING, *WORSE * 9], losses=(1.0,) * 6)
        history = run(task, epochs=3, patience=2, evaluate_every=2)
        assert [row["step"] for row in history] == [0, 2, 4, 6, 8]
        assert [row["step"] for row in history if row["kept"]] == [4]

    def test_patience_ignores_the_untrained_module(self) -> None:
        task = Scripted([(0.99, 0.1), (0.5, 1.0), *WORSE, (0.6, 1.0)])
        history = run(task, epochs=9, patience=1)
        assert [row["epoch"] for row in history] == [0, 1, 2, 3]
        assert [row["epoch"] for row in history if row["kept"]] == [0]

    def test_patience_counts_from_a_trained_start(self) -> None:
        task = Scripted([(0.9, 1.0), (0.85, 1.0), (0.8, 1.0), *WORSE * 3])
        history = run(task, epochs=9, patience=2, start_is_trained=True)
        assert [row["epoch"] for row in history] == [0, 1, 2]
        assert [row["epoch"] for row in history if row["kept"]] == [0]
        assert float(task.weight.detach()) == 1.0


class TestRate:
    @pytest.mark.parametrize("schedule", ["linear", "cosine", "step", "constant"])
    def test_the_steps_take_these_rates(self, schedule: str) -> None:
        task, taken = Scripted([(0.5, 1.0)] * 4, losses=(1.0,) * 4), []

        def record_lr(optimizer: torch.optim.Optimizer, *_: object) -> None:
            taken.append(optimizer.param_groups[0]["lr"])

        handle = register_optimizer_step_pre_hook(record_lr)
        try:
            run(task, epochs=2, lr=0.01, warmup_share=0.25, schedule=schedule)
        finally:
            handle.remove()
        assert taken == pytest.approx([0.01 * rate for rate in rates(8, 0.25, schedule, 4)[:-1]])


class Breaking(Scripted):
    """An objective whose loss or gradient is not finite at the third step of the second epoch."""

    def __init__(self, broken: Any) -> None:
        super().__init__([(0.5, 1.0)] * 4, losses=(1.0, 1.0, 1.0))
        self.broken, self.before = broken, 0.0

    def loss(self, module: nn.Module, part: Any) -> Tensor:
        if self.taken[-1] != (2, 2):
            return super().loss(module, part)
        self.before = float(self.weight.detach())
        return self.broken(self.weight.sum())


def assert_names(error: ThawlineError, value: float, step: int, epoch: int) -> None:
    assert error.setting == "training.lr"
    assert str(value) in error.found
    assert numbers_in(error.found) == [step, epoch]


class TestNonFinite:
    @pytest.mark.parametrize("broken", [float("nan"), float("inf")])
    def test_a_loss_names_its_step_and_epoch_and_changes_no_weight(self, broken: float) -> None:
        task = Breaking(lambda weight: weight * broken)
        with pytest.raises(ThawlineError) as caught:
            run(task, epochs=3)
        assert_names(caught.value, broken, step=3, epoch=2)
        assert len(task.weights) == 2
        assert float(task.weight.detach()) == task.before != task.weights[-1]

    def test_a_gradient_that_is_not_finite_is_an_error(self) -> None:
        task = Breaking(lambda weight: (weight - weight).sqrt())  # 0, with an infinite slope
        with pytest.raises(ThawlineError) as caught:
            run(task, epochs=3)
        assert_names(caught.value, float("nan"), step=3, epoch=2)
        assert float(task.weight.detach()) == task.before

    @pytest.mark.parametrize(("device", "taken"), [("cpu", 2), ("cuda", 4)])
    def test_on_another_device_losses_are_read_after_several_steps(
        self, monkeypatch: pytest.MonkeyPatch, device: str, taken: int
    ) -> None:
        monkeypatch.setattr(steps, "STEPS_PER_READ", 4)
        task = Scripted([(0.5, 1.0)] * 2, losses=(1.0, math.inf, *[1.0] * 6))
        with pytest.raises(ThawlineError) as caught:
            run(task, epochs=1, device=device)
        assert_names(caught.value, math.inf, step=2, epoch=1)
        assert len(task.taken) == taken

    def test_a_loss_that_was_not_read_stops_an_evaluation(self) -> None:
        task = Breaking(lambda weight: weight * math.nan)
        with pytest.raises(ThawlineError) as caught:
            run(task, epochs=3, device="cuda")
        assert_names(caught.value, math.nan, step=3, epoch=2)
        assert len(task.weights) == 2

    def test_features_stop_the_first_step(self) -> None:
        given = labelled(8)
        broken = PooledExamples(stored(torch.full((8, HIDDEN), math.nan)), Standardisation.none())
        train, head = Labelled(broken, given.labels), nn.Linear(HIDDEN, 2)
        config = TrainingConfig(batch_size=4)
        weights = weighting(given, config)
        task = Classification(head, train, given, weights, config, ComputeConfig(), seed=0)
        with pytest.raises(ThawlineError) as caught:
            run(task)
        assert_names(caught.value, float("nan"), step=1, epoch=1)


class Still(Scripted):
    """An objective with a matrix, a bias and a frozen matrix, all with gradients of 0."""

    def __init__(self) -> None:
        super().__init__([(0.5, 1.0)] * 3)
        self.module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.Linear(2, 2))
        self.module[2].weight.requires_grad_(False)
        nn.init.constant_(self.module[0].bias, 1.0)

    def loss(self, module: nn.Module, part: Any) -> Tensor:
        return sum((0 * parameter.sum() for parameter in module.parameters()), torch.zeros(()))


class TestSteps:
    @pytest.mark.parametrize(("size", "expected"), [(1e6, 1.0), (7.0, 1.0), (0.25, 0.25)])
    def test_gradients_are_clipped_to_the_norm_and_no_further(
        self, size: float, expected: float
    ) -> None:
        task = Scripted([(0.5, 1.0)] * 2, losses=(size, size))
        norms: list[float] = []

        def record_norm(optimizer: torch.optim.Optimizer, *_: object) -> None:
            norms.append(float(optimizer.param_groups[0]["params"][0].grad.norm()))

        handle = register_optimizer_step_pre_hook(record_norm)
        try:
            run(task, epochs=1, max_grad_norm=1.0)
        finally:
            handle.remove()
        assert norms == pytest.approx([expected] * 2, rel=1e-5)

    def test_only_matrices_have_weight_decay(self) -> None:
        task = Still()
        before = {name: tensor.clone() for name, tensor in task.module.state_dict().items()}
        run(task, epochs=1, lr=0.1, weight_decay=0.5)
        after = task.module.state_dict()
        shrunk = (1 - 0.1 * 0.5) * (1 - 0.05 * 0.5)  # the learning rate falls from 0.1 to 0.05
        assert torch.allclose(after["0.weight"], before["0.weight"] * shrunk, rtol=1e-6)
        for name in before.keys() - {"0.weight"}:
            assert torch.equal(after[name], before[name]), name

    def test_only_parameters_that_require_gradients_train(self) -> None:
        task = objective()
        task.module[1].requires_grad_(False)
        frozen, trained = task.module[1].weight.clone(), task.module[4].weight.clone()
        run(task, weight_decay=0.5)
        assert torch.equal(task.module[1].weight, frozen)
        assert not torch.equal(task.module[4].weight, trained)

    def test_the_terms_of_a_step_are_added_up(self) -> None:
        class InTerms(Scripted):
            def shares(self, step: Positions, threads: int) -> list[list[Any]]:
                return [[(step, share) for share in (0.5, 0.3, 0.2)]]

            def loss(self, module: nn.Module, part: Any) -> Tensor:
                step, share = part
                return super().loss(module, step) * share

        whole, parts = Scripted([(0.5, 1.0)] * 3), InTerms([(0.5, 1.0)] * 3)
        histories = [run(task, epochs=2, lr=0.1, max_grad_norm=9.0) for task in (whole, parts)]
        assert parts.weights == pytest.approx(whole.weights, rel=1e-6)
        losses = [[row["train_loss"] for row in history[1:]] for history in histories]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)


class CheckpointRecorder:
    """Replaces checkpoints on disk and records when one is saved."""

    def __init__(self) -> None:
        self.restored, self.saved = 0, []

    def restore(self, training: Training) -> None:
        self.restored += 1
        assert training.history == []

    def save(self, training: Training) -> None:
        self.saved.append((training.done, training.history[-1]["step"]))


def test_checkpoints_are_saved_every_few_steps_and_after_each_epoch() -> None:
    checkpoints = CheckpointRecorder()
    run(objective(), epochs=2, checkpoints=checkpoints, checkpoint_every=2)
    assert checkpoints.restored == 1
    assert checkpoints.saved == [(2, 0), (4, 0), (5, 5), (6, 5), (8, 5), (10, 10)]
