"""Models of a backbone's weights that may be trained: the base alone, or with its native head."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedModel

from thawline.backbones.loading import Backbone
from thawline.errors import ThawlineError


def copy_base(backbone: Backbone, attention_dropout: float | None = None) -> PreTrainedModel:
    """Return a base model of its own with the backbone's weights, in evaluation mode.

    Args:
        backbone: whose weights.
        attention_dropout: in training mode; None: as the model's config has it.
    """
    with _attention_dropout(_copy_config(backbone), backbone, attention_dropout) as config:
        base: PreTrainedModel = AutoModel.from_config(config)
    base.load_state_dict(backbone.stack.model.state_dict())
    return base.eval()


def load_native(
    backbone: Backbone, n_labels: int, seed: int, attention_dropout: float | None = None
) -> PreTrainedModel:
    """Put the family's own sequence-classification head, freshly drawn, on a backbone.

    The backbone's weights are copied in; a head that its checkpoint may hold is not used.

    Args:
        backbone: whose weights.
        n_labels: the number of classes.
        seed: of the head.
        attention_dropout: in training mode; None: as the model's config has it.

    Raises:
        ThawlineError: the family has no such head.
    """
    config = _copy_config(backbone)
    config.num_labels = n_labels
    torch.manual_seed(seed)
    try:
        with _attention_dropout(config, backbone, attention_dropout):
            model = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        raise ThawlineError(
            "a backbone with a sequence-classification head in transformers",
            f"'{config.model_type}', which has none",
            "use --head linear or --head mlp:64",
        ) from error
    base = model.base_model
    missing, _ = base.load_state_dict(backbone.stack.model.state_dict(), strict=False)
    if missing:
        raise RuntimeError(f"the native model expects weights that the backbone lacks: {missing}")
    if set(backbone.drawn) & set(base.state_dict()):
        warnings.warn(
            f"the checkpoint of '{backbone.name}' has no pooler, which the native head reads: it "
            "was drawn at random; --head linear reads the states themselves",
            stacklevel=2,
        )
    return model.eval()


def _copy_config(backbone: Backbone) -> Any:
    config = backbone.stack.model.config
    return type(config).from_dict(config.to_dict())


@contextmanager
def _attention_dropout(config: Any, backbone: Backbone, share: float | None) -> Iterator[Any]:
    """Set a config's attention dropout while a model is made; what is saved of it stays as it was.

    The modules keep what they are made with.
    """
    name = backbone.stack.family.attention_dropout
    own = getattr(config, name)
    setattr(config, name, own if share is None else share)
    try:
        yield config
    finally:
        setattr(config, name, own)
