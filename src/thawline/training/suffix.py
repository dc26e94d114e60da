"""The suffix of a classifier: everything from the thaw line to the logits, as one module."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from thawline.backbones.kernels import fast_kernels
from thawline.backbones.stack import Stack
from thawline.inference.examples import TokenBatch
from thawline.runtime.devices import copy_to


class Suffix(nn.Module):
    """Compute logits from tokens and, if they are stored, the token states at the thaw line.

    The stages before the line are always in evaluation mode. In training mode, dropout would change
    their states and take time.

    Args:
        model: The complete classifier. Frozen parameters stay frozen.
        line: The thaw line, at most L.
        pooling: The pooling of the head.
        use_bf16: Whether to multiply matrices in bf16, under autocast. The weights stay in fp32.
    """

    def __init__(self, model: PreTrainedModel, line: int, pooling: str, *, use_bf16: bool) -> None:
        super().__init__()
        self.model = model
        self._stack, self._line, self._use_bf16 = Stack(model.base_model), line, use_bf16
        self._pooling, self._first = pooling, line

    def thaw(self, first: int) -> None:
        """Let the stages from one on train, and freeze the stages before it.

        Args:
            first: The lowest stage that trains, not below the thaw line.
        """
        self._stack.freeze(first)
        self._first = first

    def train(self, mode: bool = True) -> Self:
        """Set the training mode of the modules that are not frozen.

        Args:
            mode: True for training mode, False for evaluation mode. Frozen stages are always in
                evaluation mode.
        """
        super().train(mode)
        for stage in range(self._first):
            for module in self._stack.modules_of(stage):
                module.eval()
        return self

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return the logits of a batch.

        Args:
            batch: A batch of `TokenExamples`. If it has states, they replace the stages before the
                line.

        Returns:
            The logits, ``(texts, labels)`` in fp32.
        """
        device = self.model.device.type
        inputs = {name: copy_to(tensor, device) for name, tensor in batch.inputs.items()}
        cache = {"use_cache": False} if self._stack.family.causal else {}
        with ExitStack() as contexts:
            autocast = torch.autocast(device, torch.bfloat16, enabled=self._use_bf16)
            contexts.enter_context(autocast)
            contexts.enter_context(fast_kernels(device))
            states = batch.states
            if states is not None:
                states = copy_to(states, device).float()
            model = self._stack.classifier_view(
                self.model, self._pooling, line=self._line, states=states
            )
            logits: Tensor = model(**inputs, **cache).logits
        return logits.float()
