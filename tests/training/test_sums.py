"""The sums between two evaluations, and their place in a checkpoint."""

from __future__ import annotations

from tests.support.loops import Scripted
from thawline.config import TrainingConfig
from thawline.training.steps import Training
from thawline.training.sums import Sums


def test_losses_are_weighted_by_the_examples() -> None:
    sums = Sums()
    assert (sums.mean_loss, sums.accuracy) == (None, None)
    sums.add(3, 1.0, 2.0)
    sums.add(1, 5.0, None)
    assert (sums.mean_loss, sums.accuracy) == (2.0, 2 / 3)


def test_a_checkpoint_of_an_earlier_version_is_restored() -> None:
    written = {"since": [6.0, 3, 0.5], "right": [4, 2]}
    sums = Sums.restored(written)
    assert (sums.mean_loss, sums.accuracy, sums.seconds) == (2.0, 0.5, 0.5)
    assert sums.state() == written


def test_the_state_of_a_training_has_the_names_of_earlier_versions() -> None:
    task = Scripted([(0.5, 1.0)] * 2)
    training = Training(task, TrainingConfig(), epochs=1, lr=0.1, device="cpu")
    training.evaluate()
    training.update(next(training.steps()))
    _, values = training.state()
    assert sorted(values) == [
        *("best_merit", "best_step", "done", "groups", "history", "right", "schedules", "since"),
        *("spent", "waited"),
    ]
    assert values["since"][:2] == [1.0, 1]
    assert values["right"] == [0, 0]
