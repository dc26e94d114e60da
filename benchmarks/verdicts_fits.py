"""Fit each strategy of the demonstration with many seeds, and keep the logits of all test texts.

This module has no command of its own; `benchmarks.verdicts` uses it. Each fit is one file in a
folder, so that a stopped measurement continues where it was.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from benchmarks.kept_epoch import collected_logits
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
"""The rungs of ``thawline demo``, from cheap to expensive."""

DETERMINISTIC = ("head",)
"""The strategies whose exact fit does not depend on the seed. They are fitted once."""

DEMO = Config(
    backbone="thawline/qwen3-mini",
    data=DataConfig(data="thawline/reviews", limit=(1_200, 500), validation_share=0.25),
    tokens=TokensConfig(max_length=128),
)
"""The settings of ``thawline demo``."""


class FitLogits(NamedTuple):
    """The logits of one fit.

    Attributes:
        test: The logits of the test texts, of shape ``(texts, classes)``.
        validation: The logits of the validation texts, of the same form.
        epochs: The validation logits of the evaluated epochs, of shape
            ``(epochs, texts, classes)``. Without epochs for an exact fit.
        seconds: The seconds of the training, without the frozen pass.
    """

    test: NDArray[np.float32]
    validation: NDArray[np.float32]
    epochs: NDArray[np.float32]
    seconds: float


def name_of(rung: str) -> str:
    """Return the strategy of a rung."""
    return rung.split()[0]


def file_of(folder: Path, rung: str, seed: int) -> Path:
    """Return the file of the logits of a fit."""
    stem = name_of(rung).replace(":", "-")
    return folder / f"{stem}-{0 if name_of(rung) in DETERMINISTIC else seed}.safetensors"


def read_fit(folder: Path, rung: str, seed: int) -> FitLogits:
    """Read the logits of a fit."""
    tensors = load_file(file_of(folder, rung, seed))
    seconds = float(tensors.pop("seconds")[0])
    return FitLogits(**tensors, seconds=seconds)


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
    labels = folder / "labels.safetensors"
    if not labels.exists():
        validation = dataset.validation.labels
        save_file({"test": test.labels, "validation": validation}, labels)
    for seed in seeds:
        for rung in RUNGS:
            file = file_of(folder, rung, seed)
            if file.exists():
                continue
            start = time.perf_counter()
            found = _fit(rung, seed, dataset, test)
            tensors = found._asdict() | {"seconds": np.array([found.seconds])}
            temporary = file.with_suffix(".tmp")
            save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()},
                      temporary)  # fmt: skip
            temporary.replace(file)
            right = float((found.test.argmax(1) == test.labels).mean())
            seconds = time.perf_counter() - start
            print(f"{rung}, seed {seed}: {right:.4f}, {found.seconds:.1f} s of training, "
                  f"{seconds:.0f} s", file=sys.stderr, flush=True)  # fmt: skip


def _fit(rung: str, seed: int, dataset: Dataset, test: LabelledTexts) -> FitLogits:
    """Make one fit and compute its logits."""
    ladder = LadderConfig(rungs=(rung,), seeds=(seed,), budget=0, fit=DEMO)
    (run,) = plan_runs(ladder, Path())
    config = replace(run.config, seed=seed)
    backbone = open_backbone(config, lambda: dataset.train.texts, Reporter())
    plan = make_plan(backbone, config)
    parts = dataset.parts | {"test": test}
    frozen = run_prefix(backbone, plan, config, parts, Reporter())
    task = Task(backbone, plan, config, dataset.labels, parts, frozen)
    with collected_logits() as collected:
        adapted = adapt(task, Reporter())
    validation = adapted.logits("validation")
    epochs = np.stack(collected[1:]) if len(collected) > 1 else np.empty((0, *validation.shape))
    return FitLogits(
        test=adapted.logits("test"),
        validation=validation,
        epochs=epochs.astype(np.float32),
        seconds=adapted.seconds,
    )
