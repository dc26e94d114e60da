"""Score a classifier with confidence intervals, by pure functions of NumPy arrays.

A `Score` has a value and the two ends of its interval. Shares lie between 0 and 1; the loss is in
nats. Accuracy is a proportion of independent rows and has a Wilson score interval. Every other
score has a percentile bootstrap interval over rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thawline.config import MetricsConfig
from thawline.errors import ThawlineError

if TYPE_CHECKING:
    from thawline.runs.records import ClassScores, Score, Scores

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_COUNTS_PER_BLOCK = 2_000_000
"""Limits the memory of the bootstrap of a large confusion matrix to 16 MB for each array."""


class Interval(NamedTuple):
    """The two ends of a confidence interval, in the unit of the score."""

    low: float
    high: float


class _Calibration(NamedTuple):
    """The values of each row that are needed for the loss and the calibration error."""

    losses: Floats  # (rows,), nats
    gaps: Floats  # (rows,), confidence minus correctness (0 or 1)
    bins: Integers  # (rows,), from 0


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


def wilson(successes: int, rows: int, confidence: float = MetricsConfig.confidence) -> Interval:
    """Return the Wilson score interval of a proportion.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (158), 1927. Unlike the normal approximation
    interval, it always lies within [0, 1], and its width is above 0 even if all rows or none are
    successes.

    Args:
        successes: The number of successes, for example of correct predictions.
        rows: The number of rows, at least 1.
        confidence: The share of such intervals that contain the true proportion.

    Raises:
        ValueError: If there are no rows, if ``successes`` is not between 0 and ``rows``, or if
            ``confidence`` is not between 0 and 1.
    """
    from scipy.special import ndtri

    if rows < 1 or not 0 <= successes <= rows:
        raise ValueError(f"successes must be between 0 and {rows} rows, not {successes}")
    _check_confidence(confidence)
    z = float(ndtri((1 + confidence) / 2))
    share = successes / rows
    centre = share + z**2 / (2 * rows)
    half = z * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    scale = 1 + z**2 / rows
    low, high = (centre - half) / scale, (centre + half) / scale
    # With no or only successes, one end equals the share. Rounding must not move it past the share.
    return Interval(min(max(low, 0.0), share), max(min(high, 1.0), share))


def evaluate(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    n_classes: int | None = None,
    confidence: float = MetricsConfig.confidence,
    resamples: int = MetricsConfig.resamples,
    bins: int = MetricsConfig.bins,
    seed: int = MetricsConfig.seed,
) -> Scores:
    """Compute metrics with confidence intervals from logits and labels.

    The prediction is the class with the greatest logit, and the first of these in a tie.

    A division by zero gives 0, as in scikit-learn: the precision of a class that is never
    predicted, and the recall of a class that never occurs. A class that occurs neither in the
    labels nor in the predictions was not tested: its scores are null, and the macro averages
    exclude it. scikit-learn does the same unless it is given the list of classes.

    Accuracy has a Wilson score interval. The other intervals are percentiles of a bootstrap over
    rows (B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1),
    1979). Sampling rows with replacement is equivalent to sampling the confusion matrix from a
    multinomial distribution, which is how precision, recall and F1 are resampled. If all resamples
    of a score are equal, for example if every prediction is correct, its interval has no width;
    the interval of the accuracy is more informative then.

    A percentile interval that does not contain the value is extended to the value. This concerns
    the calibration error, which grows with sampling noise and is therefore greater in a resample
    than in the sample. Its interval shows its spread in samples of this size. It is not a bound on
    the true error. The time grows with ``rows * resamples``.

    Args:
        logits: Logits of shape ``(rows, classes)``, or ``(rows, 1)`` or ``(rows,)`` for two
            classes.
        labels: Class ids of shape ``(rows,)``, integers from 0.
        n_classes: The expected number of classes. If None, it is taken from the logits.
        confidence: The confidence level of every interval, between 0 and 1.
        resamples: The number of bootstrap samples.
        bins: The number of equal-width bins of confidence for the calibration error.
        seed: The random seed of the bootstrap.

    Returns:
        The scores. The calibration error is the expected calibration error (C. Guo et al., "On
        calibration of modern neural networks", ICML 2017).

    Raises:
        ThawlineError: If there are no rows, or if a logit is not finite.
        ValueError: If shapes differ, if a label is not an integer from 0 to classes - 1, or if an
            argument is out of range.
    """
    _check_confidence(confidence)
    if resamples < 1 or bins < 1:
        raise ValueError(f"resamples and bins must be at least 1, not {resamples} and {bins}")
    scores = _class_logits(logits)
    classes = scores.shape[1]
    if n_classes is not None and n_classes != classes:
        raise ValueError(f"the logits have {classes} classes, not {n_classes}")
    truth = _checked_labels(labels, scores)
    rows = len(truth)
    predictions = scores.argmax(axis=1)
    confusion = np.bincount(truth * classes + predictions, minlength=classes**2)
    confusion = confusion.reshape(classes, classes)
    right = int(np.trace(confusion))

    generator = np.random.default_rng(seed)
    calibration = _calibration(scores, truth, predictions, bins)
    averages = _averages(*_margins(confusion))
    values: dict[str, Floats | float] = {**averages, **_row_means(calibration)}
    draws = {
        **_resample_averages(confusion, resamples, generator),
        **_resample_row_means(calibration, resamples, generator),
    }
    bootstrapped = {
        name: _score(float(value), _percentiles(draws[name], float(value), confidence))
        for name, value in values.items()
    }
    from thawline.runs.records import Scores  # needs pydantic, which `probabilities` does not

    return Scores(
        rows=rows,
        confidence_level=confidence,
        accuracy=_score(right / rows, wilson(right, rows, confidence)),
        **bootstrapped,
        per_class=_per_class(confusion),
        confusion=confusion.tolist(),
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
            "check the weights of the model, or run fit again with a lower --lr",
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


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")


def _score(value: float, interval: Interval) -> Score:
    from thawline.runs.records import Score

    return Score(value=value, low=interval.low, high=interval.high)


def _percentiles(draws: Floats, value: float, confidence: float) -> Interval:
    """Return the percentile interval of ``draws`` (resamples,), extended to contain ``value``."""
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(min(float(low), value), max(float(high), value))


def _margins(confusion: Integers) -> tuple[Integers, Integers, Integers]:
    """Return the numbers of true positives, predicted rows and true rows, each (classes,)."""
    return np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)


def _precision_recall_f1(
    right: Integers, predicted: Integers, support: Integers
) -> dict[str, Floats]:
    """Return scores of shape (…, classes): 0 for a division by zero, NaN for an absent class."""
    absent = (predicted + support) == 0
    parts = {
        "precision": (right, predicted),
        "recall": (right, support),
        "f1": (2 * right, predicted + support),
    }
    return {
        name: np.where(absent, np.nan, numerator / np.maximum(denominator, 1))
        for name, (numerator, denominator) in parts.items()
    }


def _averages(right: Integers, predicted: Integers, support: Integers) -> dict[str, Floats]:
    """Return macro and weighted averages over the last axis, of shape (…)."""
    present = (predicted + support) > 0
    averages = {}
    for name, scores in _precision_recall_f1(right, predicted, support).items():
        known = np.where(present, scores, 0.0)
        averages[f"{name}_macro"] = known.sum(axis=-1) / present.sum(axis=-1)
        averages[f"{name}_weighted"] = (known * support).sum(axis=-1) / support.sum(axis=-1)
    return averages


def _resample_averages(
    confusion: Integers, resamples: int, generator: np.random.Generator
) -> dict[str, Floats]:
    """Bootstrap the averages, each of shape (resamples,), by resampling the non-zero cells."""
    from scipy.sparse import csr_array

    classes = len(confusion)
    truth, predicted = np.nonzero(confusion)
    counts = confusion[truth, predicted]
    rows, cells = int(counts.sum()), len(counts)
    # One matrix maps cell counts to the three margins: (cells,) @ (cells, 3 * classes).
    hit = np.flatnonzero(truth == predicted)
    cell = np.concatenate([hit, np.arange(cells), np.arange(cells)])
    margin = np.concatenate([truth[hit], classes + predicted, 2 * classes + truth])
    to_margins = csr_array(
        (np.ones(len(cell), dtype=np.int64), (cell, margin)), shape=(cells, 3 * classes)
    )
    block = max(1, _COUNTS_PER_BLOCK // max(cells, 3 * classes))
    blocks = []
    for start in range(0, resamples, block):
        draws = generator.multinomial(rows, counts / rows, size=min(block, resamples - start))
        right, chosen, support = np.split(np.asarray(draws @ to_margins), 3, axis=1)
        blocks.append(_averages(right, chosen, support))
    return {name: np.concatenate([part[name] for part in blocks]) for name in blocks[0]}


def _calibration(scores: Floats, truth: Integers, predictions: Integers, bins: int) -> _Calibration:
    """Return the loss of each row, its confidence minus its correctness, and its bin."""
    from scipy.special import log_softmax

    logs = log_softmax(scores, axis=1)
    row = np.arange(len(truth))
    confidences = np.exp(logs[row, predictions])
    # Bins are closed above, as in Guo et al.: bin m holds ((m - 1) / M, m / M].
    numbers = np.clip(np.ceil(confidences * bins).astype(np.int64) - 1, 0, bins - 1)
    return _Calibration(-logs[row, truth], confidences - (predictions == truth), numbers)


def _row_means(rows: _Calibration) -> dict[str, float]:
    """Return the loss and the expected calibration error.

    The calibration error weights the gap between mean confidence and accuracy of each bin by the
    share of rows in that bin. The product equals the sum of gaps in the bin over all rows.
    """
    sums = np.bincount(rows.bins, weights=rows.gaps)
    return {
        "loss": float(rows.losses.mean()),
        "calibration_error": float(np.abs(sums).sum() / len(rows.gaps)),
    }


def _resample_row_means(
    rows: _Calibration, resamples: int, generator: np.random.Generator
) -> dict[str, Floats]:
    """Bootstrap the loss and the calibration error, each of shape (resamples,)."""
    order = np.argsort(rows.bins, kind="stable")
    losses, gaps = rows.losses[order], rows.gaps[order]
    starts = np.flatnonzero(np.diff(rows.bins[order], prepend=-1))
    n = len(order)
    loss_draws, error_draws = np.empty(resamples), np.empty(resamples)
    for draw in range(resamples):
        times = np.bincount(generator.integers(n, size=n, dtype=np.int32), minlength=n)
        # A BLAS product would be slower, because its threads cost more than they save here.
        loss_draws[draw] = (times * losses).sum() / n
        error_draws[draw] = np.abs(np.add.reduceat(times * gaps, starts)).sum() / n
    return {"loss": loss_draws, "calibration_error": error_draws}


def _per_class(confusion: Integers) -> list[ClassScores]:
    """Return precision, recall, F1 (None for an absent class) and support of each class."""
    from thawline.runs.records import ClassScores

    margins = _margins(confusion)
    table = _precision_recall_f1(*margins)
    return [
        ClassScores(
            **{
                name: None if np.isnan(scores[index]) else float(scores[index])
                for name, scores in table.items()
            },
            support=int(support),
        )
        for index, support in enumerate(margins[2])
    ]
