"""The config of a saved Thawline model, apart from `modeling`: it needs none of torch."""

from __future__ import annotations

from typing import Any

from transformers.configuration_utils import PreTrainedConfig

from thawline.runs.layout import MODEL_TYPE


class ThawlineConfig(PreTrainedConfig):
    """What `ThawlineForSequenceClassification` is made of.

    Attributes:
        backbone: the base model's config as a dict, its ``model_type`` included.
        head: ``linear`` or ``mlp:H``.
        head_dropout: in an MLP head.
        pooling: ``first``, ``last`` or ``mean``.
        stages: the stages whose pooled states stand side by side before the head.
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
        # Where it was read from, a path of this machine, is nobody else's concern.
        self.backbone.pop("_name_or_path", None)
        self.head = head
        self.head_dropout = head_dropout
        self.pooling = pooling
        self.stages = list(stages)
        super().__init__(**common)
