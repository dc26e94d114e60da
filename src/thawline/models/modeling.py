"""A backbone, a pooling and a linear or MLP head as one model of transformers.

The model is saved under its own ``model_type``. Without Thawline, transformers therefore refuses
the model instead of loading it with a random head. `import thawline` registers the model with the
Auto classes.

An import hook loads this module while transformers is still importing its Auto classes. To avoid
circular imports, other modules of Thawline are imported inside functions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from thawline.errors import ThawlineError
from thawline.models.configuration import ThawlineConfig


class ThawlineForSequenceClassification(PreTrainedModel):
    """A backbone with a linear or MLP head on the concatenated pooled states of some stages.

    Args:
        config: The configuration. All weights are initialised randomly.
    """

    config_class = ThawlineConfig
    base_model_prefix = "backbone"

    def __init__(self, config: ThawlineConfig) -> None:
        from thawline.models.heads import build_head
        from thawline.models.specs import parse_head

        super().__init__(config)
        backbone_config = AutoConfig.for_model(**config.backbone)
        self.backbone = AutoModel.from_config(backbone_config, trust_remote_code=False)
        width = backbone_config.hidden_size * len(config.stages)
        self.head = build_head(
            parse_head(config.head), width, config.num_labels, config.head_dropout
        )
        self.post_init()

    @classmethod
    def assemble(
        cls, config: ThawlineConfig, backbone: PreTrainedModel, head: nn.Sequential
    ) -> Any:
        """Build a model from existing parts, which are shared and not copied.

        Args:
            config: The configuration, which must fit the parts.
            backbone: The base model.
            head: The head.

        Returns:
            The model in evaluation mode.
        """
        from thawline.runtime.randomness import building

        with building(), torch.device("meta"):
            model = cls(config)
        model.backbone, model.head = backbone, head
        return model.eval()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        **ignored: Any,
    ) -> SequenceClassifierOutput:
        """Classify token ids.

        Args:
            input_ids: Token ids, ``(batch, tokens)``, padded on the right.
            attention_mask: ``(batch, tokens)``, 1 at real tokens and 0 at padding. None if no text
                is padded.
            token_type_ids: ``(batch, tokens)``, 1 in the second text of a pair and 0 elsewhere.
                None if there are no pairs.
            labels: Label ids, ``(batch,)``. If given, ``loss`` is the mean cross-entropy.
            ignored: Further arguments that a pipeline may pass, which are not used.

        Returns:
            An output with ``logits``, ``(batch, labels)``.

        Raises:
            ThawlineError: If the classifier that the model belongs to also reads words.
        """
        from thawline.backbones.pooling import pool
        from thawline.backbones.stack import Stack

        if self.config.words:
            raise ThawlineError(
                "a classifier that reads only states",
                "the model of a classifier with the strategy head+tfidf, whose logits of words are "
                "missing",
                "load the folder with thawline.TextClassifier.load",
            )
        pooled: dict[int, Tensor] = {}

        def keep(stage: int, states: Tensor) -> None:
            if stage in self.config.stages:
                pooled[stage] = pool(states, attention_mask, self.config.pooling)

        stack = Stack(self.backbone)
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if stack.family.token_types:
            inputs["token_type_ids"] = token_type_ids
        present = {name: tensor for name, tensor in inputs.items() if tensor is not None}
        stack.stage_states(present, keep, max(self.config.stages))
        logits = self.head(torch.cat([pooled[stage] for stage in self.config.stages], dim=1))
        loss = None if labels is None else cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)
