"""Run complete models over texts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import TypeVar

import numpy as np
import torch
from transformers import PreTrainedModel

from thawline.backbones.kernels import fast_kernels
from thawline.data import Text
from thawline.data.tokens import Inputs
from thawline.inference.examples import Positions
from thawline.inference.reader import TextReader
from thawline.runtime.threads import run_in_order

Result = TypeVar("Result")

_MOVING = threading.Lock()
"""Held while a model is moved to a device, so that no other thread runs a half-moved model."""


def run_models(
    reader: TextReader,
    models: Sequence[PreTrainedModel],
    texts: Sequence[Text],
    compute: Callable[[Inputs], Result],
) -> Iterator[tuple[Positions, Result]]:
    """Yield the positions of each batch of texts with what a function computes from its inputs.

    Args:
        reader: Turns texts into tokens. Its settings name the device and the dtype. The function
            runs under autocast if the dtype is bfloat16.
        models: The models that the function runs, which are moved to the device.
        texts: Any number of texts or pairs.
        compute: Computes the result of a batch from its inputs, which are on the device.
    """
    examples, _ = reader.token_examples(texts, line=0)
    frozen_pass = reader.frozen_pass
    device, low = frozen_pass.device, frozen_pass.dtype == "bfloat16"
    with _MOVING:
        for model in models:
            if model.device.type != device or model.training:
                model.to(device).eval()

    def run(batch: Positions) -> Result:
        inputs = examples.take(batch).inputs
        on_device = {name: tensor.to(device) for name, tensor in inputs.items()}
        # Without gradients, the kernels only replace operations in bf16.
        kernels = fast_kernels(device) if low else nullcontext()
        with torch.autocast(device, torch.bfloat16, enabled=low), kernels:
            return compute(on_device)

    batches = examples.batches(np.arange(len(texts)), frozen_pass.compute.density)
    with frozen_pass.reporter.task("predicting", len(texts)) as advance:
        for batch, result in run_in_order(run, batches, device, share_single=True):
            yield batch, result
            advance(len(batch))
