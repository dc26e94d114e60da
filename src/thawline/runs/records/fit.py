"""The record of ``thawline fit``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from thawline.runs.records.base import Record, is_empty, is_none
from thawline.runs.records.data import FitData, LabelNames, Survey
from thawline.runs.records.mistakes import Answer, Mistakes, Sample
from thawline.runs.records.run import Finished, Proof, RunStart, StartedRun
from thawline.runs.records.scores import Scores
from thawline.runs.records.training import (
    AdaptationEpoch,
    ExactFitStep,
    FitCost,
    FitEpoch,
    FitParameters,
    FitSeconds,
    HeadFirst,
    KeptEpoch,
    StoreReference,
)


class BackboneOrigin(Record):
    """The saved classifier that a backbone was taken from."""

    folder: str = Field(description="The folder of the saved classifier.")
    strategy: str = Field(description="The strategy that the classifier was trained with.")
    backbone: str = Field(description="The name of the backbone that the classifier started from.")
    labels: list[str] = Field(description="The names of the classifier's classes.")


class BackboneReference(Record):
    """The backbone of a run."""

    name: str = Field(description="The name of the backbone, or its folder.")
    sha256: str = Field(description="A SHA-256 over the weights.")
    origin: BackboneOrigin | None = Field(
        description="The classifier that the backbone was taken from; null for a pretrained model."
    )


class EncoderReference(Record):
    """The encoder that was built from word vectors (--backbone glove)."""

    vectors: str = Field(description="The word vectors: a name, a file, or random.")
    words: int = Field(description="The number of words in the vocabulary.")
    words_with_vectors: int = Field(
        description="The number of vocabulary words that have a vector in the file."
    )
    tokens: int = Field(description="The number of words in the train texts.")
    coverage: float | None = Field(
        description="The share of words in the train texts, from 0 to 1, that have a vector; null "
        "for random vectors."
    )
    sha256: str = Field(description="A SHA-256 over the initial weights of the encoder.")


class AdaptedBackbone(Record):
    """The training of the backbone on its own objective before the strategy (tapt+S)."""

    folder: str = Field(description="The folder of the adapted backbone, which runs share.")
    objective: Literal["masked tokens", "next token"] = Field(description="What it predicts.")
    pretrained_head: bool = Field(
        description="Whether the checkpoint had the head that predicts tokens. Otherwise the head "
        "started from random weights, with an output layer that shares those of the embeddings."
    )
    train: int = Field(description="The number of texts that it was trained on.")
    held_out: int = Field(description="The number of texts that the best weights were chosen on.")
    unlabelled: int = Field(description="The number of these texts that have no label.")
    removed: int = Field(
        description="The number of distinct texts that were left out, because they are copies of "
        "validation or test texts."
    )
    head_history: list[AdaptationEpoch] = Field(
        default=[],
        description="The evaluations on the held-out texts while a new head trained alone; empty "
        "if the checkpoint had the head, or if the head has no weights of its own.",
    )
    history: list[AdaptationEpoch] = Field(description="The evaluations on the held-out texts.")
    seconds: float = Field(description="Seconds of training over all its starts.")
    reused: bool = Field(
        default=False, description="Whether an earlier run had trained it already."
    )


class AlteredCopies(Record):
    """The altered copies of training texts that a fit was also trained on."""

    copies: int = Field(description="The number of copies of each training text.")
    texts: int = Field(description="The number of copies of all training texts.")
    changed: int = Field(description="The number of these copies that differ from their text.")
    lexicon: str | None = Field(
        description="The package with the synonyms; null if no word was replaced by a synonym."
    )


class FitPlan(Record):
    """The part of a fit's record that is known before anything is computed."""

    backbone: BackboneReference | None = Field(
        description="The backbone; null for the strategy tfidf, which has none."
    )
    encoder: EncoderReference | None = Field(
        description="The encoder built from word vectors; null for any other backbone."
    )
    strategy: str = Field(description="The strategy, with all its parameters.")
    tapt_digest: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="A digest of the backbone, the texts and the settings of tapt+S, which is the "
        "name of the adapted backbone's folder; missing for other strategies.",
    )
    line: int | None = Field(
        description="The thaw line: the stages before it are frozen; null for tfidf."
    )
    head: str = Field(description="The head: linear, mlp:N or native.")
    pooling: str | None = Field(
        description="How token states are combined: first, last or mean; null for tfidf."
    )
    max_length: int | None = Field(
        description="The maximum number of tokens per text; null for tfidf."
    )
    epochs: int | None = Field(description="The planned number of epochs; null for an exact fit.")
    lr: float | None = Field(description="The highest learning rate; null for an exact fit.")
    labels: LabelNames = Field(description="The classes.")
    data: FitData = Field(description="The data set, with the rows of each split.")
    preflight: Survey = Field(description="The report on the quick inspection of the data.")


class Density(Record):
    """The share of real tokens among all tokens computed, padding included."""

    prefix: float | None = Field(
        description="The share in the frozen pass, from 0 to 1; null if it computed nothing."
    )
    training: float = Field(
        description="The share in training, from 0 to 1; it is 1 for pooled states."
    )


class PassSummary(Record):
    """The work of the frozen pass, and its speed."""

    texts: int = Field(description="The number of computed texts, without those from the store.")
    from_store: int | None = Field(
        default=None,
        description="The number of distinct texts whose states were in the store already. Their "
        "last bits depend on the batches of the run that computed them. null in records of older "
        "versions.",
    )
    tokens: int = Field(description="The number of computed tokens, without padding.")
    device: str = Field(description="The device: cpu, cuda or mps.")
    dtype: str = Field(description="The floating-point type: float32 or bfloat16.")
    texts_per_second: float | None = Field(
        description="The number of texts per second; null if no text was computed."
    )
    flops_per_second: float | None = Field(
        description="Floating-point operations of matrix products per second; null if no text was "
        "computed."
    )
    matrix_rate: float | None = Field(
        description="The rate of this device for large square matrix products of this type, in "
        "floating-point operations per second, measured in this run; null if no block of the "
        "backbone ran."
    )
    share_of_matrix_rate: float | None = Field(
        description="flops_per_second as a share of matrix_rate; null if either is null."
    )


class SuffixSummary(Record):
    """The work of training blocks or adapters by epochs, and its speed.

    It includes the evaluations on validation. If the run was resumed, it is that of the last start.
    """

    operations: float = Field(
        description="Floating-point operations of the matrix products in the blocks, without "
        "padding."
    )
    flops_per_second: float = Field(description="Operations per second of training.")
    share_of_matrix_rate: float = Field(
        description="flops_per_second as a share of the matrix_rate in `prefix`."
    )


class FitFindings(Record):
    """The part of a fit's record that describes and scores the classifier."""

    parameters: FitParameters = Field(description="Parameter counts.")
    kept: KeptEpoch | None = Field(
        description="The evaluation that the final weights are taken from; null for an exact fit."
    )
    baseline: Scores = Field(description="The scores of the untrained classifier on test.")
    validation: Scores = Field(description="The scores of the trained classifier on validation.")
    test: Scores = Field(description="The scores of the trained classifier on test.")
    mistakes: Mistakes = Field(description="The mistakes on test.")
    samples: list[Sample] = Field(
        description="Some test texts with their predictions before and after training."
    )
    answers: list[Answer] = Field(
        default=[],
        exclude_if=is_empty,
        description="The texts of `report.show` and `report.show_file` with their predictions "
        "before and after training.",
    )
    warnings: list[str] = Field(
        default=[], exclude_if=is_empty, description="Likely problems with the classifier."
    )


class WordsSummary(Record):
    """The words and pairs of words that a classifier reads."""

    terms: int = Field(
        description="The number of distinct words and pairs of words that occur in at least two "
        "train texts."
    )
    penalty: float = Field(
        description="The chosen L2 penalty on the weights of TF-IDF features, per text."
    )


class FitResults(Record):
    """The part of a fit's record that describes its cost and its files."""

    features: list[int] = Field(
        description="The stages whose pooled states the head reads; empty for tfidf."
    )
    words: WordsSummary | None = Field(
        default=None,
        exclude_if=is_none,
        description="What tfidf and head+tfidf read; missing for other strategies.",
    )
    augmentation: AlteredCopies | None = Field(
        default=None,
        exclude_if=is_none,
        description="The altered copies of training texts (`training.augment`); missing if there "
        "were none.",
    )
    tapt: AdaptedBackbone | None = Field(
        default=None,
        exclude_if=is_none,
        description="The training of the backbone on its own objective (tapt+S); missing for other "
        "strategies.",
    )
    seconds: FitSeconds = Field(description="The duration of each part of the fit.")
    cost: FitCost | None = Field(
        default=None,
        exclude_if=is_none,
        description="The seconds of the fit as if it had run alone, without interruption, with an "
        "empty store; missing in records of older versions.",
    )
    density: Density = Field(description="The share of real tokens in the batches.")
    prefix: PassSummary = Field(description="The work of the frozen pass.")
    suffix: SuffixSummary | None = Field(
        default=None,
        exclude_if=is_none,
        description="The work of the training; missing if only a head was trained, and in records "
        "of older versions.",
    )
    store: StoreReference | None = Field(
        description="The stored states that the suffix was trained on; null if they are not stored."
    )
    history: list[FitEpoch] = Field(
        description="The evaluations of a training by epochs; empty for an exact fit."
    )
    choice: list[ExactFitStep] = Field(
        description="The candidates of the exact fit, in order; empty for a training by epochs."
    )
    head_first: HeadFirst | None = Field(
        description="The training of the head before the strategy (lp+S); null for other "
        "strategies."
    )
    proof: Proof = Field(description="The proof that the artifact can be loaded.")
    peak_memory_bytes: int = Field(description="The peak resident memory of the process, in bytes.")
    plots: list[str] = Field(description="The paths of the plots.")
    artifact: str = Field(description="The path of the saved classifier.")
    logits: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="A SHA-256 over the contents of `logits.safetensors`, in hexadecimal; missing "
        "in records of older versions, whose folder has no such file.",
    )


class StartedFit(FitPlan, StartedRun):
    """The record of a fit that has no results yet."""


class FitRecord(FitResults, FitFindings, FitPlan, RunStart, Finished):
    """The record of a finished fit."""
