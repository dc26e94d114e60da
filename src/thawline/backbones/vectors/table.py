"""A table of word vectors in memory or on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Vectors:
    """Word vectors in the order of their file, which usually begins with the most frequent word.

    Attributes:
        name: The name that the user gave.
        words: The word of each row. If a word occurs twice, its first row is used.
        matrix: ``(words, width)`` in fp32, which may be mapped from disk.
    """

    name: str
    words: Sequence[str]
    matrix: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.words)

    @property
    def width(self) -> int:
        """The number of values in a vector."""
        return int(self.matrix.shape[1])

    def rows(self) -> dict[str, int]:
        """Return the row of each word."""
        return {word: row for row, word in reversed(list(enumerate(self.words)))}
