"""What makes the frozen pass fast on a CPU: one thread a batch, and attention by plain products.

Run it from the repository's root::

    python benchmarks/frozen_pass.py --data thawline/reviews --rows 200

All forms compute the same texts in turn, round after round, so that a busy machine slows them
alike; the table gives each form's best round and its ratio to torch's own way.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from thawline.backbones import attention
from thawline.backbones.loading import load_backbone
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig, DataConfig
from thawline.data import load
from thawline.data.batches import plan_batches
from thawline.data.tokens import TokenizedTexts, tokenize
from thawline.prefix.compute import matmul_flops, pooled_states, run_batches
from thawline.runtime.hardware import limit_kernel_cache, matmul_rates

Batches = list[NDArray[np.int64]]


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="a folder, a file, a set's name or a hub id")
    parser.add_argument("--backbone", default="minilm")
    parser.add_argument("--rows", type=int, default=400, help="texts to compute")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


@torch.inference_mode()
def one_batch_at_a_time(stack: Stack, tokens: TokenizedTexts, batches: Batches) -> None:
    """Let torch spread each operation of a batch over all threads."""
    for batch in batches:
        stack.pooled(tokens.batch(batch))


def one_thread_a_batch(stack: Stack, tokens: TokenizedTexts, batches: Batches) -> None:
    """Compute several batches at once, each on one thread, as `fit` does."""
    for _ in run_batches(stack, tokens, batches, "cpu", pooled_states):
        pass


def main() -> None:
    """Measure and print."""
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
    forms: dict[tuple[str, str], Callable[[Stack, TokenizedTexts, Batches], None]] = {
        (kernel, threads): run
        for kernel in ("sdpa", attention.NAME)
        for threads, run in (
            ("all on one batch", one_batch_at_a_time),
            ("one a batch", one_thread_a_batch),
        )
    }
    best = dict.fromkeys(forms, float("inf"))
    for _ in range(options.rounds):
        for (kernel, threads), run in forms.items():
            stack.model.set_attn_implementation(kernel)
            start = time.perf_counter()
            run(stack, tokens, batches)
            best[kernel, threads] = min(best[kernel, threads], time.perf_counter() - start)

    flops, rate = matmul_flops(stack, tokens.lengths), matmul_rates()["bfloat16"]
    usual = best["sdpa", "all on one batch"]
    table = Table("attention", "threads", "texts/s", "share of matrix rate", "times torch's own")
    for (kernel, threads), seconds in best.items():
        share = flops / seconds / rate
        row = (f"{len(texts) / seconds:.1f}", f"{share:.0%}", f"{usual / seconds:.2f}")
        table.add_row(kernel, threads, *row)
    Console().print(f"{len(texts)} texts, {int(tokens.lengths.sum()):,} tokens, bf16", table)


if __name__ == "__main__":
    main()
