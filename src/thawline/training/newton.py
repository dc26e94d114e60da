"""Minimise the penalised cross-entropy of a linear head by a truncated Newton method.

Each step solves the Newton equations approximately by preconditioned conjugate gradients and is
shortened until the loss falls (Nocedal and Wright, 2006, algorithm 7.1). The norm of the gradient
becomes small enough only in fp64; until then, fp32 is precise enough for the loss and its gradient.
The products with the Hessian only determine the direction of a step, so bf16 is precise enough for
them, where the processor multiplies it. With weak penalties, some directions hardly change the
loss; then, and whenever the gradient stops falling, everything is computed more precisely.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from thawline.errors import ThawlineError
from thawline.training.features import StandardisedFeatures
from thawline.training.subspace import MAX_COMPLETE_WIDTH, Subspace
from thawline.training.weighting import Targets

_ROWS_IN_FP64 = 256
"""The number of rows that are converted to fp64 at once, so that they stay in the CPU's cache."""

_CACHED_NUMBERS = 2**17
"""The number of logits that are processed at once, so that they stay in the CPU's cache."""

_MAX_COUPLED_LABELS = 512
"""The largest number of classes whose mean curvature is computed for all pairs of classes."""

_MIN_FAST_PENALTY = 1e-5
"""The penalty below which everything is computed precisely. Otherwise rounding errors would change
weights that hardly change the training loss, and with them the loss on validation."""

_MAX_SLOW_STEPS = 3
"""The number of steps in a row that do not halve the gradient, after which everything is computed
precisely."""

_MANY_PRODUCTS = 30
"""The number of products after which the preconditioner is measured again at the next step."""

_MAX_PRODUCTS, _MAX_PRECISE_PRODUCTS = 100, 1_000
"""The maximum number of products with the Hessian in a Newton step, in both precisions."""

_RESIDUAL = 0.1
"""The relative residual at which the conjugate gradients stop. It falls with the gradient."""

_SMALLEST_RESIDUAL = {torch.bfloat16: 0.03, torch.float32: 1e-3}
"""The relative residual below which rounding errors prevent a better direction."""

_SUFFICIENT_DECREASE = 1e-4
"""The share of the decrease predicted by the slope that a step must reach."""

_ROUNDING = {torch.float32: 1e-7, torch.float64: 1e-14}
"""The relative error of the loss. Close to the minimum, a decrease is smaller than that."""

_SMALLEST_STEP = 2.0**-20
"""The step length below which rounding errors prevent a further decrease."""


@dataclass(frozen=True)
class Minimum:
    """The result of a minimisation.

    Attributes:
        weights: The weights and, in the last column, the biases, ``(labels, width + 1)`` in fp64.
        gradient_norm: The Euclidean norm of the gradient at these weights.
        iterations: The number of Newton steps.
    """

    weights: Tensor
    gradient_norm: float
    iterations: int


@dataclass(frozen=True)
class _Point:
    """The loss at some weights.

    Attributes:
        weights: The weights, ``(labels, width + 1)``.
        loss: The penalised mean loss.
        gradient: Its gradient, ``(labels, width + 1)``.
        probabilities: The probabilities of the classes, one tensor for each block, in fp32, or in
            fp64 if everything is computed precisely.
    """

    weights: Tensor
    loss: float
    gradient: Tensor
    probabilities: list[Tensor]


class PenalisedLoss:
    """The weighted mean cross-entropy of a linear head, plus half the penalised squared weights.

    Biases are not penalised.

    Args:
        features: The features of the training rows. Each product reads all of them.
        targets: The factors of the rows' log-probabilities.
    """

    def __init__(self, features: StandardisedFeatures, targets: Targets) -> None:
        self._features, self._targets = features, targets
        self._weights = targets.sums().float()
        self._complete: Subspace | None = None

    def gradient_norm(self, weights: Tensor, penalty: float) -> float:
        """Return the norm of the gradient at some weights, computed in fp32."""
        return _norm(self._at(weights, penalty, torch.float32, precise=False).gradient)

    def minimise(
        self,
        start: Tensor,
        penalty: float,
        *,
        tolerance: float,
        max_iterations: int,
        dtype: torch.dtype = torch.float64,
    ) -> Minimum:
        """Return the weights at which the norm of the gradient is at most the tolerance.

        The minimisation stops earlier after ``max_iterations`` steps, or if rounding errors
        prevent a further decrease.

        Args:
            start: The initial weights and biases, ``(labels, width + 1)`` in fp64.
            penalty: The L2 penalty on the weights.
            tolerance: The norm of the gradient at which to stop.
            max_iterations: The maximum number of Newton steps.
            dtype: The dtype in which the loss and its gradient are computed.

        Raises:
            ThawlineError: If the features are infinite or not numbers.
        """
        precise = penalty < _MIN_FAST_PENALTY
        dtype = torch.float64 if precise else dtype
        point, iterations, slow_steps = self._at(start, penalty, dtype, precise=precise), 0, 0
        if not math.isfinite(point.loss):
            fix = "check the weights of the backbone, or use `compute.dtype=float32`"
            raise ThawlineError("finite features", f"a loss of {point.loss}", fix)
        self._complete = None
        smallest = _norm(point.gradient)
        while not _norm(point.gradient) <= tolerance and iterations < max_iterations:
            following = self._step(point, penalty, dtype, precise=precise)
            if following is not None:
                point, norm = following, _norm(following.gradient)
                iterations += 1
                slow_steps = 0 if norm <= smallest / 2 else slow_steps + 1
                smallest = min(smallest, norm)
            elif precise:
                break
            if not precise and (following is None or slow_steps >= _MAX_SLOW_STEPS):
                precise, dtype = True, torch.float64
                point = self._at(point.weights, penalty, dtype, precise=True)
        return Minimum(point.weights, _norm(point.gradient), iterations)

    def _step(
        self, point: _Point, penalty: float, dtype: torch.dtype, *, precise: bool
    ) -> _Point | None:
        """Return the point after a Newton step. Return None if no step decreases the loss."""
        direction = self._newton_direction(point, penalty, precise=precise)
        slope, length = _dot(direction, point.gradient), 1.0
        while length >= _SMALLEST_STEP:
            weights = point.weights + length * direction
            following = self._at(weights, penalty, dtype, precise=precise)
            # A loss that is not a number is never accepted.
            if following.loss <= _bound(point.loss, length * slope, dtype):
                return following
            length /= 2
        return None

    @cached_property
    def _subspace(self) -> Subspace:
        return Subspace.of((fast for _, fast, _ in self._blocks()), self._weights)

    def _precise_subspace(self, point: _Point, penalty: float) -> Subspace:
        """Return the directions in fp64."""
        if self._complete is None:
            width, n_labels = point.weights.shape[1] - 1, point.weights.shape[0]
            if width <= MAX_COMPLETE_WIDTH:
                # The mean curvature of the classes is at most about 1 / n_labels.
                products, centre = self._products(point)
                self._complete = Subspace.complete(products, centre, penalty * n_labels)
            else:
                basis, variances = self._subspace.basis, self._subspace.variances
                self._complete = replace(
                    self._subspace, basis=basis.double(), variances=variances.double()
                )
        return self._complete

    def _products(self, point: _Point) -> tuple[Tensor, Tensor]:
        """Return the covariance matrix and the means, weighted by the curvature of rows."""
        width = point.weights.shape[1] - 1
        products, sums, total = torch.zeros(width, width).double(), torch.zeros(width).double(), 0.0
        for (features, _, rows), shares in zip(self._blocks(), point.probabilities, strict=True):
            curvatures = self._weights[rows] * (shares * (1 - shares)).sum(1)
            parts = (tensor.split(_ROWS_IN_FP64) for tensor in (features, curvatures))
            for part, curvature in zip(*parts, strict=True):
                values = part.double()
                products += (values * curvature[:, None]).T @ values
                sums += curvature @ values
            total += float(curvatures.sum())
        total = max(total, torch.finfo().tiny)
        centre = sums / total
        return products / total - torch.outer(centre, centre), centre

    def _blocks(self) -> Iterator[tuple[Tensor, Tensor, slice]]:
        """Yield blocks of features, in fp32 and in the faster dtype, with their rows."""
        start = 0
        for features, fast in self._features:
            yield features, fast, slice(start, start + len(features))
            start += len(features)

    def _at(self, weights: Tensor, penalty: float, dtype: torch.dtype, *, precise: bool) -> _Point:
        """Return the loss and its gradient at some weights."""
        penalised = weights[:, :-1]
        loss = penalty / 2 * float(penalised.square().sum())
        gradient = torch.zeros_like(weights)
        gradient[:, :-1] = penalty * penalised
        weight, bias = penalised.to(dtype), weights[:, -1].to(dtype)
        probabilities = []
        for features, _, rows in self._blocks():
            targets = self._targets[rows]
            size = len(features) if dtype is torch.float32 else _ROWS_IN_FP64
            parts = []
            for start in range(0, len(features), size):
                part = slice(start, start + size)
                values, wanted = features[part].to(dtype), targets[part]
                log_shares = torch.addmm(bias, values, weight.T).log_softmax(1)
                loss += wanted.loss(log_shares)
                shares = log_shares.exp_()
                errors = wanted.errors(shares)
                gradient[:, :-1] += errors.T @ values
                gradient[:, -1] += errors.sum(0)
                parts.append(shares if precise else shares.float())
            probabilities.append(parts[0] if len(parts) == 1 else torch.cat(parts))
        return _Point(weights, loss, gradient, probabilities)

    def _newton_direction(self, point: _Point, penalty: float, *, precise: bool) -> Tensor:
        """Return an approximate solution of the Newton equations, by conjugate gradients.

        Args:
            point: The loss at the current weights.
            penalty: The L2 penalty on the weights.
            precise: Whether products are computed in fp32 instead of the faster dtype, and vectors
                in fp64 instead of fp32.
        """
        subspace = self._subspace
        if precise:
            subspace = self._precise_subspace(point, penalty)
        precondition = subspace.solver(self._curvature(point), penalty)
        start = _norm(point.gradient)
        smallest = 0.0 if precise else _SMALLEST_RESIDUAL[self._features.dtype]
        limit = start * max(min(_RESIDUAL, start**0.5), smallest)
        residual = -point.gradient.to(subspace.basis.dtype)
        direction = torch.zeros_like(residual)
        conjugate = scaled = precondition(residual)
        product = _dot(residual, scaled)
        for n_products in range(_MAX_PRECISE_PRODUCTS if precise else _MAX_PRODUCTS):
            if n_products == _MANY_PRODUCTS:
                self._complete = None
            curved = self._hessian_product(point, conjugate, penalty, precise=precise)
            curvature = _dot(conjugate, curved)
            if curvature <= 0:  # only through rounding, because the loss is convex
                break
            direction += (product / curvature) * conjugate
            residual -= (product / curvature) * curved
            if _norm(residual) <= limit or product == 0:  # the smallest numbers are rounded to 0
                break
            scaled = precondition(residual)
            previous, product = product, _dot(residual, scaled)
            conjugate = scaled + (product / previous) * conjugate
        # Without a single step there is no better direction than the steepest descent.
        chosen = (direction if bool(direction.any()) else scaled).double()
        return chosen.sub_(chosen.mean(0))  # A common change of all classes changes no loss.

    def _hessian_product(
        self, point: _Point, vector: Tensor, penalty: float, *, precise: bool
    ) -> Tensor:
        """Return the product of the Hessian with a vector, both ``(labels, width + 1)``."""
        weight, bias = vector[:, :-1], vector[:, -1]
        product = torch.zeros_like(vector)
        product[:, :-1] = penalty * weight
        size = max(1, _CACHED_NUMBERS // len(vector))
        for (features, fast, rows), shares in zip(self._blocks(), point.probabilities, strict=True):
            values = features if precise else fast
            changes = values @ weight.to(values.dtype).T
            parts = (tensor.split(size) for tensor in (changes, shares, self._weights[rows, None]))
            for change, share, row_weights in zip(*parts, strict=True):
                wide = change.to(share.dtype) + bias
                wide -= (share * wide).sum(1, keepdim=True)
                wide *= share
                wide *= row_weights
                product[:, -1] += wide.sum(0)
                change.copy_(wide)
            product[:, :-1] += changes.T @ values
        return product

    def _curvature(self, point: _Point) -> Tensor:
        """Return the mean curvature of the loss by the logits, as `Subspace.solver` takes it."""
        n_labels = len(point.weights)
        coupled = n_labels <= _MAX_COUPLED_LABELS
        curvature = torch.zeros((n_labels, n_labels) if coupled else n_labels)
        curvature = curvature.to(point.probabilities[0].dtype)
        start = 0
        for shares in point.probabilities:
            weighted = shares * self._weights[start : start + len(shares), None]
            start += len(shares)
            if coupled:
                curvature += weighted.sum(0).diag() - weighted.T @ shares
            else:
                curvature += (weighted * (1 - shares)).sum(0)
        return curvature


def _bound(loss: float, decrease: float, dtype: torch.dtype) -> float:
    """Return the loss that a step may have at most.

    Args:
        loss: The loss before the step.
        decrease: The change of the loss that its slope predicts. It is negative.
        dtype: The dtype of the loss.
    """
    return loss + _SUFFICIENT_DECREASE * decrease + _ROUNDING[dtype] * abs(loss)


def _dot(left: Tensor, right: Tensor) -> float:
    return float((left * right).sum())


def _norm(tensor: Tensor) -> float:
    return float(tensor.norm())
