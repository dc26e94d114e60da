"""What a strategy would do to a backbone: stages, thaw line and parameters, without any data."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from thawline.backbones.loading import Backbone
from thawline.backbones.opening import open_backbone
from thawline.backbones.stack import Stack
from thawline.config import Config
from thawline.data.labels import check_names
from thawline.errors import ThawlineError
from thawline.inference.fitted import count_parameters
from thawline.models.configuration import ThawlineConfig
from thawline.models.lora import thaw
from thawline.models.modeling import ThawlineForSequenceClassification
from thawline.runtime.progress import Reporter
from thawline.training.plan import Plan, make_plan


def describe(config: Config, *, n_labels: int) -> dict[str, Any]:
    """Say what `fit` would train.

    Args:
        config: backbone, strategy and head.
        n_labels: the number of classes.

    Returns:
        JSON values: ``stages`` (name and parameters of each), ``line``, ``parameters``, the
        ``origin`` of a backbone that is another task's classifier (else None) and the settings
        that would be resolved.

    Raises:
        ThawlineError: fewer than two classes or two of one name, the backbone cannot be loaded or
            the settings do not fit it.
    """
    if n_labels < 2:
        raise ThawlineError("at least two classes", str(n_labels), "write --labels neg,pos")
    if config.data.labels is not None:
        check_names(config.data.labels)
    backbone = open_backbone(config, lambda: (), Reporter())
    plan = make_plan(backbone, config)
    blueprint = _blueprint(backbone, plan, n_labels)
    thaw(blueprint, plan.strategy, backbone)
    # Not the backbone's own: some families' native classifiers leave a pretrained pooler out.
    stack = Stack(blueprint.base_model)
    stages = [
        {
            "stage": stage,
            "name": "embeddings" if stage == 0 else f"block {stage}",
            "parameters": counted["total"],
            "trainable": counted["trainable"],
        }
        for stage in range(stack.depth + 1)
        for counted in [count_parameters(*stack.modules_of(stage))]
    ]
    return {
        "backbone": backbone.name,
        "origin": None if backbone.origin is None else backbone.origin.to_dict(),
        "family": backbone.stack.model.config.model_type,
        "hidden_size": stack.hidden_size,
        "max_length": plan.max_length,
        "strategy": str(plan.strategy),
        "line": plan.line,
        "head": str(plan.head),
        "pooling": plan.pooling,
        "features": "chosen on validation"
        if len(plan.candidates) > 1
        else list(plan.candidates[0]),
        "stages": stages,
        "parameters": count_parameters(blueprint),
    }


def _blueprint(backbone: Backbone, plan: Plan, n_labels: int) -> PreTrainedModel:
    """Return the classifier's layout without weights.

    Where the exact fit is yet to choose its features, the head is that of the last stage.
    """
    config = backbone.stack.model.config
    with torch.device("meta"):
        if plan.head.kind == "native":
            own = type(config).from_dict(config.to_dict() | {"num_labels": n_labels})
            return AutoModelForSequenceClassification.from_config(own)
        stages = plan.candidates[0] if len(plan.candidates) == 1 else (backbone.stack.depth,)
        return ThawlineForSequenceClassification(
            ThawlineConfig(
                backbone=config.to_dict(), head=str(plan.head), stages=stages, num_labels=n_labels
            )
        )
