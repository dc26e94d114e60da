"""The whole job: labelled texts in, a proven artifact and a record out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thawline import artifact, compat, metrics
from thawline.adaptation import Adapted, Task, adapt
from thawline.backbones import Backbone, load_backbone
from thawline.config import Config, DataConfig, PrefixConfig
from thawline.data import Dataset, LabelledTexts, Labels, load, load_split
from thawline.errors import ThawlineError
from thawline.inference import head_logits, stored_logits
from thawline.plan import Plan, make_plan
from thawline.prefix import PassReport, ensure_states, open_entry
from thawline.progress import Reporter
from thawline.report.plots import draw_before_after, draw_history
from thawline.runs import Run, check_folder, read_record
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
    backbone = load_backbone(config.backbone)
    plan = make_plan(backbone, config)
    entry = open_entry(backbone, plan.max_length, config.tokens.truncation_side, config.prefix)
    for note in dataset.notes:
        reporter.note(note)
    run = Run(folder, config)
    run.record |= _describe(dataset, plan)
    try:
        run.record |= _fit(config, dataset, backbone, plan, entry, run.folder, reporter, start)
    except BaseException as error:
        run.finish("failed", error=f"{type(error).__name__}: {error}")
        raise
    run.finish("finished")
    return run.record


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


def _fit(
    config: Config,
    dataset: Dataset,
    backbone: Backbone,
    plan: Plan,
    entry: Entry,
    folder: Path,
    reporter: Reporter,
    start: float,
) -> dict[str, Any]:
    report = PassReport()
    parts = (dataset.train, dataset.validation, dataset.test)
    every_text = [text for part in parts for text in part.texts]
    ensure_states(entry, backbone, every_text, config.prefix, report, reporter)

    task = Task(backbone, entry, plan, config, dataset.labels, dataset.train, dataset.validation)
    with artifact.Prover() as prover:
        adapted = adapt(task, reporter)
        evaluated = time.perf_counter()
        scores = _evaluate(task, adapted, dataset.test)
        evaluation = time.perf_counter() - evaluated

        saved, texts = folder / artifact.FOLDER, dataset.test.texts[:PROOF_TEXTS]
        artifact.save(adapted.fitted, saved)
        reporter.note("proving the saved classifier in a fresh process")
        proof = {"texts": len(texts), "difference": prover.prove(adapted.fitted, saved, texts)}

    title = f"{dataset.name}: {plan.strategy} on {backbone.name}"
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
            "total": time.perf_counter() - start,
        },
        # Pooled states have no padding: every position that a head trains on is real.
        "density": {"prefix": report.density, "training": 1.0},
        "prefix": _describe_pass(report, entry),
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
        return metrics.evaluate(logits, part.labels, n_classes=len(task.labels))

    return {
        "baseline": score(adapted.untrained.logits(task, test), test),
        "validation": score(
            head_logits(head, task.features(task.validation, stages)), task.validation
        ),
        "test": score(head_logits(head, task.features(test, stages)), test),
    }


def _describe_pass(report: PassReport, entry: Entry) -> dict[str, Any]:
    """Say what the pass computed, and the share of this machine's matrix rate that it reached."""
    seconds = report.seconds["prefix"]
    rate = report.flops / seconds if report.texts else None
    known = compat.matmul_rates().get(entry.key.dtype) if compat.pick_device() == "cpu" else None
    return {
        "texts": report.texts,
        "tokens": report.tokens,
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
    prefix: PrefixConfig,
    reporter: Reporter,
) -> dict[str, Any]:
    """Score a saved classifier on one split.

    Args:
        path: a run's folder, or an artifact's where ``data`` is given.
        data: the set; None: the run's own rows.
        split: train, validation, test or all.
        prefix: how the frozen part is run.
        reporter: told of progress.

    Returns:
        The scores of `metrics.evaluate` with ``split``, ``source`` and ``seconds``.
    """
    start = time.perf_counter()
    fitted = artifact.load(path)
    part = (
        _own_rows(path, split, fitted.labels)
        if data is None
        else load_split(data, split, fitted.labels)
    )
    report = PassReport()
    logits = stored_logits(fitted, part.texts, prefix, report, reporter)
    scores = metrics.evaluate(logits, part.labels, n_classes=len(fitted.labels))
    return {
        "split": split,
        "source": part.source,
        "labels": list(fitted.labels.names),
        **scores,
        "seconds": {**report.seconds, "total": time.perf_counter() - start},
    }


def _own_rows(path: Path, split: str, labels: Labels) -> LabelledTexts:
    record = read_record(path)
    config = data_config(record["config"]["data"])
    if split not in ("train", "validation", "test"):
        return load_split(config, split, labels)
    dataset = load(config)
    if dataset.digest != record["data"]["sha256"]:
        raise ThawlineError(
            f"the rows that the run in '{path}' was made from",
            f"other rows in '{config.data}'",
            "name the set to evaluate on with --data",
        )
    part: LabelledTexts = getattr(dataset, split)
    return part


def data_config(settings: dict[str, Any]) -> DataConfig:
    """Rebuild a `DataConfig` from a record, where its tuples have become lists."""
    lists: dict[str, Sequence[Any]] = {k: v for k, v in settings.items() if isinstance(v, list)}
    return replace(DataConfig(), **(settings | {key: tuple(value) for key, value in lists.items()}))
