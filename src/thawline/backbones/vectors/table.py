"""Word vectors in memory or on disk: a word for each row of a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Vectors:
    """Word vectors, the most frequent word first where their maker put it there.

    Attributes:
        name: what the user knows them by.
        words: of each row; where one stands twice, its first row counts.
        matrix: ``(words, width)`` fp32, which may lie on disk.
    """

    name: str
    words: Sequence[str]
    matrix: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.words)

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self.matrix.shape[1])

    def rows(self) -> dict[str, int]:
        """Return the row of each word."""
        return {word: row for row, word in reversed(list(enumerate(self.words)))}
