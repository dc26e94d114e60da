"""The work of a frozen pass: texts, tokens, operations and seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["pooled", "line"]
"""The kind of states: pooled states, or token states at a line."""


@dataclass
class PassReport:
    """The work that a frozen pass has done. If it runs several times, the work is added up.

    Attributes:
        texts: Number of texts that were computed. Texts found in the store are not counted.
        from_store: Number of distinct texts whose states were found in the store.
        tokens: Number of tokens that were computed, without padding.
        padded: Number of tokens that were computed, including padding.
        flops: Floating-point operations of the matrix products, without padding.
        alone: Seconds of the passes that compute all states with an empty store, by the kind of
            states. One pass computes both kinds. States that were found in the store count with the
            seconds that they took, as far as the store knows them.
        untimed_flops: Floating-point operations for the other states that were found in the store.
        seconds: Seconds spent on ``tokenising`` and on the ``prefix``. The prefix includes
            writing to the store.
    """

    texts: int = 0
    from_store: int = 0
    tokens: int = 0
    padded: int = 0
    flops: float = 0.0
    alone: dict[Kind, float] = field(default_factory=lambda: {"pooled": 0.0, "line": 0.0})
    untimed_flops: dict[Kind, float] = field(default_factory=lambda: {"pooled": 0.0, "line": 0.0})
    seconds: dict[str, float] = field(default_factory=lambda: {"tokenising": 0.0, "prefix": 0.0})

    @property
    def density(self) -> float | None:
        """The share of computed tokens that are not padding; None if nothing was computed."""
        return self.tokens / self.padded if self.padded else None

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Add the duration of the ``with`` block to one of the `seconds`.

        Args:
            part: ``tokenising`` or ``prefix``.
        """
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - start

    def count(self, lengths: NDArray[np.int64], flops: float) -> None:
        """Add one batch of texts.

        Args:
            lengths: Number of tokens of each text, ``(batch,)``.
            flops: Floating-point operations of the batch.
        """
        self.texts += len(lengths)
        self.tokens += int(lengths.sum())
        self.padded += len(lengths) * int(lengths.max())
        self.flops += flops
