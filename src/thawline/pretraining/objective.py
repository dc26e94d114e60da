"""Predicting the next token, as an objective of the one training loop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thawline.config import PretrainingConfig
from thawline.pretraining.model import IGNORED, NextToken
from thawline.pretraining.packing import Windows


class Step(NamedTuple):
    """The windows of one step."""

    windows: NDArray[np.int64]
    start: int


class LanguageModelling:
    """Cross-entropy of the next token, over windows.

    Args:
        module: from windows to nats.
        train: what is learnt from.
        held_out: windows to measure on, ``(windows, length + 1)``.
        held_out_bytes: what their tokens spell, in bytes.
        config: the number of windows in a step and in a pass.
        per_pass: windows in one forward pass; it divides the batch size.
        seed: of the order of windows.

    Attributes:
        predicted: the tokens that are predicted in `held_out`.
    """

    unit = "tokens"

    def __init__(
        self,
        module: NextToken,
        train: Windows,
        held_out: NDArray[np.int64],
        held_out_bytes: int,
        config: PretrainingConfig,
        *,
        per_pass: int,
        seed: int,
    ) -> None:
        self._measure = module
        self.module: nn.Module = module
        self._train, self._held_out, self._bytes = train, held_out, held_out_bytes
        self._size, self._per_pass, self._seed = config.batch_size, per_pass, seed
        self.steps_per_epoch = len(train) // config.batch_size
        self.predicted = int((module.targets(torch.from_numpy(held_out)) != IGNORED).sum())

    def steps(self, epoch: int) -> Iterator[Step]:
        """Yield the windows of each step: all once an epoch, less what fills no whole step."""
        random = np.random.default_rng((self._seed, epoch))
        start = int(random.integers(self._train.length))
        order = random.permutation(len(self._train))
        for step in range(self.steps_per_epoch):
            yield Step(order[step * self._size : (step + 1) * self._size], start)

    def size(self, step: Step) -> int:
        """Return the number of tokens."""
        return len(step.windows) * self._train.length

    def losses(self, step: Step) -> Iterator[Tensor]:
        """Yield the cross-entropy of each pass, in nats, as a share of the mean over tokens."""
        windows = torch.from_numpy(self._train.take(step.windows, step.start))
        predicted = int((self._measure.targets(windows) != IGNORED).sum())
        for some in windows.split(self._per_pass):
            nats, _ = self.module(some.to(self._device))
            yield nats / predicted

    def evaluate(self) -> dict[str, float]:
        """Measure loss in nats a token, perplexity, bits per byte, and tokens foretold."""
        self.module.eval()
        nats = right = 0.0
        for some in torch.from_numpy(self._held_out).split(self._per_pass):
            # A pass of another shape would be compiled once more: the last is filled up.
            padding = (0, 0, 0, self._per_pass - len(some))
            filled = nn.functional.pad(some, padding, value=self._measure.pad_id)
            lost, foretold = self.module(filled.to(self._device))
            nats, right = nats + float(lost), right + float(foretold)
        loss = nats / self.predicted
        return {
            "validation_loss": loss,
            "validation_accuracy": right / self.predicted,
            "validation_perplexity": math.exp(min(loss, 700.0)),
            "validation_bits_per_byte": nats / math.log(2) / self._bytes,
        }

    @property
    def _device(self) -> torch.device:
        device: torch.device = self._measure.model.device
        return device
