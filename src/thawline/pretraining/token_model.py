"""A backbone with the head that its family predicts tokens with."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions as BaseOutput
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from thawline.backbones.kernels import fast_kernels
from thawline.backbones.loading import Backbone
from thawline.backbones.reading import read_model
from thawline.backbones.stack import Stack
from thawline.backbones.views import Stage, with_modules
from thawline.data.tokens import Inputs
from thawline.errors import ThawlineError
from thawline.pretraining.model import IGNORED
from thawline.runtime.randomness import building


class TokenBatch(NamedTuple):
    """A batch of texts, and the tokens to predict.

    Attributes:
        inputs: The keyword arguments of the base model. For an encoder, some ids are masked.
        targets: The ids to predict from the state at each position, ``(texts, tokens)``, and
            `IGNORED` where nothing is predicted.
    """

    inputs: Inputs
    targets: Tensor


def check_predicts_tokens(backbone: Backbone) -> None:
    """Check that a backbone can be trained to predict tokens.

    Raises:
        ThawlineError: If transformers has no such model for the family of the backbone, or if an
            encoder's tokenizer has no mask token.
    """
    causal, model_type = backbone.stack.family.causal, backbone.stack.model.config.model_type
    known = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES if causal else MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if model_type not in known:
        found = f"'{backbone.name}' of the type '{model_type}', for which it has none"
    elif not causal and backbone.tokenizer.mask_token_id is None:
        found = f"'{backbone.name}', whose tokenizer has no mask token"
    else:
        return
    raise ThawlineError(
        "a backbone that can predict tokens with a model of transformers, which tapt+ requires",
        found,
        "omit tapt+, or use another backbone",
        setting="strategy",
    )


def build_token_model(backbone: Backbone) -> tuple[PreTrainedModel, bool]:
    """Return a model that predicts tokens, with a copy of a backbone's weights.

    The head comes from the checkpoint of the backbone, if it has one. Otherwise its weights are
    random, but its output layer shares those of the embeddings.

    Args:
        backbone: The backbone.

    Returns:
        The model, and whether its head comes from the checkpoint.
    """
    stack = backbone.stack
    auto = _auto_class(backbone)
    config = type(stack.model.config).from_dict(stack.model.config.to_dict())
    head = _read_head(backbone)
    if not head:
        config.tie_word_embeddings = True
    setattr(config, stack.attention_dropout, 0.0)  # fast attention has no dropout
    with building():
        model: PreTrainedModel = auto.from_config(config, trust_remote_code=False)
    base = stack.model.state_dict()
    missing, _ = model.base_model.load_state_dict(base, strict=False)
    assert not missing, "the backbone has all weights of the base model"
    model.load_state_dict(head, strict=False)
    model.tie_weights()
    return model.eval(), bool(head)


def has_token_head(backbone: Backbone) -> bool:
    """Return whether the checkpoint of a backbone has the head that predicts tokens."""
    return bool(_read_head(backbone))


def _auto_class(backbone: Backbone) -> Any:
    return AutoModelForCausalLM if backbone.stack.family.causal else AutoModelForMaskedLM


def _read_head(backbone: Backbone) -> dict[str, Tensor]:
    """Return the weights of the head in a checkpoint. Empty if it has no complete head."""
    if backbone.origin is not None:
        return {}  # a classifier
    model, info = read_model(backbone.path, _auto_class(backbone))
    base = f"{model.base_model_prefix}."
    head = {name: t for name, t in model.state_dict().items() if not name.startswith(base)}
    return {} if head.keys() & set(info["missing_keys"]) else head


class TokenModel(nn.Module):
    """A module that computes the loss of predicted tokens, in nats.

    The head runs only at the positions where a token is predicted.

    Args:
        model: The model, from `build_token_model`.
        use_bf16: Whether to multiply matrices in bf16, under autocast. The weights stay in fp32.
    """

    def __init__(self, model: PreTrainedModel, *, use_bf16: bool) -> None:
        super().__init__()
        self.model = model
        self._use_bf16 = use_bf16
        self._cache = {"use_cache": False} if Stack(model.base_model).family.causal else {}

    def forward(self, batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Return the sum of the cross-entropies in nats, and the number of correct predictions."""
        model, device = self.model, self.model.device
        inputs = {name: tensor.to(device) for name, tensor in batch.inputs.items()}
        targets = batch.targets.to(device)
        predicted = targets != IGNORED
        with ExitStack() as contexts:
            autocast = torch.autocast(
                device.type, torch.bfloat16, enabled=self._use_bf16, cache_enabled=False
            )
            contexts.enter_context(autocast)
            contexts.enter_context(fast_kernels(device.type))
            states = model.base_model(**inputs, **self._cache)[0]
            output = BaseOutput(last_hidden_state=states[predicted][None])
            base = Stage(model.base_model, lambda *ignored: output)
            view = with_modules(model, {model.base_model_prefix: base})
            logits = view(input_ids=targets[predicted][None]).logits[0]
        logits, chosen = logits.float(), targets[predicted]
        nats = cross_entropy(logits, chosen, reduction="sum")
        return nats, (logits.argmax(-1) == chosen).sum()
