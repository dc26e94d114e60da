"""The settings of the training loop that every objective shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Lt

from thawline.config.ranges import Count, Penalty, Rate


@dataclass(frozen=True)
class LoopConfig:
    """Optimiser, schedule, and when to evaluate and to stop."""

    optimizer: Literal["adamw", "muon"] = "adamw"  # muon: of hidden matrices, AdamW of the rest
    muon_lr: Rate = 0.02
    schedule: Literal["linear", "cosine"] = "linear"  # how the rate falls to 0
    warmup_share: Annotated[float, Ge(0), Lt(1)] = 0.1  # of all steps
    weight_decay: Penalty = 0.01  # of matrices; biases and norms have none
    max_grad_norm: Rate = 1.0
    evaluate_every: Count | None = None  # steps; None: an epoch
    keep: Literal["accuracy", "f1_macro", "loss", "last"] = "loss"  # the best, or the last
    patience: Count | None = None  # evaluations in a row without a better one; None: all epochs
    checkpoint_every: Count = 100  # steps
