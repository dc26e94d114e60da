"""The training loop that every strategy shares.

An `Objective` defines the module to train and its data. The loop runs the optimiser, evaluates the
module after each epoch, keeps the best weights and saves checkpoints.
"""

from __future__ import annotations

from contextlib import closing
from typing import Protocol

from thawline.config import LoopConfig
from thawline.runtime.progress import Reporter
from thawline.training.kept import Row
from thawline.training.objectives import Objective
from thawline.training.steps import Training
from thawline.training.thawing import Thawing


def train(
    objective: Objective,
    config: LoopConfig,
    *,
    epochs: int,
    lr: float,
    device: str,
    reporter: Reporter,
    checkpoints: Checkpoints | None = None,
    start_is_trained: bool = False,
    thawing: Thawing | None = None,
) -> list[Row]:
    """Train the objective's module and leave it with its best weights, in evaluation mode.

    Args:
        objective: The module to train and the data to train and evaluate it on.
        config: The optimiser, the schedule, and when to evaluate, stop and save checkpoints.
        epochs: The maximum number of epochs.
        lr: The peak learning rate of AdamW or SGD.
        device: The device to train on: ``cuda``, ``mps`` or ``cpu``.
        reporter: Receives the progress of the steps and one line for each evaluation.
        checkpoints: Saves the training and restores it before the first step. If None, no
            checkpoint is saved or restored.
        start_is_trained: Whether the module was already trained for the same data.
        thawing: The stages that train in each epoch. If None, all trainable parameters train in
            all epochs with the same learning rate.

    Returns:
        The history, one row for each evaluation. The first row is that of the module at the start.
        Each row has ``epoch``, ``step``, ``train_loss`` (mean over the examples since the previous
        evaluation), the objective's scores, ``lr``, ``seconds`` (of training since the previous
        evaluation) and ``kept`` (whether the module has the weights of this evaluation).
        ``train_loss``, ``lr`` and ``seconds`` are None in the first row. ``train_accuracy`` is the
        accuracy on the same examples while they were trained on, or None. With ``thawing``, each
        row also has the number of ``stages`` that trained in its epoch.

    Raises:
        ThawlineError: If the loss or the norm of its gradient is not finite.
    """
    training = Training(
        objective,
        config,
        epochs=epochs,
        lr=lr,
        device=device,
        start_is_trained=start_is_trained,
        thawing=thawing,
    )
    if checkpoints is not None:
        checkpoints.restore(training)
    if not training.history:
        training.evaluate()
    with closing(training), reporter.task("training", training.total) as advance:
        advance(training.done)
        for step in training.steps():
            training.update(step)
            advance(1, training.progress())
            if training.is_due(config.evaluate_every):
                training.evaluate()
                kept = training.kept.describe(training.history)
                reporter.message(describe_evaluation(training.history[-1], kept))
            if checkpoints is not None and training.is_due(config.checkpoint_every):
                checkpoints.save(training)
    training.keep_best()
    return training.history


class Checkpoints(Protocol):
    """Save the state of a training and restore it."""

    def restore(self, training: Training) -> None:
        """Load the newest checkpoint into the training, if one exists."""

    def save(self, training: Training) -> None:
        """Save the current state of the training."""


_SHOWN_SCORES = (
    {"train loss": "train_loss", "accuracy": "train_accuracy"},
    {
        "validation loss": "validation_loss",
        "accuracy": "validation_accuracy",
        "bits per byte": "validation_bits_per_byte",
    },
)
"""The scores that `describe_evaluation` shows, by their label, if they were measured."""


def describe_evaluation(row: Row, kept: str = "") -> str:
    """Return one line that describes an evaluation.

    Args:
        row: The evaluation.
        kept: Why its weights are kept. Empty if they are not.
    """
    groups = []
    for shown in _SHOWN_SCORES:
        scores = {name: row[key] for name, key in shown.items() if row.get(key) is not None}
        groups.append(", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    return f"epoch {row['epoch']:.3g}: {'; '.join(filter(None, groups))}{f' ({kept})' * bool(kept)}"
