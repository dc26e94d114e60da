"""Adapt the backbone from the thaw line on, by its own weights or by adapters, and the head.

Where the strategy says so, the head alone is trained first (Kumar et al., 2022, arXiv 2202.10054).
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
from thawline.inference.fitted import count_parameters, head_weights
from thawline.inference.texts import example_logits
from thawline.models.heads import build_head
from thawline.models.lora import Adapter, thaw
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.runtime.progress import Reporter
from thawline.training.head import adapt_head
from thawline.training.loop import Checkpoints
from thawline.training.suffix import Suffix
from thawline.training.task import Adapted, Task, TrainedFirst


def adapt_suffix(task: Task, reporter: Reporter, checkpoints: Checkpoints | None) -> Adapted:
    """Train the stages above the line, or adapters in them, and a head, by epochs.

    The untrained classifier is that with a fresh head, whether the head is trained first or not.
    """
    config, plan = task.config, task.plan
    device = pick_device(config.compute.device)
    head, first = _train_head(task, reporter)
    model, adapter = make_classifier(task)
    low = pick_dtype(config.compute.dtype, device) == "bfloat16"
    suffix = Suffix(model.to(device), plan.line, low=low)
    learnt = {name: p for name, p in suffix.named_parameters() if p.requires_grad}
    drawn = {name: tensor.detach().clone() for name, tensor in learnt.items()}
    model.load_state_dict(head, strict=False)  # which are the head's alone, or none

    def logits(part: str) -> NDArray[np.float32]:
        return example_logits(suffix, task.frozen.examples[part], config.compute.density)

    def untrained(part: str) -> NDArray[np.float32]:
        with _holding(learnt, drawn):
            return logits(part)

    start = time.perf_counter()
    objective = task.objective(suffix, task.frozen.examples)
    history = task.train(objective, reporter, checkpoints, device)
    (stages,) = plan.candidates
    return Adapted(
        fitted=task.finish(model, stages, adapter),
        untrained=untrained,
        logits=logits,
        parameters=count_parameters(model),
        history=history,
        choice=[],
        seconds=time.perf_counter() - start,
        density=objective.density(),
        first=first,
    )


def _train_head(task: Task, reporter: Reporter) -> tuple[dict[str, Tensor], TrainedFirst | None]:
    """Train the head alone on pooled states, where the plan says so, and return its weights.

    They have their names in the whole model; without that training there are none.

    No checkpoint is kept of it: from the store it is trained again in seconds, to the same bits,
    and what follows draws from a random state of its own.
    """
    if task.plan.first is None:
        return {}, None
    alone = replace(task, plan=task.plan.first, frozen=task.frozen.of_head())
    adapted = adapt_head(alone, reporter, None)
    reporter.message(_said(adapted))
    weights = head_weights(adapted.fitted.model, task.plan.head)
    return weights, TrainedFirst(adapted.choice, adapted.history, adapted.seconds)


def _said(adapted: Adapted) -> str:
    """Say how the head that was trained first does on validation."""
    if adapted.choice:
        best = min(adapted.choice, key=lambda step: float(step["loss"]))
        loss, accuracy = best["loss"], best["accuracy"]
    else:
        (kept,) = [row for row in adapted.history if row["kept"]]
        loss, accuracy = kept["validation_loss"], kept["validation_accuracy"]
    return f"head first: validation loss {loss:.3f}, accuracy {accuracy:.3f}"


def make_classifier(task: Task) -> tuple[PreTrainedModel, Adapter | None]:
    """Return a whole classifier with a fresh head, frozen but for what trains, and its adapter."""
    config, plan, backbone = task.config, task.plan, task.backbone
    dropout = config.training.attention_dropout
    (stages,) = plan.candidates
    if plan.head.kind == "native":
        model = task.native(dropout)
    else:
        base = copy_base(backbone, dropout)
        torch.manual_seed(config.seed)
        width = backbone.stack.hidden_size
        head = build_head(plan.head, width, len(task.labels), config.head.dropout)
        model = task.with_own_head(base, head, stages)
    return model, thaw(model, plan.strategy, backbone)


@contextmanager
def _holding(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> Iterator[None]:
    """Put other values into parameters for a while."""
    own = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])
        try:
            yield
        finally:
            for name, parameter in parameters.items():
                parameter.copy_(own[name])
