"""Checkpoints: a training continues bit for bit, even if the newest file is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from tests.support.loops import Scripted, objective, run
from thawline.config import TrainingConfig
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.steps import Training

FOLDER = Path("checkpoints")
SETTINGS: dict[str, Any] = {"evaluate_every": 3, "warmup_share": 0.2, "schedule": "cosine"}


class Stopped(Exception):
    """An error that stands for the death of the process."""


def make(seed: int = 0, lr: float = 0.05, **settings: Any) -> Training:
    """Return a training of a head with dropout, with 3 epochs of 5 steps."""
    task = objective(dropout=0.3, seed=seed, **settings)
    given = TrainingConfig(**{"batch_size": 8} | SETTINGS | settings)
    return Training(task, given, epochs=3, lr=lr, device="cpu")


def advance(training: Training, steps: int) -> None:
    """Take some steps and evaluate after the same steps as `train`."""
    if not training.history:
        training.evaluate()
    for _, step in zip(range(steps), training.steps(), strict=False):
        training.update(step)
        if training.is_due(3):
            training.evaluate()


def names() -> list[str]:
    return sorted(path.name for path in FOLDER.iterdir())


def same(one: Training, other: Training) -> bool:
    (tensors, values), (others, other_values) = one.state(), other.state()
    return (
        tensors.keys() == others.keys()
        and all(torch.equal(tensor, others[name]) for name, tensor in tensors.items())
        and untimed(values) == untimed(other_values)
    )


def untimed(values: dict[str, Any]) -> dict[str, Any]:
    history = [{**row, "seconds": None} for row in values["history"]]
    shown = {**values, "history": history, "since": values["since"][:2], "spent": None}
    return json.loads(json.dumps(shown))


class TestState:
    @pytest.mark.parametrize("steps", [0, 1, 4, 5, 7, 15])
    def test_restored_equals_saved(self, steps: int) -> None:
        training, other = make(), make(seed=9, lr=0.5)
        advance(training, steps)
        CheckpointFolder(FOLDER).save(training)
        torch.manual_seed(77)
        state = torch.get_rng_state()  # restoring does not change it
        CheckpointFolder(FOLDER).restore(other)
        assert torch.equal(torch.get_rng_state(), state)
        assert same(training, other)
        assert other.state()[1]["history"] == training.history  # including the seconds

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"optimizer": "muon"},
            {"optimizer": "sgd", "schedule": "step", "step_factor": 0.5},
            {"optimizer": "sgd", "momentum": 0.0, "schedule": "constant"},
            {"schedule": "step", "step_epochs": 2},
            {"schedule": "constant", "warmup_share": 0.6},
        ],
        ids=str,
    )
    def test_it_continues_bit_for_bit(self, settings: dict[str, Any]) -> None:
        training, other = make(**settings), make(**settings)
        advance(training, 7)
        CheckpointFolder(FOLDER).save(training)
        advance(training, 8)
        torch.manual_seed(77)
        state = torch.get_rng_state()  # restoring does not change it
        CheckpointFolder(FOLDER).restore(other)
        assert other.done == 7
        advance(other, 8)
        assert other.done == training.done == 15
        assert torch.equal(torch.get_rng_state(), state)
        assert same(training, other)

    def test_the_logits_of_all_evaluations_are_restored(self) -> None:
        uninterrupted, training, other = (objective(dropout=0.3) for _ in range(3))
        given = TrainingConfig(batch_size=8, **SETTINGS)

        def training_of(task: Any) -> Training:
            return Training(task, given, epochs=3, lr=0.05, device="cpu")

        advance(training_of(uninterrupted), 9)
        started, resumed = training_of(training), training_of(other)
        advance(started, 5)
        CheckpointFolder(FOLDER).save(started)
        CheckpointFolder(FOLDER).restore(resumed)
        advance(resumed, 4)
        wanted = uninterrupted.evaluated
        assert wanted.candidates().shape == (len(resumed.history), 20, 2)
        for evaluation in range(len(resumed.history)):
            assert np.array_equal(other.evaluated.of(evaluation), wanted.of(evaluation))

    def test_seconds_of_earlier_starts_are_added_up(self) -> None:
        folder, training, other = CheckpointFolder(FOLDER), make(), make()
        advance(training, 2)
        training.earlier_seconds = 1_000.0
        folder.save(training)
        folder.restore(other)
        assert 1_000 < folder.earlier_seconds == other.earlier_seconds < 2_000

    def test_it_is_safetensors_and_json(self) -> None:
        training = make()
        advance(training, 5)
        CheckpointFolder(FOLDER).save(training)
        (name,) = names()
        assert name == "000000005.safetensors"
        with safe_open(FOLDER / name, "pt") as file:
            values = json.loads(file.metadata()["thawline"])
            kinds = {key.partition(".")[0] for key in file.keys()}  # noqa: SIM118
        assert kinds == {"learnt", "best", "optimizer", "random", "evaluated"}
        assert values["done"] == 5
        assert [row["step"] for row in values["history"]] == [0, 3, 5]


class TestFiles:
    def test_the_last_two_are_kept(self) -> None:
        folder, training = CheckpointFolder(FOLDER), make()
        for _ in range(4):
            advance(training, 2)
            folder.save(training)
        assert names() == ["000000006.safetensors", "000000008.safetensors"]

    def test_an_incomplete_file_of_a_killed_process_is_ignored_and_deleted(self) -> None:
        folder, training, other = CheckpointFolder(FOLDER), make(), make()
        advance(training, 2)
        folder.save(training)
        (FOLDER / ".thawline-01234567-1-0123456789abcdef.tmp").write_bytes(b"half")
        folder.restore(other)
        assert other.done == 2
        folder.save(other)
        assert len(names()) == 1

    @pytest.mark.parametrize("harm", ["cut", "one bit", "emptied", "renamed"])
    def test_a_damaged_newest_falls_back_to_the_one_before(self, harm: str) -> None:
        uninterrupted = make()
        advance(uninterrupted, 7)
        folder, training, other = CheckpointFolder(FOLDER), make(), make()
        for _ in range(2):
            advance(training, 2)
            folder.save(training)
        newest = FOLDER / names()[-1]
        content = bytearray(newest.read_bytes())
        if harm == "renamed":
            newest.rename(FOLDER / "000000099.safetensors")
        else:
            content[len(content) // 2] ^= harm == "one bit"
            kept = {"cut": len(content) // 2, "one bit": len(content), "emptied": 0}[harm]
            newest.write_bytes(content[:kept])
        folder.restore(other)
        assert other.done == 2
        advance(other, 5)  # the two steps that were lost, and three more
        assert other.done == 7
        assert same(uninterrupted, other)

    def test_restoring_deletes_what_a_process_that_ended_early_left(self) -> None:
        folder, training, left = CheckpointFolder(FOLDER), make(), {}
        for _ in range(3):
            advance(training, 2)
            folder.save(training)
            left |= {name: (FOLDER / name).read_bytes() for name in names()}
        for name, content in left.items():
            (FOLDER / name).write_bytes(content)
        assert len(names()) == 3
        folder.restore(make())
        assert names() == sorted(left)[1:]

    def test_a_step_that_is_saved_again_takes_no_place_of_another(self) -> None:
        """A run that is resumed from the checkpoint before the newest saves the newest again."""
        folder, training, again = CheckpointFolder(FOLDER), make(), make()
        for _ in range(2):
            advance(training, 2)
            folder.save(training)
        before = names()
        advance(again, 4)
        folder.save(again)
        assert names() == before == ["000000002.safetensors", "000000004.safetensors"]

    def test_every_byte_is_checked(self) -> None:
        folder, training = CheckpointFolder(FOLDER), make()
        advance(training, 2)
        folder.save(training)
        (name,) = names()
        content = (FOLDER / name).read_bytes()
        other = make()
        for place in [*range(0, 200), *range(200, len(content), 997)]:
            harmed = bytearray(content)
            harmed[place] ^= 1
            (FOLDER / name).write_bytes(harmed)
            folder.restore(other)
            assert other.done == 0, place

    def test_no_checkpoint_is_saved_in_a_folder_that_was_deleted(self) -> None:
        with pytest.raises(OSError, match="run"):
            CheckpointFolder(Path("run/checkpoints")).save(make())
        assert not Path("run").exists()

    def test_if_all_are_damaged_it_starts_again(self) -> None:
        folder, training, other = CheckpointFolder(FOLDER), make(), make()
        for _ in range(2):
            advance(training, 2)
            folder.save(training)
        for name in names():
            (FOLDER / name).write_bytes(b"")
        folder.restore(other)
        assert (other.done, other.history) == (0, [])

    def test_without_checkpoints_it_starts_again(self) -> None:
        training = make()
        CheckpointFolder(FOLDER).restore(training)
        assert (training.done, training.history) == (0, [])
        assert not FOLDER.exists()

    def test_files_of_the_user_are_kept(self) -> None:
        folder, training = CheckpointFolder(FOLDER), make()
        FOLDER.mkdir()
        mine = [FOLDER / "notes.txt", FOLDER / "best.safetensors", FOLDER / "a.tmp"]
        for path in mine:
            path.write_text("mine")
        for _ in range(4):
            advance(training, 2)
            folder.save(training)
        folder.clear()
        assert sorted(FOLDER.iterdir()) == sorted(mine)

    def test_they_can_be_cleared(self) -> None:
        folder = CheckpointFolder(FOLDER)
        folder.save(make())
        folder.clear()
        assert not FOLDER.exists()
        folder.clear()


def weights(task: Any) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in task.module.state_dict().items()}


def stop_at(task: Any, number: int) -> None:
    """Raise `Stopped` in the step of this number, before it changes anything."""
    shares, calls = task.shares, iter(range(1, 1_000))

    def ending(step: Any, threads: int) -> list[list[Any]]:
        if next(calls) == number:
            raise Stopped
        return shares(step, threads)

    task.shares = ending


class TestTraining:
    @pytest.mark.parametrize("every", [1, 2, 7])
    @pytest.mark.parametrize("number", [1, 2, 5, 6, 8, 15])
    def test_a_resumed_training_ends_with_the_same_weights(self, number: int, every: int) -> None:
        settings = {"checkpoint_every": every, "batch_size": 8} | SETTINGS
        whole = objective(dropout=0.3)
        history = run(whole, **settings)
        stopped, resumed = objective(dropout=0.3), objective(dropout=0.3)
        stop_at(stopped, number)
        with pytest.raises(Stopped):
            run(stopped, checkpoints=CheckpointFolder(FOLDER), **settings)
        if FOLDER.exists():
            torch.manual_seed(77)
        else:
            objective(dropout=0.3)  # this seeds torch, as every start of a run does
        again = run(resumed, checkpoints=CheckpointFolder(FOLDER), **settings)
        expected, found = weights(whole), weights(resumed)
        assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
        assert [{**row, "seconds": 0} for row in again] == [
            {**row, "seconds": 0} for row in history
        ]

    def test_patience_survives(self) -> None:
        scores = [(0.5, 1.0), (0.9, 1.0), *[(0.6, 1.0)] * 9]
        stopped, resumed = Scripted(scores), Scripted(scores[3:])
        stop_at(
            stopped, 5
        )  # the first step of the third epoch, after one evaluation without improvement
        settings = {"epochs": 9, "lr": 0.1, "patience": 3}
        with pytest.raises(Stopped):
            run(stopped, checkpoints=CheckpointFolder(FOLDER), **settings)
        history = run(resumed, checkpoints=CheckpointFolder(FOLDER), **settings)
        assert [row["step"] for row in history] == [0, 2, 4, 6, 8]
        assert [row["step"] for row in history if row["kept"]] == [2]
        assert float(resumed.weight.detach()) == stopped.weights[1]

    def test_a_training_that_patience_stopped_does_not_continue(self) -> None:
        scores = [(0.5, 1.0), (0.9, 1.0), *[(0.6, 1.0)] * 9]
        settings: dict[str, Any] = {"epochs": 9, "lr": 0.1, "patience": 1}
        first, second = Scripted(scores), Scripted([])
        history = run(first, checkpoints=CheckpointFolder(FOLDER), **settings)
        again = run(second, checkpoints=CheckpointFolder(FOLDER), **settings)
        assert again == history
        assert torch.equal(first.weight, second.weight)
