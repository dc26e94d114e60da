"""The file of a ladder, ``ladder.json``."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record, is_none
from thawline.runs.records.comparison import Comparison
from thawline.runs.records.data import LadderData
from thawline.runs.records.learning_curves import LearningCurves
from thawline.runs.records.mistakes import RecordedText
from thawline.runs.records.run import Finished, JobStart, Unfinished


class TotalSeconds(Record):
    """A duration, in seconds."""

    total: float = Field(description="The total number of seconds.")


class Prediction(Record):
    """The prediction for a text."""

    text: RecordedText = Field(description="The text.")
    label: str = Field(description="The name of the predicted class.")
    confidence: float = Field(description="The probability of that class, from 0 to 1.")
    probs: dict[str, float] = Field(description="The probability of each class, from 0 to 1.")


class SentimentPrediction(Record):
    """The prediction for a text if the two classes are named neg and pos."""

    text: RecordedText = Field(description="The text.")
    neg_prob: float = Field(description="The probability of neg, from 0 to 1.")
    pos_prob: float = Field(description="The probability of pos, from 0 to 1.")
    label: str = Field(description="The name of the predicted class.")

    @property
    def probs(self) -> dict[str, float]:
        """The probability of each class."""
        return {"neg": self.neg_prob, "pos": self.pos_prob}


class Predictions(Record):
    """The predictions of one run for the sample texts of the demonstration."""

    run: str = Field(description="The name of the run's folder, within the ladder's.")
    texts: list[SentimentPrediction | Prediction] = Field(description="One prediction per text.")


class LadderStart(JobStart):
    """The part of a ladder's file that is written when the ladder starts."""

    data: LadderData = Field(description="The data set.")
    predicted: dict[str, float] = Field(
        default={},
        description="The seconds that were predicted for one run of each rung before its first "
        "run, alone and with an empty store.",
    )
    first_margin: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="The margin of the first start, in points, if a later start changed it. Test "
        "may have been read in between. Missing if it was never changed.",
    )


class StartedLadder(LadderStart, Unfinished):
    """The record of a ladder that has no results yet."""


class LadderResults(Record):
    """The part of a ladder's file that describes its cost and its files."""

    plots: list[str] = Field(description="The names of the plots, within the ladder's folder.")
    seconds: TotalSeconds = Field(description="The duration of the ladder over all its starts.")
    curves: LearningCurves | None = Field(
        default=None,
        exclude_if=is_none,
        description="The learning curves; missing if no numbers of rows were given (`sizes`).",
    )
    refit: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="The name of the folder of the run that was fitted on train and validation "
        "together; missing if there is none.",
    )
    predictions: Predictions | None = Field(
        default=None,
        exclude_if=is_none,
        description="The predictions of `thawline demo`; missing for any other ladder.",
    )


class LadderRecord(LadderResults, Comparison, LadderStart, Finished):
    """The record of a finished ladder, ``ladder.json``."""
