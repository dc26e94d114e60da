"""Train with the settings of a trial and score the result on validation, from shared states."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thawline.backbones.loading import Backbone
from thawline.backbones.opening import open_backbone
from thawline.config import Config
from thawline.data import Dataset, LabelledTexts
from thawline.evaluation.confusion import averages, count_confusion
from thawline.evaluation.metrics import log_probabilities
from thawline.pretraining.tapt import Adaptation, adapt_backbone, plan_adaptation
from thawline.runtime.progress import Reporter
from thawline.store import Features
from thawline.strategies import Tapt, parse_strategy
from thawline.training.adapt import adapt
from thawline.training.features import feature_bytes, memory_limit
from thawline.training.loop import Checkpoints
from thawline.training.preparation import Prepared, PreparedWords, prepare
from thawline.training.states import FrozenStates, run_prefix
from thawline.training.task import Adapted, Task, WordsTask
from thawline.tuning.defaults import Known

SCORES = {"accuracy": "accuracy", "f1_macro": "f1_macro", "loss": "loss", "last": "accuracy"}
"""The validation score of a trial, by the value of ``training.keep``."""


@dataclass(frozen=True)
class StatesInMemory(FrozenStates):
    """Frozen states whose pooled states stay in memory, in fp32, for all trials.

    Attributes:
        limit: The maximum size of the features in memory, in bytes. Others are read again.
        kept: The features by split, stages and pooling.
    """

    limit: int = 0
    kept: dict[Any, Features] = field(default_factory=dict)

    def of_head(self) -> FrozenStates:
        """Return the pooled states alone, which the training of the head reads."""
        if "head" not in self.kept:
            head = replace(self, entry=self.pooled, examples={}, pooled=None, kept={})
            self.kept["head"] = head  # type: ignore[assignment]
        return self.kept["head"]  # type: ignore[return-value]

    def features(self, split: str, stages: Sequence[int], pooling: str) -> Features:
        """Return the pooled states of a split. The arguments are those of `FrozenStates`."""
        key = split, tuple(stages), pooling
        if key not in self.kept:
            features = super().features(split, stages, pooling)
            size = feature_bytes(features, fast=False)
            used = sum(feature_bytes(one, fast=False) for one in self._features())
            if used + size > self.limit:
                return features
            self.kept[key] = _FeaturesInMemory(features)
        return self.kept[key]

    def _features(self) -> list[Features]:
        return [one for one in self.kept.values() if isinstance(one, Features)]


class _FeaturesInMemory(Features):
    """The same features as one tensor in fp32, ``(texts, width)``."""

    def __init__(self, features: Features) -> None:
        self._states = features.take(torch.arange(len(features)))
        self.width = features.width

    def __len__(self) -> int:
        return len(self._states)

    def take(self, positions: Tensor) -> Tensor:
        """Return the features of the texts at these positions, ``(positions, width)``."""
        return self._states[positions]


@dataclass(frozen=True)
class Outcome:
    """The result of a trial.

    Attributes:
        score: The validation score that `SCORES` names.
        logits: The logits on validation, ``(texts, labels)``.
    """

    score: float
    logits: NDArray[np.float32]


class Trainer:
    """Train on the train split and score on validation. The test split is never used.

    Backbones, the states of the texts at each line and the features of heads are shared by
    all trials.

    Args:
        dataset: The data set. Its test split may be empty.
        reporter: Shows the progress of the frozen pass.
        test: The rows of test, whose copies are left out of unlabelled texts (``tapt+S``).
    """

    def __init__(self, dataset: Dataset, reporter: Reporter, test: LabelledTexts) -> None:
        self.labels = dataset.labels
        self.parts: Mapping[str, LabelledTexts] = {
            "train": dataset.train,
            "validation": dataset.validation,
        }
        self._reporter, self._test = reporter, test
        self._adaptations: dict[Any, Adaptation] = {}
        self._backbones: dict[Any, Backbone] = {}
        self._adapted: dict[str, Backbone] = {}
        self._states: dict[Any, FrozenStates] = {}

    def prepare(self, config: Config) -> Prepared | PreparedWords:
        """Check the settings of a trial, and open its backbone if it has one.

        Raises:
            ThawlineError: If a setting is invalid, or if the backbone cannot be opened.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the fit with the best settings gives them
            prepared = prepare(config, lambda: self._open(config))
        if isinstance(prepared, Prepared):
            self._adaptation(config, prepared)
        return prepared

    def _adaptation(self, config: Config, prepared: Prepared) -> Adaptation | None:
        """Return the training of the backbone on its own objective, whose texts are read once.

        Returns:
            None if the strategy is not ``tapt+S``.
        """
        backbone, plan = prepared.backbone, prepared.plan
        if not isinstance(plan.strategy, Tapt):
            return None
        key = config.backbone, config.tokens, config.encoder, config.tapt.unlabelled
        if key not in self._adaptations:
            parts = {**self.parts, "test": self._test}
            adaptation = plan_adaptation(backbone, plan, config, parts)
            assert adaptation is not None
            self._adaptations[key] = adaptation
        return replace(self._adaptations[key], backbone=backbone, plan=plan, config=config)

    def adaptations(self) -> list[Adaptation]:
        """Return one training for each backbone and each set of unlabelled texts so far."""
        return list(self._adaptations.values())

    def _open(self, config: Config) -> Backbone:
        key = config.backbone, config.tokens, config.encoder
        if key not in self._backbones:
            texts = self.parts["train"].texts
            self._backbones[key] = open_backbone(config, lambda: texts, self._reporter)
        return self._backbones[key]

    def describe(self, config: Config) -> Known:
        """Return what the default space of a fit depends on."""
        rows = len(self.parts["train"])
        if not parse_strategy(config.strategy).reads_states:
            return Known(rows)
        stack = self._open(config).stack
        return Known(rows, stack.model.config.model_type, stack.depth)

    def run(self, config: Config, checkpoints: Checkpoints | None = None) -> Outcome:
        """Train with some settings and score the classifier on validation.

        Args:
            config: The settings.
            checkpoints: Receives the training after each epoch. If None, nothing does.

        Raises:
            ThawlineError: If a setting is invalid, or if the loss is not finite.
        """
        task = self._task(config)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adapted = adapt(task, Reporter(), checkpoints)
            logits = adapted.logits("validation")
        labels, score = self.parts["validation"].labels, SCORES[config.training.keep]
        trained = trained_logits(adapted, labels, score)
        logits = logits if trained is None else trained
        return Outcome(measure(logits, labels, score), logits)

    def _task(self, config: Config) -> Task | WordsTask:
        prepared = self.prepare(config)
        if isinstance(prepared, PreparedWords):
            task, _ = prepared.task(self.labels, self.parts, Reporter())
            return task
        backbone, plan = prepared.backbone, prepared.plan
        name = ""
        adaptation = self._adaptation(config, prepared)
        if adaptation is not None:
            name = adaptation.digest
            if name not in self._adapted:
                self._adapted[name], _ = adapt_backbone(adaptation, self._reporter)
            backbone = self._adapted[name]
        highest = max(stage for stages in plan.candidates for stage in stages)
        key = (
            *(config.backbone, config.tokens, config.encoder, name),
            *(plan.line, plan.max_length, plan.first is None, highest),
        )
        if key not in self._states:
            states = run_prefix(backbone, plan, config, self.parts, self._reporter)
            values = {name: getattr(states, name) for name in states.__dataclass_fields__}
            self._states[key] = StatesInMemory(**values, limit=memory_limit(config.exact))
        states = self._states[key]
        return Task(backbone, plan, config, self.labels, self.parts, states)


def trained_logits(
    adapted: Adapted, labels: NDArray[np.int64], score: str
) -> NDArray[np.float32] | None:
    """Return the logits of the best epoch if a training kept its untrained start.

    An untrained start is good only by chance and does not depend on the searched settings of the
    training. With few validation texts, it would often be the best trial of a search.

    Args:
        adapted: The result of the training.
        labels: The class ids of the validation texts, ``(texts,)``.
        score: The score, as in `measure`.

    Returns:
        The logits on validation, ``(texts, labels)``. None if an epoch was kept, if nothing was
        trained by epochs, if the head was trained before, or if the logits are too large to be
        kept.
    """
    rows = adapted.history
    if len(rows) < 2 or adapted.first is not None or not (rows[0]["kept"] and rows[0]["step"] == 0):
        return None
    if len(adapted.candidates) != len(rows):
        return None
    sign = -1 if score == "loss" else 1
    later: list[NDArray[np.float32]] = [
        one.astype(np.float32)
        for one in adapted.candidates[:0:-1]  # the last in a tie
    ]
    return max(later, key=lambda logits: sign * measure(logits, labels, score))


def measure(logits: NDArray[np.float32], labels: NDArray[np.int64], score: str) -> float:
    """Return a score of logits.

    Args:
        logits: The logits, ``(texts, labels)``.
        labels: The class ids, ``(texts,)``.
        score: ``accuracy``, ``f1_macro`` or ``loss``.
    """
    if score == "loss":
        return -float(log_probabilities(logits)[np.arange(len(labels)), labels].mean())
    predicted = logits.argmax(1)
    if score == "accuracy":
        return float((predicted == labels).mean())
    confusion = count_confusion(labels, predicted, logits.shape[1])
    return float(averages(confusion.margins())["f1_macro"])


Evaluated = Callable[[float, float], None]
"""A function that gets the share of the schedule and the best score so far."""


class Observer:
    """Report the scores of a training after each epoch. It saves no checkpoint.

    Args:
        score: The score, as in `measure`.
        evaluated: Receives the share of all steps that are done, and the best score so far.
    """

    def __init__(self, score: str, evaluated: Evaluated) -> None:
        self._key, self._evaluated = f"validation_{score}", evaluated
        self._best = min if score == "loss" else max

    def restore(self, training: Any) -> None:
        """Do nothing, because a trial is never resumed."""

    def save(self, training: Any) -> None:
        """Report the scores so far."""
        rows = [row for row in training.history if row["step"] > 0]
        if rows:
            best = self._best(float(row[self._key]) for row in rows)
            self._evaluated(training.done / training.total, best)
