"""The job of `thawline evaluate`: score a saved classifier on one split."""

from __future__ import annotations

import time
from pathlib import Path

from thawline import artifact
from thawline.config import ComputeConfig, DataConfig, MetricsConfig
from thawline.config.resolve import config_from_record
from thawline.data import LabelledTexts, Labels, load, load_split
from thawline.errors import ThawlineError
from thawline.inference.predictor import Predictor
from thawline.jobs.scoring import score_logits
from thawline.runs.layout import RECORD
from thawline.runs.records import (
    EvaluationReport,
    EvaluationSeconds,
    FitRecord,
    StartedFit,
    read_record,
)
from thawline.runtime.progress import Reporter


def evaluate_run(
    path: Path | str,
    data: DataConfig | None = None,
    split: str = "test",
    compute: ComputeConfig | None = None,
    reporter: Reporter | None = None,
) -> EvaluationReport:
    """Score a saved classifier on one split.

    If the rows of the run itself are scored, the settings of its confidence intervals are used.

    Args:
        path: The folder of a run. If ``data`` is given, also the folder of a saved classifier.
        data: The data set. If None, the rows of the run itself are scored.
        split: The split: train, validation, test or all.
        compute: The settings of the computation. If None, the defaults.
        reporter: Shows the progress. If None, nothing is shown.

    Returns:
        The scores, with the split and the seconds.

    Raises:
        ThawlineError: If the folder has no saved classifier, if the record cannot be read, or if
            the data cannot be read or has changed.
    """
    start, path = time.perf_counter(), Path(path)
    reporter = Reporter() if reporter is None else reporter
    compute = ComputeConfig() if compute is None else compute
    fitted = artifact.load(path)
    if data is None:
        part, scoring = rows_of_run(path, split, fitted.labels)
    else:
        part, scoring = load_split(data, split, fitted.labels), MetricsConfig()
        for warning in part.warnings:
            reporter.message(warning)
    predictor = Predictor(fitted, compute, use_store=True, reporter=reporter)
    scores = score_logits(predictor.logits(part.texts), part, len(fitted.labels), scoring)
    seconds = predictor.report.seconds
    return EvaluationReport(
        **dict(scores),
        split=split,
        source=part.source,
        labels=list(fitted.labels.names),
        seconds=EvaluationSeconds(**seconds, total=time.perf_counter() - start),
    )


def rows_of_run(path: Path, split: str, labels: Labels) -> tuple[LabelledTexts, MetricsConfig]:
    """Return the rows of a run's split, and the settings of its scores.

    Args:
        path: The folder of the run.
        split: The split: train, validation, test or all.
        labels: The labels of its classifier.

    Raises:
        ThawlineError: If the folder is not that of a fit, or if its data cannot be read or has
            changed.
    """
    file = path / RECORD
    expected = f"a run of thawline fit, with its {RECORD}, in '{path}'"
    fix = "give the folder of a run, or name a data set with `data.data`"
    if not file.is_file():
        raise ThawlineError(expected, f"no {RECORD}", fix)
    record = read_record(file)
    if not isinstance(record, StartedFit | FitRecord):
        raise ThawlineError(expected, "the record of another command", fix)
    made_with = {"config": record.config, "versions": record.versions}
    config = config_from_record(made_with, file, "data", "metrics")
    if split not in ("train", "validation", "test"):
        return load_split(config.data, split, labels), config.metrics
    dataset = load(config.data)
    if dataset.digest != record.data.sha256:
        raise ThawlineError(
            f"the rows that the run in '{path}' was made with",
            f"other rows in '{config.data.data}'",
            "name the data set to evaluate on with `data.data`",
        )
    return getattr(dataset, split), config.metrics
