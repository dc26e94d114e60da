"""Iterate over standardised features, from memory if they fit."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from thawline.config import MEMORY_SHARE, ExactConfig
from thawline.models.heads import Standardisation
from thawline.runtime.devices import has_bf16_instructions
from thawline.runtime.hardware import available_memory_bytes
from thawline.store import Features

_NUMBER_BYTES = 4
"""The size of a feature in fp32."""


class StandardisedFeatures:
    """Iterate over standardised features in blocks of rows, in fp32 and in a faster dtype.

    The blocks stay in memory if they fit. Otherwise each pass reads them from the store, which
    takes about 30 times as long as the computation.

    Args:
        features: The features, ``(rows, width)``.
        scale: The standardisation, applied to each block.
        rows: The number of rows in a block.
        limit: The maximum size of the blocks in memory, in bytes.
        fast: Whether to yield the blocks in bf16 too, if the processor multiplies bf16 and both
            copies fit in memory.

    Attributes:
        dtype: The faster dtype. It is fp32 if no bf16 copies are kept.
    """

    def __init__(
        self, features: Features, scale: Standardisation, rows: int, limit: int, *, fast: bool
    ) -> None:
        self._features, self._scale, self._rows = features, scale, rows
        size = feature_bytes(features, fast=False)
        fast = fast and has_bf16_instructions() and feature_bytes(features, fast=True) <= limit
        self.dtype = torch.bfloat16 if fast else torch.float32
        self._in_memory = list(self._read()) if size <= limit else None

    def __len__(self) -> int:
        return len(self._features)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield from self._read() if self._in_memory is None else self._in_memory

    def _read(self) -> Iterator[tuple[Tensor, Tensor]]:
        for block in self._features.blocks(self._rows):
            standardised = self._scale(block)
            yield standardised, standardised.to(self.dtype)


def feature_bytes(features: Features, *, fast: bool) -> int:
    """Return the size of features in fp32, and in bf16 too if `fast` is true, in bytes."""
    return len(features) * features.width * (_NUMBER_BYTES + (2 if fast else 0))


def memory_limit(config: ExactConfig) -> int:
    """Return the maximum size of the features that are kept in memory, in bytes."""
    if config.cache_bytes is not None:
        return config.cache_bytes
    return int(MEMORY_SHARE * available_memory_bytes())
