"""A classifier as it stands after `fit` or `load`: the model, its words and how it reads texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from thawline.backbones.copies import build_native
from thawline.backbones.loading import Backbone
from thawline.backbones.stack import Stack
from thawline.data import Labels
from thawline.models.configuration import ThawlineConfig
from thawline.models.heads import HeadSpec, NativeHead
from thawline.models.lora import Adapter
from thawline.models.modeling import ThawlineForSequenceClassification
from thawline.strategies import parse_strategy


@dataclass(frozen=True)
class Reading:
    """How texts are read before the head: all of it must be the same in training and prediction.

    Attributes:
        max_length: tokens kept of a text, special tokens counted.
        truncation_side: the side that is cut off.
        pooling: ``first``, ``last`` or ``mean``.
        stages: the stages whose pooled states the head reads, side by side.
        pairs: whether it learnt from pairs of texts.
    """

    max_length: int
    truncation_side: str
    pooling: str
    stages: tuple[int, ...]
    pairs: bool = False


@dataclass(frozen=True)
class Fitted:
    """A trained classifier.

    Attributes:
        model: from texts' ids to logits, fp32, in evaluation mode; this is what is saved.
        tokenizer: with a pad token, padding on the right.
        labels: the names of the classes and the raw values they stand for.
        reading: how texts are read.
        head: which head it is.
        strategy: as it is written.
        backbone: the name of the backbone it started from.
        adapter: the low-rank adapters in its backbone; None: there are none.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    labels: Labels
    reading: Reading
    head: HeadSpec
    strategy: str
    backbone: str
    adapter: Adapter | None = None

    def as_backbone(self) -> Backbone:
        """Return the base model below the head, to look for its states in the store."""
        return Backbone(self.backbone, self.backbone, Stack(self.model.base_model), self.tokenizer)

    def is_frozen(self) -> bool:
        """Say whether the whole backbone lies before the thaw line, as it does under ``head``.

        Then its states are those of the pretrained one; else nothing that is stored is true of it.
        """
        depth = Stack(self.model.base_model).depth
        return parse_strategy(self.strategy).line(depth) > depth

    def merged(self) -> Fitted:
        """Return it with its adapters folded into the backbone's weights, in the same model."""
        assert self.adapter is not None, "there are no adapters to fold in"
        self.adapter.merge()
        return replace(self, adapter=None)

    def head_module(self) -> nn.Module:
        """Return the head alone, from features ``(batch, width)`` to logits ``(batch, labels)``."""
        if self.head.kind == "native":
            return NativeHead(self.model).eval()
        head: nn.Module = self.model.head
        return head


def head_weights(model: PreTrainedModel, head: HeadSpec) -> dict[str, Tensor]:
    """Return the weights of a classifier's head, under their names in the whole model.

    Where a native head reads BERT's pretrained pooler, that is among them.
    """
    if head.kind == "native":
        return dict(NativeHead(model).shell.state_dict())
    return {f"head.{name}": tensor for name, tensor in model.head.state_dict().items()}


def count_parameters(*modules: nn.Module) -> dict[str, int]:
    """Count the ``trainable``, ``frozen`` and ``total`` parameters of modules together."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    total = sum(parameter.numel() for parameter in parameters)
    trainable = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return {"trainable": trainable, "frozen": total - trainable, "total": total}


def label_maps(labels: Labels) -> dict[str, dict[Any, Any]]:
    """Return ``id2label`` and ``label2id`` as a transformers config holds them."""
    return {
        "id2label": dict(enumerate(labels.names)),
        "label2id": {name: index for index, name in enumerate(labels.names)},
    }


def native_classifier(
    backbone: Backbone, labels: Labels, seed: int, attention_dropout: float | None = None
) -> PreTrainedModel:
    """Return a backbone with the family's own head, freshly drawn; arguments as `build_native`."""
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
    """Return a base model with a head of ours, which reads its raw features.

    Args:
        base: its config knows the pad id.
        head: made by `build_head`.
        spec: which head it is.
        dropout: in it, where it has some.
        labels: the classes.
        pooling: before the head.
        stages: what it reads, side by side.
    """
    config = ThawlineConfig(
        backbone=base.config.to_dict(),
        head=str(spec),
        head_dropout=dropout,
        pooling=pooling,
        stages=stages,
        pad_token_id=base.config.pad_token_id,
        **label_maps(labels),
    )
    return ThawlineForSequenceClassification.assemble(config, base, head)
