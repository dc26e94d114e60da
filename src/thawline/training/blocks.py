"""Train the blocks above the thaw line, or adapters in them, together with the head.

The strategy ``lp+S`` trains the head alone first (Kumar et al., 2022, arXiv 2202.10054).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from thawline.backbones.copies import copy_base
from thawline.backbones.operations import forward_operations, trained_stages, training_operations
from thawline.backbones.stack import Stack
from thawline.inference.fitted import Fitted, count_parameters, head_weights
from thawline.inference.predictor import example_logits
from thawline.models.heads import build_head
from thawline.models.lora import Adapter, thaw
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.runtime.progress import Reporter
from thawline.runtime.randomness import RandomStream
from thawline.strategies import Gradual
from thawline.training.head import adapt_head
from thawline.training.loop import Checkpoints
from thawline.training.objectives import Classification
from thawline.training.suffix import Suffix
from thawline.training.task import Adapted, Task, TrainedFirst, with_kept_logits
from thawline.training.thawing import Thawing


def adapt_suffix(task: Task, reporter: Reporter, checkpoints: Checkpoints | None) -> Adapted:
    """Train the stages above the line, or adapters in them, and a head, by epochs.

    The untrained classifier has a randomly initialised head, even if the head is trained first.

    Args:
        task: The task.
        reporter: Receives progress and messages.
        checkpoints: Saves the state of the training. If None, nothing is saved.
    """
    config, plan = task.config, task.plan
    device = pick_device(config.compute.device)
    head, first = _train_head(task, reporter)
    random = RandomStream(config.seed, device)
    model, adapter = make_classifier(task, random)
    use_bf16 = pick_dtype(config.compute.dtype, device) == "bfloat16"
    suffix = Suffix(model.to(device), plan.line, plan.pooling, use_bf16=use_bf16)
    trained = {name: p for name, p in suffix.named_parameters() if p.requires_grad}
    initial = {name: tensor.detach().clone() for name, tensor in trained.items()}
    # Load the head if it was trained first; otherwise `head` is empty.
    model.load_state_dict(head, strict=False)

    def logits(part: str) -> NDArray[np.float32]:
        examples = task.frozen.of(part).examples[part]
        return example_logits(suffix, examples, config.compute.density)

    def untrained(part: str) -> NDArray[np.float32]:
        with _replaced(trained, initial):
            return logits(part)

    start = time.perf_counter()
    objective = task.objective(suffix, task.frozen.examples, random)
    strategy = plan.strategy.last
    thawing = Thawing(suffix, strategy) if isinstance(strategy, Gradual) else None
    history = task.train(objective, reporter, checkpoints, device, thawing)
    operations = _count_operations(task, model, objective, thawing)
    (stages,) = plan.candidates
    return Adapted(
        fitted=task.finish(model, stages, adapter),
        untrained=untrained,
        logits=with_kept_logits(logits, objective.evaluated, history),
        parameters=count_parameters(model),
        history=history,
        choice=[],
        seconds=time.perf_counter() - start,
        density=objective.density(),
        candidates=objective.evaluated.candidates(),
        operations=operations,
        first=first,
    )


def _count_operations(
    task: Task, model: PreTrainedModel, objective: Classification, thawing: Thawing | None
) -> float:
    """Return the operations of the steps and evaluations that an objective has computed.

    Afterwards all stages require gradients that were planned to train.
    """
    assert task.plan.epochs is not None
    stack, line, pooling = Stack(model.base_model), task.plan.line, task.plan.pooling
    lengths, steps = task.frozen.lengths("train"), 0.0
    for epoch, times in objective.trained.items():
        if thawing is not None:
            thawing.start(epoch)
        steps += training_operations(stack, np.repeat(lengths, times), line, pooling)
    if thawing is not None:
        thawing.start(task.plan.epochs)
    validation = task.frozen.lengths("validation")
    evaluation = forward_operations(stack, validation, trained_stages(line, stack.depth), pooling)
    return steps + objective.evaluations * evaluation


def _train_head(task: Task, reporter: Reporter) -> tuple[dict[str, Tensor], TrainedFirst | None]:
    """Train the head alone on pooled states, if the strategy is ``lp+S``.

    This training saves no checkpoint. A resumed run trains the head again from the store, which
    takes seconds and gives identical weights. The training that follows sets its own seed.

    Returns:
        The weights of the head under their names in the complete model, and the result of the
        training. The weights are empty and the result is None if the head is not trained first.
    """
    if task.plan.first is None:
        return {}, None
    head_task = replace(task, plan=task.plan.first, frozen=task.frozen.of_head())
    adapted = adapt_head(head_task, reporter, None)
    reporter.message(_describe_scores(adapted))
    assert isinstance(adapted.fitted, Fitted)
    weights = head_weights(adapted.fitted.model, task.plan.head)
    return weights, TrainedFirst(adapted.choice, adapted.history, adapted.seconds)


def _describe_scores(adapted: Adapted) -> str:
    """Return the message with the validation scores of the head that was trained first."""
    if adapted.choice:
        best = min(adapted.choice, key=lambda step: float(step["loss"]))
        loss, accuracy = best["loss"], best["accuracy"]
    else:
        (kept,) = [row for row in adapted.history if row["kept"]]
        loss, accuracy = kept["validation_loss"], kept["validation_accuracy"]
    return f"head first: validation loss {loss:.3f}, accuracy {accuracy:.3f}"


def make_classifier(
    task: Task, random: RandomStream | None = None
) -> tuple[PreTrainedModel, Adapter | None]:
    """Create the classifier that is trained, with a randomly initialised head.

    Args:
        task: The task.
        random: The random numbers of the training. If None, a new stream with the task's seed.

    Returns:
        The model, in which only the parameters that are trained require gradients, and its
        adapters. The adapters are None if the strategy has none.
    """
    config, plan, backbone = task.config, task.plan, task.backbone
    dropout = config.training.attention_dropout
    (stages,) = plan.candidates
    random = RandomStream(config.seed) if random is None else random
    if plan.head.kind == "native":
        with random.drawing():
            model = task.native(dropout)
            return model, thaw(model, plan.strategy, backbone)
    base = copy_base(backbone, dropout)
    with random.drawing():
        width = backbone.stack.hidden_size
        of_head = plan.head.dropout(config.head.dropout)
        head = build_head(plan.head, width, len(task.labels), of_head)
        model = task.with_own_head(base, head, stages)
        return model, thaw(model, plan.strategy, backbone)


@contextmanager
def _replaced(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> Iterator[None]:
    """Replace the values of parameters inside the ``with`` block."""
    original = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])
        try:
            yield
        finally:
            for name, parameter in parameters.items():
                parameter.copy_(original[name])
