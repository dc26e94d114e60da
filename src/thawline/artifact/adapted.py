"""A classifier with live adapters: those in ``adapter/``, the head beside it, the base by name.

Nothing at the top is a file that transformers knows: from an ``adapter_config.json`` there it
would load the base with a random head.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from thawline.artifact.settings import Settings
from thawline.backbones.loading import Backbone, load_base
from thawline.backbones.stack import Stack
from thawline.backbones.weights import read_weights, write_weights
from thawline.inference.fitted import Fitted, head_weights, native_classifier, own_classifier
from thawline.models.heads import build_head
from thawline.models.lora import Adapter, load_adapters
from thawline.runs.layout import ADAPTER, HEAD, AdapterSettings


def save_adapted(fitted: Fitted, folder: Path) -> None:
    """Write the adapters and the head."""
    assert fitted.adapter is not None, "there are no adapters to save"
    fitted.adapter.save(folder / ADAPTER)
    write_weights(head_weights(fitted.model, fitted.head), folder / HEAD)


def load_adapted(
    folder: Path, settings: Settings, known: AdapterSettings
) -> tuple[PreTrainedModel, Adapter]:
    """Rebuild a classifier on its base, in fp32.

    Args:
        folder: the artifact's.
        settings: of the artifact.
        known: what they say of the adapters.

    Raises:
        ThawlineError: the base is not to be found, or is another by now.
        OSError, ValueError, SafetensorError: a file is missing or damaged.
    """
    # What its checkpoint lacks comes from the head's file.
    base = replace(load_base(folder, known), random_weights=())
    with torch.random.fork_rng(devices=[]):  # what is drawn here is overwritten
        model = _classifier(base, settings, known)
        adapter = load_adapters(Stack(model.base_model), folder / ADAPTER, known.base)
    head = head_weights(model, settings.head)
    model.load_state_dict(read_weights(folder / HEAD, head), strict=False)
    return model, adapter


def _classifier(base: Backbone, settings: Settings, known: AdapterSettings) -> PreTrainedModel:
    """Return the whole model, its head freshly drawn."""
    if settings.head.kind == "native":
        return native_classifier(base, settings.labels, seed=0)
    reading, dropout = settings.reading, known.head_dropout
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
