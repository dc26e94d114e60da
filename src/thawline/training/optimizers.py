"""Which optimiser moves which weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from thawline.config import LoopConfig


def make_optimizers(module: nn.Module, config: LoopConfig, lr: float) -> list[Optimizer]:
    """Return AdamW, and Muon after it where the config asks for that.

    Muon (Jordan et al., 2024; `torch.optim.Muon`) makes the steps of hidden matrices orthogonal.
    Embeddings, and an output layer that shares their weights, stay with AdamW, and so do norms
    and biases.

    Args:
        module: its parameters with ``requires_grad`` are optimised.
        config: the kind, Muon's rate and the decay of matrices.
        lr: AdamW's highest rate.
    """
    learnt = [parameter for parameter in module.parameters() if parameter.requires_grad]
    hidden = _hidden_matrices(module) if config.optimizer == "muon" else []
    taken = {id(parameter) for parameter in hidden}
    rest = [parameter for parameter in learnt if id(parameter) not in taken]
    optimizers: list[Optimizer] = [
        torch.optim.AdamW(_decay_matrices(rest, config.weight_decay), lr=lr, fused=True)
    ]
    if hidden:
        decay = config.weight_decay
        optimizers.append(torch.optim.Muon(hidden, lr=config.muon_lr, weight_decay=decay))
    return optimizers


def _hidden_matrices(module: nn.Module) -> list[Tensor]:
    """Return the matrices that train and are no embeddings."""
    embeddings = [part for part in module.modules() if isinstance(part, nn.Embedding)]
    outer = {id(parameter) for part in embeddings for parameter in part.parameters()}
    return [
        parameter
        for parameter in module.parameters()
        if parameter.requires_grad and parameter.dim() == 2 and id(parameter) not in outer
    ]


def _decay_matrices(parameters: Iterable[Tensor], weight_decay: float) -> list[dict[str, object]]:
    """Group parameters: matrices are held down, biases and norms are not."""
    groups: dict[float, list[Tensor]] = {weight_decay: [], 0.0: []}
    for parameter in parameters:
        groups[weight_decay if parameter.dim() > 1 else 0.0].append(parameter)
    return [{"params": p, "weight_decay": decay} for decay, p in groups.items() if p]
