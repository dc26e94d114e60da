"""Write the words with the largest effects on a prediction as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thawline.errors import elide

if TYPE_CHECKING:
    from thawline.inference.explaining import TextPart

MAX_WORDS = 5
"""The largest number of words in a line."""

MIN_SCORE = 0.0005
"""The smallest score that is shown. Smaller ones would be written as 0.000."""

MAX_CHARACTERS = 40
"""The number of characters after which a part of several words is cut."""


def explained_lines(parts: Sequence[TextPart]) -> list[str]:
    """Return a line with the words for a prediction, and a line with those against it.

    Each word has the number by which the probability of the class falls without it.

    Args:
        parts: The parts of the text with their scores.
    """
    ranked = sorted(parts, key=lambda part: -abs(part.score))
    kept = [part for part in ranked if abs(part.score) >= MIN_SCORE]
    if not kept:
        return [f"  no word has an effect of {MIN_SCORE} or more"]
    sides = {
        "for": [part for part in kept if part.score > 0],
        "against": [part for part in kept if part.score < 0],
    }
    return [
        f"  {side:7}  {', '.join(map(_word, found[:MAX_WORDS]))}"
        for side, found in sides.items()
        if found
    ]


def _word(part: TextPart) -> str:
    return f"{elide(' '.join(part.text.split()), MAX_CHARACTERS)} {part.score:+.3f}"
