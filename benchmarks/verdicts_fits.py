"""Fit several strategies with many seeds, and keep the logits of all test texts.

This module has no command of its own; `benchmarks.verdicts` uses it. Each fit is one file in a
folder, so that a stopped measurement continues where it was.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from thawline.backbones.opening import open_backbone
from thawline.compare.plan import plan_runs
from thawline.config import Config, DataConfig, LadderConfig, TokensConfig
from thawline.data import Dataset, LabelledTexts, load
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Task, adapt, run_prefix
from thawline.training.plan import make_plan

RUNGS = (
    "head",
    "last:1 training.epochs=2",
    "lora training.epochs=2",
    "full training.epochs=2",
)
"""The rungs, from cheap to expensive."""

DETERMINISTIC = ("head",)
"""The strategies whose exact fit does not depend on the seed. They are fitted once."""

LABELS = "labels.safetensors"
"""The file of the classes of the test texts, in the folder of the fits."""

DEMO = Config(
    backbone="thawline/qwen3-mini",
    data=DataConfig(data="thawline/reviews", limit=(1_200, 500), validation_share=0.25),
    tokens=TokensConfig(max_length=128),
)
"""The data and the settings of ``thawline demo``, with other strategies."""


def name_of(rung: str) -> str:
    """Return the strategy of a rung."""
    return rung.split()[0]


def file_of(folder: Path, rung: str, seed: int) -> Path:
    """Return the file of the logits of a fit."""
    stem = name_of(rung).replace(":", "-")
    return folder / f"{stem}-{0 if name_of(rung) in DETERMINISTIC else seed}.safetensors"


def read_logits(file: Path) -> NDArray[np.float32]:
    """Return the logits of the test texts of a fit, of shape ``(texts, classes)``."""
    logits: NDArray[np.float32] = load_file(file)["test"]
    return logits


def test_texts(data: str, most: int | None) -> LabelledTexts:
    """Return the labelled texts that stand for all texts: a test split, or its first rows.

    Args:
        data: The data set, whose test split is read.
        most: The number of texts, sampled by class. If None, all.
    """
    limit = None if most is None else (100, most)
    test = load(DataConfig(data=data, labels=("neg", "pos"), limit=limit)).test
    return LabelledTexts(test.texts, test.labels, test.rows, "test")


def fit_all(folder: Path, seeds: Sequence[int], test: LabelledTexts) -> None:
    """Make the fits that the folder lacks, one seed of all rungs after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = load(DEMO.data)
    if not (folder / LABELS).exists():
        save_file({"test": test.labels}, folder / LABELS)
    for seed in seeds:
        for rung in RUNGS:
            file = file_of(folder, rung, seed)
            if file.exists():
                continue
            start = time.perf_counter()
            logits = _fit(rung, seed, dataset, test)
            temporary = file.with_suffix(".tmp")
            save_file({"test": np.ascontiguousarray(logits)}, temporary)
            temporary.replace(file)
            accuracy, seconds = (
                (logits.argmax(1) == test.labels).mean(),
                time.perf_counter() - start,
            )
            print(f"{rung}, seed {seed}: {accuracy:.4f} in {seconds:.0f} s",
                  file=sys.stderr, flush=True)  # fmt: skip


def _fit(rung: str, seed: int, dataset: Dataset, test: LabelledTexts) -> NDArray[np.float32]:
    """Make one fit and return its logits of the test texts."""
    ladder = LadderConfig(rungs=(rung,), seeds=(seed,), budget=0, fit=DEMO)
    (run,) = plan_runs(ladder, Path())
    backbone = open_backbone(run.config, lambda: dataset.train.texts, Reporter())
    plan = make_plan(backbone, run.config)
    parts = dataset.parts | {"test": test}
    frozen = run_prefix(backbone, plan, run.config, parts, Reporter())
    task = Task(backbone, plan, run.config, dataset.labels, parts, frozen)
    return adapt(task, Reporter()).logits("test")
