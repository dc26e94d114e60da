"""The prediction for one text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thawline.data import Text


CONFIDENCE = "confidence"
"""The key of the probability of the predicted class."""


@dataclass(frozen=True)
class TextPrediction:
    """The prediction for one text.

    Attributes:
        text: The text, or the two texts of a pair.
        label: The name of the predicted class.
        probabilities: The probability of each class, by name.
    """

    text: Text
    label: str
    probabilities: dict[str, float]

    def shown_probabilities(self) -> dict[str, float]:
        """Return ``neg_prob`` and ``pos_prob`` if these are the classes, else ``confidence``."""
        if self.probabilities.keys() == {"neg", "pos"}:
            return {f"{name}_prob": self.probabilities[name] for name in ("neg", "pos")}
        return {CONFIDENCE: self.probabilities[self.label]}

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON values.

        If the two classes are named neg and pos, the keys are ``text``, ``neg_prob``, ``pos_prob``
        and ``label``. Otherwise they are ``text``, ``label``, ``confidence`` and ``probs``. The
        ``text`` of a pair is a tuple of two texts.
        """
        shown = self.shown_probabilities()
        if CONFIDENCE not in shown:
            return {"text": self.text, **shown, "label": self.label}
        return {"text": self.text, "label": self.label, **shown, "probs": self.probabilities}
