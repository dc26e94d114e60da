"""What a classifier got wrong, and what it says of sample texts: pure functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thawline.config import MetricsConfig
from thawline.data import LabelledTexts, Labels
from thawline.data.texts import is_blank
from thawline.evaluation.metrics import probabilities, wilson
from thawline.runs.records import (
    ErrorRate,
    ErrorRates,
    Guess,
    LengthErrorRate,
    Mistake,
    Sample,
    Score,
)


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

    def described(self, position: int) -> Mistake:
        """Return one text and its prediction, whether it is a mistake or not."""
        predicted = int(self.predictions[position])
        return Mistake(
            row=int(self.part.rows[position]),
            label=self.labels.names[int(self.part.labels[position])],
            predicted=self.labels.names[predicted],
            probability=float(self.probabilities[position, predicted]),
            tokens=int(self.tokens[position]),
            truncated=bool(self.truncated[position]),
            text=self.part.texts[position],
        )


def confident_mistakes(scored: Scored, most: int) -> list[Mistake]:
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


def error_rates(scored: Scored, confidence: float = MetricsConfig.confidence) -> ErrorRates:
    """Return how often whole and truncated texts, and texts of each length, were mistaken.

    Args:
        scored: texts with their predictions.
        confidence: of every interval, which is Wilson's.

    Returns:
        The error rates of whole and of truncated texts, and of each quarter of the texts from the
        shortest to the longest. Texts of one length are in one quarter, so there may be fewer than
        four.
    """

    def rate(rows: NDArray[np.bool_]) -> ErrorRate:
        n, mistakes = int(rows.sum()), int(scored.wrong[rows].sum())
        score = None
        if n:
            low, high = wilson(mistakes, n, confidence)
            score = Score(value=mistakes / n, low=low, high=high)
        return ErrorRate(rows=n, mistakes=mistakes, error_rate=score)

    edges = np.unique(np.quantile(scored.tokens, (0.25, 0.5, 0.75), method="inverted_cdf"))
    quarters = np.searchsorted(edges, scored.tokens)
    by_length = []
    for quarter in np.unique(quarters):
        rows = quarters == quarter
        lengths = scored.tokens[rows]
        shortest, longest = int(lengths.min()), int(lengths.max())
        found = dict(rate(rows))
        by_length.append(LengthErrorRate(**found, shortest=shortest, longest=longest))
    return ErrorRates(
        whole=rate(~scored.truncated), truncated=rate(scored.truncated), by_length=by_length
    )


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


def before_after(untrained: Scored, adapted: Scored, position: int) -> Sample:
    """Return one text with its predictions before and after training."""
    described = adapted.described(position)
    before, after = (
        Guess(predicted=one.predicted, probability=one.probability)
        for one in (untrained.described(position), described)
    )
    return Sample(
        row=described.row,
        text=described.text,
        label=described.label,
        tokens=described.tokens,
        untrained=before,
        adapted=after,
    )
