"""A classifier from the thaw line on, as one module that trains."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from thawline.backbones.stack import Stack
from thawline.inference.examples import TokenBatch
from thawline.training.kernels import QuickOnCpu


class Suffix(nn.Module):
    """From tokens, and the frozen states at the line, to logits.

    Only what `freeze` left trainable is ever in training mode: dropout in a frozen block would
    change what is stored of it, and slow it down.

    Args:
        model: a whole classifier; whatever is frozen in it stays so.
        line: the thaw line, at most L.
        low: whether matrices are multiplied in bf16, under autocast; weights stay fp32.
    """

    def __init__(self, model: PreTrainedModel, line: int, *, low: bool) -> None:
        super().__init__()
        self.model = model
        self._stack, self._line, self._low = Stack(model.base_model), line, low

    def train(self, mode: bool = True) -> Self:
        """Set the modules above the line to training mode, those before it never."""
        super().train(mode)
        for stage in range(self._line):
            for module in self._stack.modules_of(stage):
                module.eval()
        return self

    def forward(self, batch: TokenBatch) -> Tensor:
        """Classify a batch of `TokenExamples`; returns ``(texts, labels)`` in fp32."""
        device = self.model.device
        inputs = {name: tensor.to(device) for name, tensor in batch.inputs.items()}
        cache = {"use_cache": False} if self._stack.family.causal else {}
        with ExitStack() as around:
            around.enter_context(torch.autocast(device.type, torch.bfloat16, enabled=self._low))
            if device.type == "cpu":
                around.enter_context(QuickOnCpu())
            if batch.states is not None:
                enter = around.enter_context(self._stack.cut(self._line))
                enter(batch.states.to(device, torch.float32))
            logits: Tensor = self.model(**inputs, **cache).logits
        return logits.float()
