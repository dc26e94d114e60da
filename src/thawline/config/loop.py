"""The settings of the training loop, which all objectives share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from thawline.config.help import Help
from thawline.config.ranges import Count, Fraction, Penalty, Rate

Optimizer = Annotated[
    Literal["adamw", "muon"],
    Help(
        "Optimiser. `muon` trains the matrices of the blocks with Muon and everything else, such "
        "as embeddings and norms, with AdamW."
    ),
]
WarmupShare = Annotated[
    Fraction, Help("Share of all steps in which the learning rate rises from 0 to its maximum.")
]
CheckpointEvery = Annotated[
    Count, Help("Number of steps between two checkpoints, from which `--resume` can continue.")
]


@dataclass(frozen=True)
class LoopConfig:
    """Optimiser, learning rate schedule, evaluation and early stopping."""

    optimizer: Optimizer = "adamw"
    muon_lr: Annotated[Rate, Help("Maximum learning rate of Muon.")] = 0.02
    schedule: Annotated[
        Literal["linear", "cosine"], Help("How the learning rate decays to 0 after the warmup.")
    ] = "linear"
    warmup_share: WarmupShare = 0.1
    weight_decay: Annotated[
        Penalty, Help("Weight decay of AdamW on matrices. Biases and norms are not decayed.")
    ] = 0.01
    max_grad_norm: Annotated[
        Rate, Help("Maximum norm of the gradient. A larger gradient is scaled down to it.")
    ] = 1.0
    evaluate_every: Annotated[
        Count | None,
        Help(
            "Number of steps between two evaluations, in addition to the one after each epoch.",
            "only after each epoch",
        ),
    ] = None
    keep: Annotated[
        Literal["accuracy", "f1_macro", "loss", "last"],
        Help(
            "Score that selects the evaluation whose weights are kept, or `last` for the last "
            "weights."
        ),
    ] = "loss"
    patience: Annotated[
        Count | None,
        Help(
            "Number of evaluations in a row without an improvement after which training stops.",
            "train for all epochs",
        ),
    ] = None
    checkpoint_every: CheckpointEvery = 100
