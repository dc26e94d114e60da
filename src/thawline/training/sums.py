"""Sum up the losses, the correct predictions and the seconds between two evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Sums:
    """The sums over the steps since the last evaluation.

    Attributes:
        loss: The sum of the losses of all examples.
        examples: The number of examples: texts, or tokens.
        counted: The number of examples of which it is known whether they were predicted correctly.
        right: The number of correct predictions among these.
        seconds: The seconds of the steps.
    """

    loss: float = 0.0
    examples: int = 0
    counted: int = 0
    right: int = 0
    seconds: float = 0.0

    def add(self, size: int, loss: float, right: float | None) -> None:
        """Add a step.

        Args:
            size: The number of examples.
            loss: Their mean loss.
            right: The number of correct predictions. None if they are not counted.
        """
        self.loss += loss * size
        self.examples += size
        if right is not None:
            self.counted += size
            self.right += int(right)

    @property
    def mean_loss(self) -> float | None:
        """The mean loss of the examples. None if there are none."""
        return self.loss / self.examples if self.examples else None

    @property
    def accuracy(self) -> float | None:
        """The share of correct predictions. None if none was counted."""
        return self.right / self.counted if self.counted else None

    def state(self) -> dict[str, list[float]]:
        """Return the sums as the values of a checkpoint."""
        return {
            "since": [self.loss, self.examples, self.seconds],
            "right": [self.counted, self.right],
        }

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Sums:
        """Return the sums of a checkpoint.

        Args:
            values: The values of the checkpoint, among which are those of `state`.
        """
        (loss, examples, seconds), (counted, right) = values["since"], values["right"]
        return cls(loss, examples, counted, right, seconds)
