from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel

from tests.support.toys import DEPTH, FAMILIES, WIDTH, as_inputs, toy_config
from thawline.backbones.loading import load_backbone
from thawline.backbones.stack import Stack
from thawline.data.tokens import tokenize
from thawline.prefix.compute import PooledStates, matmul_flops, run_batches

# The states are tested in test_frozen_pass.py and test_token_states.py.


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tokens", [8, 33])
@torch.no_grad()
def test_the_operations_are_those_that_torch_counts(family, tokens):
    config = toy_config(family)
    config._attn_implementation = "eager"
    stack = Stack(AutoModel.from_config(config).eval())
    ids = torch.full((2, tokens), 5)
    # torch counts products, not its CPU attention kernel, which the own attention of torch takes.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        stack.forward(as_inputs(ids))
    counted = counter.get_total_flops()
    if family == "thawline-glove":
        counted -= 2 * 2 * tokens * config.vector_size * WIDTH  # nor is the vectors' projection
    if family in ("bert", "roberta"):
        counted -= 2 * 2 * WIDTH**2  # the pooler is no block
    ours = matmul_flops(stack, np.array([tokens, tokens]))
    if family in ("modernbert", "qwen3", "llama"):  # torch counts their rotary angles, too
        assert ours <= counted <= ours + 2 * 2 * 2 * tokens * WIDTH
    else:
        assert ours == counted


def test_the_operations_by_hand():
    stack = Stack(AutoModel.from_config(toy_config("bert")))
    weights = DEPTH * (4 * 32 * 32 + 2 * 32 * 64)
    by_hand = 2 * weights * (10 + 3) + DEPTH * 2 * 2 * 32 * (10**2 + 3**2)
    assert matmul_flops(stack, np.array([10, 3])) == by_hand
    assert matmul_flops(stack, np.array([], dtype=np.int64)) == 0


def test_the_operations_of_some_blocks_add_up_to_those_of_all():
    stack = Stack(AutoModel.from_config(toy_config("qwen3")))
    lengths = np.array([10, 3, 1])
    each = [matmul_flops(stack, lengths, [block]) for block in range(1, DEPTH + 1)]
    assert min(each) > 0
    assert sum(each) == matmul_flops(stack, lengths)
    assert matmul_flops(stack, lengths, range(2, 4)) == each[1] + each[2]
    assert matmul_flops(stack, lengths, range(2, 2)) == 0


def test_new_threads_keep_the_number_of_threads_of_an_operation(toy_backbone):
    backbone = load_backbone(str(toy_backbone()))
    given = tokenize(backbone.tokenizer, ["a film"] * 4, max_length=9, truncation_side="right")
    before = torch.get_num_threads()

    def compute(_: int = 0) -> None:
        batches = [np.array([row]) for row in range(4)]
        list(run_batches(backbone.stack, given, batches, "cpu", PooledStates()))

    def in_a_new_thread() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.get_num_threads).result()

    try:
        torch.set_num_threads(2)
        compute()
        assert (torch.get_num_threads(), in_a_new_thread()) == (2, 2)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(compute, range(8)))
        assert in_a_new_thread() == 2
    finally:
        torch.set_num_threads(before)
