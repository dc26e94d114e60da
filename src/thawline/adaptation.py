"""Adapt a backbone to labelled texts by a strategy: the engine under `fit`, in both its forms."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel

from thawline.backbones import POOLINGS, Backbone, load_native
from thawline.config import EPOCHS, LEARNING_RATES, Config
from thawline.configuration import ThawlineConfig
from thawline.data import LabelledTexts, Labels
from thawline.errors import ThawlineError, did_you_mean
from thawline.exact import fit_exactly
from thawline.fitted import Fitted, Reading, count_parameters, label_maps
from thawline.heads import HeadSpec, NativeHead, Standardisation, build_head, parse_head
from thawline.inference import head_logits
from thawline.modeling import ThawlineForSequenceClassification
from thawline.progress import Reporter
from thawline.store import Entry, Features
from thawline.strategies import Strategy, parse_strategy, require_built
from thawline.training import HeadObjective, train


@dataclass(frozen=True)
class Plan:
    """A `fit`, checked and resolved before anything is computed.

    Attributes:
        strategy: where the thaw line is and what trains.
        line: the thaw line on this backbone.
        head: which head.
        exact: whether the head is fitted to its optimum rather than by epochs.
        pooling: what the head reads of each stage.
        candidates: the sets of stages that the exact fit chooses from; the only one otherwise.
        max_length: tokens kept of a text.
        epochs: None for an exact fit.
        lr: None for an exact fit.
    """

    strategy: Strategy
    line: int
    head: HeadSpec
    exact: bool
    pooling: str
    candidates: tuple[tuple[int, ...], ...]
    max_length: int
    epochs: int | None
    lr: float | None


def make_plan(backbone: Backbone, config: Config) -> Plan:
    """Resolve every setting that was left open, and check those that were given.

    Raises:
        ThawlineError: a setting does not fit the backbone, the strategy or another setting.
    """
    strategy = parse_strategy(config.strategy)
    strategy.check(backbone.stack.depth)
    require_built(strategy)
    spec = parse_head(strategy.default_head if config.head.head is None else config.head.head)
    training = config.training
    exact = spec.kind == "linear" and training.epochs is None
    _check_training(config, exact)
    return Plan(
        strategy=strategy,
        line=strategy.line(backbone.stack.depth),
        head=spec,
        exact=exact,
        pooling=_resolve_pooling(backbone, spec, config.head.pooling),
        candidates=_resolve_features(backbone, spec, config.head.features, exact),
        max_length=backbone.resolve_max_length(config.tokens.max_length),
        epochs=None if exact else (EPOCHS if training.epochs is None else training.epochs),
        lr=None if exact else (LEARNING_RATES[strategy.name] if training.lr is None else training.lr),
    )


def _check_training(config: Config, exact: bool) -> None:
    training = config.training
    if training.epochs is not None and training.epochs < 1:
        raise ThawlineError("at least 1 epoch", str(training.epochs), "give --epochs 3")
    if training.lr is not None and not 0 < training.lr < float("inf"):
        raise ThawlineError("a learning rate above 0", str(training.lr), "give --lr 1e-3")
    if training.batch_size < 1:
        raise ThawlineError("at least 1 text in a step", str(training.batch_size), "give --batch-size 16")
    if exact and training.lr is not None:
        raise ThawlineError(
            "--epochs beside --lr: the exact fit of a linear head has no learning rate",
            f"--lr {training.lr} alone",
            "add --epochs 3, or leave --lr out",
        )
    if config.tokens.truncation_side not in ("left", "right"):
        raise ThawlineError(
            "a truncation side", f"'{config.tokens.truncation_side}'", "give --truncation-side left or right"
        )


def _resolve_pooling(backbone: Backbone, spec: HeadSpec, wanted: str | None) -> str:
    family = backbone.stack.family
    if wanted is not None and wanted not in POOLINGS:
        raise ThawlineError("a pooling", f"'{wanted}'", did_you_mean(wanted, POOLINGS))
    if spec.kind == "native":
        native = family.native_pooling(backbone.stack.model.config)
        if wanted not in (None, native):
            raise ThawlineError(
                f"--pooling {native}, what the native head of {backbone.stack.model.config.model_type} does",
                f"--pooling {wanted}",
                "leave --pooling out or use --head linear",
            )
        return native
    if wanted == "first" and family.causal:
        warnings.warn(
            "pooling 'first' on a causal backbone: its first token has seen nothing but itself, "
            "so texts that start alike look alike; 'mean' or 'last' sees the whole text",
            stacklevel=2,
        )
    return "mean" if wanted is None else wanted


def _resolve_features(
    backbone: Backbone, spec: HeadSpec, wanted: str | None, exact: bool
) -> tuple[tuple[int, ...], ...]:
    depth = backbone.stack.depth
    every = tuple(range(depth + 1))
    if wanted is None:
        single = tuple((stage,) for stage in every)
        return (*single, every) if exact else ((depth,),)
    if wanted.isdecimal() and int(wanted) <= depth:
        stages: tuple[int, ...] = (int(wanted),)
    elif wanted in ("last", "layers"):
        stages = (depth,) if wanted == "last" else every
    else:
        raise ThawlineError(
            f"--features last, layers or a stage from 0 to {depth}",
            f"'{wanted}'",
            did_you_mean(wanted, ["last", "layers"]) if not wanted.isdecimal() else f"give at most {depth}",
        )
    if spec.kind == "native" and stages != (depth,):
        raise ThawlineError(
            "--features last: a native head reads the last stage",
            f"--features {wanted}",
            "leave --features out or use --head linear",
        )
    return (stages,)


@dataclass(frozen=True)
class Adapted:
    """What came of adapting a backbone.

    Attributes:
        fitted: the classifier.
        untrained: the same before training; under the exact fit on the last stage's features.
        plan: what was done.
        history: one dict an epoch, epoch 0 the untrained head; empty for an exact fit.
        choice: the exact fit's path over penalties and features; empty otherwise.
        seconds: of training, its evaluations on validation counted.
    """

    fitted: Fitted
    untrained: UntrainedHead
    plan: Plan
    history: list[dict[str, Any]]
    choice: list[dict[str, object]]
    seconds: float

    @property
    def parameters(self) -> dict[str, int]:
        """``trainable``, ``frozen`` and ``total``."""
        return count_parameters(self.fitted.model, self.plan.line)


@dataclass(frozen=True)
class UntrainedHead:
    """A freshly drawn head and the stages it reads: the baseline of every comparison."""

    head: nn.Module
    stages: tuple[int, ...]
    pooling: str

    def logits(self, entry: Entry, texts: Sequence[str]) -> NDArray[np.float32]:
        """Classify texts whose states are in the store; returns ``(texts, labels)``."""
        return head_logits(self.head, entry.features(texts, self.stages, self.pooling))


def adapt(
    backbone: Backbone,
    entry: Entry,
    plan: Plan,
    config: Config,
    data: tuple[LabelledTexts, LabelledTexts],
    labels: Labels,
    reporter: Reporter,
) -> Adapted:
    """Train a head on stored states.

    Args:
        backbone: the frozen backbone.
        entry: holds the states of all texts in ``data``.
        plan: from `make_plan`, for this backbone and config.
        config: the settings.
        data: train and validation.
        labels: the classes.
        reporter: told of progress.
    """
    start = time.perf_counter()
    make = _adapt_exactly if plan.exact else _adapt_by_epochs
    fitted, untrained, history, choice = make(backbone, entry, plan, config, data, labels, reporter)
    return Adapted(fitted, untrained, plan, history, choice, time.perf_counter() - start)


_Parts = tuple[Fitted, UntrainedHead, list[dict[str, Any]], list[dict[str, object]]]


def _adapt_exactly(
    backbone: Backbone,
    entry: Entry,
    plan: Plan,
    config: Config,
    data: tuple[LabelledTexts, LabelledTexts],
    labels: Labels,
    reporter: Reporter,
) -> _Parts:
    texts, held_out = data
    with reporter.task("exact fit", len(plan.candidates)) as advance:
        fit = fit_exactly(
            plan.candidates,
            lambda stages: entry.features(texts.texts, stages, plan.pooling),
            torch.from_numpy(texts.labels),
            lambda stages: entry.features(held_out.texts, stages, plan.pooling),
            torch.from_numpy(held_out.labels),
            len(labels),
            config.exact,
            standardise=config.head.standardise,
            advance=advance,
        )
    torch.manual_seed(config.seed)
    last = (backbone.stack.depth,)
    fresh = build_head(plan.head, backbone.stack.hidden_size, len(labels), config.head.dropout)
    fitted = _with_own_head(backbone, plan, config, labels, fit.head, fit.stages)
    return fitted, UntrainedHead(fresh, last, plan.pooling), [], fit.path


def _adapt_by_epochs(
    backbone: Backbone,
    entry: Entry,
    plan: Plan,
    config: Config,
    data: tuple[LabelledTexts, LabelledTexts],
    labels: Labels,
    reporter: Reporter,
) -> _Parts:
    (stages,) = plan.candidates
    train_set, validation_set = (_features(entry, plan, stages, part) for part in data)
    torch.manual_seed(config.seed)
    scale: Standardisation | None = None
    native: PreTrainedModel | None = None
    module: nn.Module
    if plan.head.kind == "native":
        native = load_native(backbone, len(labels), config.seed)
        native.config.update(label_maps(labels))
        module = NativeHead(native)
    else:
        width = train_set[0].width
        module = build_head(plan.head, width, len(labels), config.head.dropout)
        if config.head.standardise:
            scale = Standardisation.of(train_set[0].blocks(config.exact.rows_per_block))
    untrained = _folded(copy.deepcopy(module), scale)
    objective = HeadObjective(
        module,
        scale,
        train_set,
        validation_set,
        batch_size=config.training.batch_size,
        seed=config.seed,
    )
    assert plan.epochs is not None
    assert plan.lr is not None
    history = train(objective, config.training, epochs=plan.epochs, lr=plan.lr, reporter=reporter)
    if native is not None:
        fitted = _fitted(native, backbone, plan, config, labels, stages)
    else:
        fitted = _with_own_head(backbone, plan, config, labels, _folded(module, scale), stages)
    return fitted, UntrainedHead(untrained.eval(), stages, plan.pooling), history, []


def _features(
    entry: Entry, plan: Plan, stages: tuple[int, ...], part: LabelledTexts
) -> tuple[Features, torch.Tensor]:
    return entry.features(part.texts, stages, plan.pooling), torch.from_numpy(part.labels)


def _folded(module: nn.Module, scale: Standardisation | None) -> nn.Module:
    return scale.fold_into(module) if scale is not None and isinstance(module, nn.Sequential) else module


def _with_own_head(
    backbone: Backbone,
    plan: Plan,
    config: Config,
    labels: Labels,
    head: nn.Module,
    stages: tuple[int, ...],
) -> Fitted:
    model_config = ThawlineConfig(
        backbone=backbone.stack.model.config.to_dict(),
        head=str(plan.head),
        head_dropout=config.head.dropout,
        pooling=plan.pooling,
        stages=stages,
        pad_token_id=backbone.tokenizer.pad_token_id,
        **label_maps(labels),
    )
    model = ThawlineForSequenceClassification.assemble(model_config, backbone.stack.model, head)
    return _fitted(model, backbone, plan, config, labels, stages)


def _fitted(
    model: PreTrainedModel,
    backbone: Backbone,
    plan: Plan,
    config: Config,
    labels: Labels,
    stages: tuple[int, ...],
) -> Fitted:
    reading = Reading(plan.max_length, config.tokens.truncation_side, plan.pooling, stages)
    return Fitted(
        model.eval(), backbone.tokenizer, labels, reading, plan.head, str(plan.strategy), backbone.name
    )
