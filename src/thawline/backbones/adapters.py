"""Low-rank adapters in a backbone, by peft: put in, read from a folder, folded into the weights."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import PreTrainedModel

from thawline.backbones.weights import read_weights, weights_digest

WEIGHTS = "adapter_model.safetensors"
"""peft's name for the file."""


def base_digest(base: nn.Module) -> str:
    """Return a SHA-256 over a backbone's weights, the same with adapters in it and without.

    BERT's pooler reads the states, so it is left out: where a native head needs it, it is saved
    with the head.
    """
    return weights_digest(
        {
            name.replace(".base_layer.", "."): tensor
            for name, tensor in base.state_dict().items()
            if ".lora_" not in name and not name.startswith("pooler.")
        }
    )


def put_adapters(model: PreTrainedModel, config: LoraConfig, base: str) -> PeftModel:
    """Put fresh adapters into a base model, within it, and return peft's view of it.

    Args:
        model: gets the adapters.
        config: theirs.
        base: the backbone's name, for whoever reads the adapters' config.
    """
    # peft writes down where the base was read from, which may be a path of this machine, and
    # warns where another name stands there already. The name belongs there, afterwards.
    config.base_model_name_or_path = None
    adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    assert isinstance(adapted, PeftModel)
    config.base_model_name_or_path = base
    return adapted


def read_adapters(model: PreTrainedModel, folder: Path, base: str) -> PeftModel:
    """Put the adapters of a folder into a base model like theirs.

    Args:
        model: gets the adapters.
        folder: peft's, with its config and its weights.
        base: the backbone's name.

    Raises:
        ValueError: peft's config is missing or does not fit the backbone, or the weights do not
            fit the config.
        OSError: the weights are missing.
        SafetensorError: they are damaged.
    """
    adapted = put_adapters(model, LoraConfig.from_pretrained(str(folder)), base)
    wanted = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    set_peft_model_state_dict(adapted, read_weights(folder / WEIGHTS, wanted))
    return adapted


def merge_adapters(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Return a base model with the adapters of a folder folded into its weights, in place.

    Adapters that are trained on the result belong to these very bits, wherever they are made
    again. So the products are summed in fp64 and rounded once: in fp32 the last bit would depend
    on the machine's order of summation.

    Raises:
        ValueError, OSError, SafetensorError: as `read_adapters`.
    """
    with torch.random.fork_rng(devices=[]):  # what is drawn here is overwritten
        adapted = read_adapters(model, folder, "")
    for module in adapted.modules():
        if isinstance(module, BaseTunerLayer):
            module.double()
    merged = adapted.merge_and_unload()
    assert isinstance(merged, PreTrainedModel)
    return merged.float().eval()
