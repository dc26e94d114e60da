"""Choose on validation: nested scores of fits that were selected, and the one-standard-error rule.

The score of the best of several candidates is too high if it is measured on the rows that selected
it (G. C. Cawley and N. L. C. Talbot, "On over-fitting in model selection and subsequent selection
bias in performance evaluation", Journal of Machine Learning Research 11, 2010). Here one half of
the rows selects and the other half scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thawline.evaluation.confusion import Floats, Integers, averages, count_confusion
from thawline.evaluation.differences import Effects

Keep = Literal["accuracy", "f1_macro", "loss", "last"]
"""The validation score that selects a candidate, as in ``training.keep``."""

HALVINGS = 20
"""The number of random halvings of the rows, over which the nested values are averaged."""


class NestedValues(NamedTuple):
    """The values of each row, from candidates that were selected without this row.

    Attributes:
        correct: The share of the halvings in which the row was classified correctly, ``(rows,)``.
        losses: The mean loss of the row in nats, of the same shape.
    """

    correct: Floats
    losses: Floats


def nested_values(
    logits: ArrayLike, labels: ArrayLike, groups: ArrayLike, keep: Keep = "accuracy", seed: int = 0
) -> NestedValues:
    """Select a candidate on one half of the rows and score it on the other half, both ways.

    Copies of a text stay in one half. The halves have about the same number of rows of each class.

    Args:
        logits: The logits of the candidates of one fit (its evaluated epochs, in order, or its
            penalties), of shape ``(candidates, rows, classes)``.
        labels: The class of each row, of shape ``(rows,)``.
        groups: The number of the text of each row, equal for copies, of shape ``(rows,)``.
        keep: The score that selects the candidate, or ``last`` for the last one. In a tie, the
            later candidate is selected.
        seed: The random seed of the halvings. Use the same for all fits of a comparison.

    Returns:
        The values of each row, averaged over `HALVINGS` halvings. If all rows are copies of one
        text, they select and score the candidate.

    Raises:
        ValueError: If the shapes do not match.
    """
    from scipy.special import log_softmax

    given = np.asarray(logits)
    truth, texts = np.asarray(labels, dtype=np.int64), np.asarray(groups)
    if given.ndim != 3 or truth.shape != given.shape[1:2] or texts.shape != truth.shape:
        raise ValueError(
            f"logits of shape (candidates, rows, classes) need labels and groups of shape (rows,), "
            f"not {given.shape}, {truth.shape} and {texts.shape}"
        )
    logarithms = log_softmax(given.astype(np.float64), axis=2)
    losses = -np.take_along_axis(logarithms, truth[None, :, None], axis=2)[:, :, 0]
    predicted = given.argmax(axis=2)
    correct = (predicted == truth).astype(np.float64)
    if len(given) == 1 or keep == "last":
        return NestedValues(correct[-1], losses[-1])
    found = NestedValues(np.zeros(len(truth)), np.zeros(len(truth)))
    for halving in range(HALVINGS):
        first_half = halve_rows(truth, texts, seed=(seed, halving))
        for scored in (first_half, ~first_half):
            selecting = ~scored if scored.any() and not scored.all() else np.ones_like(scored)
            merits = _merits(keep, correct, losses, predicted, truth, selecting)
            best = len(merits) - 1 - int(np.argmax(merits[::-1]))
            found.correct[scored] += correct[best, scored] / HALVINGS
            found.losses[scored] += losses[best, scored] / HALVINGS
    return found


def _merits(
    keep: Keep,
    correct: Floats,
    losses: Floats,
    predicted: Integers,
    truth: Integers,
    rows: NDArray[np.bool_],
) -> Floats:
    """Return the score of each candidate on some rows, of shape ``(candidates,)``."""
    if keep == "f1_macro":
        classes = int(max(predicted.max(), truth.max())) + 1
        return np.array(
            [
                averages(count_confusion(truth[rows], one[rows], classes).margins())["f1_macro"]
                for one in predicted
            ]
        )
    merits: Floats = -losses[:, rows].mean(axis=1) if keep == "loss" else correct[:, rows].mean(1)
    return merits


def halve_rows(
    labels: Integers, groups: NDArray[np.generic], seed: int | Sequence[int]
) -> NDArray[np.bool_]:
    """Divide rows into two halves at random, by class, with the copies of a text in one half.

    Args:
        labels: The class of each row, of shape ``(rows,)``.
        groups: The number of the text of each row, equal for copies, of shape ``(rows,)``.
        seed: The random seed.

    Returns:
        Whether each row is in the first half, of shape ``(rows,)``.
    """
    _, first_row, group = np.unique(groups, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(first_row))
    order = order[np.argsort(labels[first_row][order], kind="stable")]
    is_first = np.zeros(len(first_row), dtype=bool)
    is_first[order[::2]] = True
    halves: NDArray[np.bool_] = is_first[group]
    return halves


def cheapest_within_one_error(
    effects: Effects, costs: Sequence[float], among: Sequence[int] | None = None
) -> int:
    """Return the cheapest strategy within one standard error of the best score.

    L. Breiman, J. Friedman, C. J. Stone and R. A. Olshen, "Classification and regression trees",
    1984, section 3.4.3. Of equally cheap strategies, the one with the higher score is returned.

    Args:
        effects: The scores of the strategies, from `nested_values` of validation rows.
        costs: The cost of each strategy, in any unit.
        among: The positions of the strategies that may be chosen. If None, all.

    Returns:
        The position of the strategy.
    """
    among = range(len(effects.scores)) if among is None else among
    best = max(among, key=lambda index: effects.scores[index])
    lowest = effects.scores[best] - effects.standard_error(best)
    good = [index for index in among if effects.scores[index] >= lowest]
    return min(good, key=lambda index: (costs[index], -effects.scores[index]))
