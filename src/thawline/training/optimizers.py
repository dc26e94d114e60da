"""Create the optimisers and assign the weights to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from thawline.config import LoopConfig

STATES: dict[type[Optimizer], tuple[str, ...]] = {
    torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq"),
    torch.optim.Muon: ("momentum_buffer",),
    torch.optim.SGD: ("momentum_buffer",),
}
"""The tensors that each kind of optimiser keeps for a parameter. SGD without momentum has none."""


def make_optimizers(
    module: nn.Module,
    config: LoopConfig,
    lr: float,
    factors: Mapping[int, float] = MappingProxyType({}),
) -> list[Optimizer]:
    """Create AdamW, AdamW and Muon, or SGD, as the config selects.

    Muon (Jordan et al., 2024; `torch.optim.Muon`) orthogonalises the updates of hidden matrices.
    AdamW keeps the embeddings, an output layer that shares their weights, norms and biases.

    Args:
        module: The module to train. Its parameters with ``requires_grad`` are optimised.
        config: The kind of optimiser, the learning rate of Muon, the momentum of SGD and the
            weight decay of matrices.
        lr: The peak learning rate of AdamW or SGD.
        factors: By the ``id`` of a parameter, the factor of its learning rate. If missing, 1.

    Returns:
        One or two optimisers. Each trainable parameter belongs to exactly one of them.
    """
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if config.optimizer == "sgd":
        groups = _grouped(trainable, config.weight_decay, lr, factors)
        return [torch.optim.SGD(groups, lr=lr, momentum=config.momentum, fused=True)]
    hidden = _hidden_matrices(module) if config.optimizer == "muon" else []
    hidden_ids = {id(parameter) for parameter in hidden}
    rest = [parameter for parameter in trainable if id(parameter) not in hidden_ids]
    optimizers: list[Optimizer] = [
        torch.optim.AdamW(_grouped(rest, config.weight_decay, lr, factors), lr=lr, fused=True)
    ]
    if hidden:
        groups = _grouped(hidden, config.weight_decay, config.muon_lr, factors)
        optimizers.append(torch.optim.Muon(groups, lr=config.muon_lr))
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


def _grouped(
    parameters: Iterable[Tensor], weight_decay: float, lr: float, factors: Mapping[int, float]
) -> list[dict[str, object]]:
    """Return parameter groups: only matrices have weight decay, and each group has its own rate."""
    # The first group has the full rate, which the training reports.
    groups: dict[tuple[float, float], list[Tensor]] = {(weight_decay, 1.0): [], (0.0, 1.0): []}
    for parameter in parameters:
        key = weight_decay if parameter.dim() > 1 else 0.0, factors.get(id(parameter), 1.0)
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": p, "weight_decay": decay, "lr": lr * factor}
        for (decay, factor), p in groups.items()
        if p
    ]
