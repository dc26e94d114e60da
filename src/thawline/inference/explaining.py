"""Score the effect of each word on a prediction, by removing the word (occlusion).

The text is classified again without each part. The score of a part is the probability of the class
for the whole text, minus the probability without the part. See Zeiler and Fergus, 2014
(arXiv 1311.2901) and Li et al., 2016 (arXiv 1612.08220).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from thawline.errors import ThawlineError

Probabilities = Callable[[Sequence[str]], NDArray[np.float64]]
"""A function that returns the probabilities of texts, ``(texts, labels)``."""

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]+")
"""A word, or a sequence of punctuation marks."""

MAX_PARTS = 128
"""The largest number of parts. Parts of a longer text have several words."""


@dataclass(frozen=True)
class TextPart:
    """A part of a text and its effect on a prediction.

    Attributes:
        start: The position of its first character.
        end: The position after its last character.
        text: The part.
        score: The probability of the class for the whole text, minus that without the part,
            between -1 and 1. It is negative if the part is evidence for other classes.
    """

    start: int
    end: int
    text: str
    score: float


def find_parts(text: str, most: int = MAX_PARTS) -> list[tuple[int, int]]:
    """Return the start and the end of each part of a text.

    Args:
        text: The text.
        most: The largest number of parts.
    """
    spans = [match.span() for match in WORD.finditer(text)]
    if len(spans) <= most:
        return spans
    cuts = np.linspace(0, len(spans), most + 1).astype(int)
    return [(spans[a][0], spans[b - 1][1]) for a, b in pairwise(cuts)]


def explain(
    text: str, probabilities: Probabilities, label: int, most: int = MAX_PARTS
) -> list[TextPart]:
    """Return the parts of a text with their scores, in the order of the text.

    Args:
        text: The text.
        probabilities: Returns the probabilities of texts.
        label: The position of the class.
        most: The largest number of parts, each of which costs one more classification.

    Raises:
        ThawlineError: If the text has no word.
    """
    check_parts(text, most)
    return explain_several(text, lambda texts: [probabilities(texts)], [label], most)[0]


def explain_several(
    text: str,
    probabilities: Callable[[Sequence[str]], Sequence[NDArray[np.float64]]],
    labels: Sequence[int],
    most: int = MAX_PARTS,
) -> list[list[TextPart]]:
    """Return the parts of a text with their scores for each of several classifiers.

    Args:
        text: The text. If it has no word, it has no parts.
        probabilities: Returns the probabilities of texts for each classifier.
        labels: The position of the class for each classifier.
        most: The largest number of parts, each of which costs one more classification.
    """
    spans = find_parts(text, most)
    if not spans:
        return [[] for _ in labels]
    found = probabilities([text, *without_parts(text, spans)])
    return [
        score_parts(text, spans, shares[:, label])
        for shares, label in zip(found, labels, strict=True)
    ]


def check_parts(text: str, most: int = MAX_PARTS) -> list[tuple[int, int]]:
    """Return the start and the end of each part of a text, as `find_parts` does.

    Raises:
        ThawlineError: If the text has no word.
    """
    spans = find_parts(text, most)
    if not spans:
        raise ThawlineError("a text with at least one word", repr(text), "give another text")
    return spans


def without_parts(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """Return a text without each of its parts.

    Args:
        text: The text.
        spans: The start and the end of each part.
    """
    return [f"{text[:start]}{text[end:]}" for start, end in spans]


def score_parts(
    text: str, spans: Sequence[tuple[int, int]], shares: NDArray[np.float64]
) -> list[TextPart]:
    """Return the parts of a text with their scores.

    Args:
        text: The text.
        spans: The start and the end of each part.
        shares: The probability of the class for the text, and for the text without each part.
    """
    return [
        TextPart(start, end, text[start:end], float(shares[0] - share))
        for (start, end), share in zip(spans, shares[1:], strict=True)
    ]
