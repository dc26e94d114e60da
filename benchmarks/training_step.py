"""Measure the speed of a training step on a CPU, with the kernels of torch and of Thawline.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.training_step --backbone thawline/qwen3-mini --rows 160

It prints the median time of a step in four variants, and the speed of each relative to torch's
kernels in fp32.

The default data set and backbone come with Thawline.

It trains a complete backbone with its native head. All variants take the same steps in turn, so
that load on the machine slows all of them.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from statistics import median
from unittest import mock

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from thawline.backbones.copies import build_native
from thawline.backbones.loading import load_backbone
from thawline.config import ComputeConfig, DataConfig, TrainingConfig
from thawline.data import load
from thawline.data.batches import split_by_length
from thawline.data.tokens import tokenize
from thawline.inference.examples import TokenBatch
from thawline.runtime.hardware import limit_kernel_cache
from thawline.training import suffix

BASELINE = "fp32, torch's kernels"

VARIANTS = {
    BASELINE: (False, True),
    "fp32": (False, False),
    "bf16, torch's kernels": (True, True),
    "bf16, attention in fp32": (True, False),
}
"""For each variant: whether matrices are multiplied in bf16, and whether torch's kernels run."""


def parse() -> argparse.Namespace:
    """Parse the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add(
        "--data", default="thawline/reviews", help="A folder, a file, the name of a set or a hub id"
    )
    add("--backbone", default="thawline/qwen3-mini", help="Backbone, as for `thawline fit`")
    add("--rows", type=int, default=160, help="Number of texts in all steps")
    add("--max-length", type=int, default=512, help="Maximum tokens in a text")
    return parser.parse_args()


def main() -> None:
    """Measure all variants and print the table."""
    options = parse()
    limit_kernel_cache()
    backbone = load_backbone(options.backbone)
    texts = load(DataConfig(data=options.data, limit=(options.rows, 2))).train.texts
    tokens = tokenize(
        backbone.tokenizer, texts, max_length=options.max_length, truncation_side="right"
    )
    size = TrainingConfig.batch_size
    order = np.argsort(tokens.lengths, kind="stable")
    model = build_native(backbone, 2, seed=0, attention_dropout=0.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    seconds: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for step in np.array_split(order, len(order) // size):
        passes = split_by_length(
            tokens.lengths[step],
            tokens_per_batch=ComputeConfig.tokens_per_batch,
            overhead=TrainingConfig.pass_overhead,
        )
        for variant, (low, torch_only) in VARIANTS.items():
            module = suffix.Suffix(model, 0, use_bf16=low).train()
            start = time.perf_counter()
            only = mock.patch.object(suffix, "FastCpuKernels", nullcontext)
            with only if torch_only else nullcontext():
                for part in passes:
                    logits = module(TokenBatch(tokens.batch(step[part]), None))
                    logits.square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            seconds[variant].append(time.perf_counter() - start)
    baseline = median(seconds[BASELINE])
    table = Table("variant", "milliseconds", "relative speed")
    for variant, taken in seconds.items():
        table.add_row(variant, f"{1000 * median(taken):.0f}", f"{baseline / median(taken):.2f}")
    mean = f"{tokens.lengths.mean():.0f} tokens on average"
    Console().print(f"{backbone.name}: steps of {size} texts, {mean}", table)


if __name__ == "__main__":
    main()
