"""Blocks that run for the first token of each text alone give the states of the complete block."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForSequenceClassification

from tests.support.toys import DEPTH, FAMILIES, WIDTH, as_inputs, toy_config
from thawline.backbones.kernels import FastCpuKernels
from thawline.backbones.stack import Stack

TOKENS = 9
SUPPORTED = ("bert", "roberta", "distilbert")


def block_of(family: str) -> tuple[Stack, Any]:
    torch.manual_seed(1)
    stack = Stack(AutoModel.from_config(toy_config(family)).eval())
    with torch.no_grad():
        for parameter in stack.blocks[-1].parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return stack, stack.blocks[-1]


def first_state(stack: Stack, block: Any, states: Tensor, mask: Tensor | None) -> Tensor:
    assert stack.family.first_token is not None
    return stack.family.first_token(block, states, mask)


def masks() -> dict[str, Tensor | None]:
    """Return masks of two texts, of which the second has four tokens of padding."""
    seen = torch.ones(2, 1, TOKENS, TOKENS, dtype=torch.bool)
    seen[1, :, :, 5:] = False
    return {
        "none": None,
        "boolean": seen,
        "additive": torch.zeros(seen.shape).masked_fill(~seen, -math.inf),
        "one row": seen[:, :, :1],
    }


@pytest.mark.parametrize("mask", masks())
@pytest.mark.parametrize("family", SUPPORTED)
def test_the_state_is_that_of_the_complete_block(family: str, mask: str) -> None:
    stack, block = block_of(family)
    states, hidden = torch.randn(2, TOKENS, WIDTH), masks()[mask]
    with torch.no_grad():
        whole = block(states, hidden)
        found = first_state(stack, block, states, hidden)
        with torch.autocast("cpu", torch.bfloat16), FastCpuKernels():
            low = first_state(stack, block, states, hidden)
    assert found.shape == (2, 1, WIDTH)
    torch.testing.assert_close(found[:, 0], whole[:, 0], rtol=0, atol=1e-5)
    assert 0 < float((low - found).norm()) < 0.05 * float(found.norm())


@pytest.mark.parametrize("family", SUPPORTED)
def test_dropout_is_active_in_training_only(family: str) -> None:
    stack, block = block_of(family)
    states = torch.randn(2, TOKENS, WIDTH)
    for training in (True, False):
        block.train(training)
        with torch.no_grad():
            one, other = (first_state(stack, block, states, None) for _ in range(2))
        assert torch.equal(one, other) != training


@pytest.mark.parametrize("family", FAMILIES)
def test_only_supported_families_with_the_pooling_first_are_changed(family: str) -> None:
    if family == "thawline-glove":
        pytest.skip("transformers has no classifier for it")
    model = AutoModelForSequenceClassification.from_config(toy_config(family)).eval()
    stack, seen = Stack(model.base_model), []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        seen.append((output[0] if isinstance(output, tuple) else output).shape[1])

    for module in stack.blocks[-1].modules():
        if isinstance(module, nn.LayerNorm):
            module.register_forward_hook(note)
    inputs = as_inputs(torch.full((2, TOKENS), 5))
    for pooling in ("mean", "last"):
        assert stack.classifier_view(model, pooling) is model
    view = stack.classifier_view(model, "first")
    with torch.no_grad():
        torch.testing.assert_close(view(**inputs).logits, model(**inputs).logits)
    assert (view is model) == (family not in SUPPORTED)
    if family in SUPPORTED:
        assert seen == [1, 1, TOKENS, TOKENS]
    assert len(stack.blocks) == DEPTH
