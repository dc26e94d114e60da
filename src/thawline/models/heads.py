"""Classification heads, which turn pooled states into logits.

``linear`` and ``mlp:H`` are Thawline's own heads. ``native`` is the family's sequence
classification head from transformers. Every head takes features, ``(batch, width)``, and returns
logits, ``(batch, labels)``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions as BaseOutput

from thawline.config.fit import MLP_DROPOUT
from thawline.errors import ThawlineError, did_you_mean

MAX_HIDDEN_WIDTH = 1_000_000
"""Maximum width of an MLP head's hidden layer. Wider layers do not fit in memory."""

STANDARD_DEVIATION_FLOOR = 1e-6
"""Minimum standard deviation, so that a constant feature does not divide by 0."""


@dataclass(frozen=True)
class HeadSpec:
    """A parsed ``--head``: ``linear``, ``mlp:H`` or ``native``.

    Attributes:
        kind: ``linear``, ``mlp`` or ``native``.
        hidden: Width of the hidden layer of an ``mlp``. None for the other kinds.
    """

    kind: str
    hidden: int | None = None

    def __str__(self) -> str:
        return self.kind if self.hidden is None else f"{self.kind}:{self.hidden}"

    def dropout(self, given: float | None) -> float:
        """Return the dropout of this head.

        Args:
            given: The dropout that the user gave. If None, the default of this kind of head.
        """
        if given is not None:
            return given
        return MLP_DROPOUT if self.kind == "mlp" else 0.0


def parse_head(text: str) -> HeadSpec:
    """Parse the written form of a head.

    Args:
        text: ``linear``, ``mlp:H`` with an integer H, or ``native``.

    Raises:
        ThawlineError: If the text has another form.
    """
    kind, _, hidden = text.partition(":")
    if kind == "mlp":
        if hidden.isdecimal() and 0 < int(hidden) <= MAX_HIDDEN_WIDTH:
            return HeadSpec("mlp", int(hidden))
        raise ThawlineError(
            f"mlp:H with an integer H between 1 and {MAX_HIDDEN_WIDTH:,}",
            f"'{text}'",
            "use for example --head mlp:64",
            setting="head.head",
        )
    if kind in ("linear", "native") and not hidden:
        return HeadSpec(kind)
    fix = did_you_mean(text, ["linear", "mlp:64", "native"])
    raise ThawlineError("a head: linear, mlp:H or native", f"'{text}'", fix, setting="head.head")


def build_head(spec: HeadSpec, width: int, n_labels: int, dropout: float) -> nn.Sequential:
    """Build a linear or MLP head with torch's default initialisation.

    A linear head is one layer with ``width * labels + labels`` parameters, after dropout if it is
    above 0. An MLP head is dropout, a linear layer of H units, ReLU, dropout and a linear layer,
    with ``(width + 1) * H + (H + 1) * labels`` parameters: 8,386 for H = 64, 128 features and 2
    labels.

    Args:
        spec: The kind of the head, ``linear`` or ``mlp``.
        width: Number of features.
        n_labels: Number of classes.
        dropout: Dropout probability before each layer.

    Returns:
        A module that turns features, ``(batch, width)``, into logits, ``(batch, labels)``.
    """
    if spec.hidden is None:
        if dropout > 0:
            return nn.Sequential(LinearWithDropout(width, n_labels, dropout))
        return nn.Sequential(nn.Linear(width, n_labels))
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(width, spec.hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(spec.hidden, n_labels),
    )


class LinearWithDropout(nn.Linear):
    """A linear layer with dropout before it, whose parameters are named as without dropout.

    Args:
        width: Number of features.
        n_labels: Number of classes.
        dropout: Dropout probability of the features in training mode.
    """

    def __init__(self, width: int, n_labels: int, dropout: float) -> None:
        super().__init__(width, n_labels)
        self._dropout = dropout

    def forward(self, input: Tensor) -> Tensor:
        """Return logits, ``(batch, labels)``, for features, ``(batch, width)``."""
        return super().forward(functional.dropout(input, self._dropout, self.training))


@dataclass(frozen=True)
class Standardisation:
    """The mean and standard deviation of each feature over the training texts.

    Attributes:
        mean: Means, ``(width,)`` in fp32, or ``()`` if features are not standardised.
        deviation: Standard deviations of the same shape, at least `STANDARD_DEVIATION_FLOOR`.
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def none(cls) -> Standardisation:
        """Return a standardisation that leaves features unchanged: mean 0 and deviation 1."""
        return cls(torch.zeros(()), torch.ones(()))

    @classmethod
    def of(
        cls, blocks: Iterable[Tensor], weights: Iterable[Tensor] | None = None
    ) -> Standardisation:
        """Measure features in one pass over blocks of rows.

        Blocks are merged by the pairwise update of Chan, Golub and LeVeque (1979), which avoids
        cancellation. Sums are in fp64.

        Args:
            blocks: Features in blocks, ``(rows, width)`` each.
            weights: The weights of the rows in each block, ``(rows,)``. If None, all rows weigh
                the same.
        """
        sum_before, mean, spread = 0.0, torch.zeros(()), torch.zeros(())
        of_blocks = repeat(None) if weights is None else weights
        for block, given in zip(blocks, of_blocks, strict=weights is not None):
            rows = torch.ones(len(block)) if given is None else given
            size = float(rows.double().sum())
            total = sum_before + size
            if size == 0:
                continue
            shares = rows.double() / size
            block_mean = shares @ block.double()
            block_spread = size * (shares @ (block.double() - block_mean).square())
            delta = block_mean - mean
            spread = spread + block_spread + delta.square() * (sum_before * size / total)
            mean = mean + delta * (size / total)
            sum_before = total
        deviation = (spread / sum_before).sqrt().clamp_min(STANDARD_DEVIATION_FLOOR)
        return cls(mean.float(), deviation.float())

    def __call__(self, features: Tensor) -> Tensor:
        """Standardise features.

        Args:
            features: ``(batch, width)``.

        Returns:
            ``(features - mean) / deviation``, of the same shape.
        """
        return (features - self.mean) / self.deviation

    def fold_into(self, head: nn.Sequential) -> nn.Sequential:
        """Fold the standardisation into the first linear layer of a head.

        The layer's weight becomes ``W / sigma`` and its bias ``b - W (mu / sigma)``. Dropout before
        it acts only in training, so the logits in evaluation mode stay the same.

        Args:
            head: A head that takes standardised features.

        Returns:
            A copy of the head that takes features before standardisation.
        """
        folded = copy.deepcopy(head)
        first = next(layer for layer in folded if isinstance(layer, nn.Linear))
        with torch.no_grad():
            weight = first.weight.double() / self.deviation.double()
            shift = weight @ self.mean.double().expand(weight.shape[1])
            first.bias.copy_(first.bias.double() - shift)
            first.weight.copy_(weight)
        return folded


class _PooledStates(nn.Module):
    """A replacement of the base model that returns pooled states as the states of one token."""

    def __init__(self, base: PreTrainedModel) -> None:
        super().__init__()
        # BERT's pretrained pooler belongs to the last stage, so it is frozen with that stage.
        self.pooler = getattr(base, "pooler", None)
        self.states: Tensor | None = None

    def forward(self, *args: Any, **kwargs: Any) -> BaseOutput:
        pooled = None if self.pooler is None else self.pooler(self.states)
        return BaseOutput(last_hidden_state=self.states, pooler_output=pooled)


class NativeHead(nn.Module):
    """A family's own classification head, which takes pooled states instead of texts.

    It is the model of `AutoModelForSequenceClassification` with a replacement of its base model.
    The modules of the head are shared with that model, so the dropout, the activation and the order
    of the layers are those of the family. BERT's head, for example, trains
    ``hidden * labels + labels`` parameters, because its pretrained pooler is frozen.

    Args:
        model: The sequence classifier of transformers. It is not changed.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        shell = copy.copy(model)
        shell._modules = dict(model._modules)
        self.entry = _PooledStates(model.base_model)
        shell._modules[model.base_model_prefix] = self.entry
        self.shell = shell
        self.entry.requires_grad_(False)

    def forward(self, pooled: Tensor) -> Tensor:
        """Compute logits.

        Args:
            pooled: Pooled states of the last stage, ``(batch, hidden)``, in the family's own
                pooling.

        Returns:
            Logits, ``(batch, labels)``.
        """
        self.entry.states = pooled[:, None, :]
        # The head of a causal family looks for the last token that is not the pad id.
        pad = self.shell.config.pad_token_id
        ids = torch.full((len(pooled), 1), 1 if pad == 0 else 0, device=pooled.device)
        logits: Tensor = self.shell(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        self.entry.states = None
        return logits
