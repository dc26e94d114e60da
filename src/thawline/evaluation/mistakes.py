"""What a classifier got wrong, and what it says of sample texts: pure functions on arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thawline.config import MetricsConfig
from thawline.data import LabelledTexts, Labels
from thawline.data.texts import is_blank
from thawline.evaluation.metrics import probabilities, wilson


@dataclass(frozen=True)
class Scored:
    """Labelled texts as a classifier scored them.

    Attributes:
        part: the texts and the ids of their classes.
        labels: the classes.
        logits: ``(texts, labels)``.
        tokens: ``(texts,)`` int64, tokens of each text before anything was cut off.
        max_length: tokens that the classifier reads of a text.
    """

    part: LabelledTexts
    labels: Labels
    logits: NDArray[np.float32]
    tokens: NDArray[np.int64]
    max_length: int

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """``(texts, labels)``; each row sums to 1."""
        return probabilities(self.logits)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The id of each text's most probable class, the first of equals, ``(texts,)``."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Whether the prediction is another class than the label, ``(texts,)``."""
        return np.not_equal(self.predictions, self.part.labels)

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """Whether something of the text was cut off, ``(texts,)``."""
        return np.greater(self.tokens, self.max_length)

    def described(self, position: int) -> dict[str, Any]:
        """Return one text and what was predicted of it, as JSON values.

        The ``row`` is that of the source's split, counting from 0; ``probability`` is that of the
        predicted class; ``tokens`` counts those before the cut.
        """
        predicted = int(self.predictions[position])
        return {
            "row": int(self.part.rows[position]),
            "label": self.labels.names[int(self.part.labels[position])],
            "predicted": self.labels.names[predicted],
            "probability": float(self.probabilities[position, predicted]),
            "tokens": int(self.tokens[position]),
            "truncated": bool(self.truncated[position]),
            "text": self.part.texts[position],
        }


def confident_mistakes(scored: Scored, most: int) -> list[dict[str, Any]]:
    """Return the mistakes with the highest probability, that one first, equals in their order.

    Args:
        scored: texts with their predictions.
        most: how many at most.

    Returns:
        What `Scored.described` says of each.
    """
    confidence = np.where(scored.wrong, scored.probabilities.max(axis=1), -1.0)
    order = np.argsort(-confidence, kind="stable")[: min(most, int(scored.wrong.sum()))]
    return [scored.described(int(position)) for position in order]


def error_rates(scored: Scored, confidence: float = MetricsConfig.confidence) -> dict[str, Any]:
    """Return how often whole and truncated texts, and texts of each length, were mistaken.

    Args:
        scored: texts with their predictions.
        confidence: of every interval, which is Wilson's.

    Returns:
        ``whole`` and ``truncated``, each ``{"rows", "mistakes", "error_rate"}`` with a score or,
        without rows, None; and ``by_length``: the same of each quarter of the texts from the
        shortest to the longest, with its ``shortest`` and ``longest`` in tokens. Texts of one
        length are in one quarter, so there may be fewer than four.
    """

    def rate(rows: NDArray[np.bool_]) -> dict[str, Any]:
        n, mistakes = int(rows.sum()), int(scored.wrong[rows].sum())
        score = None
        if n:
            low, high = wilson(mistakes, n, confidence)
            score = {"value": mistakes / n, "low": low, "high": high}
        return {"rows": n, "mistakes": mistakes, "error_rate": score}

    edges = np.unique(np.quantile(scored.tokens, (0.25, 0.5, 0.75), method="inverted_cdf"))
    quarters = np.searchsorted(edges, scored.tokens)
    by_length = []
    for quarter in np.unique(quarters):
        rows = quarters == quarter
        ends = {"shortest": scored.tokens[rows].min(), "longest": scored.tokens[rows].max()}
        by_length.append({name: int(end) for name, end in ends.items()} | rate(rows))
    return {
        "whole": rate(~scored.truncated),
        "truncated": rate(scored.truncated),
        "by_length": by_length,
    }


def pick_samples(scored: Scored, most: int) -> list[int]:
    """Return the positions of short texts of different classes, whatever was predicted of them.

    Each class gives its shortest text before any gives its second; among equals the shorter goes
    first. Texts that were cut, or in which there is nothing to read, are the last resort.
    """
    blank = np.array([is_blank(text) for text in scored.part.texts])
    order = np.lexsort((scored.tokens, scored.truncated, blank))
    turn: dict[int, int] = {}
    turns = np.empty(len(order), dtype=np.int64)
    for position in order:
        label = int(scored.part.labels[position])
        turns[position] = turn[label] = turn.get(label, -1) + 1
    picked = np.lexsort((scored.tokens, turns, scored.truncated, blank))[:most]
    return [int(position) for position in picked]


def before_after(untrained: Scored, adapted: Scored, position: int) -> Mapping[str, Any]:
    """Return one text with what was predicted of it before training and after, as JSON values."""
    described = adapted.described(position)
    said = {
        name: {key: scored.described(position)[key] for key in ("predicted", "probability")}
        for name, scored in (("untrained", untrained), ("adapted", adapted))
    }
    return {key: described[key] for key in ("row", "text", "label", "tokens")} | said
