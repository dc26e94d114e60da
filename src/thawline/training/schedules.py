"""Compute the learning rate of each step."""

from __future__ import annotations

import math

from thawline.config import LoopConfig


def decay(step: int, total: int, config: LoopConfig, per_epoch: int) -> float:
    """Return the factor by which the peak learning rate is multiplied at a step.

    The factor rises linearly to 1 during the warm-up. Afterwards it falls to 0 at the last step,
    linearly or along half a cosine (Loshchilov and Hutter, 2017, arXiv 1608.03983), is multiplied
    after every few epochs as by `torch.optim.lr_scheduler.StepLR`, or stays 1.

    Args:
        step: The number of steps already taken.
        total: The number of steps in all epochs.
        config: The schedule and the share of warm-up steps.
        per_epoch: The number of steps in an epoch.
    """
    warmup = round(total * config.warmup_share)
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "step":
        return float(config.step_factor ** (step // (per_epoch * config.step_epochs)))
    left = max(0.0, (total - step) / max(1, total - warmup))
    return left if config.schedule == "linear" else (1 - math.cos(math.pi * left)) / 2
