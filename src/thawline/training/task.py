"""The input and the result of one training."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from thawline.backbones.loading import Backbone
from thawline.config import Config
from thawline.data import LabelledTexts, Labels, Text
from thawline.data.lengths import Tokenization, WordCount, count_tokens
from thawline.errors import in_words
from thawline.inference.examples import Examples
from thawline.inference.fitted import (
    AnyFitted,
    Fitted,
    native_classifier,
    own_classifier,
)
from thawline.inference.reading import Reading
from thawline.inference.words import Words
from thawline.models.lora import Adapter
from thawline.runs.records import WordsSummary
from thawline.runtime.progress import Reporter
from thawline.runtime.randomness import RandomStream
from thawline.training.evaluated import EvaluatedLogits
from thawline.training.kept import Row
from thawline.training.loop import Checkpoints, train
from thawline.training.objectives import Classification, Labelled
from thawline.training.plan import Plan, WordsPlan
from thawline.training.states import FrozenStates
from thawline.training.thawing import Thawing
from thawline.training.weighting import Weighting

Logits = Callable[[str], NDArray[np.float32]]
"""A function from the name of a split to its logits, ``(texts, labels)``."""


class _Weighted:
    """The class ids of the splits, and the weights of the training texts."""

    config: Config
    labels: Labels
    parts: Mapping[str, LabelledTexts]
    row_weights: Tensor | None
    class_weights: Tensor | None
    copies: int

    @property
    def original_texts(self) -> list[Text]:
        """The training texts without their altered copies."""
        texts = self.parts["train"].texts
        return texts[: len(texts) // (self.copies + 1)]

    def weighting(self) -> Weighting:
        """Return the weights of the training texts and classes in the loss."""
        return Weighting.of(
            self.ids("train"),
            len(self.labels),
            self.config.training,
            self.row_weights,
            self.class_weights,
        )

    def ids(self, part: str) -> Tensor:
        """Return the class ids of a split, ``(texts,)``."""
        return torch.from_numpy(self.parts[part].labels)

    @property
    def pairs(self) -> bool:
        """Whether the texts are pairs."""
        return isinstance(self.parts["train"].texts[0], tuple)


@dataclass(frozen=True)
class WordsTask(_Weighted):
    """The input of a training without a backbone. The attributes are those of `Task`."""

    plan: WordsPlan
    config: Config
    labels: Labels
    parts: Mapping[str, LabelledTexts]
    row_weights: Tensor | None = None
    class_weights: Tensor | None = None
    copies: int = 0

    def lengths(self, part: str) -> NDArray[np.int64]:
        """Return the number of words of each text of a split, ``(texts,)``."""
        return count_tokens(self.parts[part].texts, WordCount())


@dataclass(frozen=True)
class Task(_Weighted):
    """The input of one training.

    Attributes:
        backbone: The pretrained backbone.
        plan: The plan, from `make_plan` for this backbone and config.
        config: The settings.
        labels: The classes.
        parts: The labelled texts of each split. The model is trained on ``train``, and every
            choice is made on ``validation``.
        frozen: The outputs of the stages before the line for all these texts.
        row_weights: The weight of each training text in the loss, ``(texts,)``. If None, all texts
            weigh the same.
        class_weights: The weight of each class in the loss, ``(classes,)``. If None, that of
            ``training.class_weights``.
        copies: The number of altered copies of each training text. They follow the texts in
            ``train``.
    """

    objective_type: ClassVar[type[Classification]] = Classification
    """The objective of the training loop, which a benchmark replaces."""

    backbone: Backbone
    plan: Plan
    config: Config
    labels: Labels
    parts: Mapping[str, LabelledTexts]
    frozen: FrozenStates
    row_weights: Tensor | None = None
    class_weights: Tensor | None = None
    copies: int = 0

    def lengths(self, part: str) -> NDArray[np.int64]:
        """Return the number of tokens of each text before truncation, ``(texts,)``.

        Only texts that may have been truncated are tokenised again.

        Args:
            part: The name of the split.
        """
        texts, max_length = self.parts[part].texts, self.plan.max_length
        lengths = self.frozen.lengths(part)
        full = np.flatnonzero(lengths == max_length)
        side = self.config.tokens.truncation_side
        tokenization = Tokenization(self.backbone.tokenizer, max_length, side)
        lengths[full] = count_tokens([texts[position] for position in full], tokenization)
        return lengths

    def with_own_head(
        self, base: PreTrainedModel, head: nn.Sequential, stages: tuple[int, ...]
    ) -> PreTrainedModel:
        """Return the complete model: a base model and a head that reads its features.

        Args:
            base: The base model.
            head: The head, for features that are not standardised.
            stages: The stages that the head reads.
        """
        plan = self.plan
        dropout = plan.head.dropout(self.config.head.dropout)
        return own_classifier(
            base, head, plan.head, dropout, self.labels, pooling=plan.pooling, stages=stages
        )

    def native(self, attention_dropout: float | None = None) -> PreTrainedModel:
        """Return the complete model with the family's own head, randomly initialised.

        Args:
            attention_dropout: Dropout of the attention weights. If None, the model's own.
        """
        return native_classifier(self.backbone, self.labels, self.config.seed, attention_dropout)

    def finish(
        self,
        model: PreTrainedModel,
        stages: tuple[int, ...],
        adapter: Adapter | None = None,
        words: Words | None = None,
    ) -> Fitted:
        """Return the classifier around a trained model.

        Args:
            model: The complete model.
            stages: The stages that the head reads.
            adapter: The adapters in the backbone. None if there are none.
            words: The linear layer on TF-IDF features. None if there is none.
        """
        plan, side = self.plan, self.config.tokens.truncation_side
        return Fitted(
            model=model.eval(),
            tokenizer=self.backbone.tokenizer,
            labels=self.labels,
            reading=Reading(plan.max_length, side, plan.pooling, stages, self.pairs),
            head=plan.head,
            strategy=str(plan.strategy),
            backbone=self.backbone.name,
            adapter=adapter,
            words=words,
        )

    def objective(
        self,
        module: nn.Module,
        examples: Mapping[str, Examples],
        random: RandomStream | None = None,
    ) -> Classification:
        """Return the objective of the training loop.

        Args:
            module: The module that is trained.
            examples: The examples of ``train`` and ``validation``.
            random: The random numbers for dropout. If None, a stream with the seed of the config.
        """
        return self.objective_type(
            module,
            Labelled(examples["train"], self.ids("train")),
            Labelled(examples["validation"], self.ids("validation")),
            self.weighting(),
            self.config.training,
            self.config.compute,
            seed=self.config.seed,
            random=random,
        )

    def train(
        self,
        objective: Classification,
        reporter: Reporter,
        checkpoints: Checkpoints | None,
        device: str,
        thawing: Thawing | None = None,
    ) -> list[Row]:
        """Train by epochs and keep the weights of the best evaluation on validation.

        Args:
            objective: The objective, from `objective`.
            reporter: Receives progress.
            checkpoints: Saves the state of the training. If None, nothing is saved.
            device: The device of the training.
            thawing: The stages that train in each epoch. If None, all trainable parameters.

        Returns:
            One row for each evaluation.
        """
        config, plan = self.config, self.plan
        assert plan.epochs is not None
        assert plan.lr is not None
        head_first = plan.first is not None
        history = train(
            objective,
            config.training,
            epochs=plan.epochs,
            lr=plan.lr,
            device=device,
            reporter=reporter,
            checkpoints=checkpoints,
            start_is_trained=head_first,
            thawing=thawing,
        )
        if history[0]["kept"] and not head_first:
            warning = (
                "no epoch is better on validation than the untrained classifier, which is kept. "
                "Use other settings, for example another `training.lr` or more `training.epochs`."
            )
            warnings.warn(in_words(warning), stacklevel=2)
        return history


def with_kept_logits(logits: Logits, evaluated: EvaluatedLogits, history: Sequence[Row]) -> Logits:
    """Return a function for logits that does not compute those of the kept evaluation again.

    Args:
        logits: Computes the logits of a split after training.
        evaluated: The logits of the evaluations on validation.
        history: One row for each evaluation.
    """
    kept = evaluated.of([row["kept"] for row in history].index(True))
    return lambda part: logits(part) if part != "validation" or kept is None else kept


@dataclass(frozen=True)
class TrainedFirst:
    """The result of training the head alone before the strategy that follows.

    Attributes:
        choice: The path of the exact fit over penalties; empty otherwise.
        history: The history of a training by epochs, as in `Adapted`; empty for an exact fit.
        seconds: Duration of the training, including evaluations on validation.
    """

    choice: list[dict[str, Any]]
    history: list[Row]
    seconds: float


@dataclass(frozen=True)
class Adapted:
    """The result of training on a task.

    Attributes:
        fitted: The classifier.
        untrained: Computes the logits of a split before training. For the exact fit these are the
            logits of a randomly initialised head on the stages that the user gave, or on the last.
            Without a backbone, they are the logarithms of the shares of the classes in train.
        logits: Computes the logits of a split after training.
        parameters: The numbers of ``trainable``, ``frozen`` and ``total`` parameters.
        history: One row for each evaluation. The first row is that of the untrained model, or of
            the model whose head was trained first. Empty for an exact fit.
        choice: The path of the exact fit over features and penalties; empty otherwise.
        seconds: Duration of the training, including evaluations on validation.
        density: The share of tokens in training batches that are not padding.
        candidates: The validation logits of each candidate, ``(candidates, texts, labels)``: of
            each row of ``history`` or of each step of ``choice``. There are none if they are too
            large to be kept.
        operations: Floating-point operations of the matrix products in the blocks, in training and
            in the evaluations on validation, without padding. If the training was resumed, of the
            last start. None if no block ran, because only a head was trained.
        first: The result of training the head first. None if it was not trained first.
        words: What the classifier reads of words. None if it reads only states.
    """

    fitted: AnyFitted
    untrained: Logits
    logits: Logits
    parameters: dict[str, int]
    history: list[Row]
    choice: list[dict[str, Any]]
    seconds: float
    density: float
    candidates: NDArray[np.float16]
    operations: float | None = None
    first: TrainedFirst | None = None
    words: WordsSummary | None = None
