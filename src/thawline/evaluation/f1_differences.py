"""Estimate the effects of texts and seeds on macro F1 by a bootstrap over texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from thawline.config import MetricsConfig
from thawline.evaluation.clusters import count_texts
from thawline.evaluation.confusion import Floats, Integers, Margins, averages
from thawline.evaluation.differences import Effects, pure_seed_variances, same_values
from thawline.evaluation.draws import DrawEffects, Draws

_NUMBERS_PER_BLOCK = 2_000_000
"""Limits the memory of a block of bootstrap samples to 16 MB for each array."""


def measure_f1_effects(
    truth: ArrayLike,
    predictions: Sequence[ArrayLike],
    classes: int,
    resamples: int = MetricsConfig.resamples,
    seed: int = MetricsConfig.seed,
    draws: Draws | None = None,
    copies: ArrayLike | None = None,
) -> Effects:
    """Estimate the effects of texts and seeds on macro F1.

    Macro F1 is not a mean over texts, so that a bootstrap over texts replaces the variances of
    `differences.measure_effects`. Each sample draws as many texts of each class as there are, and
    the same texts for all strategies and seeds. The variance over the samples gives the effect of
    texts and the rest. The effect of the seed is the variance of macro F1 over seeds, minus the
    part that the samples explain. Seeds are not resampled: the spread of resampled means of three
    seeds is too small by a third, and its percentiles cannot exceed the largest seed.

    Args:
        truth: The true classes of shape ``(texts,)``.
        predictions: The predicted classes of each strategy, of shape ``(seeds, texts)``.
        classes: The number of classes.
        resamples: The number of bootstrap samples, at least 2.
        seed: The random seed of the bootstrap.
        draws: The draw of the training rows of each run. If None, all runs were fitted on the same
            rows, and differ in their seeds only. Draws take the place of seeds.
        copies: The number of the text of each position, which is the same for copies, of shape
            ``(texts,)``. Copies are then drawn together. If None, all texts are different.

    Returns:
        The effects, in the unit of macro F1 (0 to 1).

    Raises:
        ValueError: If there are fewer than two different texts, or if the shapes do not match.
    """
    labels = np.asarray(truth, dtype=np.int64)
    arms = [np.asarray(one, dtype=np.int64) for one in predictions]
    if len(labels) < 2 or any(arm.ndim != 2 or arm.shape[1] != len(labels) for arm in arms):
        raise ValueError(
            f"each strategy needs predictions of shape (seeds, {len(labels)}), for at least 2 texts"
        )
    stacked = np.concatenate(arms)
    number = np.arange(len(labels)) if copies is None else np.asarray(copies, dtype=np.int64)
    texts, ends = count_texts(number), np.cumsum([len(arm) for arm in arms])[:-1]
    if texts < 2:
        raise ValueError("all texts are copies of one text")
    groups = _group(labels, stacked, number)
    samples = _draw_macro_f1(groups, classes, resamples, seed)
    observed = _macro_f1(labels, stacked, classes, np.ones((1, len(labels))))
    # For each strategy, the scores of its runs, of shape (runs, 1), and those in each sample.
    scores, sampled = np.split(observed.T, ends), np.split(samples.T, ends)
    if draws is not None:
        scores, sampled = draws.average(scores), draws.average(sampled)
    errors = [one - one.mean(axis=1, keepdims=True) for one in sampled]
    between = np.array([one.var(ddof=1) if len(one) > 1 else 0.0 for one in scores])
    residuals = np.array(
        [texts * one.var(axis=0, ddof=1).mean() if len(one) > 1 else 0.0 for one in errors]
    )
    return Effects(
        scores=np.array([one.mean() for one in scores]),
        texts=texts,
        covariance=texts * np.atleast_2d(np.cov([one.mean(axis=0) for one in sampled])),
        seeds=np.array([len(one) for one in scores]),
        seed_variances=pure_seed_variances(scores, between, residuals / texts),
        residuals=residuals,
        identical=same_values(arms),
        draws=None if draws is None else _measure_draws(scores, errors, draws, texts),
        limit=1.0,
    )


def _measure_draws(
    scores: Sequence[Floats], errors: Sequence[Floats], draws: Draws, texts: int
) -> DrawEffects:
    """Return the effects of draws on macro F1.

    Args:
        scores: Macro F1 of each strategy, of shape ``(draws, 1)``.
        errors: The deviations of macro F1 in the samples, of shape ``(draws, samples)``.
        draws: The draws.
        texts: The number of texts.
    """
    centred = np.stack(errors)
    centred = centred - centred.mean(axis=1, keepdims=True)
    strategies, count, resamples = centred.shape
    flat = centred.reshape(strategies, -1)
    return DrawEffects(
        draws=draws,
        between=np.atleast_2d(np.cov([one[:, 0] for one in scores])),
        residuals=texts * (flat @ flat.T) / ((count - 1) * resamples),
        texts=texts,
    )


class _Groups(NamedTuple):
    """Texts with the same label, the same predictions and the same number of copies.

    Attributes:
        labels: The label of each group, of shape ``(groups,)``.
        predicted: The predictions, of shape ``(columns, groups)``.
        texts: The number of different texts, of shape ``(groups,)``.
        rows: The number of rows of each of these texts, of the same shape.
    """

    labels: Integers
    predicted: Integers
    texts: Integers
    rows: Integers


def _group(truth: Integers, predictions: Integers, copies: Integers) -> _Groups:
    """Group texts, so that those of a group can be drawn together.

    Copies with different labels are different texts here, because samples are drawn by label.

    Args:
        truth: The true classes, of shape ``(rows,)``.
        predictions: The predicted classes, of shape ``(columns, rows)``.
        copies: The number of the text of each row, of shape ``(rows,)``.
    """
    kinds = np.vstack([truth, predictions])
    rows = np.ones(kinds.shape[1], dtype=np.int64)
    if count_texts(copies) < len(copies):
        merged, rows = np.unique(np.vstack([copies, kinds]), axis=1, return_counts=True)
        kinds = merged[1:]
    groups, texts = np.unique(np.vstack([kinds, rows]), axis=1, return_counts=True)
    return _Groups(groups[0], groups[1:-1], texts, groups[-1])


def _draw_macro_f1(groups: _Groups, classes: int, resamples: int, seed: int) -> Floats:
    """Return macro F1 in each sample, of shape ``(resamples, columns)``.

    The number of the texts of a group in a sample is multinomial.
    """
    labels, predicted, counts, rows = groups
    generator = np.random.default_rng(seed)
    block = max(1, _NUMBERS_PER_BLOCK // max(len(labels), classes * len(predicted)))
    drawn = np.empty((resamples, len(predicted)))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        weights = np.empty((size, len(labels)))
        for label in np.unique(labels):
            of_class = np.flatnonzero(labels == label)
            texts = counts[of_class]
            number = generator.multinomial(texts.sum(), texts / texts.sum(), size=size)
            weights[:, of_class] = number * rows[of_class]
        drawn[start : start + size] = _macro_f1(labels, predicted, classes, weights)
    return drawn


def _macro_f1(truth: Integers, predictions: Integers, classes: int, weights: Floats) -> Floats:
    """Return macro F1 of shape ``(samples, columns)``.

    Args:
        truth: The true classes, of shape ``(texts,)``.
        predictions: The predicted classes, of shape ``(columns, texts)``.
        classes: The number of classes.
        weights: How often each sample has each text, of shape ``(samples, texts)``.
    """
    from scipy.sparse import csr_array

    columns, texts = predictions.shape
    text = np.tile(np.arange(texts), columns)
    cell = (np.arange(columns)[:, None] * classes + predictions).ravel()

    def count(entries: np.ndarray) -> Floats:
        chosen = csr_array(
            (np.ones(int(entries.sum())), (text[entries], cell[entries])),
            shape=(texts, columns * classes),
        )
        return np.asarray(weights @ chosen).reshape(len(weights), columns, classes)

    of_class = csr_array((np.ones(texts), (np.arange(texts), truth)), shape=(texts, classes))
    support = np.asarray(weights @ of_class)[:, None, :]
    predicted = count(np.ones(cell.shape, dtype=bool))
    right = count((predictions == truth).ravel())
    macro = averages(Margins(right, predicted, np.broadcast_to(support, right.shape)))
    return macro["f1_macro"]
