"""Fit the strategy of the run to use once more, on train and validation together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from thawline.compare.plan import REFIT
from thawline.config import Config
from thawline.data import Dataset
from thawline.jobs.fit import Shared, fit_run
from thawline.runs.records import Chosen, ExactFitStep, FitRecord
from thawline.runs.resume import remove_lost
from thawline.runtime.progress import Reporter


def refit(
    chosen: Chosen, config: Config, dataset: Dataset, folder: Path, reporter: Reporter
) -> FitRecord:
    """Fit the strategy of the chosen run on train and validation, with what was chosen.

    Args:
        chosen: The run to use.
        config: Its settings.
        dataset: The data set of the ladder.
        folder: The folder of the ladder. The new run has a folder in it.
        reporter: Shows the progress.

    Returns:
        The record of the new run, whose folder is `refit_folder`.
    """
    record = fit_run(config, folder / chosen.run, Reporter(), resume=True)
    joined = Shared(dataset.with_validation_in_train(), None)
    place = folder / refit_folder(chosen)
    fixed = fixed_config(config, record)
    remove_lost(place, fixed, reporter)
    return fit_run(fixed, place, reporter, resume=True, shared=joined)


def refit_folder(chosen: Chosen) -> str:
    """Return the name of the folder of the new run."""
    return f"{REFIT}{chosen.run}"


def fixed_config(config: Config, record: FitRecord) -> Config:
    """Return settings in which everything that a fit chooses on validation is fixed.

    Args:
        config: The settings of a finished fit.
        record: Its record.
    """
    solved = record.choice if record.head_first is None else record.head_first.choice
    if solved:
        config = _with_penalty(config, min(solved, key=lambda step: step.loss), record)
    if record.kept is None:
        return config
    # Weights of the start are kept only if no epoch was better. One epoch is the least.
    epochs = max(1, math.ceil(record.kept.epoch))
    training = replace(config.training, epochs=epochs, keep="last", patience=None)
    return replace(config, training=training)


def _with_penalty(config: Config, step: ExactFitStep, record: FitRecord) -> Config:
    """Return settings with which the exact fit has only one candidate."""
    exact = config.exact
    if step.penalty is not None:
        exact = replace(exact, penalties=(step.penalty,))
    if step.words_penalty is not None:
        exact = replace(exact, words_penalties=(step.words_penalty,))
    config = replace(config, exact=exact)
    if record.features and record.head_first is None:
        features = _written_stages(step.stages)
        config = replace(config, head=replace(config.head, features=features))
    return config


def _written_stages(stages: Sequence[int]) -> str:
    """Return stages as the setting ``head.features`` writes them."""
    return str(stages[0]) if len(stages) == 1 else "layers"
