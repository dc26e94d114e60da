"""The config of a saved Thawline model. This module does not import torch."""

from __future__ import annotations

from typing import Any

from transformers.configuration_utils import PreTrainedConfig

from thawline.errors import ThawlineError
from thawline.runs.layout import MODEL_TYPE
from thawline.runs.settings import MAX_LABELS, MAX_STAGES
from thawline.runtime.untrusted import show_value


class ThawlineConfig(PreTrainedConfig):
    """Configuration of `ThawlineForSequenceClassification`.

    Attributes:
        backbone: The base model's config as a dict, including its ``model_type``.
        head: The head, ``linear`` or ``mlp:H`` with a hidden layer of width H.
        head_dropout: Dropout probability before each layer of the head.
        pooling: How token states are combined: ``first``, ``last`` or ``mean``.
        stages: The stages whose pooled states are concatenated as features of the head.
        words: Whether the logits of the model are incomplete, because the classifier that it was
            saved with also reads words. Such a model does not run alone.
    """

    model_type = MODEL_TYPE

    def __init__(
        self,
        backbone: dict[str, Any] | None = None,
        head: str = "linear",
        head_dropout: float = 0.0,
        pooling: str = "mean",
        stages: tuple[int, ...] = (),
        words: bool = False,
        **common: Any,
    ) -> None:
        # The values may come from an untrusted config.json. transformers and torch would report
        # wrong ones in many ways, or allocate the memory that they ask for.
        _check("backbone", backbone, backbone is None or isinstance(backbone, dict))
        # transformers makes a name for each label, also of a base model without a head.
        n_labels = (backbone or {}).get("num_labels", 0)
        _check("backbone.num_labels", n_labels, type(n_labels) is int and n_labels <= MAX_LABELS)
        _check("head", head, isinstance(head, str) and len(head) <= 100)
        _check("head_dropout", head_dropout, _is_number(head_dropout) and 0 <= head_dropout <= 1)
        _check("pooling", pooling, pooling in ("first", "last", "mean"))
        _check("stages", stages, _are_stages(stages))
        _check("words", words, isinstance(words, bool))
        self.backbone = {} if backbone is None else dict(backbone)
        # Do not save this value, because it is a local path of the base model.
        self.backbone.pop("_name_or_path", None)
        self.head = head
        self.head_dropout = head_dropout
        self.pooling = pooling
        self.stages = list(stages)
        self.words = words
        super().__init__(**common)


def _check(key: str, value: object, valid: bool) -> None:
    if not valid:
        raise ThawlineError(
            f"a valid '{key}' in the config.json of a saved classifier",
            f"{key} {show_value(value)}",
            "restore the file from a copy, or run fit again",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_stages(stages: object) -> bool:
    return (
        isinstance(stages, list | tuple)
        and len(stages) <= MAX_STAGES
        and all(type(stage) is int and 0 <= stage <= MAX_STAGES for stage in stages)
    )
