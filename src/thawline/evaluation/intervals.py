"""Compute confidence intervals of scores."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from thawline.config import MetricsConfig
from thawline.evaluation.confusion import Confusion, Floats, Integers, Margins, averages

_PRIOR_ROWS = 2.0
"""The weight of the prior of each class in `average_intervals`, in rows."""

_NUMBERS_PER_BLOCK = 2_000_000
"""Limits the memory of the bootstrap of a large confusion matrix to 16 MB for each array."""


class Interval(NamedTuple):
    """The two ends of a confidence interval, in the unit of the score."""

    low: float
    high: float


def wilson(
    successes: int,
    rows: int,
    confidence: float = MetricsConfig.confidence,
    effective: float | None = None,
) -> Interval:
    """Return the Wilson score interval of a proportion.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (158), 1927. Unlike the normal approximation
    interval, it always lies within [0, 1], and its width is above 0 even if all rows or none are
    successes.

    Args:
        successes: The number of successes, for example of correct predictions.
        rows: The number of rows, at least 1.
        confidence: The share of such intervals that contain the true proportion.
        effective: The effective number of rows if some are copies of others, above 0: see
            `clusters.effective_rows`. It takes the place of ``rows`` in the formula. If None, all
            rows are independent.

    Raises:
        ValueError: If there are no rows, if ``successes`` is not between 0 and ``rows``, or if
            ``confidence`` is not between 0 and 1.
    """
    from scipy.special import ndtri

    if rows < 1 or not 0 <= successes <= rows:
        raise ValueError(f"successes must be between 0 and {rows} rows, not {successes}")
    check_confidence(confidence)
    z = float(ndtri((1 + confidence) / 2))
    share = successes / rows
    n = rows if effective is None else effective
    centre = share + z**2 / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    low, high = (centre - half) / scale, (centre + half) / scale
    # With no or only successes, one end equals the share. Rounding must not move it past the share.
    return Interval(min(max(low, 0.0), share), max(min(high, 1.0), share))


def check_confidence(confidence: float) -> None:
    """Raise ValueError unless a confidence level lies between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")


def percentile_interval(draws: Floats, value: float, confidence: float) -> Interval:
    """Return the percentile interval of ``draws`` (resamples,), extended to contain ``value``."""
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(min(float(low), value), max(float(high), value))


def average_intervals(
    confusion: Confusion,
    confidence: float,
    resamples: int,
    seed: int,
    effective: Floats | None = None,
) -> dict[str, Interval]:
    """Return the intervals of the averages of precision, recall and F1 over the classes.

    Percentiles of a bootstrap of the rows contain the true value too rarely if a class has few
    rows. A class of three rows that are all correct is correct in every resample. Also, F1 is
    biased in small samples, and a resample has this bias twice. This bootstrap corrects both:

    1. It draws a possible population. For each class, the shares of the predictions come from a
       Dirichlet distribution, as in the Bayesian bootstrap (D. B. Rubin, "The Bayesian bootstrap",
       Annals of Statistics 9 (1), 1981), here stratified by class. Its parameters are the row
       counts plus a prior that weighs as much as two rows: correct with the average recall of all
       classes, otherwise a class at random, by frequency.
    2. It draws as many rows from this population, and subtracts the population's average from
       the average of these rows.
    3. The interval contains the values that differ from the observed average by the quantiles of
       these differences (the basic bootstrap interval: A. C. Davison and D. V. Hinkley, "Bootstrap
       methods and their application", 1997, section 5.2). Differences are taken after the
       variance-stabilising transformation ``arcsin(sqrt(share))``.

    Args:
        confusion: The confusion matrix.
        confidence: The confidence level of every interval, between 0 and 1.
        resamples: The number of bootstrap samples.
        seed: The random seed of the bootstrap.
        effective: The effective number of rows of each class if some are copies of others,
            ``(classes,)``: see `clusters.effective_rows`. The bootstrap then draws as many
            observations as there are effective rows. An observation of a class counts as several
            rows: the rows of the class, divided by its effective rows. If None, all rows are
            independent.
    """
    observed = averages(confusion.margins())
    differences: dict[str, list[Floats]] = {name: [] for name in observed}
    for population, sample in _draw_samples(confusion, resamples, seed, effective):
        truth, drawn = averages(population), averages(sample)
        for name, parts in differences.items():
            parts.append(_angle(drawn[name]) - _angle(truth[name]))
    ends = [(1 + confidence) / 2, (1 - confidence) / 2]
    intervals = {}
    for name, value in observed.items():
        angles = _angle(value) - np.quantile(np.concatenate(differences[name]), ends)
        low, high = np.sin(np.clip(angles, 0, math.pi / 2)) ** 2
        intervals[name] = Interval(min(float(low), float(value)), max(float(high), float(value)))
    return intervals


def _angle(share: Floats) -> Floats:
    return np.arcsin(np.sqrt(np.clip(share, 0, 1)))


def _draw_samples(
    confusion: Confusion, resamples: int, seed: int, effective: Floats | None
) -> Iterator[tuple[Margins, Margins]]:
    """Yield blocks of populations and of a sample from each, as margins (block, classes)."""
    from scipy.sparse import csr_array

    classes, rows = confusion.classes, int(confusion.counts.sum())
    right, predicted, support = confusion.margins()
    tested = np.flatnonzero(support)
    # The rows that one observation of each class counts, and the number of observations.
    weight, observations = np.ones(classes), rows
    if effective is not None:
        weight[tested] = support[tested] / effective[tested]
        observations = max(1, round(float(effective[tested].sum())))
    recall = ((right[tested] / support[tested]).sum() + 0.5) / (len(tested) + 1)
    frequency = (predicted + support) / (2 * rows)
    # Three kinds of cells: those that were observed, the correct cell of each tested class, and the
    # errors of each tested class that the prior adds, whose predicted class is drawn afterwards.
    truth = np.concatenate([confusion.truth, tested, tested])
    weights = np.concatenate(
        [
            confusion.counts / weight[confusion.truth],
            np.full(len(tested), _PRIOR_ROWS * recall),
            np.full(len(tested), _PRIOR_ROWS * (1 - recall)),
        ]
    )
    cells, known = len(truth), len(confusion.truth) + len(tested)
    columns = np.concatenate([confusion.predicted, tested])
    hit = np.flatnonzero(truth[:known] == columns)
    cell = np.concatenate([hit, np.arange(known), np.arange(cells)])
    margin = np.concatenate([columns[hit], classes + columns, 2 * classes + truth])
    to_margins = csr_array((weight[truth][cell], (cell, margin)), shape=(cells, 3 * classes))
    error_weight = weight[truth][known:]

    def margins(drawn: Floats | Integers, errors: Floats | Integers) -> Margins:
        right, predicted, support = np.split(np.asarray(drawn @ to_margins), 3, axis=1)
        return Margins(right, predicted + errors, support)

    # Each has its own generator, so that the size of the blocks does not change the numbers.
    for_shares, for_rows, for_errors = np.random.default_rng(seed).spawn(3)
    block = max(1, _NUMBERS_PER_BLOCK // max(cells, 3 * classes))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        shares = for_shares.standard_gamma(weights, size=(size, cells))
        sums = np.asarray(shares @ to_margins)[:, 2 * classes :]
        shares *= np.divide(support, sums, where=sums > 0, out=np.zeros_like(sums))[:, truth]
        shares /= shares.sum(axis=1, keepdims=True)
        drawn = for_rows.multinomial(observations, shares)
        number = drawn[:, known:].sum(axis=1)
        errors = for_errors.multinomial(number, frequency)
        if effective is not None:
            mean_weight = (drawn[:, known:] @ error_weight) / np.maximum(number, 1)
            errors = errors * mean_weight[:, None]
        shares_of_errors = (shares[:, known:] * error_weight).sum(axis=1)[:, None] * frequency
        yield margins(shares, shares_of_errors), margins(drawn, errors)
