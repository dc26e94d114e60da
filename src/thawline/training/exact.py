"""Fit a linear head exactly, by regularised logistic regression on stored features.

The loss is convex, so Newton's method (`newton.py`) finds its optimum and no epochs are needed.
The penalty is chosen on the validation split, and so are the features if several are given. Only
the chosen head is minimised up to the tolerance; the others are minimised until their losses on
validation are precise enough to choose between them. The test split is never used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from thawline.config import ExactConfig
from thawline.evaluation.confusion import f1_macro
from thawline.models.heads import Standardisation, build_head
from thawline.models.specs import HeadSpec
from thawline.runtime.randomness import building
from thawline.runtime.threads import WORKERS
from thawline.store import Features
from thawline.training.evaluated import are_kept, in_half_precision, stack_candidates
from thawline.training.features import StandardisedFeatures, feature_bytes, memory_limit
from thawline.training.newton import Minimum, PenalisedLoss
from thawline.training.weighting import Weighting

LabelledFeatures = tuple[Callable[[tuple[int, ...]], Features], Tensor]
"""A function from stages to their features, and the class ids of the same rows."""

_TOLERANCES = (1e-3, 0.02)
"""The norm of the gradient up to which fits are compared, relative to two norms.

The first is the norm of the gradient at zero weights. The second is the norm of the gradient of the
penalty, which the gradient of the loss cancels at the minimum.
"""

_WEIGHT_TOLERANCE, _STRICTEST, _ROUNDING = 1e-4, 1e-3, 1e-12
"""The relative error of the chosen weights, and two limits of the norm of the gradient for it.

An error of the weights is at most the norm of the gradient divided by the penalty. So with a weak
penalty, a small gradient alone leaves the weights loose. The limits are a factor of ``tolerance``,
and one of the norm of the gradient at zero weights, because smaller norms are rounding errors.
"""

_LOGIT_BYTES = 12
"""The memory for each logit of a candidate: its probabilities at two points, and its change."""


@dataclass(frozen=True)
class ExactFit:
    """A linear head that was fitted to its optimum.

    Attributes:
        head: The head. It reads raw features, because the standardisation is folded into it.
        stages: The stages whose features the head reads.
        penalty: The chosen L2 penalty per text, on the weights of standardised features.
        validation_loss: The mean cross-entropy on the validation split, in nats.
        path: All fits, by candidate and from the strongest penalty, as JSON values: the stages,
            the penalty, the loss, the accuracy and the macro F1 on the validation split, the norm
            of the gradient of the penalised training loss, and the number of Newton iterations.
        candidates: The validation logits of each step of ``path``, ``(steps, rows, labels)``. There
            are none if they are too large.
    """

    head: nn.Sequential
    stages: tuple[int, ...]
    penalty: float
    validation_loss: float
    path: list[dict[str, Any]]
    candidates: NDArray[np.float16]


@dataclass(frozen=True)
class _Problem:
    """The rows of one candidate.

    Attributes:
        stages: The stages whose features the head reads.
        scale: The standardisation of the features.
        loss: The penalised loss on the training rows.
        validation: The features of the validation rows.
    """

    stages: tuple[int, ...]
    scale: Standardisation
    loss: PenalisedLoss
    validation: StandardisedFeatures


@dataclass
class _Path:
    """The fits of one candidate, from the first penalty on.

    Attributes:
        stages: The stages whose features the head reads.
        steps: The fits, as JSON values.
        best: The position in ``steps`` of the fit with the lowest validation loss.
        weights: The weights and biases of that fit, ``(labels, width + 1)`` in fp64.
        logits: The validation logits of each fit; see `_score`.
        at_zero: The norm of the gradient at zero weights.
    """

    stages: tuple[int, ...]
    steps: list[dict[str, Any]]
    best: int
    weights: Tensor
    at_zero: float
    logits: list[Tensor] = field(default_factory=list)


def fit_exactly(
    candidates: Sequence[tuple[int, ...]],
    train: LabelledFeatures,
    validation: LabelledFeatures,
    weighting: Weighting,
    config: ExactConfig,
    *,
    standardise: bool = True,
    advance: Callable[[int], None] = lambda candidates: None,
) -> ExactFit:
    """Fit a linear head on each candidate's features and return the best one.

    The best head has the lowest validation loss. For each candidate, the penalties are tried from
    the strongest to the weakest, and each fit starts from the weights of the previous ones. A
    candidate ends when the validation loss has not fallen for ``config.patience`` penalties in a
    row. On a CPU, each candidate of one stage is computed by one thread, and several at the same
    time.

    Args:
        candidates: The sets of stages to choose from. The features of the stages in a set are
            concatenated.
        train: A pair of a function, which returns the features of the given stages,
            ``(rows, stages x hidden)``, and the class ids, ``(rows,)`` int64.
        validation: The same for the validation split.
        weighting: The weights of the training rows and of the classes, and the smoothing of labels.
        config: The penalties, the patience, the tolerance and the memory limits.
        standardise: Whether the penalty applies to the weights of standardised features.
        advance: Called with 1 after each candidate.

    Returns:
        The head with the lowest validation loss, and the path of all fits.
    """
    search = _Search(train, validation, weighting, config, len(candidates), standardise=standardise)
    single = [stages for stages in candidates if len(stages) == 1]
    paths: dict[tuple[int, ...], _Path] = {}
    if len(single) > 1:
        with WORKERS.started(search.most_at_once(single[0])) as (pool, _):
            for path in pool.map(lambda stages: search.follow(search.problem(stages)), single):
                paths[path.stages] = path
                advance(1)
    problem: _Problem | None = None
    for stages in candidates:
        if stages not in paths:
            problem = search.problem(stages)
            paths[stages] = search.follow(problem)
            advance(1)
    return search.finish([paths[stages] for stages in candidates], problem)


class _Search:
    """The search for the stages and the penalty. The arguments are those of `fit_exactly`."""

    def __init__(
        self,
        train: LabelledFeatures,
        validation: LabelledFeatures,
        weighting: Weighting,
        config: ExactConfig,
        n_candidates: int,
        *,
        standardise: bool,
    ) -> None:
        self._train, self._validation, self._config = train, validation, config
        self._weighting, self._standardise = weighting, standardise
        self._targets = weighting.targets(train[1])
        self._limit = memory_limit(config)
        self._scales: dict[int, Standardisation] = {}
        self._shape = len(validation[1]), len(weighting.classes)
        fits = n_candidates * len(config.penalties)
        self._keeps_logits = are_kept(*self._shape, candidates=fits)

    def most_at_once(self, stages: tuple[int, ...]) -> int:
        """Return how many candidates of the same width fit in memory, at least 1."""
        features = self._train[0](stages)
        logits = len(features) * len(self._weighting.classes) * _LOGIT_BYTES
        return max(1, self._limit // max(1, feature_bytes(features, fast=True) + logits))

    def problem(self, stages: tuple[int, ...]) -> _Problem:
        """Read the features of a candidate."""
        scale, rows = self._scale(stages), self._config.rows_per_block
        training, validation = (
            StandardisedFeatures(part[0](stages), scale, rows, self._limit, fast=fast)
            for part, fast in ((self._train, True), (self._validation, False))
        )
        return _Problem(stages, scale, PenalisedLoss(training, self._targets), validation)

    def _scale(self, stages: tuple[int, ...]) -> Standardisation:
        """Return the standardisation of some stages. Each stage is measured only once."""
        for stage in stages:
            if stage not in self._scales:
                blocks = self._train[0]((stage,)).blocks(self._config.rows_per_block)
                rows = self._weighting.rows.split(self._config.rows_per_block)
                self._scales[stage] = Standardisation.of(blocks, rows)
        scales = [self._scales[stage] for stage in stages]
        mean = torch.cat([scale.mean for scale in scales])
        deviation = torch.cat([scale.deviation for scale in scales])
        # Features are always centred. This changes the biases only, which are not penalised.
        return Standardisation(mean, deviation if self._standardise else torch.ones(()))

    def follow(self, problem: _Problem) -> _Path:
        """Fit a candidate with one penalty after the other."""
        config, loss = self._config, problem.loss
        weights = torch.zeros(len(self._weighting.classes), len(problem.scale.mean) + 1).double()
        at_zero = loss.gradient_norm(weights, config.penalties[0])
        minima = [(math.inf, weights)]
        path = _Path(problem.stages, [], 0, weights, at_zero)
        worse_in_a_row = 0
        for penalty in config.penalties:
            start = _extrapolate(minima, penalty)
            scales = (at_zero, penalty * float(start[:, :-1].norm()) if path.steps else math.inf)
            tolerance = min(share * scale for share, scale in zip(_TOLERANCES, scales, strict=True))
            minimum = loss.minimise(
                start,
                penalty,
                tolerance=max(tolerance, config.tolerance),
                max_iterations=config.max_iterations,
                dtype=torch.float32,
            )
            minima = [minima[-1], (penalty, minimum.weights)]
            path.steps.append({"stages": list(problem.stages), "penalty": penalty})
            path.logits.append(self._describe(path.steps[-1], minimum, problem))
            if path.steps[-1]["loss"] < path.steps[path.best]["loss"] or len(path.steps) == 1:
                path.best, path.weights, worse_in_a_row = len(path.steps) - 1, minimum.weights, 0
            else:
                worse_in_a_row += 1
            if worse_in_a_row >= config.patience:
                break
        return path

    def finish(self, paths: list[_Path], problem: _Problem | None) -> ExactFit:
        """Minimise the best fit up to the tolerance, and return it.

        Args:
            paths: The fits of all candidates.
            problem: The candidate whose features are still in memory. It may be None.
        """
        finished: dict[int, Minimum] = {}
        while True:
            path = min(paths, key=lambda path: float(path.steps[path.best]["loss"]))
            step = path.steps[path.best]
            if id(step) in finished:
                break
            if problem is None or problem.stages != path.stages:
                problem = None  # frees its features before others are read
                problem = self.problem(path.stages)
            minimum = problem.loss.minimise(
                path.weights,
                step["penalty"],
                tolerance=self._final_tolerance(path),
                max_iterations=self._config.max_iterations - step["iterations"],
            )
            path.logits[path.best] = self._describe(step, minimum, problem, step["iterations"])
            path.weights, finished[id(step)] = minimum.weights, minimum
            path.best = min(range(len(path.steps)), key=lambda i: float(path.steps[i]["loss"]))
        # The features in memory may be those of another candidate, which was best in between.
        head = self._scale(path.stages).fold_into(as_head(finished[id(step)].weights))
        steps = [step for path in paths for step in path.steps]
        logits = [one for path in paths for one in path.logits] if self._keeps_logits else []
        candidates = stack_candidates(logits, *self._shape)
        return ExactFit(head, path.stages, step["penalty"], step["loss"], steps, candidates)

    def _final_tolerance(self, path: _Path) -> float:
        """Return the norm of the gradient at which the minimisation of the chosen head stops."""
        tolerance, penalty = self._config.tolerance, float(path.steps[path.best]["penalty"])
        if not penalty:  # the loss may have no minimum
            return tolerance
        of_weights = _WEIGHT_TOLERANCE * penalty * float(path.weights[:, :-1].norm())
        return min(tolerance, max(of_weights, _STRICTEST * tolerance, _ROUNDING * path.at_zero))

    def _describe(
        self, step: dict[str, Any], minimum: Minimum, problem: _Problem, iterations: int = 0
    ) -> Tensor:
        """Write the scores of some weights into a step of the path, and return their logits.

        Args:
            step: The step; it is changed.
            minimum: The weights.
            problem: The candidate.
            iterations: The number of earlier Newton iterations.

        Returns:
            The logits on validation, ``(rows, labels)`` in half precision. Empty if they are not
            kept.
        """
        scores, logits = _score(
            problem.validation, self._validation[1], minimum.weights, keep=self._keeps_logits
        )
        step |= {
            **scores,
            "gradient_norm": minimum.gradient_norm,
            "iterations": iterations + minimum.iterations,
        }
        return logits


def _extrapolate(minima: list[tuple[float, Tensor]], penalty: float) -> Tensor:
    """Return the weights at which the minimisation for a penalty starts.

    The weights change smoothly with the logarithm of the penalty.

    Args:
        minima: The last penalties with their weights.
        penalty: The penalty.
    """
    (last, weights) = minima[-1]
    (before, earlier) = minima[0]
    if not 0 < penalty < last < before < math.inf:
        return weights
    share = min(1.0, math.log(last / penalty) / math.log(before / last))
    return weights + share * (weights - earlier)


def _split(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weight matrix, ``(labels, width)``, and the biases, ``(labels,)``, in fp32."""
    return weights[:, :-1].float().contiguous(), weights[:, -1].float().contiguous()


def _score(
    features: StandardisedFeatures, labels: Tensor, weights: Tensor, *, keep: bool
) -> tuple[dict[str, float], Tensor]:
    """Return the mean cross-entropy, the accuracy and the macro F1, and the logits.

    Args:
        features: The features of the rows.
        labels: The class ids, ``(rows,)``.
        weights: The weights and biases, ``(labels, width + 1)``.
        keep: Whether to return the logits, ``(rows, labels)`` in half precision. Otherwise they
            are empty.
    """
    weight, bias = _split(weights)
    loss, start = 0.0, 0
    predicted = torch.empty(len(features), dtype=torch.int64)
    kept = torch.empty(len(features) if keep else 0, len(weight), dtype=torch.float16)
    for block, _ in features:
        rows = slice(start, start + len(block))
        start += len(block)
        logits = torch.addmm(bias, block, weight.T)
        loss += float(cross_entropy(logits.double(), labels[rows], reduction="sum"))
        predicted[rows] = logits.argmax(1)
        if keep:
            kept[rows] = in_half_precision(logits)
    scores = {
        "loss": loss / len(features),
        "accuracy": float((predicted == labels).double().mean()),
        "f1_macro": f1_macro(labels.numpy(), predicted.numpy(), len(weight)),
    }
    return scores, kept


def as_head(weights: Tensor) -> nn.Sequential:
    """Return a linear head with the given weights and biases."""
    weight, bias = _split(weights)
    with building():
        head = build_head(HeadSpec("linear"), weight.shape[1], len(weight), dropout=0.0)
    head.load_state_dict({"0.weight": weight, "0.bias": bias})
    return head
