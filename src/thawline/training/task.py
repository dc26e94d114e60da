"""One fit: what is adapted, to what, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from thawline.backbones.loading import Backbone
from thawline.config import Config
from thawline.data import LabelledTexts, Labels
from thawline.inference.examples import Examples
from thawline.inference.fitted import Fitted, Reading, native_classifier, own_classifier
from thawline.models.lora import Adapter
from thawline.runtime.progress import Reporter
from thawline.training.loop import Checkpoints, Row, train
from thawline.training.objectives import Classification, Labelled
from thawline.training.plan import Plan
from thawline.training.states import Frozen

Logits = Callable[[str], NDArray[np.float32]]
"""From the name of a part to its logits, ``(texts, labels)``."""


@dataclass(frozen=True)
class Task:
    """One fit: what is adapted, to what, and how.

    Attributes:
        backbone: pretrained.
        plan: from `make_plan`, for this backbone and config.
        config: the settings.
        labels: the classes.
        parts: labelled texts; ``train`` is trained on, ``validation`` chosen by.
        frozen: what the stages before the line say of all these texts.
    """

    backbone: Backbone
    plan: Plan
    config: Config
    labels: Labels
    parts: Mapping[str, LabelledTexts]
    frozen: Frozen

    def ids(self, part: str) -> Tensor:
        """Return the ids of a part's classes, ``(texts,)``."""
        return torch.from_numpy(self.parts[part].labels)

    def with_own_head(
        self, base: PreTrainedModel, head: nn.Sequential, stages: tuple[int, ...]
    ) -> PreTrainedModel:
        """Return the whole model: a base and a head that reads its raw features."""
        plan, dropout = self.plan, self.config.head.dropout
        return own_classifier(
            base, head, plan.head, dropout, self.labels, pooling=plan.pooling, stages=stages
        )

    def native(self, attention_dropout: float | None = None) -> PreTrainedModel:
        """Return the whole model with the family's own head, freshly drawn."""
        return native_classifier(self.backbone, self.labels, self.config.seed, attention_dropout)

    def finish(
        self, model: PreTrainedModel, stages: tuple[int, ...], adapter: Adapter | None = None
    ) -> Fitted:
        """Return the classifier around a trained model."""
        plan, side = self.plan, self.config.tokens.truncation_side
        pairs = isinstance(self.parts["train"].texts[0], tuple)
        return Fitted(
            model=model.eval(),
            tokenizer=self.backbone.tokenizer,
            labels=self.labels,
            reading=Reading(plan.max_length, side, plan.pooling, stages, pairs),
            head=plan.head,
            strategy=str(plan.strategy),
            backbone=self.backbone.name,
            adapter=adapter,
        )

    def objective(self, module: nn.Module, examples: Mapping[str, Examples]) -> Classification:
        """Return what the loop trains a module on, from the examples of train and validation."""
        return Classification(
            module,
            Labelled(examples["train"], self.ids("train")),
            Labelled(examples["validation"], self.ids("validation")),
            self.config.training,
            self.config.compute,
            n_classes=len(self.labels),
            seed=self.config.seed,
        )

    def train(
        self,
        objective: Classification,
        reporter: Reporter,
        checkpoints: Checkpoints | None,
        device: str,
    ) -> list[Row]:
        """Train by epochs, and keep what is best on validation."""
        config, plan = self.config, self.plan
        assert plan.epochs is not None
        assert plan.lr is not None
        return train(
            objective,
            config.training,
            epochs=plan.epochs,
            lr=plan.lr,
            device=device,
            reporter=reporter,
            checkpoints=checkpoints,
        )


@dataclass(frozen=True)
class TrainedFirst:
    """What came of the head's own training, before the strategy that follows it.

    Attributes:
        choice: the exact fit's path over penalties; empty otherwise.
        history: of a training by epochs, as `Adapted` has it; empty for an exact fit.
        seconds: of it, its evaluations on validation counted.
    """

    choice: list[dict[str, Any]]
    history: list[Row]
    seconds: float


@dataclass(frozen=True)
class Adapted:
    """What came of a task.

    Attributes:
        fitted: the classifier.
        untrained: gives the logits of a part before training; under the exact fit those of a
            head on the last stage.
        logits: gives those after it.
        parameters: ``trainable``, ``frozen`` and ``total``.
        history: one dict an evaluation, the first of the untrained model, or of the one whose head
            alone was trained first; empty for an exact fit.
        choice: the exact fit's path over features and penalties; empty otherwise.
        seconds: of training, its evaluations on validation counted.
        density: the share of real tokens among those that were trained on, padding counted.
        first: what came of the head's own training; None: there was none.
    """

    fitted: Fitted
    untrained: Logits
    logits: Logits
    parameters: dict[str, int]
    history: list[Row]
    choice: list[dict[str, Any]]
    seconds: float
    density: float
    first: TrainedFirst | None = None
