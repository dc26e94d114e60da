"""The record of ``thawline fit``."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record
from thawline.runs.records.data import FitData, LabelNames, Survey
from thawline.runs.records.mistakes import Mistakes, Sample
from thawline.runs.records.run import Finished, Proof, RunStart, StartedRun
from thawline.runs.records.scores import Scores
from thawline.runs.records.training import (
    ExactFitStep,
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
    strategy: str = Field(description="The strategy that it was trained with.")
    backbone: str = Field(description="The name of the backbone that it started from.")
    labels: list[str] = Field(description="The names of its classes.")


class BackboneReference(Record):
    """The backbone of a run."""

    name: str = Field(description="Its name, or its folder.")
    sha256: str = Field(description="A SHA-256 over its weights.")
    origin: BackboneOrigin | None = Field(
        description="The classifier that it was taken from; null for a pretrained model."
    )


class EncoderReference(Record):
    """The encoder that was built from word vectors (--backbone glove)."""

    vectors: str = Field(description="The word vectors: a name, a file, or random.")
    words: int = Field(description="The number of words in the vocabulary.")
    words_with_vectors: int = Field(description="How many of them have a vector in the file.")
    tokens: int = Field(description="The number of words in the train texts.")
    coverage: float | None = Field(
        description="The share of these, from 0 to 1, that have a vector; null for random vectors."
    )
    sha256: str = Field(description="A SHA-256 over the encoder's first weights.")


class FitPlan(Record):
    """What is known of a fit before it computes anything."""

    backbone: BackboneReference = Field(description="The backbone.")
    encoder: EncoderReference | None = Field(
        description="The encoder built from word vectors; null for any other backbone."
    )
    strategy: str = Field(description="The strategy, with all its parameters.")
    line: int = Field(description="The thaw line: the stages before it are frozen.")
    head: str = Field(description="The head: linear, mlp:N or native.")
    pooling: str = Field(description="How token states are combined: first, last or mean.")
    max_length: int = Field(description="The number of tokens that are kept of a text.")
    epochs: int | None = Field(
        description="The number of epochs that are planned; null for an exact fit."
    )
    lr: float | None = Field(description="The highest learning rate; null for an exact fit.")
    labels: LabelNames = Field(description="The classes.")
    data: FitData = Field(description="The data set, with the rows of each split.")
    preflight: Survey = Field(description="What a quick survey found in the data.")


class Density(Record):
    """The share of real tokens among all tokens computed, padding included."""

    prefix: float | None = Field(
        description="Of the frozen pass, from 0 to 1; null if it computed nothing."
    )
    training: float = Field(description="Of the training, from 0 to 1; 1 for pooled states.")


class PassSummary(Record):
    """What the frozen pass computed, and how fast."""

    texts: int = Field(description="Texts computed; those that the store held are not counted.")
    tokens: int = Field(description="Tokens computed, without padding.")
    device: str = Field(description="The device: cpu, cuda or mps.")
    dtype: str = Field(description="The floating-point type: float32 or bfloat16.")
    texts_per_second: float | None = Field(description="Texts per second; null without texts.")
    flops_per_second: float | None = Field(
        description="Floating-point operations of matrix products per second; null without texts."
    )
    matrix_rate: float | None = Field(
        description="The rate of this CPU for large square matrix products, in floating-point "
        "operations per second; null on a GPU."
    )
    share_of_matrix_rate: float | None = Field(
        description="flops_per_second as a share of matrix_rate; null if either is null."
    )


class FitFindings(Record):
    """What a fit found out about its classifier."""

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


class FitResults(Record):
    """What a fit leaves beside its scores."""

    features: list[int] = Field(description="The stages whose pooled states the head reads.")
    seconds: FitSeconds = Field(description="How long the parts of the fit took.")
    density: Density = Field(description="The share of real tokens in the batches.")
    prefix: PassSummary = Field(description="What the frozen pass computed.")
    store: StoreReference | None = Field(
        description="The stored states that were trained on; null if they are not stored."
    )
    history: list[FitEpoch] = Field(
        description="The evaluations of a training by epochs; empty for an exact fit."
    )
    choice: list[ExactFitStep] = Field(
        description="The candidates of the exact fit, in order; empty for a training by epochs."
    )
    head_first: HeadFirst | None = Field(
        description="How the head was trained first (lp+S); null for other strategies."
    )
    proof: Proof = Field(description="The proof that the artifact can be loaded.")
    peak_memory_bytes: int = Field(description="The peak resident memory of the process, in bytes.")
    plots: list[str] = Field(description="The paths of the plots.")
    artifact: str = Field(description="The path of the saved classifier.")


class StartedFit(FitPlan, StartedRun):
    """The record of a fit that has no results yet."""


class FitRecord(FitResults, FitFindings, FitPlan, RunStart, Finished):
    """The record of a finished fit."""
