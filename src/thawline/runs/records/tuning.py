"""The record of a search for the settings of a fit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from thawline.runs.records.base import Record, is_none
from thawline.runs.records.data import LabelNames
from thawline.runs.records.run import JobStart


class TuneData(Record):
    """The rows that a search used. It never trains or scores on test rows."""

    name: str = Field(description="The name of the data set.")
    sha256: str = Field(description="The SHA-256 of the train and validation texts and labels.")
    train: int = Field(description="The number of training texts.")
    validation: int = Field(description="The number of validation texts.")
    labels: LabelNames = Field(description="The classes.")
    unlabelled: int | None = Field(
        default=None,
        exclude_if=is_none,
        description="The number of distinct unlabelled texts that backbones were trained on "
        "(tapt+S); missing for other strategies.",
    )
    removed: int | None = Field(
        default=None,
        exclude_if=is_none,
        description="The number of distinct texts that were left out there, because they are "
        "copies of validation or test texts; missing for other strategies.",
    )


class TuneTrial(Record):
    """One trial: some settings and their validation score."""

    number: int = Field(description="The number of the trial in the study, counting from 0.")
    state: Literal["finished", "pruned", "failed"] = Field(
        description="finished; pruned, after an epoch with a low score; or failed."
    )
    strategy: str = Field(description="The strategy, with its fields.")
    settings: dict[str, JsonValue] = Field(
        description="The sampled settings by their dotted keys; fields of the strategy follow "
        "strategy."
    )
    score: float | None = Field(
        description="The validation score; for a pruned trial, the best one so far, and null "
        "without one."
    )
    seconds: float | None = Field(description="The duration in seconds; null if unknown.")
    error: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="The error of a failed trial, or of one whose loss was not finite.",
    )


class Importance(Record):
    """How much a setting matters."""

    key: str = Field(description="The dotted key of the setting.")
    importance: float = Field(description="Its share of the importance of all settings, 0 to 1.")


class TuneRecord(JobStart):
    """The record of a search, ``tune.json``."""

    status: Literal["finished", "stopped"] = Field(
        description="finished, or stopped (by Ctrl-C or by a signal that ends the process)."
    )
    data: TuneData = Field(description="The rows.")
    score: Literal["accuracy", "f1_macro", "loss"] = Field(
        description="The validation score of the trials, which training.keep names. A loss is "
        "minimised, other scores are maximised."
    )
    best: TuneTrial = Field(description="The trial with the best score.")
    rung: str = Field(
        description="The settings of the best trial as a rung, which thawline compare -s reads."
    )
    nested: float | None = Field(
        description="The score if one half of the validation texts selects the trial and the other "
        "half scores it, averaged over random halvings; null for f1_macro, with fewer than two "
        "finished trials or distinct validation texts, or with too many texts or classes."
    )
    importances: list[Importance] = Field(
        description="The importance of each searched setting in the trials of the best strategy, "
        "by PED-ANOVA, the most important one first; empty with too few trials."
    )
    repeated: int = Field(
        description="The number of trials that were not made, because their settings were known."
    )
    trials: list[TuneTrial] = Field(description="All other trials, from the first.")
    plots: list[str] = Field(description="The names of the plots.")
    seconds: float = Field(description="The seconds of all trials together, of all processes.")
