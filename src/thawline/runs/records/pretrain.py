"""The record of ``thawline pretrain``."""

from __future__ import annotations

from pydantic import Field

from thawline.runs.records.base import Record, is_none
from thawline.runs.records.run import Finished, RunStart, StartedRun
from thawline.runs.records.training import LanguageScores, PretrainEpoch


class TextCounts(Record):
    """The number of texts that were read, and of those that are used."""

    read: int = Field(description="The number of texts in all sources.")
    copies: int = Field(description="The number of duplicates, which are dropped.")
    left_out: int = Field(
        description="The number of distinct texts that are left out because corpus.without "
        "contains them."
    )
    train: int = Field(description="The number of training texts.")
    held_out: int = Field(description="The number of held-out texts, which the model is scored on.")


class CorpusPart(Record):
    """The training texts or the held-out texts."""

    texts: int = Field(description="The number of texts.")
    bytes: int | None = Field(
        default=None,
        exclude_if=is_none,
        description="The total length of the texts in UTF-8, in bytes; missing until the run has "
        "finished.",
    )


class CorpusReference(Record):
    """The texts of a pretraining."""

    sha256: str = Field(description="A SHA-256 over all texts in their order.")
    sources: list[str] = Field(description="Descriptions of the sources that were read.")
    counts: TextCounts = Field(description="The numbers of texts.")
    train: CorpusPart = Field(description="The training texts.")
    held_out: CorpusPart = Field(description="The held-out texts.")


class TokenizerSummary(Record):
    """The tokenizer that was trained."""

    size: int = Field(description="The number of tokens in the vocabulary.")
    train_tokens: int = Field(description="The number of tokens in the training texts.")
    held_out_tokens: int = Field(description="The number of tokens in the held-out texts.")
    tokens_per_text: float = Field(description="The mean length of a training text, in tokens.")
    bytes_per_token: float = Field(
        description="The mean length of a token of the training texts, in bytes."
    )


class PretrainPlan(Record):
    """The part of a pretraining's record that is known before anything is computed."""

    corpus: CorpusReference = Field(description="The texts.")


class PretrainTraining(Record):
    """The part of a pretraining's record that describes the training."""

    tokenizer: TokenizerSummary = Field(description="The tokenizer.")
    device: str = Field(description="The device: cpu, cuda or mps.")
    dtype: str = Field(description="The type of matrix products: float32 or bfloat16.")
    parameters: int = Field(description="The number of all parameters.")
    block_parameters: int = Field(description="The number of parameters outside the embeddings.")
    steps: int = Field(description="The number of optimiser steps.")
    steps_per_epoch: int = Field(description="The number of optimiser steps in an epoch.")
    tokens: int = Field(description="The number of training tokens, over all epochs.")
    tokens_per_second: float | None = Field(
        description="The number of tokens per second of training; null if no time was measured."
    )
    history: list[PretrainEpoch] = Field(description="All evaluations on the held-out texts.")
    kept: PretrainEpoch = Field(description="The evaluation that the saved weights are taken from.")

    @property
    def training_seconds(self) -> float:
        """Seconds of training, over all starts of the run."""
        return sum(row.seconds or 0.0 for row in self.history)


class PretrainSeconds(Record):
    """The duration of each part of a pretraining, in seconds."""

    vocabulary: float = Field(description="Seconds spent on training or loading the tokenizer.")
    tokenising: float = Field(description="Seconds spent on tokenising texts.")
    training: float = Field(description="Seconds of training, over all starts of the run.")
    last_leg: float = Field(
        description="Seconds of training and evaluation since the run was last resumed."
    )
    total: float = Field(
        description="Seconds of the complete run over all its starts, including work that is not "
        "listed."
    )


class PretrainResults(Record):
    """The part of a pretraining's record that describes its cost and its files."""

    seconds: PretrainSeconds = Field(description="The duration of each part of the run.")
    peak_memory_bytes: int = Field(description="The peak resident memory of the process, in bytes.")
    saved: LanguageScores = Field(description="The scores of the saved model, in float16.")
    plots: list[str] = Field(description="The paths of the plots.")


class StartedPretraining(PretrainPlan, StartedRun):
    """The record of a pretraining that has no results yet."""


class PretrainRecord(PretrainResults, PretrainTraining, PretrainPlan, RunStart, Finished):
    """The record of a finished pretraining."""
