"""What ``thawline info`` and ``thawline vectors`` print as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from thawline.runs.records.base import Record
from thawline.runs.records.fit import BackboneOrigin
from thawline.runs.records.training import Parameters

CHOSEN_LATER: Literal["chosen on validation"] = "chosen on validation"


class StageSummary(Record):
    """A stage of a backbone."""

    stage: int = Field(description="The number of the stage; 0 is the embeddings.")
    name: str = Field(description="embeddings, or block N.")
    parameters: int = Field(description="The number of its parameters.")
    trainable: int = Field(description="How many of them would be trained.")


class InfoReport(Record):
    """What ``thawline info --json`` prints: what a fit would train."""

    backbone: str = Field(description="The name of the backbone, or its folder.")
    origin: BackboneOrigin | None = Field(
        description="The classifier that it was taken from; null for a pretrained model."
    )
    family: str = Field(description="The model type, as transformers names it.")
    hidden_size: int = Field(description="The width of the token states.")
    max_length: int = Field(description="The number of tokens that would be kept of a text.")
    strategy: str = Field(description="The strategy, with all its parameters.")
    line: int = Field(description="The thaw line: the stages before it are frozen.")
    head: str = Field(description="The head: linear, mlp:N or native.")
    pooling: str = Field(description="How token states are combined: first, last or mean.")
    features: list[int] | Literal["chosen on validation"] = Field(
        description="The stages whose pooled states the head would read, or `chosen on validation`."
    )
    stages: list[StageSummary] = Field(description="The stages, from the embeddings up.")
    parameters: Parameters = Field(description="Parameter counts of the whole classifier.")


class VectorsReport(Record):
    """What ``thawline vectors --json`` prints."""

    file: str = Field(description="The file of word vectors.")
    method: str = Field(description="How they were trained: word2vec or fasttext.")
    words: int = Field(description="The number of words.")
    width: int = Field(description="The length of a vector.")
    texts: int = Field(description="The number of texts that were trained on.")
