"""Tasks on toy backbones: labelled texts, a plan and frozen states, combined as in `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from thawline.backbones.loading import load_backbone
from thawline.config import ComputeConfig, Config, HeadConfig, TrainingConfig
from thawline.data import LabelledTexts, Labels
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Task, run_prefix
from thawline.training.plan import make_plan

LABELS = Labels(("neg", "pos"), (0, 1))
FP32 = ComputeConfig(dtype="float32", device="cpu")
Reviews = tuple[list[str], list[int]]


def part(texts: list[str], labels: list[int]) -> LabelledTexts:
    return LabelledTexts(texts, np.array(labels), np.arange(len(texts)), "toy")


def make_task(
    folder: Path,
    parts: Mapping[str, Reviews],
    strategy: str = "head",
    *,
    seed: int = 0,
    head: HeadConfig | None = None,
    compute: ComputeConfig = FP32,
    labels: Labels = LABELS,
    **training: Any,
) -> Task:
    """Return a task on a saved backbone. Training by epochs takes steps of 8 texts by default."""
    own_head = HeadConfig() if head is None else head
    frozen = strategy in ("head", "head+tfidf")
    exact = frozen and (own_head.head, training.get("epochs")) == ("linear", None)
    config = Config(
        str(folder),
        strategy,
        seed,
        compute=compute,
        head=own_head,
        training=TrainingConfig(**({} if exact else {"batch_size": 8}) | training),
    )
    backbone = load_backbone(str(folder))
    plan = make_plan(backbone, config)
    given = {name: part(*reviews) for name, reviews in parts.items()}
    frozen = run_prefix(backbone, plan, config, given, Reporter())
    return Task(backbone, plan, config, labels, given, frozen)
