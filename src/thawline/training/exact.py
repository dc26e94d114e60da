"""The exact fit of a linear head: regularised logistic regression on stored features.

The loss is convex, so its optimum is found by L-BFGS (Liu and Nocedal, 1989) rather than by
epochs. The penalty and, unless told, the features are chosen on validation; test is never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from thawline.config import MEMORY_SHARE, ExactConfig
from thawline.models.heads import HeadSpec, Standardisation, build_head
from thawline.runtime.hardware import available_memory_bytes
from thawline.store import Features

Flat = np.ndarray[tuple[int], np.dtype[np.float64]]
"""A head's weights and biases as the optimiser sees them, ``(labels x (width + 1),)``."""

LabelledFeatures = tuple[Callable[[tuple[int, ...]], Features], Tensor]
"""What gives the features of any stages, and the ids of the same rows."""


@dataclass(frozen=True)
class ExactFit:
    """A linear head at its optimum.

    Attributes:
        head: reads raw features; the standardisation is folded in.
        stages: the stages whose features it reads.
        penalty: the chosen L2 penalty, on weights of standardised features, per text.
        validation_loss: mean cross-entropy on validation, in nats.
        path: every candidate that was tried, in order, as JSON values.
    """

    head: nn.Sequential
    stages: tuple[int, ...]
    penalty: float
    validation_loss: float
    path: list[dict[str, Any]]


class _Blocks:
    """Standardised features in blocks: kept in memory where they fit, else gathered each time.

    To gather them again takes some thirty times as long as to compute with them.
    """

    def __init__(
        self,
        features: Features,
        labels: Tensor,
        transform: Callable[[Tensor], Tensor],
        config: ExactConfig,
    ) -> None:
        self._features, self._labels, self._transform = features, labels, transform
        self._rows = config.rows_per_block
        size = len(features) * features.width * 4
        most = config.cache_bytes
        most = int(MEMORY_SHARE * available_memory_bytes()) if most is None else most
        self._kept = list(self._read()) if size <= most else None

    def __len__(self) -> int:
        return len(self._features)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield from self._read() if self._kept is None else self._kept

    def _read(self) -> Iterator[tuple[Tensor, Tensor]]:
        labels = self._labels.split(self._rows)
        for block, expected in zip(self._features.blocks(self._rows), labels, strict=True):
            yield self._transform(block), expected


def fit_exactly(
    candidates: Sequence[tuple[int, ...]],
    train: LabelledFeatures,
    validation: LabelledFeatures,
    n_labels: int,
    config: ExactConfig,
    *,
    standardise: bool = True,
    advance: Callable[[int], None] = lambda candidates: None,
) -> ExactFit:
    """Fit a linear head on each candidate's features; keep the one with the least validation loss.

    For each candidate the penalties are tried from the strongest down, each fit starting from the
    last one's weights, until the validation loss has risen ``config.patience`` times in a row.

    Args:
        candidates: sets of stages whose features stand side by side.
        train: what gives the features of any stages, ``(rows, stages x hidden)``, and the ids,
            ``(rows,)`` int64.
        validation: the same of validation.
        n_labels: the number of classes.
        config: penalties, patience, sizes.
        standardise: whether the penalty acts on standardised features.
        advance: told each candidate that is done.
    """
    path: list[dict[str, Any]] = []
    best: ExactFit | None = None
    for stages in candidates:
        features = train[0](stages)
        blocks = features.blocks(config.rows_per_block)
        scale = Standardisation.of(blocks) if standardise else Standardisation.none()
        fitting = _Blocks(features, train[1], scale, config)
        choosing = _Blocks(validation[0](stages), validation[1], scale, config)
        weights = np.zeros(n_labels * (features.width + 1))
        lowest, risen = float("inf"), 0
        for penalty in config.penalties:
            weights = _minimise(fitting, weights, n_labels, penalty, config)
            loss, accuracy = _score(choosing, weights, n_labels)
            path.append(
                {"stages": list(stages), "penalty": penalty, "loss": loss, "accuracy": accuracy}
            )
            if best is None or loss < best.validation_loss:
                head = scale.fold_into(_as_head(weights, n_labels))
                best = ExactFit(head, stages, penalty, loss, path)
            lowest, risen = min(lowest, loss), 0 if loss < lowest else risen + 1
            if risen >= config.patience:
                break
        advance(1)
    assert best is not None, "at least one candidate and one penalty"
    return best


def _minimise(
    blocks: _Blocks, start: Flat, n_labels: int, penalty: float, config: ExactConfig
) -> Flat:
    """Return the weights that minimise the penalised mean loss."""

    def objective(flat: Flat) -> tuple[float, Flat]:
        weight, bias = _split(flat, n_labels)
        loss = 0.0
        weight_gradient, bias_gradient = torch.zeros_like(weight), torch.zeros_like(bias)
        for features, labels in blocks:
            logits = torch.addmm(bias, features, weight.T)
            log_probabilities = logits.double().log_softmax(1)
            loss -= float(log_probabilities.gather(1, labels[:, None]).sum())
            error = log_probabilities.exp().float()
            error[torch.arange(len(labels)), labels] -= 1
            weight_gradient += error.T @ features
            bias_gradient += error.sum(0)
        gradient = torch.cat([weight_gradient, bias_gradient[:, None]], 1).double() / len(blocks)
        gradient[:, :-1] += penalty * weight.double()
        value = loss / len(blocks) + penalty / 2 * float(weight.double().square().sum())
        return value, gradient.flatten().numpy()

    options: Any = {"maxiter": config.max_iterations, "ftol": config.tolerance, "gtol": 0.0}
    solution = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(solution.x)


def _split(flat: Flat, n_labels: int) -> tuple[Tensor, Tensor]:
    both = torch.from_numpy(flat).float().view(n_labels, -1)
    return both[:, :-1].contiguous(), both[:, -1].contiguous()


def _score(blocks: _Blocks, flat: Flat, n_labels: int) -> tuple[float, float]:
    """Return mean cross-entropy and accuracy."""
    weight, bias = _split(flat, n_labels)
    loss, right = 0.0, 0
    for features, labels in blocks:
        logits = torch.addmm(bias, features, weight.T)
        loss += float(cross_entropy(logits.double(), labels, reduction="sum"))
        right += int((logits.argmax(1) == labels).sum())
    return loss / len(blocks), right / len(blocks)


def _as_head(flat: Flat, n_labels: int) -> nn.Sequential:
    weight, bias = _split(flat, n_labels)
    head = build_head(HeadSpec("linear"), weight.shape[1], n_labels, dropout=0.0)
    head.load_state_dict({"0.weight": weight, "0.bias": bias})
    return head
