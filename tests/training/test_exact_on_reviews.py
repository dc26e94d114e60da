"""The exact fit of the packaged reviews equals the optimum of scikit-learn at every penalty."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from thawline import TextClassifier
from thawline.backbones.opening import open_backbone
from thawline.config import Config, DataConfig, ExactConfig, TokensConfig, TrainingConfig
from thawline.data import load
from thawline.runtime.progress import Reporter
from thawline.store import Features
from thawline.training.adapt import run_prefix
from thawline.training.exact import fit_exactly
from thawline.training.plan import make_plan
from thawline.training.weighting import Weighting

ROWS, TOKENS = 360, 32
PENALTIES = ExactConfig.penalties
CLASSES = (2, 4, 6)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Return the features of the last stage of real reviews, and labels of several kinds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THAWLINE_HOME", str(tmp_path_factory.mktemp("home")))
        data = DataConfig("thawline/reviews", limit=(ROWS, 60))
        config = Config(data=data, tokens=TokensConfig(max_length=TOKENS))
        dataset = load(data)
        backbone = open_backbone(config, lambda: dataset.train.texts, Reporter())
        plan = make_plan(backbone, config)
        frozen = run_prefix(backbone, plan, config, dataset.parts, Reporter())
        values = {}
        for part in ("train", "test"):
            features = frozen.features(part, (backbone.stack.depth,), "mean")
            values[part] = features.take(torch.arange(len(features)))
        sentiment = dataset.train.labels
        words = np.array([len(str(text).split()) for text in dataset.train.texts])
        labels = {2: sentiment}
        for parts in (2, 3):
            limits = np.quantile(words, np.arange(1, parts) / parts)
            labels[2 * parts] = sentiment * parts + np.searchsorted(limits, words)
        yield SimpleNamespace(**values, labels=labels, texts=dataset.train.texts)


def stored(values: Tensor, labels: Tensor) -> Any:
    rows = torch.arange(len(values))
    states = values[:, None, None].expand(-1, 1, 3, -1)
    features = Features([states], chunks=torch.zeros_like(rows), rows=rows, stages=(0,), pooling=0)
    return (lambda stages: features), labels


def fitted_path(
    reviews: SimpleNamespace, n_labels: int, rows: Tensor | None = None, **settings: Any
) -> Iterator[tuple[float, NDArray[Any], dict[str, Any]]]:
    """Yield each penalty with the probabilities of the test texts, and its step in the path.

    The path is followed with warm starts up to that penalty.
    """
    labels = torch.from_numpy(reviews.labels[n_labels])
    train = stored(reviews.train, labels)
    weighting = Weighting.of(labels, n_labels, TrainingConfig(**settings), rows)
    for last in range(1, len(PENALTIES) + 1):
        # The loss on the training rows falls with every penalty, so the last fit is returned.
        config = ExactConfig(penalties=PENALTIES[:last], patience=99)
        fit = fit_exactly([(0,)], train, train, weighting, config)
        if fit.penalty != PENALTIES[last - 1]:
            continue
        with torch.inference_mode():
            shares = fit.head(reviews.test).softmax(1).numpy()
        yield fit.penalty, shares, fit.path[-1]


def peer(
    reviews: SimpleNamespace,
    n_labels: int,
    penalty: float,
    rows: NDArray[Any] | None = None,
    class_weight: Any = None,
) -> NDArray[np.float64]:
    """Return the probabilities of scikit-learn's optimum of the same loss.

    Its C multiplies the weighted sum of losses, and for two classes it has one weight vector, the
    difference of our two opposite vectors.
    """
    train, test = reviews.train.double().numpy(), reviews.test.double().numpy()
    labels = reviews.labels[n_labels]
    rows = np.ones(len(labels)) if rows is None else rows
    mean = np.average(train, axis=0, weights=rows)
    deviation = np.sqrt(np.average((train - mean) ** 2, axis=0, weights=rows))
    total = rows.sum()  # balanced class weights do not change the sum
    strength = (2 if n_labels == 2 else 1) / (penalty * total)
    model = LogisticRegression(
        C=strength, tol=1e-10, max_iter=10_000, solver="newton-cholesky", class_weight=class_weight
    )
    model.fit((train - mean) / deviation, labels, sample_weight=rows)
    return model.predict_proba((test - mean) / deviation)


@pytest.mark.parametrize("n_labels", CLASSES)
def test_every_penalty_of_the_path_has_scikit_learns_optimum(
    reviews: SimpleNamespace, n_labels: int
) -> None:
    found = 0
    for penalty, shares, step in fitted_path(reviews, n_labels):
        np.testing.assert_allclose(shares, peer(reviews, n_labels, penalty), rtol=0, atol=1e-3)
        assert step["gradient_norm"] <= ExactConfig.tolerance
        found += 1
    assert found == len(PENALTIES)


@pytest.mark.parametrize("n_labels", CLASSES)
def test_class_and_row_weights_have_scikit_learns_optimum(
    reviews: SimpleNamespace, n_labels: int
) -> None:
    weights = np.random.default_rng(0).integers(0, 4, len(reviews.train)).astype(float)
    rows = torch.from_numpy(weights)
    for penalty, shares, _ in fitted_path(reviews, n_labels, rows, class_weights="balanced"):
        expected = peer(reviews, n_labels, penalty, weights, "balanced")
        np.testing.assert_allclose(shares, expected, rtol=0, atol=1e-3)


def test_label_smoothing_is_a_fit_of_soft_labels(reviews: SimpleNamespace) -> None:
    smoothing, penalty = 0.2, 0.03
    labels = torch.from_numpy(reviews.labels[4])
    smoothed = Weighting.of(labels, 4, TrainingConfig(label_smoothing=smoothing))
    data = stored(reviews.train, labels)
    config = ExactConfig(penalties=(penalty,))
    fit = fit_exactly([(0,)], data, data, smoothed, config)
    # A soft label is the same as a row of each class with its share as the weight.
    every = torch.cat([torch.full_like(labels, label) for label in range(4)])
    shares = torch.cat([smoothing / 4 + (1 - smoothing) * (labels == k) for k in range(4)])
    repeated = stored(reviews.train.repeat(4, 1), every)
    weighted = Weighting.of(every, 4, TrainingConfig(), shares.double())
    other = fit_exactly([(0,)], repeated, data, weighted, config)
    with torch.inference_mode():
        first, second = (made.head(reviews.test).softmax(1) for made in (fit, other))
    np.testing.assert_allclose(first.numpy(), second.numpy(), rtol=0, atol=1e-4)


def test_a_fit_that_does_not_converge_warns(reviews: SimpleNamespace) -> None:
    texts, labels = reviews.texts[:60], reviews.labels[2][:60]
    settings = {"max_length": TOKENS, "features": "last", "penalties": (1e-4,)}
    with pytest.warns(ConvergenceWarning):
        TextClassifier(max_iterations=1, **settings).fit(texts, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        TextClassifier(**settings).fit(texts, labels)
