"""Heads: from pooled states to logits.

``linear`` and ``mlp:H`` are ours; ``native`` is the family's own sequence-classification head,
taken whole from transformers. All read features, ``(batch, width)``, and give ``(batch, labels)``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions as BaseOutput

from thawline.errors import ThawlineError, did_you_mean

WIDEST = 1_000_000
"""Of an MLP head's hidden layer; from there on no machine holds its weights."""

STANDARD_DEVIATION_FLOOR = 1e-6
"""A feature that is constant over train would divide by 0."""


@dataclass(frozen=True)
class HeadSpec:
    """A parsed ``--head``: ``linear``, ``mlp:64`` or ``native``."""

    kind: str
    hidden: int | None = None

    def __str__(self) -> str:
        return self.kind if self.hidden is None else f"{self.kind}:{self.hidden}"


def parse_head(text: str) -> HeadSpec:
    """Read ``linear``, ``mlp:H`` or ``native``.

    Raises:
        ThawlineError: anything else.
    """
    kind, _, hidden = text.partition(":")
    if kind == "mlp":
        if hidden.isdecimal() and 0 < int(hidden) <= WIDEST:
            return HeadSpec("mlp", int(hidden))
        raise ThawlineError(
            f"the width of an MLP head's hidden layer, a whole number from 1 to {WIDEST:,}",
            f"'{text}'",
            "write --head mlp:64",
        )
    if kind in ("linear", "native") and not hidden:
        return HeadSpec(kind)
    raise ThawlineError("a head", f"'{text}'", did_you_mean(text, ["linear", "mlp:64", "native"]))


def build_head(spec: HeadSpec, width: int, n_labels: int, dropout: float) -> nn.Sequential:
    """Make a linear or MLP head with torch's default initialisation."""
    if spec.hidden is None:
        return nn.Sequential(nn.Linear(width, n_labels))
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(width, spec.hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(spec.hidden, n_labels),
    )


@dataclass(frozen=True)
class Standardisation:
    """Each feature's mean and standard deviation over train, ``(width,)`` each, in fp32.

    `none` stands for features as they are: mean 0 and deviation 1, both of shape ``()``.
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def none(cls) -> Standardisation:
        """Return the standardisation that changes nothing."""
        return cls(torch.zeros(()), torch.ones(()))

    @classmethod
    def of(cls, blocks: Iterable[Tensor]) -> Standardisation:
        """Measure features that come in blocks ``(rows, width)``, in one pass.

        Blocks are merged by the pairwise update of Chan, Golub and LeVeque (1979), which loses
        nothing to cancellation.
        """
        rows, mean, spread = 0, torch.zeros(()), torch.zeros(())
        for block in blocks:
            block_mean = block.double().mean(0)
            block_spread = (block.double() - block_mean).square().sum(0)
            delta = block_mean - mean
            total = rows + len(block)
            spread = spread + block_spread + delta.square() * (rows * len(block) / total)
            mean = mean + delta * (len(block) / total)
            rows = total
        deviation = (spread / rows).sqrt().clamp_min(STANDARD_DEVIATION_FLOOR)
        return cls(mean.float(), deviation.float())

    def __call__(self, features: Tensor) -> Tensor:
        """Standardise features, ``(batch, width)``."""
        return (features - self.mean) / self.deviation

    def fold_into(self, head: nn.Sequential) -> nn.Sequential:
        """Return a head that reads raw features and gives what ``head`` gives of standardised ones.

        The first linear layer becomes ``W / sigma`` and ``b - W (mu / sigma)``; dropout before it
        acts in training only, so evaluation is unchanged.
        """
        folded = copy.deepcopy(head)
        first = next(layer for layer in folded if isinstance(layer, nn.Linear))
        with torch.no_grad():
            weight = first.weight.double() / self.deviation.double()
            shift = weight @ self.mean.double().expand(weight.shape[1])
            first.bias.copy_(first.bias.double() - shift)
            first.weight.copy_(weight)
        return folded


class _Entry(nn.Module):
    """Stands in for the base model: gives stored pooled states as a text of one token."""

    def __init__(self, base: PreTrainedModel) -> None:
        super().__init__()
        # BERT's pretrained pooler belongs to the last stage, so it stays here, frozen with it.
        self.pooler = getattr(base, "pooler", None)
        self.states: Tensor | None = None

    def forward(self, *args: Any, **kwargs: Any) -> BaseOutput:
        pooled = None if self.pooler is None else self.pooler(self.states)
        return BaseOutput(last_hidden_state=self.states, pooler_output=pooled)


class NativeHead(nn.Module):
    """A family's own classification head, fed with pooled states in place of texts.

    It is the model that `AutoModelForSequenceClassification` makes, sharing its head's modules,
    with only the base replaced; so dropout, activation and order of layers are the family's.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        shell = copy.copy(model)
        shell._modules = dict(model._modules)
        self.entry = _Entry(model.base_model)
        shell._modules[model.base_model_prefix] = self.entry
        self.shell = shell
        self.entry.requires_grad_(False)

    def forward(self, pooled: Tensor) -> Tensor:
        """Turn pooled states of the last stage, ``(batch, hidden)``, into logits."""
        self.entry.states = pooled[:, None, :]
        # One token, that is not the pad id: what a causal family's head looks for.
        pad = self.shell.config.pad_token_id
        ids = torch.full((len(pooled), 1), 1 if pad == 0 else 0, device=pooled.device)
        logits: Tensor = self.shell(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        self.entry.states = None
        return logits
