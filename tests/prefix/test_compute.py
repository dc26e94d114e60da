from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from thawline.backbones.loading import load_backbone
from thawline.data.tokens import tokenize
from thawline.prefix.compute import PooledStates, run_batches

# The states are tested in test_frozen_pass.py and test_token_states.py.


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
