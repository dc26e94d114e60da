"""The whole job: labelled texts in, a proven artifact and a record out."""

from __future__ import annotations

import shutil
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thawline import artifact
from thawline.backbones.loading import Backbone
from thawline.backbones.opening import open_backbone
from thawline.config import (
    ComputeConfig,
    Config,
    PreflightConfig,
)
from thawline.data import Dataset, load
from thawline.data.lengths import Tokenization
from thawline.data.preflight.inspection import inspect_dataset
from thawline.errors import ThawlineError
from thawline.jobs.scoring import Evaluation, evaluate
from thawline.prefix.report import PassReport
from thawline.report.before_after import draw_before_after
from thawline.report.history import draw_history
from thawline.report.mistakes import write_mistakes
from thawline.report.tables import HEAD_FITTED, kept_line
from thawline.runs.folder import Run, check_folder, is_run
from thawline.runs.layout import read_whole_record
from thawline.runtime import devices, failures, hardware
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Adapted, FrozenStates, Task, adapt, run_prefix
from thawline.training.advice import fit_warnings, transfer_warnings
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.plan import Plan, make_plan

CHECKPOINTS = "checkpoints"
"""Their folder within a run's, while it is not finished."""

PROOF_TEXTS = 16
"""Texts that the fresh process classifies to prove the artifact."""


@dataclass(frozen=True)
class Shared:
    """What several runs in one process have in common, so that it is made once.

    Attributes:
        dataset: what the ``data`` of all their configs names.
        prover: the fresh process that proves one artifact after another; None: each starts its own.
    """

    dataset: Dataset
    prover: artifact.Prover | None


def fit_run(
    config: Config,
    folder: Path,
    reporter: Reporter,
    *,
    resume: bool = False,
    shared: Shared | None = None,
) -> dict[str, Any]:
    """Read, adapt, evaluate, save, prove; return the record, which is on disk as well.

    Everything that can be checked is checked before the folder is made.

    Args:
        config: the settings.
        folder: of the run.
        reporter: told of progress.
        resume: whether to go on with the run that may be there. It ends at the very same weights
            as a run that was not stopped, on the same machine and with the same versions.
        shared: what this run has in common with others; None: nothing.

    Raises:
        ThawlineError: the input cannot work, or the artifact could not be proven; in the second
            case the record says that the run failed.
    """
    start = time.perf_counter()
    begun = read_whole_record(folder) if resume and is_run(folder) else None
    if begun is None:
        check_folder(folder)
    elif begun.get("status") == "finished":
        reporter.message(f"the run in '{folder}' is finished: nothing is left to do")
        return begun
    dataset = load(config.data) if shared is None else shared.dataset
    backbone = open_backbone(config, lambda: dataset.train.texts, reporter)
    plan = make_plan(backbone, config)
    looked_at = _look_at(dataset, backbone, plan, config)
    for note in (
        *transfer_warnings(backbone, dataset),
        *(*dataset.warnings, *looked_at["findings"]),
        *fit_warnings(dataset, backbone, plan, config),
    ):
        reporter.message(note)
    described = _describe(dataset, plan, backbone)
    check_same_rows(begun, dataset, folder)
    _check_same_backbone(begun, described["backbone"], folder)
    run = Run(folder, config, resume=resume)
    run.record |= described | {"preflight": looked_at}
    run.record["encoder"] = None if backbone.built_from is None else dict(backbone.built_from)
    with run.told(reporter):
        prover = None if shared is None else shared.prover
        run.record |= _fit(config, dataset, backbone, plan, run.folder, prover, reporter)
        run.record["seconds"]["total"] = time.perf_counter() - start
    return run.record


def check_same_rows(begun: dict[str, Any] | None, dataset: Dataset, folder: Path) -> None:
    """Raise ThawlineError where a run is to go on with other rows than it was begun with."""
    known = None if begun is None else begun.get("data", {}).get("sha256")
    if known not in (None, dataset.digest):
        raise ThawlineError(
            f"the rows that the run in '{folder}' was begun with",
            f"other rows in {dataset.name}",
            "choose another --out, which starts a new run",
        )


def _check_same_backbone(
    begun: dict[str, Any] | None, backbone: dict[str, Any], folder: Path
) -> None:
    """Raise ThawlineError where a run is to go on with another backbone than it was begun with."""
    known = None if begun is None else begun.get("backbone", {}).get("sha256")
    if known not in (None, backbone["sha256"]):
        raise ThawlineError(
            f"the backbone that the run in '{folder}' was begun with (SHA-256 {known[:12]}…)",
            f"another one in '{backbone['name']}' (SHA-256 {backbone['sha256'][:12]}…)",
            "put that one back, or choose another --out, which starts a new run",
        )


def _look_at(dataset: Dataset, backbone: Backbone, plan: Plan, config: Config) -> dict[str, Any]:
    """Take the quick look that every fit begins with; `thawline preflight` takes the whole one."""
    side = config.tokens.truncation_side
    tokenization = Tokenization(backbone.tokenizer, plan.max_length, side)
    return inspect_dataset(dataset, tokenization, PreflightConfig(), Reporter(), quick=True)


def _describe(dataset: Dataset, plan: Plan, backbone: Backbone) -> dict[str, Any]:
    origin = backbone.origin
    return {
        "backbone": {
            "name": backbone.name,
            "sha256": backbone.digest(),
            "origin": None if origin is None else origin.to_dict(),
        },
        "strategy": str(plan.strategy),
        "line": plan.line,
        "head": str(plan.head),
        "pooling": plan.pooling,
        "max_length": plan.max_length,
        "epochs": plan.epochs,
        "lr": plan.lr,
        "labels": dataset.labels.to_dict(),
        "data": {
            "name": dataset.name,
            "sha256": dataset.digest,
            "protocol": dataset.protocol,
            "rows": {name: part.rows.tolist() for name, part in dataset.parts.items()},
        },
    }


def _fit(
    config: Config,
    dataset: Dataset,
    backbone: Backbone,
    plan: Plan,
    folder: Path,
    prover: artifact.Prover | None,
    reporter: Reporter,
) -> dict[str, Any]:
    frozen = run_prefix(backbone, plan, config, dataset.parts, reporter)
    report = frozen.report
    task = Task(backbone, plan, config, dataset.labels, dataset.parts, frozen)
    checkpoints = CheckpointFolder(folder / CHECKPOINTS)

    own = artifact.Prover(config.compute.device) if prover is None else nullcontext(prover)
    with own as proving:
        adapted = adapt(task, reporter, checkpoints)
        evaluated = time.perf_counter()
        found = evaluate(task, adapted)
        evaluation = time.perf_counter() - evaluated

        shutil.rmtree(folder / artifact.FOLDER, ignore_errors=True)  # of a run that was stopped
        saved, texts = folder / artifact.FOLDER, dataset.test.texts[:PROOF_TEXTS]
        fitted = adapted.fitted.merged() if config.artifact.merge else adapted.fitted
        artifact.save(fitted, saved)
        reporter.message("proving the saved classifier in a fresh process")
        proof = {"texts": len(texts), "difference": proving.prove(fitted, saved, texts)}

    checkpoints.clear()
    title = f"{dataset.name}: {plan.strategy} on {backbone.name}"
    with failures.system_errors(folder):
        plots = _draw(found, adapted, folder, title)
        write_mistakes(found.mistakes, folder, pairs=adapted.fitted.reading.pairs)
    return {
        "features": list(adapted.fitted.reading.stages),
        "seconds": {
            **report.seconds,
            **({} if adapted.first is None else {"head_first": adapted.first.seconds}),
            "training": adapted.seconds,
            "evaluation": evaluation,
        },
        "density": {"prefix": report.density, "training": adapted.density},
        "prefix": _describe_pass(report, config.compute),
        "store": frozen.describe(),
        **found.record,
        "history": adapted.history,
        "choice": adapted.choice,
        "head_first": _describe_first(adapted, frozen),
        "proof": proof,
        "peak_memory_bytes": hardware.peak_memory_bytes(),
        "plots": [str(path) for path in plots],
        "artifact": str(saved),
    }


def _describe_first(adapted: Adapted, frozen: FrozenStates) -> dict[str, Any] | None:
    """Say how the head was trained before what follows, and from which states; None: it was not."""
    if adapted.first is None:
        return None
    return {
        "choice": adapted.first.choice,
        "history": adapted.first.history,
        "store": frozen.of_head().describe(),
    }


def _draw(found: Evaluation, adapted: Adapted, folder: Path, title: str) -> list[Path]:
    """Draw the scores before and after and, where there were epochs, their history."""
    record = found.record
    plots = draw_before_after(record["baseline"], record["test"], folder, title=title)
    if adapted.history:
        kept = kept_line(record["kept"])
        start = "untrained" if adapted.first is None else HEAD_FITTED
        plots += draw_history(adapted.history, folder, title=title, subtitle=kept, start=start)
    return plots


def _describe_pass(report: PassReport, compute: ComputeConfig) -> dict[str, Any]:
    """Say what the pass computed, and the share of this machine's matrix rate that it reached."""
    device = devices.pick_device(compute.device)
    dtype = devices.pick_dtype(compute.dtype, device)
    seconds = report.seconds["prefix"]
    rate = report.flops / seconds if report.texts else None
    known = hardware.matmul_rates().get(dtype) if device == "cpu" else None
    return {
        "texts": report.texts,
        "tokens": report.tokens,
        "device": device,
        "dtype": dtype,
        "texts_per_second": report.texts / seconds if report.texts else None,
        "flops_per_second": rate,
        "matrix_rate": known,
        "share_of_matrix_rate": rate / known if rate is not None and known is not None else None,
    }
