"""The JSON output of ``thawline info`` and ``thawline vectors``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from thawline.runs.records.base import Record, is_none
from thawline.runs.records.fit import BackboneOrigin
from thawline.runs.records.training import Parameters

CHOSEN_LATER: Literal["chosen on validation"] = "chosen on validation"


class StageSummary(Record):
    """A stage of a backbone."""

    stage: int = Field(description="The number of the stage; stage 0 is the embeddings.")
    name: str = Field(description="The name of the stage: embeddings, or block N.")
    parameters: int = Field(description="The number of parameters.")
    trainable: int = Field(description="The number of parameters that would be trained.")
    first_epoch: int | None = Field(
        default=None,
        exclude_if=is_none,
        description="The first epoch in which the stage is trained (gradual); missing for other "
        "strategies and for frozen stages.",
    )


class OperationsSummary(Record):
    """The floating-point operations that a fit must do for one long text.

    They are those of the matrix products in the blocks. The other operations are few.
    """

    tokens: int = Field(description="The number of tokens of the text, the maximum.")
    prefix: float = Field(
        description="The operations of the frozen pass, which reads the text once; 0 without "
        "frozen blocks."
    )
    training: float = Field(
        description="The operations of training on the text in one epoch; 0 if only the head is "
        "trained. With gradual they are the mean over the epochs."
    )


class InfoReport(Record):
    """The output of ``thawline info --json``: what a fit would train."""

    backbone: str | None = Field(
        description="The name of the backbone, or its folder; null for the strategy tfidf."
    )
    origin: BackboneOrigin | None = Field(
        description="The classifier that the backbone was taken from; null for a pretrained model."
    )
    family: str | None = Field(
        description="The model type, as transformers names it; null for tfidf."
    )
    hidden_size: int | None = Field(description="The size of a token state; null for tfidf.")
    max_length: int | None = Field(
        description="The maximum number of tokens per text; null for tfidf."
    )
    strategy: str = Field(description="The strategy, with all its parameters.")
    line: int | None = Field(
        description="The thaw line: the stages before it are frozen; null for tfidf."
    )
    head: str = Field(description="The head: linear, mlp:N or native.")
    pooling: str | None = Field(
        description="How token states are combined: first, last or mean; null for tfidf."
    )
    features: list[int] | Literal["chosen on validation"] = Field(
        description="The stages whose pooled states the head would read, or `chosen on validation`."
    )
    stages: list[StageSummary] = Field(description="The stages, from the embeddings up.")
    parameters: Parameters | None = Field(
        description="Parameter counts of the whole classifier, without the weights of words; null "
        "for tfidf, whose parameters depend on the texts."
    )
    operations: OperationsSummary | None = Field(
        description="The operations of a fit for a text of the maximum length; null for tfidf."
    )


class VectorsReport(Record):
    """The output of ``thawline vectors --json``."""

    file: str = Field(description="The file of word vectors.")
    method: str = Field(description="The training method: word2vec or fasttext.")
    words: int = Field(description="The number of words.")
    width: int = Field(description="The number of dimensions of a vector.")
    texts: int = Field(description="The number of training texts.")
