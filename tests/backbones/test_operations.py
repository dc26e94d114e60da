from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, AutoModelForSequenceClassification

from tests.support.toys import DEPTH, FAMILIES, WIDTH, as_inputs, toy_config
from thawline.backbones.operations import (
    forward_operations,
    trained_stages,
    training_operations,
)
from thawline.backbones.stack import Stack
from thawline.models.lora import thaw
from thawline.strategies import parse_strategy

TEXTS = 2
STRATEGIES = ("head", "last:1", "last:2", "lora", "lora:from=3", "full", "bitfit")
NORM_FIRST = ("modernbert", "qwen3", "llama", "thawline-glove")


def toy_stack(family: str, strategy: str = "head", **changes: Any) -> Stack:
    config = toy_config(family)
    config._attn_implementation = "eager"
    for name, value in changes.items():
        setattr(config, name, value)
    classifier: Any = SimpleNamespace(base_model=AutoModel.from_config(config).train())
    thaw(classifier, parse_strategy(strategy), cast(Any, SimpleNamespace(name="toy")))
    return Stack(classifier.base_model)


def attending_to_all(stack: Stack) -> Stack:
    """Return the same backbone as if each token attended to all others, as torch computes it."""
    counted = Stack(stack.model)
    counted.family = replace(stack.family, causal=False)
    return counted


def counted_by_torch(stack: Stack, line: int, tokens: int) -> tuple[int, int]:
    """Return the operations of a forward and of a backward pass, as torch counts them."""
    inputs = as_inputs(torch.full((TEXTS, tokens), 5))
    # torch counts products, not its CPU attention kernel, which the own attention of torch takes.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        if 1 < line <= DEPTH:
            states = stack.suffix(line, torch.randn(TEXTS, tokens, WIDTH), inputs)
        else:
            states = stack.forward(inputs)
        forward = counter.get_total_flops()
        if states.requires_grad:
            states.square().mean().backward()
    return forward, counter.get_total_flops() - forward


def counted_by_torch_alone(stack: Stack, line: int, tokens: int) -> tuple[int, int]:
    """Return the operations of a forward and of a backward pass that are left out on purpose."""
    config, in_the_middle = stack.model.config, 1 <= line <= DEPTH
    forward = backward = 0
    if config.model_type in ("bert", "roberta"):
        forward = 2 * TEXTS * WIDTH**2  # the pooler is no block
    if config.model_type in NORM_FIRST and in_the_middle and trains_norms(stack):
        keys = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = WIDTH + 2 * WIDTH * keys // config.num_attention_heads
        backward = 2 * TEXTS * tokens * WIDTH * width  # the gradient of the norm before attention
    return forward, backward


def trains_norms(stack: Stack) -> bool:
    return any(p.requires_grad and p.dim() == 1 for p in stack.blocks.parameters())


@pytest.mark.parametrize("tokens", [1, 33])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_operations_are_those_that_torch_counts(family, strategy, tokens):
    windows = {"local_attention": 2 * tokens} if family == "modernbert" else {}
    stack, line = toy_stack(family, strategy, **windows), parse_strategy(strategy).line(DEPTH)
    if strategy == "bitfit" and not stack.biases():
        pytest.skip("the blocks have no bias terms")
    forward, backward = counted_by_torch(stack, line, tokens)
    of_pass, of_gradients = counted_by_torch_alone(stack, line, tokens)
    lengths, ours = np.full(TEXTS, tokens), attending_to_all(stack)
    stages = range(DEPTH + 1) if strategy == "head" else trained_stages(line, DEPTH)
    counted = forward_operations(ours, lengths, stages)
    assert backward - of_gradients == training_operations(ours, lengths, line) - (
        0 if strategy == "head" else counted
    )
    rest = forward - of_pass - counted
    if family in ("modernbert", "qwen3", "llama"):  # torch counts their rotary angles, too
        assert 0 <= rest <= 2 * 2 * TEXTS * tokens * WIDTH
    else:
        assert rest == 0


@pytest.mark.parametrize("strategy", ["last:1", "last:2", "lora", "full"])
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_a_head_that_reads_the_first_token_needs_fewer_operations(family, strategy):
    config, tokens, line = toy_config(family), 33, parse_strategy(strategy).line(DEPTH)
    model = AutoModelForSequenceClassification.from_config(config).train()
    thaw(model, parse_strategy(strategy), cast(Any, SimpleNamespace(name="toy")))
    stack, inputs = Stack(model.base_model), as_inputs(torch.full((TEXTS, tokens), 5))
    states = torch.randn(TEXTS, tokens, WIDTH) if line > 1 else None
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        view = stack.classifier_view(model, "first", line=line, states=states)
        loss = view(**inputs).logits.square().mean()
        loss.backward()
    in_blocks = set(stack.blocks.modules())
    linear = [m for m in model.modules() if isinstance(m, nn.Linear) and m not in in_blocks]
    head = sum(2 * TEXTS * m.weight.numel() * (2 + m.weight.requires_grad) for m in linear)
    lengths = np.full(TEXTS, tokens)
    ours = training_operations(stack, lengths, line, "first")
    assert counter.get_total_flops() == ours + head
    assert ours < training_operations(stack, lengths, line)


def allowed_pairs(tokens: int, *, causal: bool, window: int | None) -> int:
    """Count the pairs of tokens that attend to each other, one by one."""

    def pairs() -> Iterator[bool]:
        for query in range(tokens):
            for key in range(tokens):
                seen = key <= query if causal else True
                if window is not None:
                    seen &= query - key < window if causal else abs(query - key) <= window
                yield seen

    return sum(pairs())


@pytest.mark.parametrize(
    ("family", "changes", "causal", "window"),
    [
        ("bert", {}, False, None),
        ("llama", {}, True, None),
        ("qwen3", {}, True, None),
        ("qwen3", {"layer_types": ["sliding_attention"] * DEPTH, "sliding_window": 5}, True, 5),
        ("modernbert", {"layer_types": ["full_attention"] * DEPTH}, False, None),
        ("modernbert", {"layer_types": ["sliding_attention"] * DEPTH}, False, 4),
    ],
)
def test_only_pairs_of_tokens_that_attend_to_each_other_are_counted(
    family, changes, causal, window
):
    stack = toy_stack(family, **changes)
    lengths = np.array([1, 2, 5, 6, 30])
    linear = sum(forward_operations(stack, np.array([1])) * length for length in lengths)
    linear -= DEPTH * 4 * WIDTH * lengths.sum()  # one token attends to itself
    pairs = [allowed_pairs(length, causal=causal, window=window) for length in lengths]
    assert forward_operations(stack, lengths) == linear + DEPTH * 4 * WIDTH * sum(pairs)


def test_the_operations_by_hand():
    stack = toy_stack("bert")
    weights = DEPTH * (4 * 32 * 32 + 2 * 32 * 64)
    by_hand = 2 * weights * (10 + 3) + DEPTH * 2 * 2 * 32 * (10**2 + 3**2)
    assert forward_operations(stack, np.array([10, 3])) == by_hand
    assert forward_operations(stack, np.array([], dtype=np.int64)) == 0


def test_training_everything_takes_three_times_the_operations_of_a_forward_pass():
    stack, lengths = toy_stack("bert", "full"), np.array([10, 3])
    assert training_operations(stack, lengths, 0) == 3 * forward_operations(stack, lengths)


def test_the_operations_of_some_stages_add_up_to_those_of_all():
    stack = toy_stack("qwen3")
    lengths = np.array([10, 3, 1])
    each = [forward_operations(stack, lengths, [stage]) for stage in range(DEPTH + 1)]
    assert each[0] == 0
    assert min(each[1:]) > 0
    assert sum(each) == forward_operations(stack, lengths)
    assert forward_operations(stack, lengths, range(2, 4)) == each[2] + each[3]
    assert forward_operations(stack, lengths, range(2, 2)) == 0


def test_a_model_without_weights_is_counted_too():
    with torch.device("meta"):
        model = AutoModel.from_config(toy_config("bert"))
    lengths = np.array([10, 3])
    assert forward_operations(Stack(model), lengths) == forward_operations(
        toy_stack("bert"), lengths
    )
