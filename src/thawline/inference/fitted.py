"""A trained classifier: the model, its tokenizer, its labels and how it reads texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from thawline.backbones.copies import build_native
from thawline.backbones.loading import Backbone
from thawline.backbones.stack import Stack
from thawline.data import Labels
from thawline.inference.described import Described
from thawline.inference.exported import FittedOnnx
from thawline.inference.words import FittedWords
from thawline.models.configuration import ThawlineConfig
from thawline.models.heads import NativeHead
from thawline.models.lora import Adapter
from thawline.models.modeling import ThawlineForSequenceClassification
from thawline.models.specs import HeadSpec
from thawline.strategies import parse_strategy


@dataclass(frozen=True, kw_only=True)
class Fitted(Described):
    """A trained classifier with a model of torch. `Described` has further attributes.

    Attributes:
        model: The complete model, which maps token ids to logits, in fp32 and evaluation mode.
        adapter: The low-rank adapters in the backbone. None if there are none.
    """

    model: PreTrainedModel
    adapter: Adapter | None = None

    def as_backbone(self) -> Backbone:
        """Return the base model below the head, whose states may be in the store."""
        return Backbone(self.backbone, self.backbone, Stack(self.model.base_model), self.tokenizer)

    def is_frozen(self) -> bool:
        """Return whether all stages lie before the thaw line, as with the strategy ``head``.

        Otherwise the states of the pretrained backbone in the store would not match the model.
        """
        depth = Stack(self.model.base_model).depth
        return parse_strategy(self.strategy).line(depth) > depth

    def merge_adapters(self) -> Fitted:
        """Merge the adapters into the weights of the model, in place.

        Returns:
            The classifier without adapters. Its model is the same object, so do not use this
            classifier afterwards.
        """
        assert self.adapter is not None, "there are no adapters to merge"
        self.adapter.merge()
        return replace(self, adapter=None)

    def head_module(self) -> nn.Module:
        """Return the head alone, which maps ``(batch, width)`` to ``(batch, labels)``."""
        if self.head.kind == "native":
            return NativeHead(self.model).eval()
        head: nn.Module = self.model.head
        return head


AnyFitted = Fitted | FittedWords | FittedOnnx
"""A trained classifier: with a backbone, without one, or exported to ONNX."""


def head_weights(model: PreTrainedModel, head: HeadSpec) -> dict[str, Tensor]:
    """Return the weights of a classifier's head under their names in the complete model.

    If a native head reads BERT's pretrained pooler, its weights are included.

    Args:
        model: The complete model.
        head: The kind of head.
    """
    if head.kind == "native":
        return dict(NativeHead(model).shell.state_dict())
    return {f"head.{name}": tensor for name, tensor in model.head.state_dict().items()}


def count_parameters(*modules: nn.Module) -> dict[str, int]:
    """Return the numbers of ``trainable``, ``frozen`` and ``total`` parameters of modules."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    total = sum(parameter.numel() for parameter in parameters)
    trainable = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return {"trainable": trainable, "frozen": total - trainable, "total": total}


def label_maps(labels: Labels) -> dict[str, dict[Any, Any]]:
    """Return ``id2label`` and ``label2id`` in the form of a transformers config."""
    return {
        "id2label": dict(enumerate(labels.names)),
        "label2id": {name: index for index, name in enumerate(labels.names)},
    }


def native_classifier(
    backbone: Backbone, labels: Labels, seed: int, attention_dropout: float | None = None
) -> PreTrainedModel:
    """Return a backbone with the family's own head, randomly initialised.

    Args:
        backbone: The pretrained backbone.
        labels: The classes.
        seed: Random seed for weight initialisation.
        attention_dropout: Dropout of the attention weights. If None, the model's own.
    """
    model = build_native(backbone, len(labels), seed, attention_dropout)
    model.config.update(label_maps(labels))
    return model


def own_classifier(
    base: PreTrainedModel,
    head: nn.Sequential,
    spec: HeadSpec,
    dropout: float,
    labels: Labels,
    *,
    pooling: str,
    stages: tuple[int, ...],
) -> PreTrainedModel:
    """Return a complete model: a base model with a linear or MLP head on its features.

    Args:
        base: The base model, with the pad id in its config.
        head: The head, from `build_head`.
        spec: The kind of head.
        dropout: Dropout of the head.
        labels: The classes.
        pooling: ``first``, ``last`` or ``mean``.
        stages: The stages that the head reads, concatenated.
    """
    config = ThawlineConfig(
        backbone=base.config.to_dict(),
        head=str(spec),
        head_dropout=dropout,
        pooling=pooling,
        stages=stages,
        pad_token_id=base.config.pad_token_id,
        words=False,
        **label_maps(labels),
    )
    return ThawlineForSequenceClassification.assemble(config, base, head)
