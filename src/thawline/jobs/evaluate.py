"""The whole job of `thawline evaluate`: score a saved classifier on one split."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from thawline import artifact
from thawline.config import (
    ComputeConfig,
    DataConfig,
    MetricsConfig,
)
from thawline.config.resolve import config_from_record
from thawline.data import LabelledTexts, Labels, load, load_split
from thawline.errors import ThawlineError
from thawline.inference.predictor import Predictor
from thawline.jobs.scoring import score
from thawline.runs.folder import read_record
from thawline.runs.layout import RECORD
from thawline.runtime.progress import Reporter


def evaluate_run(
    path: Path,
    data: DataConfig | None,
    split: str,
    compute: ComputeConfig,
    reporter: Reporter,
) -> dict[str, Any]:
    """Score a saved classifier on one split, its own rows with the intervals of its run.

    Args:
        path: a run's folder, or an artifact's where ``data`` is given.
        data: the set; None: the run's own rows.
        split: train, validation, test or all.
        compute: how the frozen part is run.
        reporter: told of progress.

    Returns:
        The scores of `metrics.evaluate` with ``split``, ``source`` and ``seconds``.
    """
    start = time.perf_counter()
    fitted = artifact.load(path)
    if data is None:
        part, scoring = _own_rows(path, split, fitted.labels)
    else:
        part, scoring = load_split(data, split, fitted.labels), MetricsConfig()
    predictor = Predictor(fitted, compute, use_store=True, reporter=reporter)
    scores = score(predictor.logits(part.texts), part, len(fitted.labels), scoring)
    return {
        "split": split,
        "source": part.source,
        "labels": list(fitted.labels.names),
        **scores,
        "seconds": {**predictor.report.seconds, "total": time.perf_counter() - start},
    }


def _own_rows(path: Path, split: str, labels: Labels) -> tuple[LabelledTexts, MetricsConfig]:
    record = read_record(path)
    config = config_from_record(record, path / RECORD, "data", "metrics")
    if split not in ("train", "validation", "test"):
        return load_split(config.data, split, labels), config.metrics
    dataset = load(config.data)
    if dataset.digest != record["data"]["sha256"]:
        raise ThawlineError(
            f"the rows that the run in '{path}' was made from",
            f"other rows in '{config.data.data}'",
            "name the set to evaluate on with --data",
        )
    return getattr(dataset, split), config.metrics
