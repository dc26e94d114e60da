"""The job of `thawline fit`: labelled texts in, a proven classifier and a record out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from thawline import artifact
from thawline.backbones.loading import Backbone
from thawline.backbones.opening import open_backbone
from thawline.config import ComputeConfig, Config, PreflightConfig
from thawline.data import Dataset, load
from thawline.data.lengths import Tokenization
from thawline.data.preflight.inspection import inspect_dataset
from thawline.errors import ThawlineError
from thawline.jobs.scoring import ScoredFit, score_fit
from thawline.prefix.report import PassReport
from thawline.report.before_after import draw_before_after
from thawline.report.history import draw_history
from thawline.report.mistakes import write_mistakes
from thawline.report.tables import HEAD_FITTED, kept_line
from thawline.runs.folder import FIT, check_folder, is_run, make_run, run_recorded, run_start
from thawline.runs.layout import RECORD
from thawline.runs.records import (
    SPLIT_NAMES,
    BackboneOrigin,
    BackboneReference,
    Density,
    EncoderReference,
    ExactFitStep,
    FitData,
    FitEpoch,
    FitFindings,
    FitPlan,
    FitRecord,
    FitResults,
    FitSeconds,
    HeadFirst,
    LabelNames,
    PassSummary,
    Proof,
    Protocol,
    RunRecord,
    StartedFit,
    StoreReference,
    Survey,
    finish,
    write_record,
)
from thawline.runs.resume import read_run
from thawline.runtime import devices, failures, hardware
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Adapted, FrozenStates, Task, adapt, run_prefix
from thawline.training.advice import fit_warnings, transfer_warnings
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.loop import Row
from thawline.training.plan import Plan, make_plan

CHECKPOINTS = "checkpoints"
"""The folder of checkpoints within a run's folder, until the run has finished."""

PROOF_TEXTS = 16
"""The number of texts that the fresh process classifies to prove the artifact."""


@dataclass(frozen=True)
class Shared:
    """What several runs in one process have in common, so that it is made only once.

    Attributes:
        dataset: The data set that all their configs name.
        prover: The fresh process that proves one artifact after another. If None, each run starts
            its own.
    """

    dataset: Dataset
    prover: artifact.Prover | None


@dataclass(frozen=True)
class _Job:
    """A fit whose settings, data and backbone were checked.

    Attributes:
        config: The settings.
        folder: The run's folder, as an absolute path.
        dataset: The data set.
        backbone: The backbone.
        plan: What is trained on this backbone.
        prover: The fresh process that proves the artifact. If None, one is started.
    """

    config: Config
    folder: Path
    dataset: Dataset
    backbone: Backbone
    plan: Plan
    prover: artifact.Prover | None


def fit_run(
    config: Config,
    folder: Path,
    reporter: Reporter,
    *,
    resume: bool = False,
    shared: Shared | None = None,
) -> FitRecord:
    """Read the data, train, score, save and prove a classifier.

    Everything that can be checked is checked before the folder is made.

    Args:
        config: The settings.
        folder: The folder of the run.
        reporter: Shows progress and warnings.
        resume: Whether to continue the run in the folder, if there is one. A resumed run ends with
            the same weights as an uninterrupted one, on the same machine with the same versions.
        shared: What this run has in common with others. None if it has nothing in common.

    Returns:
        The record of the run, which is also written to its folder.

    Raises:
        ThawlineError: If a setting or the data is invalid, or if the artifact could not be proven.
            In the second case the record says that the run failed.
    """
    start = time.perf_counter()
    resumed = resume and is_run(folder)
    before = read_run(folder, FIT) if resumed else None
    if isinstance(before, FitRecord):
        reporter.message(f"the run in '{folder}' is finished: nothing is left to do")
        return before
    if not resumed:
        check_folder(folder)
    dataset = load(config.data) if shared is None else shared.dataset
    backbone = open_backbone(config, lambda: dataset.train.texts, reporter)
    plan = make_plan(backbone, config)
    prover = None if shared is None else shared.prover
    job = _Job(config, folder.absolute(), dataset, backbone, plan, prover)
    described = _describe(job)
    for note in (
        *transfer_warnings(backbone, dataset),
        *(*dataset.warnings, *described.preflight.findings),
        *fit_warnings(dataset, backbone, plan, config),
    ):
        reporter.message(note)
    check_same_rows(before, dataset, folder)
    _check_same_backbone(before, described.backbone, folder)
    first = run_start(config, FIT, before, resumed=resumed)
    started = StartedFit(**dict(first), **dict(described), status="running")
    make_run(folder, config, started)
    with run_recorded(folder, started, reporter):
        findings, results = _fit(job, reporter, start)
        record = finish(FitRecord, started, findings, results)
        write_record(job.folder / RECORD, record)
    return record


def check_same_rows(before: RunRecord | None, dataset: Dataset, folder: Path) -> None:
    """Check that a run is resumed with the rows that it was started with.

    Args:
        before: The record of the run. None if there is none.
        dataset: The data set.
        folder: The folder of the run.

    Raises:
        ThawlineError: If the rows differ.
    """
    if isinstance(before, FitPlan) and before.data.sha256 != dataset.digest:
        raise ThawlineError(
            f"the rows that the run in '{folder}' was started with",
            f"other rows in {dataset.name}",
            "choose another --out, which starts a new run",
        )


def _check_same_backbone(
    before: RunRecord | None, backbone: BackboneReference, folder: Path
) -> None:
    """Raise ThawlineError if a run is resumed with another backbone than it was started with."""
    if isinstance(before, FitPlan) and before.backbone.sha256 != backbone.sha256:
        raise ThawlineError(
            f"the backbone that the run in '{folder}' was started with (SHA-256 "
            f"{before.backbone.sha256[:12]}…)",
            f"another one in '{backbone.name}' (SHA-256 {backbone.sha256[:12]}…)",
            "restore that backbone, or choose another --out, which starts a new run",
        )


def _describe(job: _Job) -> FitPlan:
    """Return what is known of a fit before it computes anything."""
    dataset, plan, backbone = job.dataset, job.plan, job.backbone
    origin, made = backbone.origin, backbone.built_from
    return FitPlan(
        backbone=BackboneReference(
            name=backbone.name,
            sha256=backbone.digest(),
            origin=None if origin is None else BackboneOrigin(**origin.to_dict()),
        ),
        encoder=None if made is None else EncoderReference(**made),
        strategy=str(plan.strategy),
        line=plan.line,
        head=str(plan.head),
        pooling=plan.pooling,
        max_length=plan.max_length,
        epochs=plan.epochs,
        lr=plan.lr,
        labels=LabelNames(**dataset.labels.to_dict()),
        data=FitData(
            name=dataset.name,
            sha256=dataset.digest,
            protocol=Protocol(**dataset.protocol),
            rows={name: dataset.parts[name].rows.tolist() for name in SPLIT_NAMES},
        ),
        preflight=_survey(job),
    )


def _survey(job: _Job) -> Survey:
    """Take the quick survey that every fit starts with; `thawline preflight` takes a full one."""
    side = job.config.tokens.truncation_side
    tokenization = Tokenization(job.backbone.tokenizer, job.plan.max_length, side)
    found = inspect_dataset(job.dataset, tokenization, PreflightConfig(), Reporter(), quick=True)
    return Survey(**found)


def _fit(job: _Job, reporter: Reporter, start: float) -> tuple[FitFindings, FitResults]:
    """Train, score, save and prove a classifier.

    Args:
        job: The fit.
        reporter: Shows progress and warnings.
        start: When the job started, by `time.perf_counter`.
    """
    config, dataset, backbone, plan = job.config, job.dataset, job.backbone, job.plan
    frozen = run_prefix(backbone, plan, config, dataset.parts, reporter)
    report = frozen.report
    task = Task(backbone, plan, config, dataset.labels, dataset.parts, frozen)
    checkpoints = CheckpointFolder(job.folder / CHECKPOINTS)

    device = config.compute.device
    own = artifact.Prover(device) if job.prover is None else nullcontext(job.prover)
    with own as prover:
        adapted = adapt(task, reporter, checkpoints)
        evaluation_start = time.perf_counter()
        scored = score_fit(task, adapted)
        evaluation = time.perf_counter() - evaluation_start
        proof = _save(job, adapted, prover, reporter)

    checkpoints.clear()
    with failures.system_errors(job.folder):
        plots = _draw(job, scored, adapted)
        write_mistakes(scored.mistakes, job.folder, pairs=adapted.fitted.reading.pairs)
    results = FitResults(
        features=list(adapted.fitted.reading.stages),
        seconds=FitSeconds(
            **report.seconds,
            head_first=None if adapted.first is None else adapted.first.seconds,
            training=adapted.seconds,
            evaluation=evaluation,
            total=time.perf_counter() - start,
        ),
        density=Density(prefix=report.density, training=adapted.density),
        prefix=_summarise_pass(report, config.compute),
        store=_store_reference(frozen),
        history=_typed(adapted.history),
        choice=[ExactFitStep(**step) for step in adapted.choice],
        head_first=_describe_head_first(adapted, frozen),
        proof=proof,
        peak_memory_bytes=hardware.peak_memory_bytes(),
        plots=[str(path) for path in plots],
        artifact=str(job.folder / artifact.FOLDER),
    )
    return scored.findings, results


def _save(job: _Job, adapted: Adapted, prover: artifact.Prover, reporter: Reporter) -> Proof:
    """Save a classifier, and prove that a fresh process reads the same from it."""
    folder, texts = job.folder / artifact.FOLDER, job.dataset.test.texts[:PROOF_TEXTS]
    shutil.rmtree(folder, ignore_errors=True)  # a run that was stopped may have left one
    fitted = adapted.fitted.merge_adapters() if job.config.artifact.merge else adapted.fitted
    artifact.save(fitted, folder)
    reporter.message("proving the saved classifier in a fresh process")
    return Proof(texts=len(texts), difference=prover.prove(fitted, folder, texts))


def _typed(history: Sequence[Row]) -> list[FitEpoch]:
    """Return the rows of the training loop as a record holds them."""
    return [FitEpoch(**row) for row in history]


def _store_reference(frozen: FrozenStates) -> StoreReference | None:
    described = frozen.describe()
    return None if described is None else StoreReference(**described)


def _describe_head_first(adapted: Adapted, frozen: FrozenStates) -> HeadFirst | None:
    """Describe how the head was trained before the strategy. None if it was not trained first."""
    if adapted.first is None:
        return None
    return HeadFirst(
        choice=[ExactFitStep(**step) for step in adapted.first.choice],
        history=_typed(adapted.first.history),
        store=_store_reference(frozen.of_head()),
    )


def _draw(job: _Job, scored: ScoredFit, adapted: Adapted) -> list[Path]:
    """Draw the scores before and after training and, after a training by epochs, its history."""
    findings, folder = scored.findings, job.folder
    title = f"{job.dataset.name}: {job.plan.strategy} on {job.backbone.name}"
    plots = draw_before_after(findings.baseline, findings.test, folder, title=title)
    if findings.kept is not None:
        start = "untrained" if adapted.first is None else HEAD_FITTED
        history, kept = _typed(adapted.history), kept_line(findings.kept)
        plots += draw_history(history, folder, title=title, subtitle=kept, start=start)
    return plots


def _summarise_pass(report: PassReport, compute: ComputeConfig) -> PassSummary:
    """Return what the pass computed, and which share of this machine's matrix rate it reached."""
    device = devices.pick_device(compute.device)
    dtype = devices.pick_dtype(compute.dtype, device)
    seconds = report.seconds["prefix"]
    rate = report.flops / seconds if report.texts else None
    known = hardware.matmul_rates().get(dtype) if device == "cpu" else None
    return PassSummary(
        texts=report.texts,
        tokens=report.tokens,
        device=device,
        dtype=dtype,
        texts_per_second=report.texts / seconds if report.texts else None,
        flops_per_second=rate,
        matrix_rate=known,
        share_of_matrix_rate=rate / known if rate is not None and known is not None else None,
    )
