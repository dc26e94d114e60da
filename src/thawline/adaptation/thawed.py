"""Adapt the backbone from the thaw line on, by its own weights or by adapters, and the head."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from thawline.adaptation.task import Adapted, Task
from thawline.backbones import copy_base
from thawline.compat import pick_device, pick_dtype
from thawline.fitted import count_parameters
from thawline.inference import example_logits
from thawline.models.heads import build_head
from thawline.models.lora import Adapter, thaw
from thawline.progress import Reporter
from thawline.training.loop import Checkpoints
from thawline.training.suffix import Suffix


def adapt_suffix(task: Task, reporter: Reporter, checkpoints: Checkpoints | None) -> Adapted:
    """Train the stages above the line, or adapters in them, and a head, by epochs."""
    config, plan = task.config, task.plan
    device = pick_device(config.compute.device)
    model, adapter = make_classifier(task)
    low = pick_dtype(config.compute.dtype, device) == "bfloat16"
    suffix = Suffix(model.to(device), plan.line, low=low)
    learnt = {name: p for name, p in suffix.named_parameters() if p.requires_grad}
    drawn = {name: tensor.detach().clone() for name, tensor in learnt.items()}

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
    )


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
