"""Define next-token prediction as an objective of the training loop."""

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
from thawline.runtime.randomness import RandomStream
from thawline.training.evaluated import EvaluatedLogits


class Step(NamedTuple):
    """The windows of one training step.

    Attributes:
        windows: Indices of the windows.
        start: Position of the first token of window 0.
    """

    windows: NDArray[np.int64]
    start: int


class Pass(NamedTuple):
    """One forward pass of a training step.

    Attributes:
        windows: The token ids of its windows, ``(windows, length + 1)``.
        predicted: The number of tokens that are predicted in the complete step.
    """

    windows: Tensor
    predicted: int


class LanguageModelling:
    """The objective of pretraining: the cross-entropy of the next token.

    Args:
        module: The module that computes the loss on windows, in nats.
        train: The windows to train on.
        held_out: The windows to evaluate on, ``(windows, length + 1)``.
        held_out_bytes: Length of the held-out texts, in bytes.
        config: The settings of the training, which define the number of windows in a step.
        per_pass: Number of windows in one forward pass. It must divide the batch size.
        seed: Random seed for the order of the windows.

    Attributes:
        predicted: Number of tokens that are predicted in ``held_out``.
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
        self.random = RandomStream(seed)  # the model has no dropout, so nothing draws from it
        self.evaluated = EvaluatedLogits()  # those of all tokens would be too large
        self.module: nn.Module = module
        self._train, self._held_out, self._bytes = train, held_out, held_out_bytes
        self._size, self._per_pass, self._seed = config.batch_size, per_pass, seed
        self.steps_per_epoch = len(train) // config.batch_size
        self.predicted = int((module.targets(torch.from_numpy(held_out)) != IGNORED).sum())

    def steps(self, epoch: int) -> Iterator[Step]:
        """Yield the windows of each step in random order; an incomplete last step is left out."""
        random = np.random.default_rng((self._seed, epoch))
        start = int(random.integers(self._train.length))
        order = random.permutation(len(self._train))
        for step in range(self.steps_per_epoch):
            yield Step(order[step * self._size : (step + 1) * self._size], start)

    def size(self, step: Step) -> int:
        """Return the number of tokens of a step."""
        return len(step.windows) * self._train.length

    def shares(self, step: Step, threads: int) -> list[list[Pass]]:
        """Divide a step into passes, and these among threads unless the module is compiled.

        A compiled module cannot be replicated.
        """
        windows = torch.from_numpy(self._train.take(step.windows, step.start))
        predicted = int((self._measure.targets(windows) != IGNORED).sum())
        passes = [Pass(batch, predicted) for batch in windows.split(self._per_pass)]
        shares = min(len(passes), threads if self.module is self._measure else 1)
        return [passes[first::shares] for first in range(shares)]

    def loss(self, module: nn.Module, part: Pass) -> Tensor:
        """Return the cross-entropy of a pass, in nats. Their sum is the mean per token."""
        nats, _ = module(part.windows.to(self._device))
        loss: Tensor = nats / part.predicted
        return loss

    def take_right(self) -> None:
        """Return None, because the correct predictions of training are not counted."""

    def evaluate(self) -> dict[str, float]:
        """Evaluate the model on the held-out windows.

        Returns:
            The loss in nats per token, the share of correctly predicted tokens, the perplexity, and
            the bits per byte of text.
        """
        self.module.eval()
        nats = right = 0.0
        for batch in torch.from_numpy(self._held_out).split(self._per_pass):
            # Pad the last batch, because torch would compile the module again for another shape.
            padding = (0, 0, 0, self._per_pass - len(batch))
            padded = nn.functional.pad(batch, padding, value=self._measure.pad_id)
            batch_nats, batch_right = self.module(padded.to(self._device))
            nats, right = nats + float(batch_nats), right + float(batch_right)
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
