"""Adapt a backbone to labelled texts by a strategy: the engine under `fit`, in both its forms."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from thawline.backbones import Backbone, load_native
from thawline.config import Config
from thawline.configuration import ThawlineConfig
from thawline.data import LabelledTexts, Labels
from thawline.exact import fit_exactly
from thawline.fitted import Fitted, Reading, count_parameters, label_maps
from thawline.heads import NativeHead, Standardisation, build_head
from thawline.inference import head_logits
from thawline.modeling import ThawlineForSequenceClassification
from thawline.plan import Plan
from thawline.progress import Reporter
from thawline.store import Entry, Features
from thawline.training import HeadObjective, train


@dataclass(frozen=True)
class Task:
    """One fit: what is adapted, to what, and how.

    Attributes:
        backbone: with a frozen prefix.
        entry: holds the states of all texts of train and validation.
        plan: from `make_plan`, for this backbone and config.
        config: the settings.
        labels: the classes.
        train: what is trained on.
        validation: what is chosen by.
    """

    backbone: Backbone
    entry: Entry
    plan: Plan
    config: Config
    labels: Labels
    train: LabelledTexts
    validation: LabelledTexts

    def features(self, part: LabelledTexts, stages: Sequence[int]) -> Features:
        """Return a part's stored features."""
        return self.entry.features(part.texts, stages, self.plan.pooling)

    def with_own_head(self, head: nn.Sequential, stages: tuple[int, ...]) -> PreTrainedModel:
        """Return the whole model: the backbone and a head that reads its raw features."""
        config = ThawlineConfig(
            backbone=self.backbone.stack.model.config.to_dict(),
            head=str(self.plan.head),
            head_dropout=self.config.head.dropout,
            pooling=self.plan.pooling,
            stages=stages,
            pad_token_id=self.backbone.tokenizer.pad_token_id,
            **label_maps(self.labels),
        )
        return ThawlineForSequenceClassification.assemble(config, self.backbone.stack.model, head)

    def finish(self, model: PreTrainedModel, stages: tuple[int, ...]) -> Fitted:
        """Return the classifier around a trained model."""
        plan, side = self.plan, self.config.tokens.truncation_side
        pairs = isinstance(self.train.texts[0], tuple)
        return Fitted(
            model=model.eval(),
            tokenizer=self.backbone.tokenizer,
            labels=self.labels,
            reading=Reading(plan.max_length, side, plan.pooling, stages, pairs),
            head=plan.head,
            strategy=str(plan.strategy),
            backbone=self.backbone.name,
        )


@dataclass(frozen=True)
class UntrainedHead:
    """A freshly drawn head and the stages it reads: the baseline of every comparison."""

    head: nn.Module
    stages: tuple[int, ...]

    def logits(self, task: Task, part: LabelledTexts) -> NDArray[np.float32]:
        """Classify texts whose states are in the store; returns ``(texts, labels)``."""
        return head_logits(self.head, task.features(part, self.stages))


@dataclass(frozen=True)
class Adapted:
    """What came of a task.

    Attributes:
        fitted: the classifier.
        untrained: the head before training; under the exact fit one on the last stage.
        parameters: ``trainable``, ``frozen`` and ``total``.
        history: one dict an epoch, epoch 0 the untrained head; empty for an exact fit.
        choice: the exact fit's path over features and penalties; empty otherwise.
        seconds: of training, its evaluations on validation counted.
    """

    fitted: Fitted
    untrained: UntrainedHead
    parameters: dict[str, int]
    history: list[dict[str, Any]]
    choice: list[dict[str, Any]]
    seconds: float


def adapt(task: Task, reporter: Reporter) -> Adapted:
    """Train a head on stored states, to its optimum or by epochs, as the plan says."""
    start = time.perf_counter()
    train_head = _train_exactly if task.plan.exact else _train_by_epochs
    fitted, untrained, history, choice = train_head(task, reporter)
    return Adapted(
        fitted=fitted,
        untrained=untrained,
        parameters=count_parameters(fitted.model, task.plan.line),
        history=history,
        choice=choice,
        seconds=time.perf_counter() - start,
    )


_Trained = tuple[Fitted, UntrainedHead, list[dict[str, Any]], list[dict[str, Any]]]


def _train_exactly(task: Task, reporter: Reporter) -> _Trained:
    n_labels = len(task.labels)
    with reporter.task("exact fit", len(task.plan.candidates)) as advance:
        fit = fit_exactly(
            task.plan.candidates,
            (lambda stages: task.features(task.train, stages), _ids(task.train)),
            (lambda stages: task.features(task.validation, stages), _ids(task.validation)),
            n_labels,
            task.config.exact,
            standardise=task.config.head.standardise,
            advance=advance,
        )
    torch.manual_seed(task.config.seed)
    stack = task.backbone.stack
    fresh = build_head(task.plan.head, stack.hidden_size, n_labels, task.config.head.dropout)
    fitted = task.finish(task.with_own_head(fit.head, fit.stages), fit.stages)
    return fitted, UntrainedHead(fresh.eval(), (stack.depth,)), [], fit.path


def _train_by_epochs(task: Task, reporter: Reporter) -> _Trained:
    (stages,) = task.plan.candidates
    features = task.features(task.train, stages)
    if task.plan.head.kind == "native":
        return _train_native(task, stages, features, reporter)
    config = task.config
    torch.manual_seed(config.seed)
    head = build_head(task.plan.head, features.width, len(task.labels), config.head.dropout)
    blocks = features.blocks(config.exact.rows_per_block)
    scale = Standardisation.of(blocks) if config.head.standardise else Standardisation.none()
    untrained = UntrainedHead(scale.fold_into(head).eval(), stages)
    history = _run_loop(task, head, scale, features, stages, reporter)
    fitted = task.finish(task.with_own_head(scale.fold_into(head), stages), stages)
    return fitted, untrained, history, []


def _train_native(
    task: Task, stages: tuple[int, ...], features: Features, reporter: Reporter
) -> _Trained:
    model = load_native(task.backbone, len(task.labels), task.config.seed)
    model.config.update(label_maps(task.labels))
    head = NativeHead(model)  # shares the model's modules: what it learns, the model knows
    untrained = UntrainedHead(copy.deepcopy(head).eval(), stages)
    history = _run_loop(task, head, Standardisation.none(), features, stages, reporter)
    return task.finish(model, stages), untrained, history, []


def _run_loop(
    task: Task,
    head: nn.Module,
    scale: Standardisation,
    features: Features,
    stages: tuple[int, ...],
    reporter: Reporter,
) -> list[dict[str, Any]]:
    plan, config = task.plan, task.config
    objective = HeadObjective(
        head,
        scale,
        (features, _ids(task.train)),
        (task.features(task.validation, stages), _ids(task.validation)),
        batch_size=config.training.batch_size,
        seed=config.seed,
    )
    assert plan.epochs is not None
    assert plan.lr is not None
    return train(objective, config.training, epochs=plan.epochs, lr=plan.lr, reporter=reporter)


def _ids(part: LabelledTexts) -> Tensor:
    return torch.from_numpy(part.labels)
