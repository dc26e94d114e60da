"""The preconditioner: exact with all directions, and independent of the blocks of rows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from thawline.training import subspace
from thawline.training.subspace import Subspace

ROWS, WIDTH, LABELS, PENALTY = 400, 6, 3, 0.1


def correlated(width: int = WIDTH, rows: int = ROWS) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    mixed = torch.randn(rows, width, generator=generator) @ torch.randn(
        width, width, generator=generator
    )
    return mixed - mixed.mean(0)


def coupled_curvature() -> Tensor:
    shares = torch.tensor([0.5, 0.3, 0.2])
    return shares.diag() - torch.outer(shares, shares)


@pytest.mark.parametrize("coupled", [True, False])
def test_all_directions_solve_the_equations_exactly(coupled: bool) -> None:
    features, curvature = correlated(), coupled_curvature()
    if not coupled:
        curvature = curvature.diagonal().clone()
    solve = Subspace.of([features], torch.ones(ROWS)).solver(curvature, PENALTY)
    weights = torch.randn(LABELS, WIDTH, generator=torch.Generator().manual_seed(2))
    weights -= weights.mean(0)  # a common change of all classes changes no loss
    dense = curvature if coupled else curvature.diag()
    gradient = dense @ weights @ (features.T @ features / ROWS) + PENALTY * weights
    solved = solve(torch.cat([gradient, torch.zeros(LABELS, 1)], 1))
    torch.testing.assert_close(solved[:, :-1], weights, rtol=1e-3, atol=1e-3)


def test_fewer_directions_keep_the_solution_inside_the_subspace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subspace, "_RANKS", (2, 2))
    features = correlated()
    found = Subspace.of([features], torch.ones(ROWS))
    assert found.basis.shape == (WIDTH, 2)
    torch.testing.assert_close(found.basis.T @ found.basis, torch.eye(2), rtol=0, atol=1e-5)
    largest = torch.linalg.eigvalsh(features.T @ features / ROWS)[-1]
    assert 0.9 * largest <= found.variances[-1] <= 1.001 * largest


@pytest.mark.parametrize("most", [1_000, 64])
@pytest.mark.parametrize("size", [1, 7, ROWS])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, size: int, most: int) -> None:
    monkeypatch.setattr(subspace, "_MIN_ROWS", 1)
    monkeypatch.setattr(subspace, "_MAX_ROWS", most)
    features, weights = correlated(), torch.rand(ROWS, generator=torch.Generator().manual_seed(3))
    whole = Subspace.of([features], weights)
    parts = Subspace.of(features.split(size), weights)
    assert torch.equal(whole.basis, parts.basis)
    assert torch.equal(whole.variances, parts.variances)


def test_rows_without_weight_are_ignored() -> None:
    features, weights = correlated(), torch.ones(ROWS)
    broken, partly = features.clone(), weights.clone()
    broken[::2], partly[::2] = 1e6, 0
    found = Subspace.of([broken], partly)
    expected = torch.linalg.eigvalsh(features[1::2].T @ features[1::2] / (ROWS / 2))
    torch.testing.assert_close(found.variances, expected, rtol=1e-3, atol=1e-3)
