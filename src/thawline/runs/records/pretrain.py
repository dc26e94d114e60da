"""The record of ``thawline pretrain``."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record, is_none
from thawline.runs.records.run import Finished, RunStart, StartedRun
from thawline.runs.records.training import LanguageScores, PretrainEpoch


class TextCounts(Record):
    """How many texts were read, and what became of them."""

    read: int = Field(description="Texts read from all sources.")
    copies: int = Field(description="Texts that are equal to another one, and read once.")
    left_out: int = Field(description="Distinct texts that corpus.without leaves out.")
    train: int = Field(description="Texts to train on.")
    held_out: int = Field(description="Texts held out to measure on.")


class CorpusPart(Record):
    """The texts that are trained on, or those that are held out."""

    texts: int = Field(description="The number of texts.")
    bytes: int | None = Field(
        default=None,
        exclude_if=is_none,
        description="Their length in UTF-8, in bytes; missing until the run has finished.",
    )


class CorpusReference(Record):
    """The texts of a pretraining."""

    sha256: str = Field(description="A SHA-256 over all texts in their order.")
    sources: list[str] = Field(description="The sources that were read, in words.")
    counts: TextCounts = Field(description="How many texts were read.")
    train: CorpusPart = Field(description="The texts to train on.")
    held_out: CorpusPart = Field(description="The texts held out to measure on.")


class TokenizerSummary(Record):
    """The tokenizer that was trained."""

    size: int = Field(description="The number of tokens in the vocabulary.")
    train_tokens: int = Field(description="The number of tokens to train on.")
    held_out_tokens: int = Field(description="The number of tokens held out.")
    tokens_per_text: float = Field(description="The mean length of a train text, in tokens.")
    bytes_per_token: float = Field(description="The mean length of a train token, in bytes.")


class PretrainPlan(Record):
    """What is known of a pretraining before it computes anything."""

    corpus: CorpusReference = Field(description="The texts.")


class PretrainTraining(Record):
    """What the training of a language model came to."""

    tokenizer: TokenizerSummary = Field(description="The tokenizer.")
    device: str = Field(description="The device: cpu, cuda or mps.")
    dtype: str = Field(description="The type of matrix products: float32 or bfloat16.")
    parameters: int = Field(description="The number of all parameters.")
    block_parameters: int = Field(description="The number of parameters outside the embeddings.")
    steps: int = Field(description="Optimiser steps taken.")
    steps_per_epoch: int = Field(description="Optimiser steps in an epoch.")
    tokens: int = Field(description="Tokens trained on, over all epochs.")
    tokens_per_second: float | None = Field(
        description="Tokens trained on per second of training; null if no time was measured."
    )
    history: list[PretrainEpoch] = Field(description="All evaluations on the held-out texts.")
    kept: PretrainEpoch = Field(description="The evaluation that the saved weights are taken from.")

    @property
    def training_seconds(self) -> float:
        """The seconds of training, over all starts of the run."""
        return sum(row.seconds or 0.0 for row in self.history)


class PretrainSeconds(Record):
    """How long the parts of a pretraining took, in seconds."""

    vocabulary: float = Field(description="Seconds spent on training or loading the tokenizer.")
    tokenising: float = Field(description="Seconds spent on tokenising texts.")
    training: float = Field(description="Seconds of training, over all starts of the run.")
    last_leg: float = Field(
        description="Seconds of training and evaluation since the run was last resumed."
    )
    total: float = Field(description="Seconds of the whole job since it was last resumed.")


class PretrainResults(Record):
    """What a pretraining leaves beside its training."""

    seconds: PretrainSeconds = Field(description="How long the parts of the run took.")
    peak_memory_bytes: int = Field(description="The peak resident memory of the process, in bytes.")
    saved: LanguageScores = Field(description="The scores of the saved model, in float16.")
    plots: list[str] = Field(description="The paths of the plots.")


class StartedPretraining(PretrainPlan, StartedRun):
    """The record of a pretraining that has no results yet."""


class PretrainRecord(PretrainResults, PretrainTraining, PretrainPlan, RunStart, Finished):
    """The record of a finished pretraining."""
