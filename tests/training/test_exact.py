"""The exact fit: the optimum of scikit-learn, in any blocks, and the choice on validation."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import cross_entropy

from thawline.config import ExactConfig, TrainingConfig
from thawline.store import Features
from thawline.training import exact
from thawline.training.exact import ExactFit, LabelledFeatures, fit_exactly
from thawline.training.weighting import Weighting

STAGES, HIDDEN = 3, 5
CANDIDATES = ((0,), (1,), (2,), (0, 1, 2))
SPREAD = torch.tensor([0.5, 1.0, 3.0, 2.0, 0.7])
"""Scales of the features. They differ, so that standardising the features matters."""


def states(rows: int, n_labels: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return pooled states (rows, stages, hidden). Only stage 1 depends on the class."""
    torch.manual_seed(seed)
    labels = torch.arange(rows) % n_labels
    centres = torch.randn(n_labels, HIDDEN, generator=torch.Generator().manual_seed(7))
    informative = torch.tensor([0.0, 1.0, 0.0])[:, None]
    values = torch.randn(rows, STAGES, HIDDEN) + informative * centres[labels][:, None]
    return values * SPREAD + 3, labels


def stored(values: Tensor, labels: Tensor) -> LabelledFeatures:
    """Return states as a store returns them, in two chunks of interleaved rows."""
    rows = len(values)
    chunks = torch.arange(rows) % 2
    tensors = [values[chunk::2, :, None].expand(-1, -1, 3, -1) for chunk in (0, 1)]
    return (
        lambda stages: Features(
            tensors, chunks=chunks, rows=torch.arange(rows) // 2, stages=stages, pooling=0
        ),
        labels,
    )


def plain(labels: Tensor, n_labels: int) -> Weighting:
    """Return a weighting in which all rows and classes weigh the same."""
    return Weighting.of(labels, n_labels, TrainingConfig())


def fit(
    n_labels: int = 2,
    candidates: tuple[tuple[int, ...], ...] = ((1,),),
    *,
    standardise: bool = True,
    **settings: object,
) -> ExactFit:
    config = replace(ExactConfig(), **settings)
    train, validation = states(90, n_labels, seed=0), states(60, n_labels, seed=1)
    return fit_exactly(
        candidates,
        stored(*train),
        stored(*validation),
        plain(train[1], n_labels),
        config,
        standardise=standardise,
    )


def probabilities(fitted: ExactFit, values: Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        return fitted.head(values[:, list(fitted.stages)].flatten(1)).softmax(1).numpy()


def peer(
    n_labels: int, penalty: float, values: Tensor, *, standardise: bool
) -> NDArray[np.float64]:
    """Return the probabilities of scikit-learn's optimum of the same loss on stage 1.

    Its C multiplies the summed loss, while half the squared weights have the factor 1. So C is
    1 / (penalty x rows). For two classes scikit-learn has one weight vector, the difference of our
    two opposite vectors, so its penalty is half as large.
    """
    train, labels = (part.numpy() for part in states(90, n_labels, seed=0))
    features, asked = train[:, 1].astype(np.float64), values[:, 1].double().numpy()
    if standardise:
        mean, deviation = features.mean(0), features.std(0)
        features, asked = (features - mean) / deviation, (asked - mean) / deviation
    strength = (2 if n_labels == 2 else 1) / (penalty * len(labels))
    model = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000)
    return model.fit(features, labels).predict_proba(asked)


@pytest.mark.parametrize(
    ("penalty", "standardise"),
    [(1.0, True), (0.01, True), (1e-4, True), (1.0, False), (0.1, False)],
)
@pytest.mark.parametrize("n_labels", [2, 3])
def test_the_optimum_equals_scikit_learn(n_labels: int, penalty: float, standardise: bool) -> None:
    fitted = fit(n_labels, penalties=(penalty,), standardise=standardise)
    values, _ = states(40, n_labels, seed=2)
    expected = peer(n_labels, penalty, values, standardise=standardise)
    np.testing.assert_allclose(probabilities(fitted, values), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "sizes",
    [
        {"rows_per_block": 1},
        {"rows_per_block": 17},
        {"rows_per_block": 90},
        {"rows_per_block": 17, "cache_bytes": 0},
        {"cache_bytes": 0},
    ],
)
def test_blocks_and_the_cache_change_nothing(sizes: dict[str, int]) -> None:
    tight = {"penalties": (0.3, 0.1), "tolerance": 1e-8}
    both = (0,), (1,)
    expected, fitted = fit(3, both, **tight), fit(3, both, **tight, **sizes)
    assert (fitted.stages, fitted.penalty) == (expected.stages, expected.penalty)
    assert fitted.validation_loss == pytest.approx(expected.validation_loss, abs=1e-5)
    values, _ = states(40, 3, seed=2)
    np.testing.assert_allclose(
        probabilities(fitted, values), probabilities(expected, values), rtol=0, atol=1e-3
    )


def test_the_returned_head_has_the_lowest_validation_loss() -> None:
    fitted = fit(3, CANDIDATES, penalties=(1.0, 0.1, 0.01))
    least = min(fitted.path, key=lambda step: step["loss"])
    assert (least["stages"], least["penalty"]) == (list(fitted.stages), fitted.penalty)
    assert fitted.validation_loss == least["loss"]
    assert fitted.stages == (1,)  # the only stage that depends on the class
    assert {tuple(step["stages"]) for step in fitted.path} == set(CANDIDATES)


def test_the_returned_head_has_the_loss_and_accuracy_in_its_path() -> None:
    fitted = fit(3, CANDIDATES, penalties=(1.0, 0.1, 0.01))
    values, labels = states(60, 3, seed=1)
    shares = torch.from_numpy(probabilities(fitted, values)).double()
    loss = float(cross_entropy(shares.log(), labels))
    assert loss == pytest.approx(fitted.validation_loss, abs=1e-5)
    step = next(
        step
        for step in fitted.path
        if (step["stages"], step["penalty"]) == (list(fitted.stages), fitted.penalty)
    )
    assert step["accuracy"] == pytest.approx(float((shares.argmax(1) == labels).double().mean()))


def test_the_head_is_that_of_its_stages_although_others_were_best_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses = iter([0.5, 0.6, 0.7, 0.8])  # both loosely, and then both up to the tolerance
    score = exact._score

    def scripted(*args: Any, **kwargs: Any) -> tuple[dict[str, float], Tensor]:
        scores, logits = score(*args, **kwargs)
        return scores | {"loss": next(losses)}, logits

    monkeypatch.setattr(exact, "_score", scripted)
    fitted = fit(candidates=((1,), (0, 1, 2)), penalties=(0.01,))
    assert (fitted.stages, fitted.validation_loss, next(losses, None)) == ((1,), 0.7, None)
    values, _ = states(60, 2, seed=1)
    expected = torch.from_numpy(fitted.candidates[0]).float().softmax(1)
    np.testing.assert_allclose(probabilities(fitted, values), expected, atol=1e-3)


def steps_of(fitted: ExactFit) -> list[float]:
    return [step["penalty"] for step in fitted.path]


def noise(rows: int, seed: int) -> LabelledFeatures:
    """Return features that are independent of the labels, so that weaker penalties overfit more."""
    torch.manual_seed(seed)
    return stored(torch.randn(rows, 1, HIDDEN), torch.randint(0, 2, (rows,)))


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_patience_stops_the_path_of_penalties(patience: int) -> None:
    config = ExactConfig(patience=patience)
    train = noise(20, 0)
    fitted = fit_exactly([(0,)], train, noise(400, 1), plain(train[1], 2), config)
    losses = [step["loss"] for step in fitted.path]
    assert len(losses) < len(config.penalties)
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + patience
    assert tuple(steps_of(fitted)) == config.penalties[: len(losses)]


def test_every_penalty_is_tried_while_the_loss_falls() -> None:
    train = states(90, 3, seed=0)
    config = ExactConfig(penalties=(1.0, 0.3, 0.1, 0.03), patience=1)
    fitted = fit_exactly([(1,)], stored(*train), stored(*train), plain(train[1], 3), config)
    assert tuple(steps_of(fitted)) == config.penalties
    assert fitted.penalty == config.penalties[-1]


def test_the_penalty_applies_to_standardised_features_by_default() -> None:
    values, _ = states(40, 2, seed=2)
    scaled, raw = (fit(penalties=(1.0,), standardise=choice) for choice in (True, False))
    assert np.abs(probabilities(scaled, values) - probabilities(raw, values)).max() > 0.01


def test_the_path_holds_json_values() -> None:
    (step,) = fit(penalties=(1.0,)).path
    assert {key: type(value) for key, value in step.items()} == {
        "stages": list,
        "penalty": float,
        "loss": float,
        "accuracy": float,
        "f1_macro": float,
        "gradient_norm": float,
        "iterations": int,
    }


def test_progress_advances_once_for_each_candidate() -> None:
    advances: list[int] = []
    data = stored(*states(30, 2, seed=0))
    config = ExactConfig(penalties=(1.0,))
    fit_exactly(CANDIDATES, data, data, plain(data[1], 2), config, advance=advances.append)
    assert advances == [1] * len(CANDIDATES)


def test_only_the_chosen_fit_is_minimised_up_to_the_tolerance() -> None:
    fitted = fit(3, CANDIDATES, penalties=(1.0, 0.1, 0.01, 0.001), tolerance=1e-9)
    least = min(fitted.path, key=lambda step: step["loss"])
    assert least["gradient_norm"] <= 1e-9
    others = [step["gradient_norm"] for step in fitted.path if step is not least]
    assert max(others) > 1e-9
    assert max(others) < 0.01


def test_with_a_weak_penalty_the_chosen_fit_is_minimised_further() -> None:
    penalty, tolerance = 0.01, 1e-3
    fitted = fit(3, penalties=(penalty,), tolerance=tolerance, standardise=False)
    (step,) = fitted.path
    error = step["gradient_norm"] / penalty  # an upper limit of the error of the weights
    assert error <= 2e-4 * float(fitted.head[0].weight.detach().norm())
    assert error < 0.1 * tolerance / penalty


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        expected = fit(3, CANDIDATES)
        torch.set_num_threads(threads)
        fitted = fit(3, CANDIDATES)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert fitted.path == expected.path


class Watched(Features):
    """Features that count how many tensors of a block's shape are in memory at the last block."""

    def __init__(self, rows: int, alive: list[int]) -> None:
        values = torch.randn(rows, 1, HIDDEN)[:, :, None].expand(-1, -1, 3, -1)
        where = torch.arange(rows)
        super().__init__(
            [values], chunks=torch.zeros_like(where), rows=where, stages=(0,), pooling=0
        )
        self.alive = alive

    def blocks(self, rows: int) -> Iterator[Tensor]:
        for number, block in enumerate(super().blocks(rows), start=1):
            if number == len(self) // rows:
                objects = gc.get_objects()
                self.alive.append(
                    sum(type(o) is Tensor and o.shape == block.shape for o in objects)
                )
            yield block


def most_blocks_alive(cache_bytes: int) -> int:
    alive: list[int] = []
    rows, block = 3600, 300  # more rows than are converted to fp64 at once
    config = ExactConfig(
        penalties=(1.0,), max_iterations=2, rows_per_block=block, cache_bytes=cache_bytes
    )
    data: LabelledFeatures = (lambda stages: Watched(rows, alive), torch.arange(rows) % 2)
    fit_exactly([(0,)], data, data, plain(data[1], 2), config)
    return max(alive)


def test_features_too_large_for_the_cache_are_never_all_in_memory() -> None:
    raw_standardised_and_the_one_before = 4
    assert most_blocks_alive(cache_bytes=0) <= raw_standardised_and_the_one_before


def test_features_that_fit_the_cache_are_kept() -> None:
    # The last block has not been added yet when the blocks are counted.
    assert most_blocks_alive(cache_bytes=2**20) >= 11
