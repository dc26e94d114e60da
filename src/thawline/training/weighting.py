"""The weights of texts and classes in the training loss, and the smoothing of labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from thawline.config import TrainingConfig


@dataclass(frozen=True)
class Weighting:
    """How the training loss weighs texts and classes and smooths labels.

    The loss of a text is that of `torch.nn.functional.cross_entropy` with class weights and label
    smoothing, multiplied by the weight of the text. The mean over texts divides the sum of their
    losses by the sum of their weights, each multiplied by the weight of the text's class.

    Attributes:
        classes: The weight of each class, ``(classes,)`` in fp32.
        rows: The weight of each training text, ``(rows,)`` in fp32.
        smoothing: The share of each label that is spread evenly over all classes.
    """

    classes: Tensor
    rows: Tensor
    smoothing: float

    @classmethod
    def of(
        cls,
        labels: Tensor,
        n_classes: int,
        config: TrainingConfig,
        rows: Tensor | None = None,
        classes: Tensor | None = None,
    ) -> Weighting:
        """Return the weighting of the training texts.

        Args:
            labels: The class ids, ``(rows,)`` int64.
            n_classes: The number of classes, including those without rows.
            config: The class weights and the label smoothing.
            rows: The weight of each text, ``(rows,)``. If None, all texts weigh the same.
            classes: The weight of each class, ``(classes,)``. If None, that of the config.
        """
        rows = torch.ones(len(labels)) if rows is None else rows.float()
        if classes is None and config.class_weights == "balanced":
            classes = class_weights(labels, n_classes, rows)
        classes = torch.ones(n_classes) if classes is None else classes.float()
        return cls(classes, rows, config.label_smoothing)

    def total(self, labels: Tensor, rows: Tensor) -> float:
        """Return the sum by which the losses of texts are divided.

        Args:
            labels: The class ids of the texts, ``(texts,)``.
            rows: The weights of the texts, ``(texts,)``.
        """
        total = float((rows * self.classes[labels]).double().sum())
        return total or 1.0  # texts without weight have no loss either

    def targets(self, labels: Tensor) -> Targets:
        """Return what the labels of all training texts ask for, in shares of the total weight.

        Args:
            labels: The class ids, ``(rows,)``.
        """
        rows = self.rows.double() / self.total(labels, self.rows)
        classes = self.classes.double()
        own = (1 - self.smoothing) * classes[labels] * rows
        return Targets(labels, own, rows, self.smoothing / len(classes) * classes)

    def loss(self, logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        """Return the sum of the losses of texts.

        Args:
            logits: The logits, ``(texts, classes)``.
            labels: The class ids, ``(texts,)``, on the same device.
            rows: The weights of the texts, ``(texts,)``.
        """
        losses = cross_entropy(
            logits,
            labels,
            self.classes.to(logits.device),
            reduction="none",
            label_smoothing=self.smoothing,
        )
        return (losses * rows.to(logits.device)).sum()


@dataclass(frozen=True)
class Targets:
    """The factors of the negative log-probabilities in the loss of each text.

    The factor of class k is ``rows * spread[k]``, plus ``own`` if k is the label. A matrix of all
    factors would need as much memory as the logits.

    Attributes:
        labels: The class ids, ``(texts,)`` int64.
        own: What the label itself adds, ``(texts,)`` in fp64.
        rows: The weights of the texts, ``(texts,)`` in fp64.
        spread: What each class gets through the smoothing of labels, ``(classes,)`` in fp64.
    """

    labels: Tensor
    own: Tensor
    rows: Tensor
    spread: Tensor

    def __getitem__(self, part: slice) -> Targets:
        return Targets(self.labels[part], self.own[part], self.rows[part], self.spread)

    def sums(self) -> Tensor:
        """Return the sum of each text's factors over the classes, ``(texts,)`` in fp64."""
        return self.own + self.rows * self.spread.sum()

    def loss(self, log_shares: Tensor) -> float:
        """Return the sum of the losses.

        Args:
            log_shares: The log-probabilities, ``(texts, classes)``.
        """
        loss = self.own @ log_shares.gather(1, self.labels[:, None])[:, 0].double()
        if bool(self.spread.any()):
            loss = loss + self.rows @ (log_shares @ self.spread.to(log_shares.dtype)).double()
        return -float(loss)

    def errors(self, shares: Tensor) -> Tensor:
        """Return the derivatives of the losses by the logits, ``(texts, classes)``.

        Args:
            shares: The probabilities, ``(texts, classes)``.
        """
        dtype = shares.dtype
        errors = shares * self.sums().to(dtype)[:, None]
        if bool(self.spread.any()):
            errors -= torch.outer(self.rows.to(dtype), self.spread.to(dtype))
        return errors.scatter_add_(1, self.labels[:, None], -self.own.to(dtype)[:, None])


def class_weights(labels: Tensor, n_classes: int, rows: Tensor | None = None) -> Tensor:
    """Return class weights that give every class in the data the same total weight.

    The weight of a class is ``total / (classes * total of the class)``, as in scikit-learn's
    ``class_weight="balanced"``. Classes without rows are not counted.

    Args:
        labels: The class ids, ``(rows,)`` int64.
        n_classes: The number of classes, including those without rows.
        rows: The weight of each row, ``(rows,)``. If None, all rows weigh the same.

    Returns:
        The weights, ``(classes,)``. They are 1 for classes without rows.
    """
    weights = None if rows is None else rows.double()
    totals = torch.bincount(labels, weights, minlength=n_classes).double()
    present = totals > 0
    balanced = totals.sum() / (present.sum() * totals.where(present, 1.0))
    return balanced.where(present, 1.0).float()
