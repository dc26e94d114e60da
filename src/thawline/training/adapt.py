"""Adapt a backbone to labelled texts by a strategy."""

from __future__ import annotations

from thawline.runtime.progress import Reporter
from thawline.training.blocks import adapt_suffix
from thawline.training.head import adapt_head
from thawline.training.loop import Checkpoints
from thawline.training.states import FrozenStates, run_prefix
from thawline.training.task import Adapted, Logits, Task, WordsTask
from thawline.training.words import adapt_words

__all__ = ["Adapted", "FrozenStates", "Logits", "Task", "WordsTask", "adapt", "run_prefix"]


def adapt(
    task: Task | WordsTask, reporter: Reporter, checkpoints: Checkpoints | None = None
) -> Adapted:
    """Train what the strategy of a task trains, on the frozen states of the task.

    Args:
        task: The task.
        reporter: Receives progress and messages.
        checkpoints: Saves the state of the training, so that it can be resumed. If None, nothing
            is saved.

    Raises:
        ThawlineError: If the loss is not finite, or a setting does not fit the model.
    """
    if isinstance(task, WordsTask):
        return adapt_words(task, reporter)
    reads_pooled_states = task.plan.line > task.backbone.stack.depth
    train = adapt_head if reads_pooled_states else adapt_suffix
    return train(task, reporter, checkpoints)
