"""Scores of a classifier, with confidence intervals."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record, is_none


class Score(Record):
    """A score with its confidence interval, in the score's own unit.

    ``print(score)`` prints "0.854 (0.838 to 0.869)". A format such as ``f"{score:.1%}"`` applies to
    all three numbers.
    """

    value: float = Field(description="The score: a share from 0 to 1, or nats for the loss.")
    low: float = Field(description="The lower end of the confidence interval.")
    high: float = Field(description="The upper end of the confidence interval.")

    def __format__(self, spec: str) -> str:
        value, low, high = (format(end, spec or ".3f") for end in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"

    def __str__(self) -> str:
        return format(self)


class MeanScore(Score):
    """A score averaged over the seeds of a rung, and over its draws of the training rows.

    The ends of the interval are averages too. They measure the uncertainty from the choice of test
    rows, but not the uncertainty from seeds and draws.
    """

    deviation: float | None = Field(
        description="The standard deviation of the score over the draws, or over the seeds if "
        "there is one draw; null for one seed."
    )


class ClassScores(Record):
    """The scores of one class, without intervals."""

    precision: float | None = Field(
        description="A share from 0 to 1; null if the class occurs neither in the labels nor in "
        "the predictions."
    )
    recall: float | None = Field(description="A share from 0 to 1; null as for precision.")
    f1: float | None = Field(description="A share from 0 to 1; null as for precision.")
    support: int = Field(description="The number of rows whose label is this class.")


class MainScores(Record):
    """The scores of a run that a ladder's record contains."""

    rows: int = Field(description="The number of rows that were scored.")
    confidence_level: float = Field(
        description="The level of all intervals, between 0 and 1 (0.95 by default)."
    )
    accuracy: Score = Field(description="The share of rows that were predicted correctly.")
    f1_macro: Score = Field(
        description="The unweighted mean of F1 over the classes that occur in the labels or in "
        "the predictions."
    )
    f1_weighted: Score = Field(
        description="The mean of F1 over the classes, weighted by their rows."
    )
    loss: Score = Field(description="The mean cross-entropy, in nats.")
    calibration_error: Score = Field(
        description="The expected calibration error, a share from 0 to 1."
    )


class Scores(MainScores):
    """All scores of a classifier on one split.

    The values are those of rows. The intervals count the copies of a text as one text.
    """

    precision_macro: Score = Field(
        description="The unweighted mean of precision over the classes, as for f1_macro."
    )
    precision_weighted: Score = Field(
        description="The mean of precision over the classes, weighted by their rows."
    )
    recall_macro: Score = Field(
        description="The unweighted mean of recall over the classes, as for f1_macro."
    )
    recall_weighted: Score = Field(
        description="The mean of recall over the classes, weighted by their rows."
    )
    per_class: list[ClassScores] = Field(
        description="The scores of each class, in the order of the labels."
    )
    confusion: list[list[int]] | None = Field(
        description="Row counts, `confusion[true][predicted]`, of shape (classes, classes); null "
        "for more than 100 classes."
    )
    confusion_cells: list[list[int]] | None = Field(
        default=None,
        exclude_if=is_none,
        description="Only for more than 100 classes: each pair of classes that occurs, as "
        "`[true, predicted, rows]`.",
    )

    def main_scores(self) -> MainScores:
        """Return the scores that a ladder's record contains."""
        return MainScores(**{name: getattr(self, name) for name in MainScores.model_fields})


class MeanScores(MainScores):
    """The main scores of a rung, averaged over its seeds."""

    accuracy: MeanScore = Field(description="The share of rows that were predicted correctly.")
    f1_macro: MeanScore = Field(description="The unweighted mean of F1 over the classes.")
    f1_weighted: MeanScore = Field(
        description="The mean of F1 over the classes, weighted by their rows."
    )
    loss: MeanScore = Field(description="The mean cross-entropy, in nats.")
    calibration_error: MeanScore = Field(
        description="The expected calibration error, a share from 0 to 1."
    )


class EvaluationSeconds(Record):
    """The duration of an evaluation, in seconds."""

    tokenising: float = Field(description="Seconds spent on tokenising texts.")
    prefix: float = Field(
        description="Seconds spent on the frozen pass, including writes to the store."
    )
    total: float = Field(description="Seconds of the complete evaluation.")


class EvaluationReport(Scores):
    """The output of ``thawline evaluate --json``."""

    split: str = Field(description="The split that was scored: train, validation, test or all.")
    source: str = Field(
        description="The split of the source that the rows come from; several are joined by '+'."
    )
    labels: list[str] = Field(description="The names of the classes, in the order of their ids.")
    seconds: EvaluationSeconds = Field(description="The duration of the evaluation.")
