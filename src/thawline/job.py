"""The whole job: labelled texts in, a proven artifact and a record out."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thawline import artifact, compat, metrics, settings
from thawline.adaptation import Adapted, Task, adapt
from thawline.backbones import Backbone, load_backbone
from thawline.config import ComputeConfig, Config, DataConfig, MetricsConfig, PreflightConfig
from thawline.data import Dataset, LabelledTexts, Labels, load, load_split
from thawline.errors import ThawlineError
from thawline.inference import head_logits, stored_logits
from thawline.lengths import Tokenization
from thawline.plan import Plan, make_plan
from thawline.prefix import PassReport, ensure_states, open_entry
from thawline.preflight import survey
from thawline.progress import Reporter
from thawline.report.plots import draw_before_after, draw_history
from thawline.runs import RECORD, Run, check_folder, read_record
from thawline.store import Entry

PROOF_TEXTS = 16
"""Texts that the fresh process classifies to prove the artifact."""


def fit_run(config: Config, folder: Path, reporter: Reporter) -> dict[str, Any]:
    """Read, adapt, evaluate, save, prove; return the record, which is on disk as well.

    Everything that can be checked is checked before the folder is made.

    Raises:
        ThawlineError: the input cannot work, or the artifact could not be proven; in the second
            case the record says that the run failed.
    """
    start = time.perf_counter()
    check_folder(folder)
    dataset = load(config.data)
    backbone = load_backbone(config.backbone, config.tokens)
    plan = make_plan(backbone, config)
    entry = open_entry(backbone, plan.max_length, config.tokens.truncation_side, config.compute)
    looked_at = _look_at(dataset, backbone, plan, config)
    task = Task(backbone, entry, plan, config, dataset.labels, dataset.train, dataset.validation)
    for note in (*dataset.notes, *looked_at["findings"]):
        reporter.note(note)
    run = Run(folder, config)
    run.record |= _describe(dataset, plan) | {"preflight": looked_at}
    try:
        run.record |= _fit(task, dataset, run.folder, reporter)
        run.record["seconds"]["total"] = time.perf_counter() - start
        run.finish("finished")
    except BaseException as error:
        run.finish("failed", error=f"{type(error).__name__}: {error}")
        raise
    return run.record


def _look_at(dataset: Dataset, backbone: Backbone, plan: Plan, config: Config) -> dict[str, Any]:
    """Take the quick look that every fit begins with; `thawline preflight` takes the whole one."""
    side = config.tokens.truncation_side
    tokenization = Tokenization(backbone.tokenizer, plan.max_length, side)
    return survey(dataset, tokenization, PreflightConfig(), Reporter(), quick=True)


def _describe(dataset: Dataset, plan: Plan) -> dict[str, Any]:
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {
        "strategy": str(plan.strategy),
        "line": plan.line,
        "head": str(plan.head),
        "pooling": plan.pooling,
        "max_length": plan.max_length,
        "labels": dataset.labels.to_dict(),
        "data": {
            "name": dataset.name,
            "sha256": dataset.digest,
            "protocol": dataset.protocol,
            "rows": {name: part.rows.tolist() for name, part in parts.items()},
        },
    }


def _fit(task: Task, dataset: Dataset, folder: Path, reporter: Reporter) -> dict[str, Any]:
    backbone, entry, plan, compute = task.backbone, task.entry, task.plan, task.config.compute
    report = PassReport()
    parts = (dataset.train, dataset.validation, dataset.test)
    every_text = [text for part in parts for text in part.texts]
    ensure_states(entry, backbone, every_text, compute, report, reporter)

    with artifact.Prover(compute.device) as prover:
        adapted = adapt(task, reporter)
        evaluated = time.perf_counter()
        scores = _evaluate(task, adapted, dataset.test)
        evaluation = time.perf_counter() - evaluated

        saved, texts = folder / artifact.FOLDER, dataset.test.texts[:PROOF_TEXTS]
        artifact.save(adapted.fitted, saved)
        reporter.note("proving the saved classifier in a fresh process")
        proof = {"texts": len(texts), "difference": prover.prove(adapted.fitted, saved, texts)}

    title = f"{dataset.name}: {plan.strategy} on {backbone.name}"
    with compat.system_errors(folder):
        plots = draw_before_after(scores["baseline"], scores["test"], folder, title=title)
        if adapted.history:
            plots += draw_history(adapted.history, folder, title=title)
    return {
        "features": list(adapted.fitted.reading.stages),
        "parameters": adapted.parameters,
        "seconds": {
            **report.seconds,
            "training": adapted.seconds,
            "evaluation": evaluation,
        },
        # Pooled states have no padding: every position that a head trains on is real.
        "density": {"prefix": report.density, "training": 1.0},
        "prefix": _describe_pass(report, entry, compat.pick_device(compute.device)),
        "store": {"entry": entry.key.digest(), "sha256": entry.digest(every_text)},
        **scores,
        "history": adapted.history,
        "choice": adapted.choice,
        "proof": proof,
        "peak_memory_bytes": compat.peak_memory_bytes(),
        "plots": [str(path) for path in plots],
        "artifact": str(saved),
    }


def _evaluate(task: Task, adapted: Adapted, test: LabelledTexts) -> dict[str, Any]:
    """Score the untrained head on test, and the classifier on validation and test."""
    head, stages = adapted.fitted.head_module(), adapted.fitted.reading.stages

    def score(logits: NDArray[np.float32], part: LabelledTexts) -> dict[str, Any]:
        return _score(logits, part, len(task.labels), task.config.metrics)

    return {
        "baseline": score(adapted.untrained.logits(task, test), test),
        "validation": score(
            head_logits(head, task.features(task.validation, stages)), task.validation
        ),
        "test": score(head_logits(head, task.features(test, stages)), test),
    }


def _score(
    logits: NDArray[np.float32], part: LabelledTexts, n_classes: int, config: MetricsConfig
) -> dict[str, Any]:
    return metrics.evaluate(logits, part.labels, n_classes=n_classes, **asdict(config))


def _describe_pass(report: PassReport, entry: Entry, device: str) -> dict[str, Any]:
    """Say what the pass computed, and the share of this machine's matrix rate that it reached."""
    seconds = report.seconds["prefix"]
    rate = report.flops / seconds if report.texts else None
    known = compat.matmul_rates().get(entry.key.dtype) if device == "cpu" else None
    return {
        "texts": report.texts,
        "tokens": report.tokens,
        "device": device,
        "dtype": entry.key.dtype,
        "texts_per_second": report.texts / seconds if report.texts else None,
        "flops_per_second": rate,
        "matrix_rate": known,
        "share_of_matrix_rate": rate / known if rate is not None and known is not None else None,
    }


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
    report = PassReport()
    logits = stored_logits(fitted, part.texts, compute, report, reporter)
    scores = _score(logits, part, len(fitted.labels), scoring)
    return {
        "split": split,
        "source": part.source,
        "labels": list(fitted.labels.names),
        **scores,
        "seconds": {**report.seconds, "total": time.perf_counter() - start},
    }


def _own_rows(path: Path, split: str, labels: Labels) -> tuple[LabelledTexts, MetricsConfig]:
    record = read_record(path)
    config = settings.from_record(record, path / RECORD, "data", "metrics")
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
