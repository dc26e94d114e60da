"""Low-rank adapters of peft in a backbone: insert them, read them, merge them into the weights.

Functions import peft themselves, so that a classifier without adapters starts without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from thawline.backbones.adapter_config import (
    WEIGHTS,
    check_adapter_shapes,
    read_adapter_config,
)
from thawline.backbones.weights import read_weights, weights_digest
from thawline.runtime.randomness import building

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel


def base_digest(base: nn.Module) -> str:
    """Return a SHA-256 of a backbone's weights that does not depend on adapters in the backbone.

    BERT's pooler is left out because it only reads the final states. If a native head needs the
    pooler, it is saved with the head.

    Args:
        base: The base model, with or without adapters.

    Returns:
        The digest in hexadecimal.
    """
    return weights_digest(
        {
            name.replace(".base_layer.", "."): tensor
            for name, tensor in base.state_dict().items()
            if ".lora_" not in name and not name.startswith("pooler.")
        }
    )


def insert_adapters(model: PreTrainedModel, config: LoraConfig, base: str) -> PeftModel:
    """Insert newly initialised adapters into a base model in place.

    Args:
        model: The base model. Its linear layers are replaced by adapted ones.
        config: The configuration of the adapters.
        base: The backbone's name, which is written to the adapters' config.

    Returns:
        The peft model that wraps ``model``.
    """
    from peft import PeftModel, get_peft_model

    # peft writes the local path of the base to the config, and warns if the config already holds
    # another name. So the name is set afterwards.
    config.base_model_name_or_path = None
    config.fan_in_fan_out = any(isinstance(module, Conv1D) for module in model.modules())
    adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    assert isinstance(adapted, PeftModel)
    config.base_model_name_or_path = base
    return adapted


def read_adapters(model: PreTrainedModel, folder: Path, base: str) -> PeftModel:
    """Read adapters from a folder and insert them into a matching base model in place.

    Args:
        model: The base model. Its linear layers are replaced by adapted ones.
        folder: The folder that peft wrote, with the config and the weights of the adapters.
        base: The backbone's name, which is written to the adapters' config.

    Returns:
        The peft model that wraps ``model``.

    Raises:
        ThawlineError: If the config is invalid, or if it does not fit the backbone or the weights.
        ValueError: If a weight is missing or unexpected.
        OSError: If a file is missing.
        SafetensorError: If the file of weights is damaged.
    """
    from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict

    read = read_adapter_config(folder)
    check_adapter_shapes(model, read, folder)
    config = LoraConfig(
        r=read.r,
        lora_alpha=read.alpha,
        lora_dropout=read.dropout,
        target_modules=list(read.targets),
        use_dora=read.dora,
        use_rslora=read.rslora,
        inference_mode=True,  # the loaded weights are not trained
    )
    adapted = insert_adapters(model, config, base)
    wanted = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    set_peft_model_state_dict(adapted, read_weights(folder / WEIGHTS, wanted))
    return adapted


def merge_adapters(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Merge the adapters of a folder into the weights of a base model in place.

    If new adapters are trained on the merged model, its weights must be identical on every machine.
    So the products are summed in fp64 and rounded once to fp32. In fp32 the last bit would depend
    on the order of summation, which differs between machines.

    Args:
        model: The base model that the adapters were trained on.
        folder: The folder that peft wrote.

    Returns:
        The merged model in fp32 and evaluation mode.

    Raises:
        ThawlineError: If the config is invalid, or does not fit the backbone or the weights.
        ValueError: If a weight is missing or unexpected.
        OSError: If the file of weights is missing.
        SafetensorError: If the file of weights is damaged.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    # The random initial weights are overwritten, so they must not advance the caller's generator.
    with building():
        adapted = read_adapters(model, folder, "")
    for module in adapted.modules():
        if isinstance(module, BaseTunerLayer):
            module.double()
    merged = adapted.merge_and_unload()
    assert isinstance(merged, PreTrainedModel)
    return merged.float().eval()
