"""Keep the weights of the best evaluation of a training, and count the evaluations since then."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from thawline.config import LoopConfig

Row = dict[str, Any]
"""The measurements of one evaluation, by name."""

SCORES: dict[str, Callable[[Row], float]] = {
    "accuracy": lambda row: float(row["validation_accuracy"]),
    "f1_macro": lambda row: float(row["validation_f1_macro"]),
    "loss": lambda row: -float(row["validation_loss"]),
    "last": lambda row: float(row["step"]),
}
"""The score by which evaluations are compared, for each value of ``training.keep``.

The weights of the evaluation with the highest score are kept, and those of the latest one in a tie.
"""


class KeptWeights:
    """The weights of the best evaluation so far.

    Args:
        parameters: The trained parameters, by name.
        config: The score by which evaluations are compared, and the patience.
        start_is_trained: Whether the module was already trained for the same data at the start.
    """

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], config: LoopConfig, start_is_trained: bool
    ) -> None:
        self._parameters, self._config = parameters, config
        self._start_is_trained = start_is_trained
        self._weights: dict[str, Tensor] = {}
        self._best = -math.inf
        self._step: int | None = None
        self._evaluations_since = 0

    def compare(self, history: Sequence[Row]) -> None:
        """Copy the weights if no evaluation before the last one has a higher score.

        In a tie the later evaluation is kept, because it is better on average for other texts
        ("Which epoch is kept" in docs/results.md). It does not reset the patience.

        Args:
            history: All evaluations. The last one is that of the current weights.
        """
        *earlier, last = history
        found = self._score(last)
        # Patience ignores an untrained start, which can be good only by chance.
        trained = [self._score(row) for row in earlier if self._is_trained(row)]
        if self._is_trained(last):
            improved = not trained or found > max(trained)
            self._evaluations_since = 0 if improved else self._evaluations_since + 1
        if found >= self._best:
            self._best, self._step = found, last["step"]
            self._weights = {name: own.detach().clone() for name, own in self._parameters.items()}

    def _score(self, row: Row) -> float:
        return SCORES[self._config.keep](row)

    def _is_trained(self, row: Row) -> bool:
        """Return whether the module was trained at the time of an evaluation."""
        return row["step"] > 0 or self._start_is_trained

    @property
    def patience_is_out(self) -> bool:
        """Whether as many evaluations as ``patience`` passed without an improvement."""
        patience = self._config.patience
        return patience is not None and self._evaluations_since >= patience

    def describe(self, history: Sequence[Row]) -> str:
        """Return why the weights of the last evaluation are kept so far. Empty if they are not."""
        *earlier, last = history
        if self._config.keep == "last" or self._step != last["step"]:
            return ""
        is_tie = self._best in map(self._score, earlier)
        return "as good as the best so far, kept" if is_tie else "the best so far, kept"

    def restore(self, history: Sequence[Row]) -> None:
        """Load the weights into the parameters and mark the row of their evaluation."""
        with torch.no_grad():
            for name, tensor in self._weights.items():
                self._parameters[name].copy_(tensor)
        for row in history:
            row["kept"] = row["step"] == self._step

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the weights by name, and the other values, for a checkpoint."""
        return self._weights, {
            "best_merit": self._best,
            "best_step": self._step,
            "waited": self._evaluations_since,
        }

    def load_state(self, weights: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Restore what `state` returned.

        Args:
            weights: The weights, by name. Empty if there are none.
            values: The values of the checkpoint, among which are those of `state`.
        """
        self._weights = dict(weights)
        self._best, self._step = values["best_merit"], values["best_step"]
        self._evaluations_since = values["waited"]
