"""The settings under which the texts of a classifier are read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """The settings under which texts are read, which must be the same in training and prediction.

    Attributes:
        max_length: Maximum number of tokens of a text, including special tokens.
        truncation_side: Side on which longer texts are truncated, ``right`` or ``left``.
        pooling: ``first``, ``last`` or ``mean``.
        stages: The stages whose pooled states the head reads, concatenated.
        pairs: Whether the classifier was trained on pairs of texts.
    """

    max_length: int
    truncation_side: str
    pooling: str
    stages: tuple[int, ...]
    pairs: bool = False
