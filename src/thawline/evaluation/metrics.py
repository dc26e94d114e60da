"""Score a classifier with confidence intervals, by pure functions of NumPy arrays.

A `Score` has a value and the two ends of its interval. Shares lie between 0 and 1; the loss is in
nats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from thawline.config import MetricsConfig
from thawline.errors import ThawlineError
from thawline.evaluation.calibration import measure_calibration, resample_row_means, row_means
from thawline.evaluation.clusters import effective_rows, text_of_rows
from thawline.evaluation.confusion import Floats, Integers, averages, class_scores, count_confusion
from thawline.evaluation.intervals import (
    Interval,
    average_intervals,
    check_confidence,
    percentile_interval,
    wilson,
)

if TYPE_CHECKING:
    from thawline.runs.records import Score, Scores

MAX_MATRIX_CLASSES = 100
"""The largest number of classes whose complete confusion matrix is recorded."""


def probabilities(logits: ArrayLike) -> Floats:
    """Convert logits to class probabilities.

    Args:
        logits: Logits of shape ``(rows, classes)``, which are normalised with a softmax. Or one
            logit for two classes, of shape ``(rows, 1)`` or ``(rows,)``: the logit of the second
            class against the first, which is normalised with a sigmoid.

    Returns:
        Probabilities of shape ``(rows, classes)``. Each row sums to 1.

    Raises:
        ThawlineError: If a logit is not finite. The message names the first such row.
        ValueError: If the logits have another number of dimensions, or no class.
    """
    scores = _class_logits(logits)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))  # the maximum avoids an overflow
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def log_probabilities(logits: ArrayLike) -> Floats:
    """Convert logits to the logarithms of class probabilities.

    The arguments, the shape of the result and the errors are those of `probabilities`. The
    logarithms are finite even if a probability is too small for a float.
    """
    scores = _class_logits(logits)
    shifted = scores - scores.max(axis=1, keepdims=True)
    logarithms: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logarithms


def evaluate(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    n_classes: int | None = None,
    confidence: float = MetricsConfig.confidence,
    resamples: int = MetricsConfig.resamples,
    bins: int = MetricsConfig.bins,
    seed: int = MetricsConfig.seed,
    copies: ArrayLike | None = None,
) -> Scores:
    """Compute metrics with confidence intervals from logits and labels.

    The prediction is the class with the greatest logit, and the first of these in a tie.

    A division by zero gives 0, as in scikit-learn: the precision of a class that is never
    predicted, and the recall of a class that never occurs. A class that occurs neither in the
    labels nor in the predictions was not tested: its scores are null, and the macro averages
    exclude it. scikit-learn does the same unless it is given the list of classes.

    Accuracy has a Wilson score interval. The averages of precision, recall and F1 have a bootstrap
    interval that remains valid for rare classes and for perfect predictions: see
    `intervals.average_intervals`. The loss and the calibration error have percentile intervals of
    a bootstrap over rows (B. Efron, "Bootstrap methods: another look at the jackknife", Annals of
    Statistics 7 (1), 1979).

    A percentile interval that does not contain the value is extended to the value. This concerns
    the calibration error, which grows with sampling noise and is therefore greater in a resample
    than in the sample. Its interval shows its spread in samples of this size. It is not a bound on
    the true error. The time grows with ``rows * resamples``.

    Copies of a text are not independent, because a classifier predicts the same for all of them.
    With ``copies``, all scores remain those of the rows, but the intervals are those of the
    effective number of rows: see `clusters.effective_rows`. The averages over classes use that of
    each class. If all rows are copies of one text, nothing is known about the spread of the loss
    and of the calibration error over texts. The interval of the loss is then that from 0 to the
    greatest loss that another label could have, and that of the calibration error is 0 to 1.

    Args:
        logits: Logits of shape ``(rows, classes)``, or ``(rows, 1)`` or ``(rows,)`` for two
            classes.
        labels: Class ids of shape ``(rows,)``, integers from 0.
        n_classes: The expected number of classes. If None, it is taken from the logits.
        confidence: The confidence level of every interval, between 0 and 1.
        resamples: The number of bootstrap samples.
        bins: The number of equal-width bins of confidence for the calibration error.
        seed: The random seed of the bootstrap.
        copies: The number of the text of each row, which is the same for copies, ``(rows,)``: see
            `data.copies.number_copies`. If None, all texts are different.

    Returns:
        The scores. The calibration error is the expected calibration error (C. Guo et al., "On
        calibration of modern neural networks", ICML 2017).

    Raises:
        ThawlineError: If there are no rows, or if a logit is not finite.
        ValueError: If shapes differ, if a label is not an integer from 0 to classes - 1, or if an
            argument is out of range.
    """
    check_confidence(confidence)
    if resamples < 1 or bins < 1:
        raise ValueError(f"resamples and bins must be at least 1, not {resamples} and {bins}")
    scores = _class_logits(logits)
    classes = scores.shape[1]
    if n_classes is not None and n_classes != classes:
        raise ValueError(f"the logits have {classes} classes, not {n_classes}")
    truth = _checked_labels(labels, scores)
    rows = len(truth)
    predictions = scores.argmax(axis=1)
    confusion = count_confusion(truth, predictions, classes)
    margins = confusion.margins()
    right = int(margins.right.sum())
    text = text_of_rows(copies, rows)
    of_all = of_classes = None
    if text is not None:
        correct = predictions == truth
        of_all = float(effective_rows(correct, text)[0])
        of_classes = effective_rows(correct, text, truth)
    calibration = measure_calibration(scores, truth, predictions, bins)
    means = row_means(calibration)
    intervals = average_intervals(confusion, confidence, resamples, seed, of_classes)
    if text is not None and not text.any():
        greatest = -float(log_probabilities(scores).min())
        intervals |= {"loss": Interval(0.0, greatest), "calibration_error": Interval(0.0, 1.0)}
    else:
        draws = resample_row_means(calibration, resamples, np.random.default_rng(seed), text)
        for name, value in means.items():
            intervals[name] = percentile_interval(draws[name], value, confidence)
    values = averages(margins) | means
    from thawline.runs.records import Scores  # needs pydantic, which `probabilities` does not

    return Scores(
        rows=rows,
        confidence_level=confidence,
        accuracy=_score(right / rows, wilson(right, rows, confidence, of_all)),
        **{name: _score(float(value), intervals[name]) for name, value in values.items()},
        per_class=class_scores(margins),
        confusion=confusion.matrix().tolist() if classes <= MAX_MATRIX_CLASSES else None,
        confusion_cells=None if classes <= MAX_MATRIX_CLASSES else confusion.cells(),
    )


def _class_logits(logits: ArrayLike) -> Floats:
    """Return finite logits of shape (rows, classes); a single logit ``z`` becomes ``[0, z]``."""
    given = np.asarray(logits, dtype=np.float64)
    scores = given[:, None] if given.ndim == 1 else given
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ValueError(f"logits must have the shape (rows, classes), not {given.shape}")
    finite = np.isfinite(scores)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ThawlineError(
            "finite logits",
            f"{scores[row, column]} in row {row} (counting from 0)",
            "check the weights of the model, or run fit again with a lower `training.lr`",
        )
    if scores.shape[1] == 1:
        return np.hstack([np.zeros_like(scores), scores])
    return scores


def _checked_labels(labels: ArrayLike, scores: Floats) -> Integers:
    """Check labels of shape (rows,) against the logits and return them as int64."""
    rows, classes = scores.shape
    truth = np.asarray(labels)
    if truth.shape != (rows,):
        raise ValueError(f"{rows} rows of logits need labels of shape ({rows},), not {truth.shape}")
    if rows == 0:
        raise ThawlineError(
            "at least one row to score", "none", "choose a split that has labelled texts"
        )
    if truth.dtype.kind not in "iub":
        raise ValueError(f"labels must be integers, not {truth.dtype}")
    outside = (truth < 0) | (truth >= classes)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(f"label {truth[row]} in row {row} is not between 0 and {classes - 1}")
    return truth.astype(np.int64)


def _score(value: float, interval: Interval) -> Score:
    from thawline.runs.records import Score

    return Score(value=value, low=interval.low, high=interval.high)
