"""Fit a linear head exactly, by regularised logistic regression on stored features.

The loss is convex, so L-BFGS (Liu and Nocedal, 1989) finds its optimum and no epochs are needed.
The penalty is chosen on the validation split, and so are the features if several are given. The
test split is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from thawline.config import MEMORY_SHARE, ExactConfig
from thawline.models.heads import HeadSpec, Standardisation, build_head
from thawline.runtime.hardware import available_memory_bytes
from thawline.runtime.randomness import building
from thawline.store import Features

Flat = np.ndarray[tuple[int], np.dtype[np.float64]]
"""The weights and biases of a head as SciPy needs them, ``(labels x (width + 1),)``."""

LabelledFeatures = tuple[Callable[[tuple[int, ...]], Features], Tensor]
"""A function from stages to their features, and the class ids of the same rows."""


@dataclass(frozen=True)
class ExactFit:
    """A linear head that was fitted to its optimum.

    Attributes:
        head: The head. It reads raw features, because the standardisation is folded into it.
        stages: The stages whose features the head reads.
        penalty: The chosen L2 penalty per text, on the weights of standardised features.
        validation_loss: The mean cross-entropy on the validation split, in nats.
        path: All fits in the order in which they were made, as JSON values: the stages, the
            penalty, and the loss and the accuracy on the validation split.
    """

    head: nn.Sequential
    stages: tuple[int, ...]
    penalty: float
    validation_loss: float
    path: list[dict[str, Any]]


class _Blocks:
    """Iterate over standardised features in blocks.

    The blocks stay in memory if they fit. Otherwise each pass reads them from the store, which
    takes about 30 times as long as the computation.

    Args:
        features: The features, ``(rows, width)``.
        labels: The class ids of the same rows, ``(rows,)``.
        transform: The standardisation, applied to each block.
        config: The rows in a block and the memory limit.
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
        n_bytes = len(features) * features.width * 4
        limit = config.cache_bytes
        limit = int(MEMORY_SHARE * available_memory_bytes()) if limit is None else limit
        self._in_memory = list(self._read()) if n_bytes <= limit else None

    def __len__(self) -> int:
        return len(self._features)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield from self._read() if self._in_memory is None else self._in_memory

    def _read(self) -> Iterator[tuple[Tensor, Tensor]]:
        labels = self._labels.split(self._rows)
        for block, block_labels in zip(self._features.blocks(self._rows), labels, strict=True):
            yield self._transform(block), block_labels


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
    """Fit a linear head on each candidate's features and return the best one.

    The best head has the lowest validation loss. For each candidate, the penalties are tried from
    the strongest to the weakest, and each fit starts from the weights of the previous one. A
    candidate ends when the validation loss has not fallen for ``config.patience`` penalties in a
    row.

    Args:
        candidates: The sets of stages to choose from. The features of the stages in a set are
            concatenated.
        train: A pair of a function, which returns the features of the given stages,
            ``(rows, stages x hidden)``, and the class ids, ``(rows,)`` int64.
        validation: The same for the validation split.
        n_labels: The number of classes.
        config: The penalties, the patience, the tolerance and the memory limits.
        standardise: Whether the penalty applies to the weights of standardised features.
        advance: Called with 1 after each candidate.

    Returns:
        The head with the lowest validation loss, and the path of all fits.
    """
    path: list[dict[str, Any]] = []
    best: ExactFit | None = None
    for stages in candidates:
        features = train[0](stages)
        blocks = features.blocks(config.rows_per_block)
        scale = Standardisation.of(blocks) if standardise else Standardisation.none()
        train_blocks = _Blocks(features, train[1], scale, config)
        validation_blocks = _Blocks(validation[0](stages), validation[1], scale, config)
        weights = np.zeros(n_labels * (features.width + 1))
        lowest, worse_in_a_row = float("inf"), 0
        for penalty in config.penalties:
            weights = _minimise(train_blocks, weights, n_labels, penalty, config)
            loss, accuracy = _score(validation_blocks, weights, n_labels)
            path.append(
                {"stages": list(stages), "penalty": penalty, "loss": loss, "accuracy": accuracy}
            )
            if best is None or loss < best.validation_loss:
                head = scale.fold_into(_as_head(weights, n_labels))
                best = ExactFit(head, stages, penalty, loss, path)
            worse_in_a_row = 0 if loss < lowest else worse_in_a_row + 1
            lowest = min(lowest, loss)
            if worse_in_a_row >= config.patience:
                break
        advance(1)
    assert best is not None, "fit_exactly needs at least one candidate and one penalty"
    return best


def _minimise(
    blocks: _Blocks, start: Flat, n_labels: int, penalty: float, config: ExactConfig
) -> Flat:
    """Return the weights that minimise the penalised mean loss, starting from given weights."""
    from scipy.optimize import minimize

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
    """Return the weight matrix, ``(labels, width)``, and the biases, ``(labels,)``."""
    weight_and_bias = torch.from_numpy(flat).float().view(n_labels, -1)
    return weight_and_bias[:, :-1].contiguous(), weight_and_bias[:, -1].contiguous()


def _score(blocks: _Blocks, flat: Flat, n_labels: int) -> tuple[float, float]:
    """Return the mean cross-entropy and the accuracy."""
    weight, bias = _split(flat, n_labels)
    loss, n_correct = 0.0, 0
    for features, labels in blocks:
        logits = torch.addmm(bias, features, weight.T)
        loss += float(cross_entropy(logits.double(), labels, reduction="sum"))
        n_correct += int((logits.argmax(1) == labels).sum())
    return loss / len(blocks), n_correct / len(blocks)


def _as_head(flat: Flat, n_labels: int) -> nn.Sequential:
    """Return a linear head with the given weights and biases."""
    weight, bias = _split(flat, n_labels)
    with building():
        head = build_head(HeadSpec("linear"), weight.shape[1], n_labels, dropout=0.0)
    head.load_state_dict({"0.weight": weight, "0.bias": bias})
    return head
