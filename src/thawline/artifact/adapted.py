"""Save and load a classifier with adapters that are not merged.

The adapters are saved in ``adapter/``, and the head next to that folder. The base model is not
saved; the settings contain its name or path. The top folder has no file that transformers
recognises, because transformers would load the base with a random head from an
``adapter_config.json``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel

from thawline.artifact.checks import check_size
from thawline.artifact.settings import Settings
from thawline.backbones.loading import Backbone, load_base
from thawline.backbones.stack import Stack
from thawline.backbones.weights import read_weights, write_weights
from thawline.inference.fitted import (
    Fitted,
    head_weights,
    native_classifier,
    own_classifier,
)
from thawline.inference.reading import Reading
from thawline.models.heads import build_head
from thawline.models.lora import Adapter, load_adapters
from thawline.runs.layout import ADAPTER, HEAD, AdapterSettings
from thawline.runtime.randomness import building


def save_adapted(fitted: Fitted, folder: Path) -> None:
    """Write the adapters and the head to a folder."""
    assert fitted.adapter is not None, "the classifier has no adapters"
    fitted.adapter.save(folder / ADAPTER)
    write_weights(head_weights(fitted.model, fitted.head), folder / HEAD)


def load_adapted(
    folder: Path, settings: Settings, adapter_settings: AdapterSettings
) -> tuple[PreTrainedModel, Adapter]:
    """Load the base model in fp32, and add the adapters and the head.

    Args:
        folder: The folder of the artifact.
        settings: The settings of the artifact.
        adapter_settings: The part of the settings that describes the adapters.

    Returns:
        The model, and its adapters.

    Raises:
        ThawlineError: If the base cannot be found or has other weights than at training time.
        OSError, ValueError, SafetensorError: If a file is missing or damaged.
    """
    # The head's file also holds the weights that the base's checkpoint lacks.
    base = replace(load_base(folder, adapter_settings), random_weights=())
    with building():  # the random weights are overwritten below
        model = _build_model(folder, base, settings, adapter_settings)
        adapter = load_adapters(Stack(model.base_model), folder / ADAPTER, base.name)
    head = head_weights(model, settings.head)
    model.load_state_dict(read_weights(folder / HEAD, head), strict=False)
    return model, adapter


def _build_model(
    folder: Path, base: Backbone, settings: Settings, adapter_settings: AdapterSettings
) -> PreTrainedModel:
    """Return the complete model with a randomly initialised head."""
    reading = settings.reading
    assert reading is not None, "a classifier with adapters reads states"
    _check_head_size(base, settings, reading, folder / HEAD)
    if settings.head.kind == "native":
        return native_classifier(base, settings.labels, seed=0)
    dropout = adapter_settings.head_dropout
    width = base.stack.hidden_size * len(reading.stages)
    head = build_head(settings.head, width, len(settings.labels), dropout)
    return own_classifier(
        base.stack.model,
        head,
        settings.head,
        dropout,
        settings.labels,
        pooling=reading.pooling,
        stages=reading.stages,
    )


def _check_head_size(base: Backbone, settings: Settings, reading: Reading, file: Path) -> None:
    """Raise ThawlineError if the file of the head is much too small for the settings."""
    width, n_labels = base.stack.hidden_size, len(settings.labels)
    with torch.device("meta"):
        if settings.head.kind == "native":
            check_size(nn.Linear(width, n_labels), file)
        else:
            width *= len(reading.stages)
            check_size(build_head(settings.head, width, n_labels, 0.0), file)
