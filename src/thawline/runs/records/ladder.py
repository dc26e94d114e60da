"""The file of a ladder, ``ladder.json``."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record, is_none
from thawline.runs.records.data import LadderData
from thawline.runs.records.mistakes import RecordedText
from thawline.runs.records.run import Finished, JobStart, Proof, Unfinished
from thawline.runs.records.scores import MainScores, MeanScores
from thawline.runs.records.training import FitEpoch, FitParameters, FitSeconds


class TotalSeconds(Record):
    """A duration, in seconds."""

    total: float = Field(description="The total number of seconds.")


class AgainstBest(Record):
    """The comparison of a rung with the best one on the same test rows."""

    only_this_right: float = Field(
        description="The number of rows that only this rung predicted correctly, averaged over the "
        "seeds."
    )
    only_best_right: float = Field(
        description="The number of rows that only the best rung predicted correctly, averaged over "
        "the seeds."
    )
    p: float = Field(description="The p-value of the exact paired test (McNemar's for one seed).")
    p_corrected: float = Field(
        description="The p-value after Holm's correction for all comparisons of the ladder."
    )


class RungRun(Record):
    """The part of a run's record that the ladder contains."""

    seed: int = Field(description="The seed of the run.")
    run: str = Field(description="The name of the run's folder, within the ladder's.")
    features: list[int] = Field(description="The stages whose pooled states the head reads.")
    test: MainScores = Field(description="The scores on test.")
    validation: MainScores = Field(description="The scores on validation.")
    history: list[FitEpoch] = Field(
        description="The evaluations of a training by epochs; empty for an exact fit."
    )
    seconds: FitSeconds = Field(description="The duration of each part of the run.")
    peak_memory_bytes: int = Field(description="The peak resident memory during the run, in bytes.")
    proof: Proof = Field(description="The proof that the artifact can be loaded.")


class RungRecord(Record):
    """A rung: one strategy over all seeds."""

    rung: str = Field(description="The name of the rung.")
    strategy: str = Field(description="The strategy, with all its parameters.")
    line: int | None = Field(
        description="The thaw line: the stages before it are frozen; null for tfidf."
    )
    head: str = Field(description="The head: linear, mlp:N or native.")
    pooling: str | None = Field(
        description="How token states are combined: first, last or mean; null for tfidf."
    )
    epochs: int | None = Field(description="The planned number of epochs; null for an exact fit.")
    lr: float | None = Field(description="The highest learning rate; null for an exact fit.")
    parameters: FitParameters = Field(description="Parameter counts.")
    test: MeanScores = Field(description="The scores on test, averaged over the seeds.")
    validation: MeanScores = Field(description="The scores on validation, averaged over the seeds.")
    seconds: TotalSeconds = Field(description="The duration of a run, averaged over the seeds.")
    peak_memory_bytes: int = Field(
        description="The largest peak resident memory of its runs, in bytes."
    )
    runs: list[RungRun] = Field(description="The runs, one for each seed.")
    against_best: AgainstBest | None = Field(
        description="The comparison with the best rung; null for the best rung itself."
    )


class Verdict(Record):
    """The cheapest rung that is not significantly worse than the best rung on test."""

    rung: str = Field(description="The name of the rung.")
    words: str = Field(description="The verdict as a sentence.")


class Chosen(Record):
    """The run to use. It was chosen on validation, so its test scores are unbiased."""

    rung: str = Field(description="The name of the rung.")
    seed: int = Field(description="The seed of the run.")
    run: str = Field(description="The name of the run's folder, within the ladder's.")
    by: str = Field(description="The property for which the run was chosen.")


class Comparison(Record):
    """The results of a ladder's runs, and their comparison."""

    rungs: list[RungRecord] = Field(description="The rungs, in the order of the settings.")
    best: str = Field(description="The name of the rung with the highest accuracy on test.")
    verdict: Verdict = Field(
        description="The cheapest rung that is not significantly worse than the best rung."
    )
    chosen: Chosen = Field(description="The run to use.")


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


class StartedLadder(LadderStart, Unfinished):
    """The file of a ladder that has no results yet."""


class LadderResults(Record):
    """The part of a ladder's file that describes its cost and its files."""

    plots: list[str] = Field(description="The names of the plots, within the ladder's folder.")
    seconds: TotalSeconds = Field(description="The duration of the ladder over all its starts.")
    predictions: Predictions | None = Field(
        default=None,
        exclude_if=is_none,
        description="The predictions of `thawline demo`; missing for any other ladder.",
    )


class LadderRecord(LadderResults, Comparison, LadderStart, Finished):
    """The file of a finished ladder."""
