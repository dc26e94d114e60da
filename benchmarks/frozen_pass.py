"""Measure the speed of the frozen pass on a CPU, with two ways of threading and of attention.

Run it from the root of the repository, in the environment of ``make install``::

    python benchmarks/frozen_pass.py --data thawline/reviews --rows 200

It prints the texts per second of four variants: torch's attention or that of Thawline, and all
threads on one batch or one thread for each batch. It also prints the speed of each relative to
torch's default.

The data set ``thawline/reviews`` comes with Thawline, and the backbone ``minilm`` with the extra
``minilm``.

The variants compute the same texts in turn in every round, so that load on the machine slows all of
them. The table shows the best round of each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from thawline.backbones.loading import load_backbone
from thawline.backbones.operations import forward_operations
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig, DataConfig
from thawline.data import load
from thawline.data.batches import plan_batches
from thawline.data.tokens import TokenizedTexts, tokenize
from thawline.prefix import compute
from thawline.prefix.compute import PooledStates, run_batch, run_batches
from thawline.runtime.hardware import limit_kernel_cache, matrix_rate

Batches = list[NDArray[np.int64]]


def parse() -> argparse.Namespace:
    """Parse the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--data", required=True, help="A folder, a file, the name of a set or a hub id"
    )
    parser.add_argument("--backbone", default="minilm", help="Backbone, as for `thawline fit`")
    parser.add_argument("--rows", type=int, default=400, help="Number of texts to compute")
    parser.add_argument("--rounds", type=int, default=3, help="Number of rounds")
    return parser.parse_args()


@torch.inference_mode()
def one_batch_at_a_time(stack: Stack, tokens: TokenizedTexts, batches: Batches) -> None:
    """Compute one batch at a time. torch distributes each operation over all threads."""
    for batch in batches:
        run_batch(stack, tokens, batch, "cpu", PooledStates())


def one_thread_a_batch(stack: Stack, tokens: TokenizedTexts, batches: Batches) -> None:
    """Compute several batches at the same time, each on one thread, as `fit` does."""
    for _ in run_batches(stack, tokens, batches, "cpu", PooledStates()):
        pass


def torch_only() -> AbstractContextManager[object]:
    """Return a context manager in which the frozen pass uses the attention of torch."""
    return mock.patch.object(compute, "fast_kernels", return_value=nullcontext())


def main() -> None:
    """Measure all variants and print the table."""
    options = parse()
    limit_kernel_cache()
    config = ComputeConfig()
    backbone = load_backbone(options.backbone)
    texts = load(DataConfig(data=options.data, limit=(options.rows, 2))).train.texts
    tokens = tokenize(backbone.tokenizer, texts, max_length=512, truncation_side="right")
    batches = plan_batches(
        tokens.lengths, tokens_per_batch=config.tokens_per_batch, density=config.density
    )
    stack = Stack(backbone.stack.model.to(torch.bfloat16).eval())
    variants: dict[tuple[str, str], Callable[[Stack, TokenizedTexts, Batches], None]] = {
        (kernel, threads): run
        for kernel in ("torch", "products")
        for threads, run in (
            ("all on one batch", one_batch_at_a_time),
            ("one a batch", one_thread_a_batch),
        )
    }
    best = dict.fromkeys(variants, float("inf"))
    for _ in range(options.rounds):
        for (kernel, threads), run in variants.items():
            start = time.perf_counter()
            with nullcontext() if kernel == "products" else torch_only():
                run(stack, tokens, batches)
            best[kernel, threads] = min(best[kernel, threads], time.perf_counter() - start)

    flops, rate = forward_operations(stack, tokens.lengths), matrix_rate("bfloat16")
    default = best["torch", "all on one batch"]
    table = Table("attention", "threads", "texts/s", "share of matrix rate", "relative speed")
    for (kernel, threads), seconds in best.items():
        share = flops / seconds / rate
        row = (f"{len(texts) / seconds:.1f}", f"{share:.0%}", f"{default / seconds:.2f}")
        table.add_row(kernel, threads, *row)
    Console().print(f"{len(texts)} texts, {int(tokens.lengths.sum()):,} tokens, bf16", table)


if __name__ == "__main__":
    main()
