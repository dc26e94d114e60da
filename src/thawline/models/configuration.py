"""The config of a saved Thawline model. This module does not import torch."""

from __future__ import annotations

from typing import Any

from transformers.configuration_utils import PreTrainedConfig

from thawline.runs.layout import MODEL_TYPE


class ThawlineConfig(PreTrainedConfig):
    """Configuration of `ThawlineForSequenceClassification`.

    Attributes:
        backbone: The base model's config as a dict, including its ``model_type``.
        head: The head, ``linear`` or ``mlp:H`` with a hidden layer of width H.
        head_dropout: Dropout probability in an MLP head. A linear head has no dropout.
        pooling: How token states are combined: ``first``, ``last`` or ``mean``.
        stages: The stages whose pooled states are concatenated as features of the head.
    """

    model_type = MODEL_TYPE

    def __init__(
        self,
        backbone: dict[str, Any] | None = None,
        head: str = "linear",
        head_dropout: float = 0.0,
        pooling: str = "mean",
        stages: tuple[int, ...] = (),
        **common: Any,
    ) -> None:
        self.backbone = {} if backbone is None else dict(backbone)
        # Do not save this value, because it is a local path of the base model.
        self.backbone.pop("_name_or_path", None)
        self.head = head
        self.head_dropout = head_dropout
        self.pooling = pooling
        self.stages = list(stages)
        super().__init__(**common)
