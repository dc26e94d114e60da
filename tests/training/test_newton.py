"""The minimisation: the same minimum with products in bf16, and the factors of the labels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from thawline.config import TrainingConfig
from thawline.models.heads import Standardisation
from thawline.store import Features
from thawline.training import features as module
from thawline.training import newton
from thawline.training.features import StandardisedFeatures
from thawline.training.newton import Minimum, PenalisedLoss
from thawline.training.weighting import Weighting

ROWS, WIDTH, LABELS = 300, 20, 5


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(ROWS) % LABELS
    centres = torch.randn(LABELS, WIDTH, generator=generator)
    return centres[labels] + torch.randn(ROWS, WIDTH, generator=generator), labels


def weighting(smoothing: float = 0.1) -> Weighting:
    config = TrainingConfig(label_smoothing=smoothing)
    rows = torch.rand(ROWS, generator=torch.Generator().manual_seed(1))
    return Weighting.of(data()[1], LABELS, config, rows, torch.arange(1.0, LABELS + 1))


def minimum(
    rows: int = 128, dtype: torch.dtype = torch.float64, tolerance: float = 1e-7
) -> Minimum:
    values, labels = data()
    index = torch.arange(ROWS)
    stored = Features(
        [values[:, None, None]],
        chunks=torch.zeros_like(index),
        rows=index,
        stages=(0,),
        pooling=0,
    )
    scale = Standardisation.of([values])
    standardised = StandardisedFeatures(stored, scale, rows, 2**30, fast=True)
    loss = PenalisedLoss(standardised, weighting().targets(labels))
    start = torch.zeros(LABELS, WIDTH + 1).double()
    return loss.minimise(start, 0.01, tolerance=tolerance, max_iterations=100, dtype=dtype)


@pytest.mark.parametrize("most_coupled", [512, 0])
@pytest.mark.parametrize("bf16", [True, False])
def test_the_minimum_does_not_depend_on_how_directions_are_found(
    monkeypatch: pytest.MonkeyPatch, bf16: bool, most_coupled: int
) -> None:
    monkeypatch.setattr(module, "has_bf16_instructions", lambda: False)
    expected = minimum()
    monkeypatch.setattr(module, "has_bf16_instructions", lambda: bf16)
    monkeypatch.setattr(newton, "_MAX_COUPLED_LABELS", most_coupled)
    found = minimum()
    assert max(found.gradient_norm, expected.gradient_norm) <= 1e-7
    torch.testing.assert_close(found.weights, expected.weights, rtol=0, atol=1e-4)


def test_fp32_reaches_the_tolerance_of_the_comparison() -> None:
    found, expected = minimum(dtype=torch.float32, tolerance=1e-4), minimum()
    assert found.gradient_norm <= 1e-4
    torch.testing.assert_close(found.weights, expected.weights, rtol=0, atol=0.05)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_targets_equal_torchs_loss_and_its_gradient(smoothing: float) -> None:
    _, labels = data()
    weights, generator = weighting(smoothing), torch.Generator().manual_seed(2)
    logits = torch.randn(ROWS, LABELS, generator=generator).double().requires_grad_()
    precise = Weighting(weights.classes.double(), weights.rows.double(), smoothing)
    expected = precise.loss(logits, labels, precise.rows) / weights.total(labels, weights.rows)
    expected.backward()
    targets, log_shares = weights.targets(labels), logits.detach().log_softmax(1)
    assert targets.loss(log_shares) == pytest.approx(expected.item(), rel=1e-6)
    assert logits.grad is not None
    errors = targets.errors(log_shares.exp())
    torch.testing.assert_close(errors, logits.grad, rtol=1e-5, atol=1e-9)
    half = slice(0, ROWS // 2)
    torch.testing.assert_close(targets[half].errors(log_shares[half].exp()), errors[half])
