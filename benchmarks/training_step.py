"""Measure the speed of a training step on a CPU, with the kernels of torch and of Thawline.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.training_step --backbone thawline/qwen3-mini --rows 160

It prints the median time of a step in four variants and the speed of each relative to torch's
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
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from thawline.backbones.copies import build_native
from thawline.backbones.loading import load_backbone
from thawline.config import ComputeConfig, DataConfig, TrainingConfig
from thawline.data import load
from thawline.data.tokens import tokenize
from thawline.inference.examples import TokenExamples
from thawline.runtime.hardware import keep_freed_memory, limit_kernel_cache
from thawline.runtime.threads import WORKERS
from thawline.training import suffix
from thawline.training.gradients import Gradients
from thawline.training.objectives import Classification, Labelled
from thawline.training.weighting import Weighting


class Variant(NamedTuple):
    """A way to compute a training step.

    Attributes:
        low: Whether matrices are multiplied in bf16.
        kernels: Whether Thawline's kernels replace those of torch.
        shared: Whether each thread computes a share of the step, instead of all threads one pass.
    """

    low: bool
    kernels: bool
    shared: bool


BASELINE = "fp32, torch's kernels"

VARIANTS = {
    BASELINE: Variant(low=False, kernels=False, shared=False),
    "bf16, torch's kernels": Variant(low=True, kernels=False, shared=False),
    "bf16, own kernels": Variant(low=True, kernels=True, shared=False),
    "bf16, own kernels, a share for each thread": Variant(low=True, kernels=True, shared=True),
}


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
    keep_freed_memory()
    backbone = load_backbone(options.backbone)
    train = load(DataConfig(data=options.data, limit=(options.rows, 2))).train
    tokens = tokenize(
        backbone.tokenizer, train.texts, max_length=options.max_length, truncation_side="right"
    )
    model = build_native(backbone, 2, seed=0, attention_dropout=0.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    budget = ComputeConfig.tokens_per_batch
    examples = TokenExamples(tokens, None, np.arange(len(tokens)), budget)
    labels, config = torch.from_numpy(train.labels % 2), TrainingConfig()
    labelled, weighting = Labelled(examples, labels), Weighting.of(labels, 2, config)
    number, stack = torch.get_num_threads(), backbone.stack
    pooling = stack.family.native_pooling(stack.model.config)
    makers: dict[str, Gradients] = {}
    for name, variant in VARIANTS.items():
        module = suffix.Suffix(model, 0, pooling, use_bf16=variant.low)
        objective = Classification(
            module, labelled, labelled, weighting, config, ComputeConfig(), seed=0
        )
        with mock.patch.object(WORKERS, "number", return_value=number if variant.shared else 1):
            makers[name] = Gradients(objective, "cpu")
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for step in objective.steps(1):
        for name, variant in VARIANTS.items():
            start = time.perf_counter()
            torch_only = mock.patch.object(suffix, "fast_kernels", return_value=nullcontext())
            with nullcontext() if variant.kernels else torch_only:
                makers[name].compute(step)
            optimizer.step()
            optimizer.zero_grad()
            seconds[name].append(time.perf_counter() - start)
    baseline = median(seconds[BASELINE])
    table = Table("variant", "milliseconds", "relative speed")
    for name, taken in seconds.items():
        table.add_row(name, f"{1000 * median(taken):.0f}", f"{baseline / median(taken):.2f}")
    mean = f"{tokens.lengths.mean():.0f} tokens on average"
    Console().print(f"{backbone.name}: steps of {config.batch_size} texts, {mean}", table)


if __name__ == "__main__":
    main()
