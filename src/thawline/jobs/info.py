"""The job of `thawline info`: describe what a strategy would train, without any data."""

from __future__ import annotations

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from thawline.backbones.loading import Backbone
from thawline.backbones.opening import open_backbone
from thawline.backbones.operations import prefix_operations, training_operations
from thawline.backbones.stack import Stack
from thawline.config import Config
from thawline.data.labels import check_names
from thawline.errors import ThawlineError, assignment
from thawline.inference.fitted import count_parameters
from thawline.models.configuration import ThawlineConfig
from thawline.models.lora import thaw
from thawline.models.modeling import ThawlineForSequenceClassification
from thawline.runs.records import (
    CHOSEN_LATER,
    BackboneOrigin,
    InfoReport,
    OperationsSummary,
    Parameters,
    StageSummary,
)
from thawline.runtime.progress import Reporter
from thawline.strategies import Gradual
from thawline.training.plan import Plan
from thawline.training.preparation import PreparedWords, prepare


def describe(config: Config, *, n_labels: int) -> InfoReport:
    """Describe what `fit` would train.

    Args:
        config: The settings, of which backbone, strategy and head are used.
        n_labels: The number of classes.

    Returns:
        The stages with their parameters, the thaw line, and the settings after resolution.

    Raises:
        ThawlineError: If there are fewer than two classes, if two classes have the same name, if
            the backbone cannot be loaded, or if a setting is invalid for this backbone.
    """
    if n_labels < 2:
        fix = f"write {assignment('data.labels', ['neg', 'pos'])}"
        raise ThawlineError("at least two classes", f"{n_labels}", fix)
    if config.data.labels is not None:
        check_names(config.data.labels)
    prepared = prepare(config, lambda: open_backbone(config, lambda: (), Reporter()))
    if isinstance(prepared, PreparedWords):
        return _describe_words(prepared)
    backbone, plan = prepared.backbone, prepared.plan
    blueprint = _blueprint(backbone, plan, n_labels)
    thaw(blueprint, plan.strategy, backbone)
    # The backbone's own stack is not used, because the native classifiers of some families omit a
    # pretrained pooler.
    stack = Stack(blueprint.base_model)
    stages = [
        StageSummary(
            stage=stage,
            name="embeddings" if stage == 0 else f"block {stage}",
            parameters=counted["total"],
            trainable=counted["trainable"],
            first_epoch=_first_epoch(plan, stage, stack.depth),
        )
        for stage in range(stack.depth + 1)
        for counted in [count_parameters(*stack.modules_of(stage))]
    ]
    origin = backbone.origin
    return InfoReport(
        backbone=backbone.name,
        origin=None if origin is None else BackboneOrigin(**origin.to_dict()),
        family=backbone.stack.model.config.model_type,
        hidden_size=stack.hidden_size,
        max_length=plan.max_length,
        strategy=str(plan.strategy),
        line=plan.line,
        head=str(plan.head),
        pooling=plan.pooling,
        features=CHOSEN_LATER if len(plan.candidates) > 1 else list(plan.candidates[0]),
        stages=stages,
        parameters=Parameters(**count_parameters(blueprint)),
        operations=_count_operations(stack, plan),
    )


def _describe_words(prepared: PreparedWords) -> InfoReport:
    """Describe a fit without a backbone. Its parameters depend on the texts."""
    plan = prepared.plan
    return InfoReport(
        backbone=None,
        origin=None,
        family=None,
        hidden_size=None,
        max_length=None,
        strategy=str(plan.strategy),
        line=None,
        head=str(plan.head),
        pooling=None,
        features=[],
        stages=[],
        parameters=None,
        operations=None,
    )


def _first_epoch(plan: Plan, stage: int, depth: int) -> int | None:
    """Return the first epoch in which a stage trains, if the stages thaw one after the other."""
    if not isinstance(plan.strategy.last, Gradual) or stage < plan.line:
        return None
    return depth + 1 - stage


def _count_operations(stack: Stack, plan: Plan) -> OperationsSummary:
    """Return the operations for a text of the maximum length.

    Those of training are the mean over the epochs, if the stages thaw one after the other.
    """
    longest = np.array([plan.max_length])
    training, strategy = [], plan.strategy.last
    for epoch in range(1, (plan.epochs or 1) + 1):
        if isinstance(strategy, Gradual):
            stack.freeze(strategy.first_trained(stack.depth, epoch))
        training.append(training_operations(stack, longest, plan.line, plan.pooling))
    return OperationsSummary(
        tokens=plan.max_length,
        prefix=prefix_operations(stack, longest, plan.line, pooled=plan.first is not None),
        training=float(np.mean(training)),
    )


def _blueprint(backbone: Backbone, plan: Plan, n_labels: int) -> PreTrainedModel:
    """Return the classifier on the meta device, that is, without weights.

    If an exact fit is still to choose its features, the head reads the last stage only.
    """
    config = backbone.stack.model.config
    with torch.device("meta"):
        if plan.head.kind == "native":
            with_labels = type(config).from_dict(config.to_dict() | {"num_labels": n_labels})
            return AutoModelForSequenceClassification.from_config(
                with_labels, trust_remote_code=False
            )
        stages = plan.candidates[0] if len(plan.candidates) == 1 else (backbone.stack.depth,)
        return ThawlineForSequenceClassification(
            ThawlineConfig(
                backbone=config.to_dict(), head=str(plan.head), stages=stages, num_labels=n_labels
            )
        )
