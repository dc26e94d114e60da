"""A classifier as it stands after `fit` or `load`: the model, its words and how it reads texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from thawline.backbones import Backbone, Stack
from thawline.data import Labels
from thawline.heads import HeadSpec, NativeHead


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
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    labels: Labels
    reading: Reading
    head: HeadSpec
    strategy: str
    backbone: str

    def as_backbone(self) -> Backbone:
        """Return the base model below the head, to look for its states in the store."""
        return Backbone(self.backbone, self.backbone, Stack(self.model.base_model), self.tokenizer)

    def head_module(self) -> nn.Module:
        """Return the head alone, from features ``(batch, width)`` to logits ``(batch, labels)``."""
        if self.head.kind == "native":
            return NativeHead(self.model).eval()
        head: nn.Module = self.model.head
        return head

    def parameters(self, line: int) -> dict[str, int]:
        """Count ``trainable``, ``frozen`` and ``total`` parameters for a thaw line."""
        return count_parameters(self.model, line)


def count_parameters(model: PreTrainedModel, line: int) -> dict[str, int]:
    """Count the parameters of a whole classifier on either side of the thaw line.

    The stages from the line on train, and whatever does not belong to the base model: the head.
    """
    stack = Stack(model.base_model)
    total = sum(parameter.numel() for parameter in model.parameters())
    frozen = sum(
        parameter.numel()
        for stage in range(min(line, stack.depth + 1))
        for module in stack.modules_of(stage)
        for parameter in module.parameters()
    )
    return {"trainable": total - frozen, "frozen": frozen, "total": total}


def label_maps(labels: Labels) -> dict[str, dict[Any, Any]]:
    """Return ``id2label`` and ``label2id`` as a transformers config holds them."""
    return {
        "id2label": dict(enumerate(labels.names)),
        "label2id": {name: index for index, name in enumerate(labels.names)},
    }
