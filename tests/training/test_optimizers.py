"""The assignment of weights to optimisers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Muon

from tests.support.language_toys import toy_module
from thawline.config import LoopConfig, TrainingConfig
from thawline.training.optimizers import make_optimizers

WITH_MUON = LoopConfig(optimizer="muon", weight_decay=0.1, muon_lr=0.05)


def named(module: nn.Module, optimizer: torch.optim.Optimizer) -> set[str]:
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return {names[id(one)] for group in optimizer.param_groups for one in group["params"]}


def test_muon_gets_the_hidden_matrices_and_adamw_the_rest():
    module = toy_module()
    adamw, muon = make_optimizers(module, WITH_MUON, 1e-3)
    assert (type(adamw), type(muon)) == (AdamW, Muon)
    parts = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
    parts += ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
    expected = {f"model.model.layers.{block}.{part}.weight" for block in (0, 1) for part in parts}
    assert named(module, muon) == expected
    every = {name for name, _ in module.named_parameters()}
    assert named(module, adamw) == every - expected
    assert "model.model.embed_tokens.weight" in named(module, adamw)
    assert {group["lr"] for group in muon.param_groups} == {0.05}
    assert {group["weight_decay"] for group in muon.param_groups} == {0.1}
    assert {group["lr"] for group in adamw.param_groups} == {1e-3}


def test_muon_gets_an_output_layer_that_shares_no_weights():
    module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 5))
    assert named(module, make_optimizers(module, WITH_MUON, 1e-3)[1]) == {"1.weight", "2.weight"}


def test_sgd_gets_all_weights_with_its_momentum():
    module = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    (sgd,) = make_optimizers(module, LoopConfig(optimizer="sgd", momentum=0.7), 0.5)
    assert type(sgd) is SGD
    assert named(module, sgd) == {name for name, _ in module.named_parameters()}
    assert {group["momentum"] for group in sgd.param_groups} == {0.7}
    assert {group["lr"] for group in sgd.param_groups} == {0.5}


@pytest.mark.parametrize("kind", ["adamw", "muon", "sgd"])
def test_each_trainable_weight_is_in_exactly_one_optimizer(kind):
    module = toy_module()
    module.model.model.layers[0].requires_grad_(False)
    optimizers = make_optimizers(module, replace(WITH_MUON, optimizer=kind), 1e-3)
    taken = [
        id(one) for optimizer in optimizers for group in optimizer.param_groups
        for one in group["params"]
    ]  # fmt: skip
    assert len(taken) == len(set(taken))
    assert set(taken) == {id(one) for one in module.parameters() if one.requires_grad}
    assert len(optimizers) == (2 if kind == "muon" else 1)


@pytest.mark.parametrize("kind", ["adamw", "muon", "sgd"])
def test_a_factor_changes_the_learning_rate_of_its_parameters(kind):
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3), nn.LayerNorm(3))
    factors = {id(parameter): 0.5 for parameter in module[0].parameters()}
    optimizers = make_optimizers(module, replace(WITH_MUON, optimizer=kind), 1e-3, factors)
    rates = {
        id(parameter): group["lr"] / (0.05 if isinstance(optimizer, Muon) else 1e-3)
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert rates == {
        id(parameter): factors.get(id(parameter), 1.0) for parameter in module.parameters()
    }
    assert optimizers[0].param_groups[0]["lr"] == 1e-3


def test_adamw_is_the_only_optimizer_by_default():
    module = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    (adamw,) = make_optimizers(module, TrainingConfig(weight_decay=0.2), 0.5)
    assert type(adamw) is AdamW
    decays = {
        name: group["weight_decay"]
        for group in adamw.param_groups
        for name, parameter in module.named_parameters()
        if any(parameter is one for one in group["params"])
    }
    assert decays == {"0.weight": 0.2, "0.bias": 0.0, "1.weight": 0.0, "1.bias": 0.0}


def test_without_hidden_matrices_there_is_no_muon():
    module = nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4))
    assert len(make_optimizers(module, WITH_MUON, 1e-3)) == 1
