"""The measurements during a training."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record, is_none


class EpochRow(Record):
    """One evaluation during a training by epochs."""

    epoch: int | float = Field(
        description="The number of epochs so far: 0 before training, 1.5 in the middle of the "
        "second epoch."
    )
    step: int = Field(description="The number of optimiser steps so far.")
    train_loss: float | None = Field(
        description="The mean training loss since the previous evaluation, in nats; null at step 0."
    )
    train_accuracy: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="The share of correct predictions in training since the previous evaluation, "
        "with dropout and with the weights of each step; missing at step 0, where it is not "
        "counted, and in records of earlier versions.",
    )
    validation_loss: float = Field(description="The mean cross-entropy on validation, in nats.")
    validation_accuracy: float = Field(
        description="The share of correct predictions on validation, from 0 to 1."
    )
    lr: float | None = Field(description="The learning rate of AdamW or SGD; null at step 0.")
    seconds: float | None = Field(
        description="Seconds of training since the previous evaluation; null at step 0."
    )
    kept: bool = Field(description="Whether the final model has the weights of this evaluation.")


class FitEpoch(EpochRow):
    """One evaluation while a classifier is trained."""

    validation_f1_macro: float = Field(description="Macro F1 on validation, a share from 0 to 1.")
    stages: int | None = Field(
        default=None,
        exclude_if=is_none,
        description="The number of stages that trained since the start of the epoch, from the top "
        "down (gradual); missing for other strategies.",
    )


class AdaptationEpoch(EpochRow):
    """One evaluation on held-out texts while a backbone is trained on its own objective."""

    validation_perplexity: float = Field(
        description="The exponential of the validation loss: per masked or per next token."
    )


class LanguageScores(Record):
    """The scores of a language model on the held-out texts."""

    validation_loss: float = Field(description="The mean cross-entropy of a token, in nats.")
    validation_accuracy: float = Field(
        description="The share of tokens that were predicted correctly, from 0 to 1."
    )
    validation_perplexity: float = Field(description="The exponential of the loss.")
    validation_bits_per_byte: float = Field(
        description="Bits per byte of UTF-8, which can be compared between tokenizers."
    )


class PretrainEpoch(EpochRow):
    """One evaluation on the held-out texts while a language model is trained."""

    validation_perplexity: float = Field(description="The exponential of the validation loss.")
    validation_bits_per_byte: float = Field(
        description="Bits per byte of UTF-8, which can be compared between tokenizers."
    )


class ExactFitStep(Record):
    """One candidate of the exact fit of a linear head."""

    stages: list[int] = Field(
        description="The stages whose pooled states the head reads; empty for TF-IDF alone."
    )
    penalty: float | None = Field(
        description="The L2 penalty on the weights of standardised features, per text; null for "
        "TF-IDF alone."
    )
    words_penalty: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="The L2 penalty on the weights of TF-IDF features, per text; missing if the "
        "head reads no words.",
    )
    loss: float = Field(description="The mean cross-entropy on validation, in nats.")
    accuracy: float = Field(description="Accuracy on validation, a share from 0 to 1.")
    f1_macro: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="Macro F1 on validation, a share from 0 to 1; missing in records of earlier "
        "versions.",
    )
    gradient_norm: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="The Euclidean norm of the gradient of the penalised training loss at these "
        "weights; missing in records of earlier versions. It is at most `exact.tolerance` for the "
        "chosen head, and larger for the others.",
    )
    iterations: int | None = Field(
        default=None,
        exclude_if=is_none,
        description="The number of Newton iterations; missing in records of earlier versions.",
    )


class KeptEpoch(Record):
    """The evaluation that the final weights are taken from, in a training by epochs."""

    epoch: int | float = Field(description="The number of epochs at that evaluation.")
    step: int = Field(description="The number of optimiser steps at that evaluation.")
    by: str = Field(
        description="The criterion of the choice (training.keep): accuracy, f1_macro, loss or last."
    )
    last: int | float = Field(
        description="The number of epochs at the last evaluation; fewer than `epochs` if the "
        "training stopped early."
    )
    epochs: int | None = Field(description="The planned number of epochs.")


class StoreReference(Record):
    """The entry of the store that holds the frozen states of a run."""

    entry: str = Field(description="The name of the entry, in hexadecimal.")
    sha256: str = Field(description="A SHA-256 over the stored states of the run's texts.")


class HeadFirst(Record):
    """The training of the head before the strategy that follows it (lp+S)."""

    choice: list[ExactFitStep] = Field(
        description="The candidates of the exact fit; empty if the head was trained by epochs."
    )
    history: list[FitEpoch] = Field(
        description="The evaluations of a training by epochs; empty for an exact fit."
    )
    store: StoreReference | None = Field(
        description="The stored states that the head was trained on; null if they are not stored."
    )


class Parameters(Record):
    """Parameter counts of a model."""

    trainable: int = Field(description="The number of parameters that are trained.")
    frozen: int = Field(description="The number of parameters that are frozen.")
    total: int = Field(description="The number of all parameters.")


class FitParameters(Parameters):
    """Parameter counts of a fitted classifier."""

    trained: dict[str, int] = Field(
        description="The trained parameters by part: head, words, and backbone or adapters."
    )


class FitSeconds(Record):
    """The duration of a fit, in seconds.

    If the run was resumed, the parts are those of the last start.
    """

    tokenising: float = Field(description="Seconds spent on tokenising texts.")
    prefix: float = Field(
        description="Seconds spent on the frozen pass, including writes to the store."
    )
    tapt: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="Seconds spent on training the backbone on its own objective, or on loading "
        "it if it was trained before (tapt+S); missing for other strategies.",
    )
    head_first: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="Seconds spent on training the head before the strategy (lp+S); missing for "
        "other strategies.",
    )
    training: float = Field(
        description="Seconds spent on training, including evaluations on validation."
    )
    evaluation: float = Field(description="Seconds spent on scoring validation and test.")
    total: float = Field(
        description="Seconds of the complete run over all its starts, including work that is not "
        "listed."
    )


class FitCost(Record):
    """The seconds of a fit as if it had run alone, without interruption, with an empty store."""

    seconds: float = Field(
        description="All seconds of the fit. States that were in the store count with the seconds "
        "that their computation took, as does an adapted backbone (tapt+S) of an earlier run. "
        "Training in earlier starts of the run is included, but not work that an interruption lost."
    )
    prefix: float = Field(
        description="The part of `seconds` spent on tokenising and on the frozen pass over all "
        "texts."
    )
    training: float = Field(
        description="The part of `seconds` spent on training, including evaluations on validation, "
        "on training the head first (lp+S), and on the backbone's own objective (tapt+S)."
    )
