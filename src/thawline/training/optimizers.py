"""Create the optimisers and assign the weights to them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from thawline.config import LoopConfig


def make_optimizers(module: nn.Module, config: LoopConfig, lr: float) -> list[Optimizer]:
    """Create AdamW and, if the config selects it, Muon.

    Muon (Jordan et al., 2024; `torch.optim.Muon`) orthogonalises the updates of hidden matrices.
    AdamW keeps the embeddings, an output layer that shares their weights, norms and biases.

    Args:
        module: The module to train. Its parameters with ``requires_grad`` are optimised.
        config: The kind of optimiser, the learning rate of Muon and the weight decay of matrices.
        lr: The peak learning rate of AdamW.

    Returns:
        One or two optimisers. Each trainable parameter belongs to exactly one of them.
    """
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    hidden = _hidden_matrices(module) if config.optimizer == "muon" else []
    hidden_ids = {id(parameter) for parameter in hidden}
    rest = [parameter for parameter in trainable if id(parameter) not in hidden_ids]
    optimizers: list[Optimizer] = [
        torch.optim.AdamW(_decay_matrices(rest, config.weight_decay), lr=lr, fused=True)
    ]
    if hidden:
        decay = config.weight_decay
        optimizers.append(torch.optim.Muon(hidden, lr=config.muon_lr, weight_decay=decay))
    return optimizers


def _hidden_matrices(module: nn.Module) -> list[Tensor]:
    """Return the trainable matrices that are not embeddings."""
    embeddings = [part for part in module.modules() if isinstance(part, nn.Embedding)]
    embedding_ids = {id(parameter) for part in embeddings for parameter in part.parameters()}
    return [
        parameter
        for parameter in module.parameters()
        if parameter.requires_grad and parameter.dim() == 2 and id(parameter) not in embedding_ids
    ]


def _decay_matrices(parameters: Iterable[Tensor], weight_decay: float) -> list[dict[str, object]]:
    """Return parameter groups in which only the matrices have weight decay."""
    groups: dict[float, list[Tensor]] = {weight_decay: [], 0.0: []}
    for parameter in parameters:
        groups[weight_decay if parameter.dim() > 1 else 0.0].append(parameter)
    return [{"params": p, "weight_decay": decay} for decay, p in groups.items() if p]
