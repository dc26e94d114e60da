"""The exact fit of difficult features: weak penalties, and constant or nearly equal features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import cross_entropy

from thawline.config import ExactConfig, TrainingConfig
from thawline.store import Features
from thawline.training.exact import ExactFit, LabelledFeatures, fit_exactly
from thawline.training.newton import PenalisedLoss
from thawline.training.weighting import Weighting

LABELS, ROWS, WIDTH = 4, 400, 60
PENALTIES = [(0.0,), (1.0, 0.01, 0.0), (1.0, 1e-3, 1e-6)]


def data(seed: int, width: int = WIDTH, noise: float = 8.0) -> tuple[Tensor, Tensor]:
    """Return features and class ids. The classes overlap unless the noise is small."""
    generator, labels = torch.Generator().manual_seed(seed), torch.arange(ROWS) % LABELS
    centres = torch.randn(LABELS, width, generator=torch.Generator().manual_seed(7))
    return centres[labels] + noise * torch.randn(ROWS, width, generator=generator), labels


def stored(features: Tensor, labels: Tensor) -> LabelledFeatures:
    index = torch.arange(len(features))
    return lambda stages: Features(
        [features[:, None, None]],
        chunks=torch.zeros_like(index),
        rows=index,
        stages=stages,
        pooling=0,
    ), labels


def fit(
    features: Tensor,
    labels: Tensor,
    penalties: tuple[float, ...] = (0.0,),
    *,
    validation: tuple[Tensor, Tensor] | None = None,
    standardise: bool = True,
    tolerance: float = 1e-6,
) -> ExactFit:
    return fit_exactly(
        [(0,)],
        stored(features, labels),
        stored(*(validation or (features, labels))),
        Weighting.of(labels, LABELS, TrainingConfig()),
        ExactConfig(penalties=penalties, patience=len(penalties), tolerance=tolerance),
        standardise=standardise,
    )


def chosen(fitted: ExactFit) -> dict[str, float]:
    return min(fitted.path, key=lambda step: step["loss"])


def duplicated(values: Tensor) -> Tensor:
    """Return features of which each half almost equals the other."""
    noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(3))
    return torch.cat([values, values + 1e-3 * noise], 1)


def of_all_scales(values: Tensor) -> Tensor:
    return values * 10.0 ** torch.linspace(-4, 4, values.shape[1])


def with_an_outlier(values: Tensor) -> Tensor:
    return torch.cat([values[:1] * 1e4, values[1:]])


KINDS = {
    "plain": lambda values: values,
    "duplicated": duplicated,
    "equal": lambda values: torch.cat([values, values], 1),
    "of all scales": of_all_scales,
    "large": lambda values: values * 1e6,
    "tiny": lambda values: values * 1e-9,
    "an outlier": with_an_outlier,
    "of low rank": lambda values: values[:, :5] @ values[:5, :].sign(),
}


@pytest.mark.parametrize("penalties", PENALTIES)
@pytest.mark.parametrize("kind", KINDS)
def test_standardised_features_converge(kind: str, penalties: tuple[float, ...]) -> None:
    values, labels = data(0)
    step = chosen(fit(KINDS[kind](values), labels, penalties))
    assert step["gradient_norm"] <= 1e-6
    assert step["iterations"] < 100


@pytest.mark.parametrize("penalties", PENALTIES)
@pytest.mark.parametrize("kind", ["duplicated", "of all scales", "large", "an outlier"])
def test_raw_features_converge(kind: str, penalties: tuple[float, ...]) -> None:
    values, labels = data(0)
    step = chosen(fit(KINDS[kind](values), labels, penalties, standardise=False))
    assert step["gradient_norm"] <= 1e-6
    assert step["iterations"] < 100


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("kind", ["plain", "of all scales"])
def test_without_a_penalty_the_optimum_equals_scikit_learn(kind: str, standardise: bool) -> None:
    values, labels = data(0)
    fitted = fit(KINDS[kind](values), labels, standardise=standardise)
    with torch.inference_mode():
        found = fitted.head(KINDS[kind](values)).softmax(1).numpy()
    peer = LogisticRegression(C=np.inf, tol=1e-8, max_iter=10_000)
    expected = peer.fit(values.double().numpy(), labels.numpy())
    expected = expected.predict_proba(values.double().numpy())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("penalties", [(0.0,), (1e-6,), (1e-4,), (0.1,)])
@pytest.mark.parametrize("width", [5, 300])
def test_a_feature_without_variance_keeps_the_weight_zero(
    width: int, penalties: tuple[float, ...]
) -> None:
    values, labels = data(0, width)
    others = data(1, width)
    values[:, 0] = 7.1
    fitted = fit(values, labels, penalties, validation=others)
    (layer,) = fitted.head
    assert torch.equal(layer.weight[:, 0], torch.zeros(LABELS))
    without = fit(
        values[:, 1:], labels, penalties, validation=(others[0][:, 1:].contiguous(), others[1])
    )
    assert fitted.validation_loss == pytest.approx(without.validation_loss, abs=1e-3)


@pytest.mark.parametrize(("width", "tolerance"), [(60, 1e-6), (1_100, 1e-6), (60, 1e-200)])
def test_separable_classes_without_a_penalty_end(
    monkeypatch: pytest.MonkeyPatch, width: int, tolerance: float
) -> None:
    products = 0
    original = PenalisedLoss._hessian_product

    def counted(self: PenalisedLoss, *args: object, **named: object) -> Tensor:
        nonlocal products
        products += 1
        return original(self, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(PenalisedLoss, "_hessian_product", counted)
    values, labels = data(0, width, noise=0.5)
    fitted = fit(values, labels, tolerance=tolerance)
    step = chosen(fitted)
    assert (step["gradient_norm"] <= tolerance) == (tolerance == 1e-6)
    assert step["iterations"] <= 100
    assert products <= (5_000 if tolerance == 1e-6 else 100 * 1_000)
    with torch.inference_mode():
        assert float(cross_entropy(fitted.head(values), labels)) < 1e-4
