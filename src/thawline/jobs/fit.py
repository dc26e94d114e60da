"""The job of `thawline fit`: train, score, save and prove a classifier."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from thawline import artifact
from thawline.backbones.opening import open_backbone
from thawline.config import Config
from thawline.data import Dataset, Text, load
from thawline.errors import ThawlineError, as_given
from thawline.evaluation.calibration import reliability
from thawline.inference.fitted import AnyFitted, Fitted
from thawline.jobs.fit_record import (
    describe_augmentation,
    describe_choice,
    describe_cost,
    describe_head_first,
    describe_history,
    describe_plan,
    describe_store,
    describe_work,
)
from thawline.jobs.scoring import ScoredFit, score_fit
from thawline.jobs.shown import add_shown, read_shown
from thawline.pretraining.tapt import Adaptation, adapt_backbone, plan_adaptation
from thawline.report.card import write_card
from thawline.report.mistakes import MISTAKES, write_mistakes
from thawline.report.tables import HEAD_FITTED, kept_line
from thawline.runs.folder import FIT, check_still_exists
from thawline.runs.layout import LOGITS, RECORD
from thawline.runs.logits import read_logits, write_logits
from thawline.runs.opening import OpenRun, open_run
from thawline.runs.records import (
    BackboneReference,
    Density,
    FitFindings,
    FitPlan,
    FitRecord,
    FitResults,
    FitSeconds,
    Proof,
    RunRecord,
    StartedFit,
    finish,
)
from thawline.runtime import failures, files, hardware
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Adapted, adapt
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.preparation import Prepared, PreparedWords, prepare
from thawline.training.states import NOTHING_LATER, LaterStates

CHECKPOINTS = "checkpoints"
"""The folder of checkpoints in the folder of a run. It is deleted when the run has finished."""

PROOF_TEXTS = 16
"""The number of texts that the fresh process classifies to prove the artifact."""


@dataclass(frozen=True)
class Shared:
    """The objects that several runs in one process share.

    Attributes:
        dataset: The data set that all their configs name.
        prover: The fresh process that proves the artifacts of all runs. If None, each run starts a
            process of its own.
        later: The states that later runs need, which the frozen pass of this run computes, too.
    """

    dataset: Dataset
    prover: artifact.Prover | None
    later: LaterStates = NOTHING_LATER


@dataclass(frozen=True)
class _Job:
    """A fit whose settings, data and backbone have been checked.

    Attributes:
        config: The settings.
        folder: The folder of the run, as an absolute path.
        dataset: The data set.
        prepared: The checked settings, with the backbone if there is one.
        prover: The fresh process that proves the artifact. If None, one is started when the data
            and the settings have been checked.
        adaptation: The training of the backbone on its own objective (``tapt+S``). None for other
            strategies.
        shown: The user's own texts that are classified before and after training.
    """

    config: Config
    folder: Path
    dataset: Dataset
    prepared: Prepared | PreparedWords
    prover: artifact.Prover | None
    adaptation: Adaptation | None = None
    shown: tuple[Text, ...] = ()


def fit_run(
    config: Config,
    folder: Path | str,
    reporter: Reporter | None = None,
    *,
    resume: bool = False,
    shared: Shared | None = None,
) -> FitRecord:
    """Read the data, train, score, save and prove a classifier.

    All settings and the data are checked before the folder is made.

    Args:
        config: The settings.
        folder: The folder of the run.
        reporter: Shows progress and warnings. If None, nothing is shown.
        resume: Whether to resume the run in the folder, if it exists. A resumed run ends with the
            same weights as an uninterrupted one, on the same machine with the same versions.
        shared: The objects that this run shares with other runs. If None, it shares none.

    Returns:
        The record of the run, which is also written to its folder.

    Raises:
        ThawlineError: If a setting or the data is invalid, or if the artifact could not be proven.
            In the second case, the status in the record is ``failed``.
    """
    folder = expand(folder)
    reporter = Reporter() if reporter is None else reporter
    with open_run(folder, FIT, config, reporter, resume=resume) as run:
        if isinstance(run.before, FitRecord) and run.is_complete(find_damage(run.before, folder)):
            return run.before
        job, described = _prepare(config, folder, reporter, shared)
        if run.resumed and run.before is None:
            # Without a record, nothing says to which rows the checkpoints belong.
            CheckpointFolder(job.folder / CHECKPOINTS).clear()
            reporter.message(f"the run in '{folder}' has no complete {RECORD}; it is made again")
        check_same_rows(run.before, job.dataset, folder)
        _check_same_backbone(run.before, described.backbone, folder)
        _check_same_adaptation(run.before, described.tapt_digest, folder)
        with run.started(StartedFit, described) as started:
            findings, results = _fit(job, reporter, run)
            with failures.system_errors(job.folder):
                card = finish(FitRecord, started, findings, results)
                write_card(card, job.folder / artifact.FOLDER)
            return run.finish(FitRecord, started, findings, results)


def find_damage(record: FitRecord, folder: Path) -> str | None:
    """Return what is damaged in the folder of a finished fit. None if it is complete.

    Plots and mistakes that are missing are not damage, because a user may delete them. Logits are
    needed to compare the run with others.

    Args:
        record: The record of the fit.
        folder: The folder of the fit.
    """
    for name in [*(Path(plot).name for plot in record.plots), MISTAKES]:
        if (folder / name).is_file() and (folder / name).stat().st_size == 0:
            return f"{name} is empty"
    try:
        read_logits(folder, record)
    except (ThawlineError, OSError) as error:
        return error.found if isinstance(error, ThawlineError) else f"{LOGITS} cannot be read"
    try:
        artifact.load(folder / artifact.FOLDER)
    except ThawlineError as error:
        return f"its classifier cannot be loaded: {error.found}"
    return None


def _prepare(
    config: Config, folder: Path, reporter: Reporter, shared: Shared | None
) -> tuple[_Job, FitPlan]:
    """Read the data and the backbone, check the settings and report warnings."""
    dataset = load(config.data) if shared is None else shared.dataset
    prepared = prepare(config, lambda: open_backbone(config, lambda: dataset.train.texts, reporter))
    prover = None if shared is None else shared.prover
    adaptation = None
    if isinstance(prepared, Prepared):
        prepared = replace(prepared, later=NOTHING_LATER if shared is None else shared.later)
        adaptation = plan_adaptation(prepared.backbone, prepared.plan, config, dataset.parts)
    pairs = isinstance(dataset.train.texts[0], tuple)
    shown = tuple(read_shown(config, pairs=pairs, reporter=reporter))
    job = _Job(config, folder.absolute(), dataset, prepared, prover, adaptation, shown)
    described = describe_plan(dataset, prepared)
    if adaptation is not None:
        described = described.model_copy(update={"tapt_digest": adaptation.digest})
    for warning in (
        *prepared.transfer_warnings(dataset),
        *(*dataset.describe_columns(), *dataset.warnings, *described.preflight.findings),
        *prepared.warnings(dataset),
    ):
        reporter.message(warning)
    return job, described


def check_same_rows(before: RunRecord | None, dataset: Dataset, folder: Path) -> None:
    """Check that a run is resumed with the rows that it was started with.

    Args:
        before: The record of the run. None if it has no record yet.
        dataset: The data set.
        folder: The folder of the run.

    Raises:
        ThawlineError: If the rows differ.
    """
    if isinstance(before, FitPlan) and before.data.sha256 != dataset.digest:
        raise ThawlineError(
            f"the rows that the run in '{folder}' was started with",
            f"other rows in {as_given(dataset.name)}",
            "choose another folder, which starts a new run",
        )


def _check_same_backbone(
    before: RunRecord | None, backbone: BackboneReference | None, folder: Path
) -> None:
    """Raise ThawlineError if a run is resumed with another backbone than it was started with."""
    if not isinstance(before, FitPlan) or before.backbone is None or backbone is None:
        return  # Equal settings have the same strategy, so that both have a backbone or neither.
    if before.backbone.sha256 != backbone.sha256:
        raise ThawlineError(
            f"the backbone that the run in '{folder}' was started with (SHA-256 "
            f"{before.backbone.sha256[:12]}…)",
            f"another backbone in '{backbone.name}' (SHA-256 {backbone.sha256[:12]}…)",
            "restore that backbone, or choose another folder, which starts a new run",
        )


def _check_same_adaptation(before: RunRecord | None, digest: str | None, folder: Path) -> None:
    """Raise ThawlineError if a run is resumed with other texts for ``tapt+S``."""
    if isinstance(before, FitPlan) and before.tapt_digest != digest:
        raise ThawlineError(
            f"the unlabelled texts that the run in '{folder}' was started with",
            "other texts",
            "restore those texts, or choose another folder, which starts a new run",
        )


def _fit(job: _Job, reporter: Reporter, run: OpenRun) -> tuple[FitFindings, FitResults]:
    """Train, score, save and prove a classifier.

    Args:
        job: The fit.
        reporter: Shows progress and warnings.
        run: The folder of the fit.
    """
    config, dataset, prepared = job.config, job.dataset, job.prepared
    adapted_backbone, start = None, time.perf_counter()
    if job.adaptation is not None:
        assert isinstance(prepared, Prepared)
        backbone, adapted_backbone = adapt_backbone(job.adaptation, reporter)
        prepared = replace(prepared, backbone=backbone)
    adaptation = time.perf_counter() - start
    checkpoints = CheckpointFolder(job.folder / CHECKPOINTS)
    device = config.compute.device
    process = artifact.Prover(device) if job.prover is None else nullcontext(job.prover)
    with process as prover:
        task, frozen = prepared.task(dataset.labels, dataset.parts, reporter)
        report = frozen.report
        if job.shown:
            task = add_shown(task, prepared, list(job.shown))
        adapted = adapt(task, reporter, checkpoints)
        evaluation_start = time.perf_counter()
        scored = score_fit(task, adapted)
        evaluation = time.perf_counter() - evaluation_start
        saved, model = _save(job, adapted), job.folder / artifact.FOLDER
        reporter.message("checking the saved classifier in a fresh process")
        texts = proof_texts(dataset.test.texts)
        prover.ask(model, texts)
        with failures.system_errors(job.folder):  # while the fresh process computes
            plots = _draw(job, scored, adapted)
            write_mistakes(scored.mistakes, job.folder, pairs=adapted.fitted.pairs)
            logits = write_logits(job.folder, scored.logits)
        proof = Proof(texts=len(texts), difference=prover.compare(saved, model, texts))
    checkpoints.clear()
    prefix, suffix = describe_work(report, adapted, config.compute)
    results = FitResults(
        features=list(saved.reading.stages) if isinstance(saved, Fitted) else [],
        words=adapted.words,
        augmentation=describe_augmentation(prepared, task),
        tapt=adapted_backbone,
        seconds=FitSeconds(
            **report.seconds,
            tapt=None if adapted_backbone is None else adaptation,
            head_first=None if adapted.first is None else adapted.first.seconds,
            training=adapted.seconds,
            evaluation=evaluation,
            total=run.total_seconds(),
        ),
        cost=describe_cost(
            report,
            adapted,
            config.compute,
            checkpoints.earlier_seconds,
            run.start_seconds(),
            adapted_backbone,
        ),
        density=Density(prefix=report.density, training=adapted.density),
        prefix=prefix,
        suffix=suffix,
        store=describe_store(frozen),
        history=describe_history(adapted.history),
        choice=describe_choice(adapted.choice),
        head_first=describe_head_first(adapted, frozen),
        proof=proof,
        peak_memory_bytes=hardware.peak_memory_bytes(),
        plots=[str(path) for path in plots],
        artifact=str(model),
        logits=logits,
    )
    return scored.findings, results


def _save(job: _Job, adapted: Adapted) -> AnyFitted:
    """Save a classifier to the folder of its run, and return it as it was saved."""
    folder = job.folder / artifact.FOLDER
    check_still_exists(job.folder)
    files.remove(folder)  # a stopped run may have left one
    fitted = adapted.fitted
    if job.config.artifact.merge:
        assert isinstance(fitted, Fitted)  # the plan refuses to merge otherwise
        fitted = fitted.merge_adapters()
    artifact.save(fitted, folder)
    return fitted


def proof_texts(texts: Sequence[Text]) -> list[Text]:
    """Select at most `PROOF_TEXTS` texts that the fresh process classifies quickly.

    They are the longest text, which is truncated if any text is, and the shortest texts.

    Args:
        texts: The texts of the test split.
    """
    distinct = sorted(dict.fromkeys(texts), key=_characters)
    return [*distinct[: PROOF_TEXTS - 1], *distinct[PROOF_TEXTS - 1 :][-1:]]


def _characters(text: Text) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text))


def _draw(job: _Job, scored: ScoredFit, adapted: Adapted) -> list[Path]:
    """Draw the scores before and after, the calibration, and the history or the exact fit."""
    # matplotlib is imported here, because this process then waits for the fresh one anyway.
    from thawline.report.before_after import draw_before_after
    from thawline.report.choice import draw_choice
    from thawline.report.confusion import draw_confusion
    from thawline.report.history import draw_history
    from thawline.report.reliability import draw_reliability

    findings, folder = scored.findings, job.folder
    title = f"{job.dataset.name}: {job.prepared.name}"
    plots = draw_before_after(findings.baseline, findings.test, folder, title=title)
    logits, metrics = scored.logits, job.config.metrics
    bins = reliability(
        logits.test, logits.test_labels, metrics.bins, metrics.confidence, logits.test_copies
    )
    plots += draw_reliability(bins, findings.test, folder, title=title)
    plots += draw_confusion(findings.test, job.dataset.labels.names, folder, title=title)
    if findings.kept is not None:
        start = "untrained" if adapted.first is None else HEAD_FITTED
        history = describe_history(adapted.history)
        kept = kept_line(findings.kept, history)
        subtitle = kept[0].upper() + kept[1:]
        plots += draw_history(history, folder, title=title, subtitle=subtitle, start=start)
    if adapted.choice:
        plots += draw_choice(describe_choice(adapted.choice), folder, title=title)
    return plots
