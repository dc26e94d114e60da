"""The job of `thawline tune`: search for the settings with the highest validation score."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thawline.config import FEW_TO_CHOOSE, TuneConfig
from thawline.config.annotations import flat_settings
from thawline.config.resolve import check_config, config_to_toml, with_absolute_paths
from thawline.data import Dataset, LabelledTexts, load
from thawline.evaluation.choosing import nested_values
from thawline.runs.folder import check_folder, check_still_exists, job_start, signals_raise
from thawline.runs.layout import BEST, TUNING
from thawline.runs.records import (
    Importance,
    LabelNames,
    TuneData,
    TuneRecord,
    TuneTrial,
    write_record,
)
from thawline.runtime import failures
from thawline.runtime.files import make_folder, write_file
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter
from thawline.tuning.foreign import ROWS
from thawline.tuning.plan import plan_space
from thawline.tuning.search import Search
from thawline.tuning.space import Space, as_rung
from thawline.tuning.study import (
    STUDY,
    check_file,
    decode_logits,
    import_optuna,
    open_study,
    quiet_optuna,
)
from thawline.tuning.trials import SCORES, Trainer

if TYPE_CHECKING:
    import optuna

MIN_TRIALS = 20
"""The number of finished trials from which the importance of each setting is computed."""


@dataclass(frozen=True)
class _Job:
    """A search whose settings and data have been checked.

    Attributes:
        config: The settings.
        space: The space.
        dataset: The data set, without the rows of test.
        trainer: Trains and scores.
        folder: The folder, as an absolute path.
    """

    config: TuneConfig
    space: Space
    dataset: Dataset
    trainer: Trainer
    folder: Path

    @property
    def score(self) -> str:
        """The score of the trials, as in `measure`."""
        return SCORES[self.config.fit.training.keep]


def tune(config: TuneConfig, folder: Path | str, reporter: Reporter | None = None) -> TuneRecord:
    """Search for the settings of a fit with the best validation score.

    All trials run in this process and share the data, the backbone and the states of the texts.
    Other processes may search at the same time in the same folder. A search that was stopped
    continues when it is run again. Test texts are neither tokenised nor scored.

    Args:
        config: The strategies, the space, and the settings that all trials share.
        folder: The folder of the search.
        reporter: Shows progress and messages. If None, nothing is shown.

    Returns:
        The record of the search, which is also written to ``tune.json`` in its folder.

    Raises:
        ThawlineError: If Optuna is not installed, if a setting, the data or the space is invalid,
            if the folder holds another search, or if no trial finished.
    """
    import_optuna()
    reporter = Reporter() if reporter is None else reporter
    folder = expand(folder)
    check_config(config)
    config = with_absolute_paths(config)
    if (folder / STUDY).is_file():
        check_file(folder / STUDY)
    else:
        check_folder(folder)
    dataset, test = _load(config)
    trainer = Trainer(dataset, reporter, test)
    space = plan_space(config, trainer.describe)
    for arm in space.arms:
        for corner in arm.corners():
            trainer.prepare(corner)
    job = _Job(config, space, dataset, trainer, folder.absolute())
    for line in (*dataset.describe_columns(), *dataset.warnings, *_few_rows(dataset)):
        reporter.message(line)
    make_folder(folder)
    with (
        quiet_optuna(),
        failures.system_errors(folder),
        open_study(job.folder, job.score, config.fit.seed, _identity(job)) as study,
    ):
        search = Search(study, space, trainer, config, reporter)
        try:
            with signals_raise():
                search.run()
        except (KeyboardInterrupt, SystemExit):
            if search.progress.finished:
                _finish(job, study, search, status="stopped")
            reporter.message("stopped; the same command continues the search")
            raise
        return _finish(job, study, search, status="finished")


def _load(config: TuneConfig) -> tuple[Dataset, LabelledTexts]:
    """Return the data set without the rows of test, and the rows of test.

    Test is only read if a backbone is trained on unlabelled texts, which must not contain copies
    of test texts.
    """
    with_test = any("tapt+" in name for name in config.strategies)
    dataset = load(config.fit.data, with_test=with_test)
    return replace(dataset, test=dataset.test.take([])), dataset.test


def _few_rows(dataset: Dataset) -> Iterator[str]:
    """Warn if the validation split is too small to tell good trials from lucky ones."""
    rows = len(dataset.validation)
    if rows < FEW_TO_CHOOSE:
        error = 100 * float(np.sqrt(0.8 * 0.2 / rows))
        yield (
            f"with {rows} validation texts, the standard error of an accuracy of 80 % is "
            f"{error:.1f} points. Smaller differences between trials are mostly noise."
        )


def _identity(job: _Job) -> dict[str, Any]:
    """Return what all starts and processes of a search must have in common."""
    fixed = flat_settings(job.config.fit)
    adapted = {one.texts_sha256 for one in job.trainer.adaptations()}
    return {
        ROWS: _digest(job.dataset),
        **({"unlabelled texts": sorted(adapted)} if adapted else {}),
        "strategies and searched settings": job.space.described(),
        "settings of the fits": fixed,
    }


def _digest(dataset: Dataset) -> str:
    """Return the SHA-256 of the train and validation rows."""
    return hashlib.sha256(f"tune {dataset.digest}".encode()).hexdigest()


def _finish(job: _Job, study: optuna.Study, search: Search, status: Any) -> TuneRecord:
    """Write the record, the best settings and the plots."""
    check_still_exists(job.folder)
    progress = search.progress
    best = progress.finished[0]
    arm, config = job.space.config_of(study.get_trials(deepcopy=False)[best.number].params)
    relevant = _comparable(progress.finished, best)
    importances = _importances(relevant, best, study)
    plots: list[Path] = []
    if importances:
        from thawline.report.importance import draw_importance

        plots = draw_importance(
            importances,
            relevant,
            best,
            job.folder,
            score=job.score,
            title=f"{job.dataset.name}: {arm.name} on {Path(config.backbone).name}",
            logarithmic=[one.key for one in arm.dimensions if one.log],
        )
    data, adaptations = job.dataset, job.trainer.adaptations()
    trials = sorted([*progress.finished[1:], *progress.others], key=lambda trial: trial.number)
    record = TuneRecord(
        **dict(job_start(job.config)),
        status=status,
        data=TuneData(
            name=data.name,
            sha256=_digest(data),
            train=len(data.train),
            validation=len(data.validation),
            labels=LabelNames(**data.labels.to_dict()),
            unlabelled=max((one.unlabelled for one in adaptations), default=None),
            removed=max((one.removed for one in adaptations), default=None),
        ),
        score=job.score,  # type: ignore[arg-type]
        best=best,
        rung=as_rung(config),
        nested=_nested(job, study, progress.finished),
        importances=importances,
        repeated=progress.repeated,
        trials=trials,
        plots=[path.name for path in plots],
        seconds=sum(trial.seconds or 0.0 for trial in (best, *trials)),
    )
    write_file(job.folder / BEST, config_to_toml(config).encode())
    write_record(job.folder / TUNING, record)
    return record


def _nested(job: _Job, study: optuna.Study, finished: Sequence[TuneTrial]) -> float | None:
    """Return the score if other texts choose the trial. None if it cannot be computed."""
    keep = job.config.fit.training.keep
    validation = job.dataset.validation
    if len(finished) < 2 or job.score == "f1_macro":
        return None
    trials, shape = study.get_trials(deepcopy=False), (len(validation), len(job.dataset.labels))
    logits = [decode_logits(trials[trial.number], shape) for trial in finished]
    known = [one for one in logits if one is not None]
    copies = validation.copies
    if len(known) < len(logits) or not copies.any():  # a single text cannot be halved
        return None
    chosen_by = "accuracy" if keep == "last" else keep
    values = nested_values(np.stack(known[::-1]), validation.labels, copies, chosen_by)
    return float((values.losses if job.score == "loss" else values.correct).mean())


def _comparable(finished: Sequence[TuneTrial], best: TuneTrial) -> list[TuneTrial]:
    """Return the finished trials of the best strategy that have all settings of the best trial."""
    kind = best.settings.get("strategy")
    return [
        trial
        for trial in sorted(finished, key=lambda trial: trial.number)
        if best.settings.keys() <= trial.settings.keys() and trial.settings.get("strategy") == kind
    ]


def _importances(
    trials: Sequence[TuneTrial], best: TuneTrial, study: optuna.Study
) -> list[Importance]:
    """Return what distinguishes the best tenth of the trials, by PED-ANOVA."""
    optuna = import_optuna()
    keys = [
        key
        for key in best.settings
        if key != "strategy" and len({str(trial.settings[key]) for trial in trials}) > 1
    ]
    if len(trials) < MIN_TRIALS or not keys:
        return []
    recorded = study.get_trials(deepcopy=False)
    names = {name.rpartition(" ")[2]: name for name in recorded[best.number].params}
    alone = optuna.create_study(direction=study.direction)
    alone.add_trials(
        [
            optuna.trial.create_trial(
                params={key: recorded[trial.number].params[names[key]] for key in keys},
                distributions={
                    key: recorded[trial.number].distributions[names[key]] for key in keys
                },
                value=trial.score,
            )
            for trial in trials
        ]
    )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        # If most trials have the highest score, nothing distinguishes the best ones. Optuna warns,
        # and calls all settings equally important.
        warnings.filterwarnings("error", "Target and region quantiles", UserWarning)
        try:
            found = optuna.importance.get_param_importances(alone, evaluator=evaluator)
        except UserWarning:
            return []
    return [Importance(key=key, importance=value) for key, value in found.items()]
