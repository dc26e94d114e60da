"""Adapt a backbone to labelled texts by a strategy: the engine under `fit`, in both its forms."""

from __future__ import annotations

from thawline.runtime.progress import Reporter
from thawline.training.blocks import adapt_suffix
from thawline.training.head import adapt_head
from thawline.training.loop import Checkpoints
from thawline.training.states import Frozen, run_prefix
from thawline.training.task import Adapted, Logits, Task

__all__ = ["Adapted", "Frozen", "Logits", "Task", "adapt", "run_prefix"]


def adapt(task: Task, reporter: Reporter, checkpoints: Checkpoints | None = None) -> Adapted:
    """Train what is above the thaw line, from the frozen states that the task holds.

    Raises:
        ThawlineError: the loss is not finite, or a setting does not fit the model.
    """
    pooled = task.plan.line > task.backbone.stack.depth
    train = adapt_head if pooled else adapt_suffix
    return train(task, reporter, checkpoints)
