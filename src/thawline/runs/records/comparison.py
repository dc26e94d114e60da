"""The comparison of the rungs of a ladder: their scores and costs, the verdict, the run to use."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from thawline.runs.records.base import Record, is_none
from thawline.runs.records.run import Proof
from thawline.runs.records.scores import MainScores, MeanScores
from thawline.runs.records.training import FitCost, FitEpoch, FitParameters, FitSeconds


class Difference(Record):
    """The difference between the scores of two rungs on the same test texts, with its interval.

    The interval holds for new texts. With several seeds, it also holds for new seeds, given these
    training rows, and with several draws for new training rows of this number, too.
    """

    value: float = Field(
        description="The difference, in the unit of the score: a share from -1 to 1, or nats."
    )
    low: float = Field(description="The lower end of the confidence interval.")
    high: float = Field(description="The upper end of the confidence interval.")
    degrees_of_freedom: float | None = Field(
        description="The degrees of freedom of the interval's t distribution (Satterthwaite's, and "
        "fewer with several draws); null if the two made the same predictions."
    )


class PairedTest(Record):
    """McNemar's exact test of two rungs on the same test texts, as a second opinion.

    Its null hypothesis is about the fitted models, not about the strategies.
    """

    only_first_right: float = Field(
        description="The number of rows that only the first rung predicted correctly, averaged "
        "over the seeds."
    )
    only_second_right: float = Field(
        description="The number of rows that only the second rung predicted correctly, averaged "
        "over the seeds."
    )
    p: float = Field(
        description="The p-value (McNemar's for one seed and different texts, otherwise an exact "
        "sign-flip test, in which the copies of a text count as one)."
    )
    p_corrected: float = Field(
        description="The p-value after Holm's correction for all pairs of rungs."
    )


class RungPair(Record):
    """The differences between two rungs on test: the first one minus the second one."""

    first: str = Field(description="The name of the first rung.")
    second: str = Field(description="The name of the second rung.")
    accuracy: Difference = Field(description="The difference in accuracy.")
    f1_macro: Difference = Field(description="The difference in macro F1.")
    loss: Difference = Field(
        description="The difference in cross-entropy, in nats. A positive value means that the "
        "first rung is worse."
    )
    test: PairedTest | None = Field(
        description="A paired test; null if the rungs have different numbers of seeds."
    )


class RungCost(FitCost):
    """The cost of a rung, averaged over its seeds."""

    latency: float | None = Field(
        description="Seconds for the prediction of one text; null unless it was measured "
        "(`cost = latency`)."
    )
    predicted: float | None = Field(
        description="The seconds that were predicted before the rung was run; null if they were "
        "not predicted."
    )


class Standing(Record):
    """The position of a rung relative to the best of the others, for a margin set beforehand."""

    decision: Literal["within", "worse", "undecided"] = Field(
        description="within: the rung is at most the margin below every other rung (`lower_bound` "
        "is above minus the margin); worse: it is below another rung (`upper_bound` is below 0); "
        "otherwise undecided. The two may both hold, and the rung is then within the margin."
    )
    best_other: str | None = Field(
        description="The rung with the highest accuracy on test among the others; null for a "
        "single rung."
    )
    below_best: Difference | None = Field(
        description="The accuracy of `best_other` minus that of this rung, with its own interval. "
        "It is positive if this rung is lower; null for a single rung."
    )
    lower_bound: float | None = Field(
        description="The smallest simultaneous lower bound of the accuracy of this rung minus that "
        "of another rung (Hsu's comparisons with the best), a share; null for a single rung."
    )
    upper_bound: float | None = Field(
        description="The smallest simultaneous upper bound of the accuracy of this rung minus that "
        "of another rung, a share; null for a single rung."
    )
    better: list[str] = Field(
        default=[],
        description="The rungs that are shown to be more accurate: the simultaneous upper bound of "
        "the accuracy of this rung minus that of the other one is below 0.",
    )
    texts_to_decide: int | None = Field(
        description="About how many test texts would decide about this rung, with the observed "
        "disagreement; null if it is decided or if more texts would not decide."
    )
    seeds_to_decide: int | None = Field(
        description="About how many seeds would decide about this rung, on the same test texts; "
        "null if it is decided, with one seed, with several draws, or if more seeds would not "
        "decide."
    )
    draws_to_decide: int | None = Field(
        default=None,
        description="About how many draws of the training rows would decide about this rung, on "
        "the same test texts and without common rows; null if it is decided, with one draw, or if "
        "more draws would not decide.",
    )


class NestedScore(Record):
    """The accuracy on validation when every choice is made on other validation texts.

    The validation texts are divided into two halves, and all copies of a text lie in one half. The
    epoch or the penalty is chosen on one half and scored on the other, both ways.
    """

    value: float = Field(
        description="The accuracy, a share from 0 to 1, averaged over the seeds of draw 0."
    )
    standard_error: float = Field(description="Its standard error over texts, a share.")


class RungRun(Record):
    """The part of a run's record that the ladder contains."""

    seed: int = Field(description="The seed of the run.")
    draw: int = Field(default=0, description="The draw of its training rows, counting from 0.")
    run: str = Field(description="The path of the run's folder, within the ladder's.")
    features: list[int] = Field(description="The stages whose pooled states the head reads.")
    test: MainScores = Field(description="The scores on test.")
    validation: MainScores = Field(description="The scores on validation.")
    history: list[FitEpoch] = Field(
        description="The evaluations of a training by epochs; empty for an exact fit."
    )
    seconds: FitSeconds = Field(description="The duration of each part of the run.")
    cost: FitCost = Field(description="The seconds of the run as if it had run alone.")
    peak_memory_bytes: int = Field(description="The peak resident memory during the run, in bytes.")
    proof: Proof = Field(description="The proof that the artifact can be loaded.")


class RungRecord(Record):
    """A rung: one strategy on one backbone, over all draws and seeds.

    Scores and costs are averaged over the seeds of each draw, and then over the draws.
    """

    rung: str = Field(description="The name of the rung.")
    backbone: str | None = Field(
        description="The name of the backbone, or its folder; null if the strategy reads none."
    )
    strategy: str = Field(description="The strategy, with all its parameters.")
    line: int | None = Field(
        description="The thaw line: the stages before it are frozen; null without a backbone."
    )
    head: str = Field(description="The head: linear, mlp:N or native.")
    pooling: str | None = Field(
        description="How token states are combined: first, last or mean; null without a backbone."
    )
    epochs: int | None = Field(description="The planned number of epochs; null for an exact fit.")
    lr: float | None = Field(description="The highest learning rate; null for an exact fit.")
    parameters: FitParameters = Field(description="Parameter counts.")
    test: MeanScores = Field(description="The scores on test, averaged over the runs.")
    validation: MeanScores = Field(description="The scores on validation, averaged over the runs.")
    nested: NestedScore = Field(
        description="The accuracy on validation by which the run to use is chosen."
    )
    cost: RungCost = Field(description="The cost of a run, averaged over the runs.")
    standing: Standing = Field(
        description="The position on test relative to the best of the others."
    )
    peak_memory_bytes: int = Field(
        description="The largest peak resident memory of its runs, in bytes."
    )
    runs: list[RungRun] = Field(description="The runs, one for each draw and seed.")


class Verdict(Record):
    """The cheapest rung that is within the margin of all others on test."""

    rung: str | None = Field(
        description="The name of the rung; null if no rung is shown to be within the margin."
    )
    margin: float = Field(
        description="The margin, a share of accuracy: a rung that is less than this below the best "
        "one is as good for the user's purpose. It is set before test is read."
    )
    confidence: float = Field(
        description="The confidence level of all intervals, and of all decisions together."
    )
    cost: Literal["seconds", "parameters", "latency"] = Field(
        description="The cost by which rungs are compared: `cost.seconds`, "
        "`parameters.trainable` or `cost.latency` of a rung."
    )
    about: Literal["models", "strategies", "new_rows"] = Field(
        description="What the differences hold for: these fitted models (a strategy has one seed), "
        "the strategies with new seeds on these training rows (all have several seeds), or the "
        "strategies with new seeds on new training rows of this number (several draws)."
    )
    words: str = Field(description="The verdict in sentences.")


class Chosen(Record):
    """The run to use. It was chosen on validation, so its test scores are unbiased."""

    rung: str = Field(description="The name of the rung.")
    seed: int = Field(description="The seed of the run.")
    run: str = Field(description="The name of the run's folder, within the ladder's.")
    score: float = Field(
        description="The accuracy of its rung on validation, by the nested choice."
    )
    standard_error: float = Field(
        description="The standard error of the best such score among all rungs."
    )
    by: str = Field(description="The rule by which the run was chosen.")


class FailedRun(Record):
    """A run that failed. The other runs were made and compared without it."""

    rung: str = Field(description="The name of the rung.")
    seed: int = Field(description="The seed of the run.")
    draw: int = Field(default=0, description="The draw of its training rows, counting from 0.")
    error: str = Field(description="The type and message of the error.")


class LeftOut(Record):
    """A rung that was not run."""

    rung: str = Field(description="The name of the rung.")
    predicted: float | None = Field(
        description="The predicted seconds of all its runs; null if it cannot run on its backbone."
    )
    reason: str = Field(description="Why it was not run.")


class DrawnRows(Record):
    """The draws of the training rows that are compared. They share the test rows."""

    draws: list[int] = Field(
        description="The numbers of the draws. Draws that some rung has not finished are left out."
    )
    rows: int = Field(description="The number of rows of train and validation in each draw.")
    overlap: float = Field(
        description="The share of these rows that two draws have in common, as the mean over all "
        "pairs."
    )
    separate: int = Field(
        description="The largest number of draws of this size without common rows."
    )


class Comparison(Record):
    """The results of a ladder's runs, and their comparison."""

    rungs: list[RungRecord] = Field(
        description="The rungs with at least one finished run, in the order of the settings."
    )
    pairs: list[RungPair] = Field(description="The differences of every pair of rungs on test.")
    verdict: Verdict = Field(
        description="The cheapest rung that is within the margin of all others on test."
    )
    chosen: Chosen = Field(description="The run to use, which was chosen on validation alone.")
    drawn: DrawnRows | None = Field(
        default=None,
        exclude_if=is_none,
        description="The draws of the training rows; missing if there is one.",
    )
    failed: list[FailedRun] = Field(default=[], description="The runs that failed.")
    left_out: list[LeftOut] = Field(default=[], description="The rungs that were not run.")
