"""The settings of the training loop, which all objectives share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt, Le

from thawline.config.help import Help
from thawline.config.ranges import Count, Fraction, Penalty, Rate

Optimizer = Annotated[
    Literal["adamw", "muon", "sgd"],
    Help(
        "Optimiser. `muon` trains the matrices of the blocks with Muon and everything else, such "
        "as embeddings and norms, with AdamW. `sgd` needs a learning rate of its own, often 10 to "
        "100 times that of AdamW."
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
    momentum: Annotated[Fraction, Help("Momentum of SGD. 0 disables it.")] = 0.9
    schedule: Annotated[
        Literal["linear", "cosine", "step", "constant"],
        Help(
            "How the learning rate changes after the warmup: `linear` and `cosine` decay it to 0, "
            "`step` multiplies it by a factor after some epochs, `constant` keeps it."
        ),
    ] = "linear"
    step_epochs: Annotated[
        Count, Help("Number of epochs after which the schedule `step` lowers the learning rate.")
    ] = 1
    step_factor: Annotated[
        float,
        Gt(0),
        Le(1),
        Help("Factor by which the schedule `step` multiplies the learning rate each time."),
    ] = 0.1
    warmup_share: WarmupShare = 0.1
    weight_decay: Annotated[
        Penalty, Help("Weight decay of matrices. Biases and norms are not decayed.")
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
