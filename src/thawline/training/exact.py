"""Fit a linear head exactly, by regularised logistic regression on stored features.

The loss is convex, so Newton's method (`newton.py`) finds its optimum and no epochs are needed.
The penalty is chosen on the validation split, and so are the features if several are given. The
test split is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from thawline.config import MEMORY_SHARE, ExactConfig
from thawline.models.heads import HeadSpec, Standardisation, build_head
from thawline.runtime.hardware import available_memory_bytes
from thawline.runtime.randomness import building
from thawline.store import Features
from thawline.training.newton import PenalisedLoss, gram_matrix
from thawline.training.weighting import Weighting

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
            penalty, the loss and the accuracy on the validation split, the norm of the gradient of
            the penalised training loss, and the number of Newton iterations.
    """

    head: nn.Sequential
    stages: tuple[int, ...]
    penalty: float
    validation_loss: float
    path: list[dict[str, Any]]


@dataclass(frozen=True)
class _Targets:
    """Iterate over standardised features with the targets of the same rows.

    Attributes:
        blocks: The features with their labels.
        weighting: The weights of the rows and classes, and the smoothing of labels.
    """

    blocks: _Blocks
    weighting: Weighting

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        start = 0
        for features, labels in self.blocks:
            rows = self.weighting.rows[start : start + len(labels)]
            start += len(labels)
            yield features, self.weighting.targets(labels, rows)


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
    weighting: Weighting,
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
        weighting: The weights of the training rows and of the classes, and the smoothing of labels.
        config: The penalties, the patience, the tolerance and the memory limits.
        standardise: Whether the penalty applies to the weights of standardised features.
        advance: Called with 1 after each candidate.

    Returns:
        The head with the lowest validation loss, and the path of all fits.
    """
    path: list[dict[str, Any]] = []
    best: ExactFit | None = None
    total = weighting.total(train[1], weighting.rows)
    for stages in candidates:
        features = train[0](stages)
        blocks = features.blocks(config.rows_per_block)
        rows = weighting.rows.split(config.rows_per_block)
        scale = Standardisation.of(blocks, rows) if standardise else Standardisation.none()
        training = _Targets(_Blocks(features, train[1], scale, config), weighting)
        validation_blocks = _Blocks(validation[0](stages), validation[1], scale, config)
        penalised_loss = PenalisedLoss(training, total, gram_matrix(training, total))
        weights = torch.zeros(len(weighting.classes), features.width + 1, dtype=torch.float64)
        lowest, worse_in_a_row = float("inf"), 0
        for penalty in config.penalties:
            minimum = penalised_loss.minimise(
                weights,
                penalty,
                tolerance=config.tolerance,
                max_iterations=config.max_iterations,
            )
            weights = minimum.weights
            loss, accuracy = _score(validation_blocks, weights)
            path.append(
                {
                    "stages": list(stages),
                    "penalty": penalty,
                    "loss": loss,
                    "accuracy": accuracy,
                    "gradient_norm": minimum.gradient_norm,
                    "iterations": minimum.iterations,
                }
            )
            if best is None or loss < best.validation_loss:
                head = scale.fold_into(_as_head(weights))
                best = ExactFit(head, stages, penalty, loss, path)
            worse_in_a_row = 0 if loss < lowest else worse_in_a_row + 1
            lowest = min(lowest, loss)
            if worse_in_a_row >= config.patience:
                break
        advance(1)
    assert best is not None, "fit_exactly needs at least one candidate and one penalty"
    return best


def _split(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weight matrix, ``(labels, width)``, and the biases, ``(labels,)``, in fp32."""
    return weights[:, :-1].float().contiguous(), weights[:, -1].float().contiguous()


def _score(blocks: _Blocks, weights: Tensor) -> tuple[float, float]:
    """Return the mean cross-entropy and the accuracy."""
    weight, bias = _split(weights)
    loss, n_correct = 0.0, 0
    for features, labels in blocks:
        logits = torch.addmm(bias, features, weight.T)
        loss += float(cross_entropy(logits.double(), labels, reduction="sum"))
        n_correct += int((logits.argmax(1) == labels).sum())
    return loss / len(blocks), n_correct / len(blocks)


def _as_head(weights: Tensor) -> nn.Sequential:
    """Return a linear head with the given weights and biases."""
    weight, bias = _split(weights)
    with building():
        head = build_head(HeadSpec("linear"), weight.shape[1], len(weight), dropout=0.0)
    head.load_state_dict({"0.weight": weight, "0.bias": bias})
    return head
