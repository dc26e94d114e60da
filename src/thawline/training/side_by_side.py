"""Fit one linear head on pooled states and TF-IDF features side by side, to its optimum.

The loss is convex in all weights together. It is minimised by L-BFGS (Liu and Nocedal, 1989), after
a change of variables that makes its curvature similar in all directions: states are scaled along
the directions in which they vary most (`subspace.py`), and terms by their mean squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thawline.config import ExactConfig
from thawline.evaluation.confusion import f1_macro
from thawline.models.heads import Standardisation
from thawline.runtime.threads import single_blas_thread
from thawline.training.evaluated import are_kept, in_half_precision, stack_candidates
from thawline.training.features import StandardisedFeatures
from thawline.training.subspace import Subspace
from thawline.training.weighting import Targets, Weighting

Floats = NDArray[np.float64]

_ROUGH = 1e-4
"""The largest entry of the scaled gradient at which two penalties are compared."""

_MEMORY = 10
"""The number of earlier steps from which L-BFGS estimates the curvature."""

_MORE_ITERATIONS = 10
"""The iterations of L-BFGS for each Newton iteration that `exact.max_iterations` allows. An
iteration takes a small part of the time of a Newton iteration."""

_SMALLEST = 1e-12
"""The smallest curvature of a direction, so that a direction without variance can be scaled."""


@dataclass(frozen=True)
class SplitFeatures:
    """The features of one split.

    Attributes:
        states: The standardised pooled states.
        words: The TF-IDF features, a sparse array ``(texts, terms)`` in fp64.
        labels: The class ids, ``(texts,)`` int64.
    """

    states: StandardisedFeatures
    words: Any
    labels: Tensor


@dataclass(frozen=True)
class BothWeights:
    """The weights of a linear head on standardised states and TF-IDF features.

    Attributes:
        states: ``(labels, width)`` in fp64.
        words: ``(labels, terms)`` in fp64.
        bias: ``(labels,)`` in fp64.
    """

    states: Floats
    words: Floats
    bias: Floats

    def joined(self) -> Floats:
        """Return all numbers in one vector."""
        return np.concatenate([self.states.ravel(), self.words.ravel(), self.bias])

    def split(self, joined: Floats) -> BothWeights:
        """Return weights of these shapes from one vector."""
        ends = np.cumsum([self.states.size, self.words.size])
        states, words, bias = np.split(joined, ends)
        return BothWeights(states.reshape(self.states.shape), words.reshape(self.words.shape), bias)

    def of_head(self) -> Tensor:
        """Return the weights of states with the biases in the last column."""
        return torch.from_numpy(np.column_stack([self.states, self.bias]))

    def halved(self) -> BothWeights:
        """Return half of all weights, because each part explains the labels alone."""
        return BothWeights(self.states / 2, self.words / 2, self.bias / 2)


@dataclass(frozen=True)
class BothFit:
    """The head with the lowest validation loss.

    Attributes:
        weights: Its weights.
        penalties: Its L2 penalties per text, on the weights of states and of words.
        path: All fits as JSON values, in the order in which they were made.
        candidates: The validation logits of each step of ``path``, ``(steps, texts, labels)``.
            There are none if they are too large.
    """

    weights: BothWeights
    penalties: tuple[float, float]
    path: list[dict[str, Any]]
    candidates: NDArray[np.float16]


@dataclass
class _Candidate:
    """The fit with one pair of penalties.

    Attributes:
        weights: Its weights.
        step: Its description, as JSON values.
        logits: Its validation logits in half precision. Empty if they are not kept.
    """

    weights: BothWeights
    step: dict[str, Any]
    logits: Tensor


@dataclass(frozen=True)
class Grid:
    """The pairs of penalties that the search may try.

    Attributes:
        states: The penalties on the weights of states, from the strongest.
        words: The penalties on the weights of words, from the strongest.
        start: The positions of the pair at which the search starts.
    """

    states: Sequence[float]
    words: Sequence[float]
    start: tuple[int, int]

    def pair(self, place: tuple[int, int]) -> tuple[float, float]:
        """Return the penalties at some positions."""
        return self.states[place[0]], self.words[place[1]]

    def neighbours(self, place: tuple[int, int]) -> list[tuple[int, int]]:
        """Return the positions at which one of the two penalties is the next one."""
        near = [(place[0] + i, place[1] + j) for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        return [(i, j) for i, j in near if 0 <= i < len(self.states) and 0 <= j < len(self.words)]


def fit_side_by_side(
    train: SplitFeatures,
    validation: SplitFeatures,
    start: BothWeights,
    grid: Grid,
    weighting: Weighting,
    config: ExactConfig,
) -> BothFit:
    """Fit a head with several pairs of penalties, and return the best one on validation.

    The search starts at a pair of penalties and moves to the neighbouring pair with the lowest
    validation loss until no neighbour is better. The best fit is then minimised further.

    Args:
        train: The features of the training texts.
        validation: The features of the validation texts.
        start: The weights of two heads that were fitted alone, with the biases of one of them.
        grid: The penalties.
        weighting: The weights of the training texts and of the classes.
        config: The maximum number of iterations and the tolerance.
    """
    loss = _BothLoss(train, weighting, start)
    shape = len(validation.labels), len(weighting.classes)
    keep = are_kept(*shape, candidates=len(grid.states) * len(grid.words))
    found: dict[tuple[int, int], _Candidate] = {}
    most = _MORE_ITERATIONS * config.max_iterations

    def try_at(place: tuple[int, int], first: BothWeights) -> float:
        if place not in found:
            pair = grid.pair(place)
            weights, norm, iterations = loss.minimise(first, pair, _ROUGH, most)
            step = {"penalty": pair[0], "words_penalty": pair[1]}
            found[place] = _Candidate(weights, step, torch.empty(0))
            _describe(found[place], validation, norm, iterations, keep=keep)
        return float(found[place].step["loss"])

    best, best_loss = grid.start, try_at(grid.start, start.halved())
    while True:
        near = {place: try_at(place, found[best].weights) for place in grid.neighbours(best)}
        nearest = min(near, key=near.__getitem__, default=best)
        if nearest == best or near[nearest] >= best_loss:
            break
        best, best_loss = nearest, near[nearest]
    chosen, pair = found[best], grid.pair(best)
    before = int(chosen.step["iterations"])
    chosen.weights, norm, iterations = loss.minimise(
        chosen.weights, pair, config.tolerance, most, dtype=torch.float64
    )
    _describe(chosen, validation, norm, before + iterations, keep=keep)
    logits = [candidate.logits for candidate in found.values()] if keep else []
    path = [candidate.step for candidate in found.values()]
    return BothFit(chosen.weights, pair, path, stack_candidates(logits, *shape))


class _BothLoss:
    """The penalised mean cross-entropy on the training texts, in scaled variables."""

    def __init__(self, train: SplitFeatures, weighting: Weighting, shapes: BothWeights) -> None:
        self._train, self._shapes = train, shapes
        self._targets: Targets = weighting.targets(train.labels)
        rows = self._targets.sums()
        self._subspace = Subspace.of((fast for _, fast in train.states), rows.float())
        squares = train.words.multiply(train.words).T @ (rows / rows.sum()).numpy()
        self._squares: Floats = np.asarray(squares, dtype=np.float64)
        self._transposed = train.words.T.tocsr()

    def minimise(
        self,
        start: BothWeights,
        penalties: tuple[float, float],
        tolerance: float,
        max_iterations: int,
        dtype: torch.dtype = torch.float32,
    ) -> tuple[BothWeights, float, int]:
        """Return the weights of the minimum, the norm of their gradient and the iterations.

        Args:
            start: The weights at the start.
            penalties: The L2 penalties on the weights of states and of words.
            tolerance: The largest entry of the scaled gradient at the end.
            max_iterations: The maximum number of steps.
            dtype: The dtype of the products with the features.
        """
        from scipy.optimize import minimize

        scaling = _Scaling.of(self._subspace, self._squares, self._curvature(start), penalties)

        def scaled_loss(variables: Floats) -> tuple[float, Floats]:
            loss, gradient = self._at(scaling.weights(start.split(variables)), penalties, dtype)
            return loss, scaling.weights(gradient).joined()

        with single_blas_thread:
            found = minimize(
                scaled_loss,
                scaling.variables(start).joined(),
                jac=True,
                method="L-BFGS-B",
                options={
                    "gtol": tolerance,
                    "ftol": 0.0,
                    "maxiter": max_iterations,
                    "maxfun": 2 * max_iterations,
                    "maxcor": _MEMORY,
                },
            )
        weights = scaling.weights(start.split(found.x))
        gradient = self._at(weights, penalties, dtype)[1].joined()
        return weights, float(np.linalg.norm(gradient)), int(found.nit)

    def _at(
        self, weights: BothWeights, penalties: tuple[float, float], dtype: torch.dtype
    ) -> tuple[float, BothWeights]:
        """Return the loss and its gradient."""
        logs = logits_of(self._train, weights, dtype).log_softmax(1)
        errors = self._targets.errors(logs.exp())
        gradient, first = torch.zeros(self._shapes.states.shape, dtype=dtype), 0
        for block, _ in self._train.states:
            rows = errors[first : first + len(block)]
            first += len(block)
            gradient += rows.T.to(dtype) @ block.to(dtype)
        states, words = gradient.double().numpy(), (self._transposed @ errors.numpy()).T
        loss = self._targets.loss(logs)
        loss += penalties[0] / 2 * float(np.vdot(weights.states, weights.states))
        loss += penalties[1] / 2 * float(np.vdot(weights.words, weights.words))
        return loss, BothWeights(
            states + penalties[0] * weights.states,
            words + penalties[1] * weights.words,
            errors.sum(0).numpy(),
        )

    def _curvature(self, weights: BothWeights) -> float:
        """Return the mean curvature of the loss by a logit."""
        shares = logits_of(self._train, weights).softmax(1)
        return float((shares * (1 - shares)).mean())


@dataclass(frozen=True)
class _Scaling:
    """A linear change of variables. Its matrix is symmetric, so gradients change in the same way.

    Attributes:
        basis: The directions of the states that are scaled apart, ``(width, rank)``.
        inside: The scales of these directions, minus ``outside``, ``(rank,)``.
        outside: The scale of all other directions.
        words: The scale of each term, ``(terms,)``.
        bias: The scale of the biases.
    """

    basis: Floats
    inside: Floats
    outside: float
    words: Floats
    bias: float

    @classmethod
    def of(
        cls,
        subspace: Subspace,
        squares: Floats,
        curvature: float,
        penalties: tuple[float, float],
    ) -> _Scaling:
        """Return the scales at which all directions have a curvature of about 1."""
        curvature = max(curvature, _SMALLEST)
        variances = subspace.variances.double().numpy()
        rest = 0.0 if np.isinf(subspace.rest) else subspace.rest
        outside = float((curvature * rest + penalties[0] + _SMALLEST) ** -0.5)
        inside = (curvature * variances + penalties[0] + _SMALLEST) ** -0.5
        words = (curvature * squares + penalties[1] + _SMALLEST) ** -0.5
        basis = subspace.basis.double().numpy()
        return cls(basis, inside - outside, outside, words, curvature**-0.5)

    def weights(self, variables: BothWeights) -> BothWeights:
        """Return the weights that variables stand for."""
        return self._scaled(variables, self.inside, self.outside, self.words, self.bias)

    def variables(self, weights: BothWeights) -> BothWeights:
        """Return the variables that stand for weights."""
        inside = 1 / (self.inside + self.outside) - 1 / self.outside
        return self._scaled(weights, inside, 1 / self.outside, 1 / self.words, 1 / self.bias)

    def _scaled(
        self, given: BothWeights, inside: Floats, outside: float, words: Floats, bias: float
    ) -> BothWeights:
        projected = (given.states @ self.basis) * inside
        states = given.states * outside + projected @ self.basis.T
        return BothWeights(states, given.words * words, given.bias * bias)


def logits_of(
    split: SplitFeatures, weights: BothWeights, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return the logits of a split, ``(texts, labels)`` in fp64.

    Args:
        split: The features.
        weights: The weights.
        dtype: The dtype of the products of states. Those of words are always in fp64.
    """
    states = torch.from_numpy(weights.states).to(dtype)
    of_states = torch.cat([block.to(dtype) @ states.T for block, _ in split.states]).double()
    return of_states + torch.from_numpy(split.words @ weights.words.T + weights.bias)


def both_weights(head: Any, scale: Standardisation, words: NDArray[np.float32]) -> BothWeights:
    """Return the weights of a head on states that are not standardised, with those of words.

    Args:
        head: The linear head.
        scale: The standardisation of the states, which is undone in the head.
        words: The weights of words, ``(labels, terms)``.
    """
    weight, bias = head[0].weight.detach().double(), head[0].bias.detach().double()
    centred = bias + weight @ scale.mean.double().expand(weight.shape[1])
    states = (weight * scale.deviation.double()).numpy()
    return BothWeights(states, words.astype(np.float64), centred.numpy())


def _describe(
    candidate: _Candidate, validation: SplitFeatures, norm: float, iterations: int, *, keep: bool
) -> None:
    """Write the scores of a candidate on validation into its step, and keep its logits."""
    logits = logits_of(validation, candidate.weights)
    logs = logits.log_softmax(1)
    if keep:
        candidate.logits = in_half_precision(logits)
    wanted = validation.labels
    candidate.step |= {
        "loss": -float(logs.gather(1, wanted[:, None]).mean()),
        "accuracy": float((logs.argmax(1) == wanted).double().mean()),
        "f1_macro": f1_macro(wanted.numpy(), logs.argmax(1).numpy(), logs.shape[1]),
        "gradient_norm": norm,
        "iterations": iterations,
    }
