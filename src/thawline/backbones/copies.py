"""Trainable copies of a backbone: the base model alone, or with the family's native head."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedModel

from thawline.backbones.loading import Backbone
from thawline.errors import ThawlineError, in_words
from thawline.runtime.randomness import building


def copy_base(backbone: Backbone, attention_dropout: float | None = None) -> PreTrainedModel:
    """Copy the base model of a backbone.

    Args:
        backbone: The backbone whose weights are copied.
        attention_dropout: Dropout probability of attention weights in training mode. If None, the
            value in the model's config is used.

    Returns:
        A new model in evaluation mode with its own weights.
    """
    own = _copy_config(backbone)
    with building(), _attention_dropout(own, backbone, attention_dropout) as config:
        base: PreTrainedModel = AutoModel.from_config(config, trust_remote_code=False)
    base.load_state_dict(backbone.stack.model.state_dict())
    return base.eval()


def build_native(
    backbone: Backbone, n_labels: int, seed: int, attention_dropout: float | None = None
) -> PreTrainedModel:
    """Build the family's own sequence classifier from a backbone, with a newly initialised head.

    The backbone's weights are copied. A head in the backbone's checkpoint is not used.

    Args:
        backbone: The backbone whose weights are copied.
        n_labels: Number of classes.
        seed: Random seed for the head's initial weights.
        attention_dropout: Dropout probability of attention weights in training mode. If None, the
            value in the model's config is used.

    Returns:
        The classifier of transformers in evaluation mode.

    Raises:
        ThawlineError: If transformers has no sequence classifier for the family.
    """
    config = _copy_config(backbone)
    config.num_labels = n_labels
    torch.default_generator.manual_seed(seed)  # the caller uses `RandomStream.drawing`
    try:
        with _attention_dropout(config, backbone, attention_dropout):
            model = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    except ValueError as error:
        raise ThawlineError(
            "a backbone whose family has a sequence classification head in transformers",
            f"'{config.model_type}', which has none",
            "use `head.head=linear` or `head.head=mlp:64`",
            setting="head.head",
        ) from error
    base = model.base_model
    missing, _ = base.load_state_dict(backbone.stack.model.state_dict(), strict=False)
    if missing:
        raise RuntimeError(f"the native model expects weights that the backbone lacks: {missing}")
    if set(backbone.random_weights) & set(base.state_dict()):
        warning = (
            f"the checkpoint of '{backbone.name}' has no pooler, which the native head needs, so "
            "the pooler was initialised randomly; use `head.head=linear`, which needs no pooler"
        )
        warnings.warn(in_words(warning), stacklevel=2)
    return model.eval()


def _copy_config(backbone: Backbone) -> Any:
    config = backbone.stack.model.config
    return type(config).from_dict(config.to_dict())


@contextmanager
def _attention_dropout(config: Any, backbone: Backbone, probability: float | None) -> Iterator[Any]:
    """Change a config's attention dropout while a model is built from it, then restore it.

    The modules keep the probability that they were built with, and the saved config does not
    change.
    """
    name = backbone.stack.attention_dropout
    original = getattr(config, name)
    setattr(config, name, original if probability is None else probability)
    try:
        yield config
    finally:
        setattr(config, name, original)
