"""Precondition the Newton equations of a linear head by the directions in which features vary most.

The states of neighbouring stages are similar, so a few directions hold most of the variance. In
these directions the Newton equations are solved approximately, and in all others by one number
(compare Frangella, Tropp and Udell, 2023, "Randomized Nyström preconditioning", arXiv 2110.02820).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

_RANKS = (128, 256)
"""The number of directions, for up to 1,024 features and for more. 256 directions of 384 features
take longer to find than they save."""

MAX_COMPLETE_WIDTH = 1_024
"""The number of features up to which all directions are found with weak penalties."""

_MAX_ROWS, _MIN_ROWS, _MAX_NUMBERS = 8_192, 1_024, 2**24
"""Limits of the sample of rows in which the directions are measured: the largest and the smallest
number of rows, and the number of values in wide rows."""

_FLOOR, _SMALLEST_CURVATURE = 1e-6, 1e-30
"""The smallest curvature, relative to the mean and absolutely. It keeps the equations solvable
without a penalty and with probabilities that are rounded to 0 and 1."""

_NO_VARIANCE = 1e-10
"""The mean square, relative to the mean of all features, below which it is a rounding error."""


@dataclass(frozen=True)
class Subspace:
    """The directions in which features vary most.

    Attributes:
        basis: Orthonormal directions, ``(width, rank)``, multiplied by the scales of the features.
            They are exactly 0 for a feature that is 0 in all rows, so that its weight stays 0.
        variances: The mean squares of the features in these directions, ``(rank,)``. Directions
            without variance are given the mean, so that rounding errors do not grow in them.
        rest: The mean square that all other directions are given: the smallest in the subspace, or
            infinity if there are no other directions.
        mean: The mean square over all features.
        penalty_share: The factor of the penalty, if the features were scaled.
        centre: The means of the features, ``(width,)``. They couple the weights to the biases. If
            None, they are 0.
    """

    basis: Tensor
    variances: Tensor
    rest: float
    mean: float
    penalty_share: float = 1.0
    centre: Tensor | None = None

    @classmethod
    def of(cls, blocks: Iterable[Tensor], weights: Tensor) -> Subspace:
        """Find the directions by one step of subspace iteration on a sample of rows.

        The sample consists of rows at equal distances, and the random start is always the same.

        Args:
            blocks: The features in blocks, ``(rows, width)`` each, in any floating-point dtype.
            weights: The weights of all rows, ``(rows,)``.
        """
        sample = _sample(blocks, weights)
        width = sample.shape[1]
        rank = min(width, _RANKS[width > MAX_COMPLETE_WIDTH])
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(width, rank, generator=generator).to(sample.dtype)
        basis = torch.linalg.qr((sample.T @ (sample @ start)).float())[0]
        inside = (sample @ basis.to(sample.dtype)).float()
        variances, rotation = torch.linalg.eigh(inside.T @ inside / len(sample))
        squares = sample.float().square().mean(0)
        return cls._from(basis @ rotation, variances, squares)

    @classmethod
    def complete(cls, products: Tensor, centre: Tensor, penalty: float) -> Subspace:
        """Find all directions, in fp64.

        Features of different scales are first scaled to the same curvature.

        Args:
            products: The covariance matrix of the features, ``(width, width)`` in fp64.
            centre: The means of the features, ``(width,)`` in fp64.
            penalty: The L2 penalty on the weights, relative to the curvature of the loss by the
                logits.
        """
        scales = (products.diagonal().clamp_min(0) + penalty).clamp_min(_SMALLEST_CURVATURE).rsqrt()
        scaled = products * scales * scales[:, None]
        variances, basis = torch.linalg.eigh(scaled)
        found = cls._from(basis, variances, scaled.diagonal())
        share = float(scales.square().mean())
        basis = scales[:, None] * found.basis
        return replace(found, basis=basis, penalty_share=share, centre=centre)

    @classmethod
    def _from(cls, basis: Tensor, variances: Tensor, squares: Tensor) -> Subspace:
        """Return a subspace.

        Args:
            basis: Orthonormal directions, ``(width, rank)``.
            variances: The mean squares in these directions, ``(rank,)``.
            squares: The mean squares of the features, ``(width,)``.
        """
        mean = float(squares.mean())
        variances = variances.where(variances > _NO_VARIANCE * mean, squares.mean())
        rest = math.inf if basis.shape[1] == len(basis) else float(variances.min())
        return cls(basis * (squares > 0)[:, None], variances, rest, mean)

    def solver(self, curvature: Tensor, penalty: float) -> Callable[[Tensor], Tensor]:
        """Return a function that approximately solves the Newton equations for a gradient.

        The Hessian is approximated by the Kronecker product of the curvature of the classes and the
        mean products of features.

        Args:
            curvature: The mean curvature of the loss by the logits: a symmetric matrix,
                ``(labels, labels)``, or only its diagonal, ``(labels,)``.
            penalty: The L2 penalty on the weights.

        Returns:
            A function from a gradient to weights, both ``(labels, width + 1)`` in the dtype of the
            basis.
        """
        dtype = self.basis.dtype
        rotation: Tensor | None = None
        if curvature.dim() == 2:
            values, vectors = torch.linalg.eigh(curvature.double())
            curvature, rotation = values, vectors.to(dtype)
        smallest = max(_FLOOR * float(curvature.mean()), _SMALLEST_CURVATURE)
        curvature = curvature.to(dtype).clamp_min(smallest)[:, None]
        floor = _FLOOR * self.mean * float(curvature.mean()) + penalty * self.penalty_share
        outside = 1 / (curvature * self.rest + floor)
        inside = 1 / (curvature * self.variances + floor) - outside

        def solve(gradient: Tensor) -> Tensor:
            rotated = gradient if rotation is None else rotation.T @ gradient
            weights = rotated[:, :-1]
            if self.centre is not None:
                weights = weights - torch.outer(rotated[:, -1], self.centre)
            solved = torch.empty_like(rotated)
            projected = (weights @ self.basis) * inside
            solved[:, :-1] = torch.addmm(weights * outside, projected, self.basis.T)
            solved[:, -1] = rotated[:, -1] / curvature[:, 0]
            if self.centre is not None:
                solved[:, -1] -= solved[:, :-1] @ self.centre
            solved = solved if rotation is None else rotation @ solved
            # A common change of all classes changes no loss, but collects rounding errors.
            return solved.sub_(solved.mean(0))

        return solve


def _sample(blocks: Iterable[Tensor], weights: Tensor) -> Tensor:
    """Return rows at equal distances, multiplied by the roots of their relative weights."""
    sample, start, filled, step = torch.empty(0), 0, 0, 1
    for block in blocks:
        if not start:
            width = block.shape[1]
            most = max(_MIN_ROWS, min(_MAX_ROWS, _MAX_NUMBERS // max(width, 1)))
            step = -(-len(weights) // most)
            sample = torch.empty(-(-len(weights) // step), width, dtype=block.dtype)
        rows = block[-start % step :: step]
        sample[filled : filled + len(rows)] = rows
        start, filled = start + len(block), filled + len(rows)
    factors = weights[::step].float()
    factors = (factors / factors.mean().clamp_min(torch.finfo().tiny)).sqrt()
    return sample * factors[:, None].to(sample.dtype)
