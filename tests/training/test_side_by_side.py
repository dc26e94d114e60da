"""One head on states and words: the optimum of both together, and the search for two penalties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.sparse import csr_array
from torch import Tensor

from tests.training.test_exact import plain, states, stored
from thawline.config import ExactConfig, TrainingConfig
from thawline.models.heads import Standardisation
from thawline.training.features import StandardisedFeatures
from thawline.training.side_by_side import (
    BothFit,
    BothWeights,
    Grid,
    SplitFeatures,
    fit_side_by_side,
    logits_of,
)
from thawline.training.weighting import Weighting

TERMS = 12


def split(n_labels: int, rows: int, seed: int) -> SplitFeatures:
    """Return standardised states of stage 1, and words of which some depend on the class."""
    values, labels = states(rows, n_labels, seed)
    scale = Standardisation.of([states(90, n_labels, 0)[0][:, 1]])
    features = stored(values, labels)[0]((1,))
    random = np.random.default_rng(seed)
    counts = random.random((rows, TERMS)) < 0.2
    counts[np.arange(rows), labels.numpy()] |= random.random(rows) < 0.4
    words = counts / np.maximum(1, np.linalg.norm(counts, axis=1, keepdims=True))
    return SplitFeatures(
        StandardisedFeatures(features, scale, 16, 2**20, fast=False),
        csr_array(words),
        labels,
    )


def zeros(n_labels: int) -> BothWeights:
    return BothWeights(np.zeros((n_labels, 5)), np.zeros((n_labels, TERMS)), np.zeros(n_labels))


def fit(
    penalties: tuple[list[float], list[float]],
    n_labels: int = 3,
    places: tuple[int, int] = (0, 0),
    weighting: Weighting | None = None,
) -> BothFit:
    train = split(n_labels, 90, 0)
    return fit_side_by_side(
        train,
        split(n_labels, 60, 1),
        zeros(n_labels),
        Grid(*penalties, places),
        plain(train.labels, n_labels) if weighting is None else weighting,
        ExactConfig(tolerance=1e-7),
    )


def dense(one: SplitFeatures) -> Tensor:
    """Return the features of a split side by side, ``(rows, width + terms)`` in fp64."""
    states = torch.cat([block for block, _ in one.states]).double()
    return torch.cat([states, torch.from_numpy(one.words.toarray()).double()], dim=1)


def peer(n_labels: int, penalties: tuple[float, float], weighting: Weighting) -> Tensor:
    """Return the logits on validation of an optimum that is found in fp64 by autograd."""
    train, width = split(n_labels, 90, 0), 5 + TERMS
    features, targets = dense(train), weighting.targets(train.labels)
    factors = torch.tensor([penalties[0]] * 5 + [penalties[1]] * TERMS, dtype=torch.float64)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = torch.from_numpy(flat.reshape(n_labels, width + 1)).requires_grad_()
        logs = (features @ weights[:, :-1].T + weights[:, -1]).log_softmax(1)
        spread = (targets.rows[:, None] * targets.spread * logs).sum()
        own = (targets.own * logs[torch.arange(len(logs)), train.labels]).sum()
        value = (factors * weights[:, :-1] ** 2).sum() / 2 - own - spread
        (gradient,) = torch.autograd.grad(value, weights)
        return value.item(), gradient.numpy().ravel()

    options: dict[str, Any] = {"gtol": 1e-10, "ftol": 0, "maxiter": 5_000}
    found = minimize(
        loss, np.zeros(n_labels * (width + 1)), jac=True, method="L-BFGS-B", options=options
    )
    weights = torch.from_numpy(found.x.reshape(n_labels, width + 1))
    return dense(split(n_labels, 60, 1)) @ weights[:, :-1].T + weights[:, -1]


@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("penalties", [(0.1, 0.01), (0.01, 0.1), (1e-3, 1e-4)])
def test_the_optimum_of_both_parts(n_labels: int, penalties: tuple[float, float]) -> None:
    config = TrainingConfig(class_weights="balanced", label_smoothing=0.1)
    weighting = Weighting.of(split(n_labels, 90, 0).labels, n_labels, config)
    found = fit(([penalties[0]], [penalties[1]]), n_labels, weighting=weighting)
    logits = logits_of(split(n_labels, 60, 1), found.weights)
    expected = peer(n_labels, penalties, weighting)
    np.testing.assert_allclose(logits.softmax(1), expected.softmax(1), atol=1e-3)
    (step,) = found.path
    assert (step["penalty"], step["words_penalty"]) == penalties
    assert step["gradient_norm"] < 1e-6
    loss = torch.nn.functional.cross_entropy(logits, split(n_labels, 60, 1).labels)
    assert step["loss"] == pytest.approx(float(loss), abs=1e-9)


def test_the_search_moves_to_better_neighbours_only() -> None:
    grid = [100.0, 10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4]
    found = fit((grid, grid))
    losses = {(step["penalty"], step["words_penalty"]): step["loss"] for step in found.path}
    assert found.penalties == min(losses, key=losses.__getitem__)
    assert len(losses) == len(found.path) < len(grid) ** 2
    assert found.path[0]["penalty"] == found.path[0]["words_penalty"] == 100.0
    place = tuple(grid.index(penalty) for penalty in found.penalties)
    for move in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        row, column = place[0] + move[0], place[1] + move[1]
        if 0 <= row < len(grid) and 0 <= column < len(grid):
            assert (grid[row], grid[column]) in losses


def test_a_part_with_a_large_penalty_has_no_weights() -> None:
    only_words = fit(([1e6], [0.01])).weights
    assert np.abs(only_words.states).max() < 1e-5
    assert np.abs(only_words.words).max() > 0.1
    only_states = fit(([0.01], [1e6])).weights
    assert np.abs(only_states.words).max() < 1e-5


def test_weights_are_joined_and_split() -> None:
    random = np.random.default_rng(0)
    weights = BothWeights(random.random((3, 5)), random.random((3, TERMS)), random.random(3))
    again = zeros(3).split(weights.joined())
    for name in ("states", "words", "bias"):
        np.testing.assert_array_equal(getattr(again, name), getattr(weights, name))
    np.testing.assert_array_equal(weights.of_head()[:, -1], weights.bias)
