"""What makes training fast on a CPU: matrices in bf16, but attention in fp32, and cheap dropout.

Run it from the repository's root::

    python -m benchmarks.training_step --backbone thawline/qwen3-mini --rows 160

It trains the whole of a backbone with its native head. All forms take the same steps in turn, so
that a busy machine slows them alike; the table gives the median of a step and its ratio to torch's
own way in fp32.
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
from thawline.runtime.hardware import bound_kernel_cache
from thawline.training import suffix

FORMS = {
    "fp32, torch's own": (False, True),
    "fp32": (False, False),
    "bf16, torch's own": (True, True),
    "bf16, attention in fp32": (True, False),
}
"""Whether matrices are multiplied in bf16, and whether by torch's kernels alone."""


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--data", default="thawline/reviews", help="a folder, a file, a set's name or a hub id")
    add("--backbone", default="thawline/qwen3-mini")
    add("--rows", type=int, default=160, help="texts in all steps")
    add("--max-length", type=int, default=512)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parse()
    bound_kernel_cache()
    backbone = load_backbone(options.backbone)
    texts = load(DataConfig(data=options.data, limit=(options.rows, 2))).train.texts
    tokens = tokenize(
        backbone.tokenizer, texts, max_length=options.max_length, truncation_side="right"
    )
    size = TrainingConfig.batch_size
    order = np.argsort(tokens.lengths, kind="stable")
    model = build_native(backbone, 2, seed=0, attention_dropout=0.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    for step in np.array_split(order, len(order) // size):
        passes = split_by_length(
            tokens.lengths[step],
            tokens_per_batch=ComputeConfig.tokens_per_batch,
            overhead=TrainingConfig.pass_overhead,
        )
        for form, (low, own) in FORMS.items():
            module = suffix.Suffix(model, 0, low=low).train()
            start = time.perf_counter()
            with mock.patch.object(suffix, "QuickOnCpu", nullcontext) if own else nullcontext():
                for part in passes:
                    logits = module(TokenBatch(tokens.batch(step[part]), None))
                    logits.square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            seconds[form].append(time.perf_counter() - start)
    usual = median(seconds["fp32, torch's own"])
    table = Table("a step", "milliseconds", "times torch's own in fp32")
    for form, taken in seconds.items():
        table.add_row(form, f"{1000 * median(taken):.0f}", f"{usual / median(taken):.2f}")
    mean = f"{tokens.lengths.mean():.0f} tokens in the mean"
    Console().print(f"{backbone.name}: steps of {size} texts, {mean}", table)


if __name__ == "__main__":
    main()
