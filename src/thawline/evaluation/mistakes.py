"""Find the mistakes of a classifier and select sample texts, by pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thawline.config import MetricsConfig
from thawline.data import LabelledTexts, Labels
from thawline.data.texts import is_blank
from thawline.evaluation.clusters import effective_rows, text_of_rows
from thawline.evaluation.intervals import wilson
from thawline.evaluation.metrics import probabilities
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
    """Labelled texts with the logits of a classifier.

    Attributes:
        part: The texts and their class ids.
        labels: The classes.
        logits: The logits, ``(texts, labels)``.
        tokens: The number of tokens of each text before truncation, ``(texts,)`` int64. If
            the classifier reads no tokens, the number of words.
        max_length: The maximum number of tokens that the classifier reads. None if it reads all.
    """

    part: LabelledTexts
    labels: Labels
    logits: NDArray[np.float32]
    tokens: NDArray[np.int64]
    max_length: int | None

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """The class probabilities, ``(texts, labels)``. Each row sums to 1."""
        return probabilities(self.logits)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The id of the most probable class of each text, ``(texts,)``. In a tie, the first one."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Whether the predicted class differs from the label, ``(texts,)``."""
        return np.not_equal(self.predictions, self.part.labels)

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """Whether the text was truncated, ``(texts,)``."""
        if self.max_length is None:
            return np.zeros(len(self.tokens), dtype=np.bool_)
        return np.greater(self.tokens, self.max_length)

    def described(self, position: int) -> Mistake:
        """Return one text with its label and its prediction, which may be correct."""
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
    """Return the mistakes with the highest probability, highest first.

    Args:
        scored: Texts with their predictions.
        most: The maximum number of mistakes.

    Returns:
        The mistakes. Ties keep the order of the texts.
    """
    confidence = np.where(scored.wrong, scored.probabilities.max(axis=1), -1.0)
    order = np.argsort(-confidence, kind="stable")[: min(most, int(scored.wrong.sum()))]
    return [scored.described(int(position)) for position in order]


def error_rates(scored: Scored, confidence: float = MetricsConfig.confidence) -> ErrorRates:
    """Return the error rates of complete texts, truncated texts, and texts of each length.

    The rates are those of rows. Their intervals count copies of a text as one text: see
    `clusters.effective_rows`.

    Args:
        scored: Texts with their predictions.
        confidence: The confidence level of the Wilson score intervals.

    Returns:
        The error rates of complete and of truncated texts, and of each quarter of the texts, from
        the shortest to the longest. Texts of equal length are in the same quarter, so there may be
        fewer than four quarters.
    """

    def rate(rows: NDArray[np.bool_]) -> ErrorRate:
        wrong = scored.wrong[rows]
        n, mistakes = len(wrong), int(wrong.sum())
        score = None
        if n:
            text = text_of_rows(scored.part.copies[rows], n)
            effective = None if text is None else float(effective_rows(wrong, text)[0])
            low, high = wilson(mistakes, n, confidence, effective)
            score = Score(value=mistakes / n, low=low, high=high)
        return ErrorRate(rows=n, mistakes=mistakes, error_rate=score)

    edges = np.unique(np.quantile(scored.tokens, (0.25, 0.5, 0.75), method="inverted_cdf"))
    quarters = np.searchsorted(edges, scored.tokens)
    by_length = []
    for quarter in np.unique(quarters):
        rows = quarters == quarter
        shortest, longest = int(scored.tokens[rows].min()), int(scored.tokens[rows].max())
        found = dict(rate(rows))
        by_length.append(LengthErrorRate(**found, shortest=shortest, longest=longest))
    return ErrorRates(
        whole=rate(~scored.truncated), truncated=rate(scored.truncated), by_length=by_length
    )


def pick_samples(scored: Scored, most: int) -> list[int]:
    """Return the positions of short texts of different classes, regardless of their predictions.

    The shortest text of every class comes before the second shortest of any class, and shorter
    texts come first within each round. Truncated and blank texts are used only if there are not
    enough others.

    Args:
        scored: Texts with their predictions.
        most: The maximum number of texts.
    """
    blank = np.array([is_blank(text) for text in scored.part.texts])
    order = np.lexsort((scored.tokens, scored.truncated, blank))
    last_rank: dict[int, int] = {}
    rank_in_class = np.empty(len(order), dtype=np.int64)
    for position in order:
        label = int(scored.part.labels[position])
        rank_in_class[position] = last_rank[label] = last_rank.get(label, -1) + 1
    picked = np.lexsort((scored.tokens, rank_in_class, scored.truncated, blank))[:most]
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
