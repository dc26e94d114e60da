"""Run a ladder: several strategies, trained and compared on identical splits and seeds."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from thawline.backbones.loading import Backbone
from thawline.backbones.opening import open_backbone
from thawline.compare.copies import Copies, check_texts, note_copies
from thawline.compare.draws import select_draws
from thawline.compare.fitting import FittedRuns, fit_runs, too_small
from thawline.compare.forecast import forecast_rungs
from thawline.compare.latency import measure_latencies
from thawline.compare.plan import LadderRun, plan_runs, same_on_other_backbones
from thawline.compare.refit import refit, refit_folder
from thawline.compare.results import FinishedRun, MeasuredCosts
from thawline.compare.schedule import Schedule
from thawline.compare.sizes import compare_sizes
from thawline.compare.verdict import compare_runs
from thawline.compare.words import with_first_margin
from thawline.config import Config, LadderConfig
from thawline.data import Dataset, load_draws
from thawline.data.labels import join_words
from thawline.errors import ThawlineError
from thawline.jobs.fit import check_same_rows
from thawline.report.curves import draw_curves
from thawline.report.differences import draw_verdict
from thawline.report.exports import ladder_csv, ladder_markdown
from thawline.report.figures import interval_note
from thawline.report.learning import draw_learning
from thawline.report.rungs import RungBar, draw_rungs
from thawline.runs.folder import (
    check_folder,
    check_still_exists,
    is_run,
    job_start,
    outcome_recorded,
    seconds_of_starts,
)
from thawline.runs.layout import LADDER, is_cut
from thawline.runs.lock import locked
from thawline.runs.records import (
    Chosen,
    Comparison,
    FitRecord,
    LabelNames,
    LadderData,
    LadderRecord,
    LadderResults,
    LearningCurves,
    LeftOut,
    Protocol,
    StartedLadder,
    TotalSeconds,
    finish,
    read_record,
    write_record,
)
from thawline.runs.resume import check_same_config, is_lost, remove_lost
from thawline.runtime import failures
from thawline.runtime.files import make_folder, remove, remove_leftovers, write_file
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter
from thawline.training.preparation import Prepared, PreparedWords, prepare

MARKDOWN, CSV = "comparison.md", "comparison.csv"
"""The files with the table of the rungs, beside the record."""

PLOTS = ("rungs", "differences", "tradeoff", "curves", "learning")
"""The names of all plots that a ladder can have, without their suffixes."""


def run_ladder(
    config: LadderConfig, folder: Path | str, reporter: Reporter | None = None
) -> LadderRecord:
    """Fit every rung with every seed on every draw of the training rows, and compare the rungs.

    All runs take place in this process. They share the data set and the fresh process that proves
    their artifacts, and each run reads from the store the states that earlier runs computed. An
    interrupted ladder is resumed when it is run again. Finished runs are kept, even if rungs,
    seeds, draws or backbones are added.

    The seconds of each run are predicted. Runs are made from the cheapest to the most expensive,
    and those that would exceed the budget are left out. A run that fails does not end the ladder.

    Args:
        config: The rungs, the seeds, and the settings that all rungs share.
        folder: The folder of the ladder, in which each run has a folder.
        reporter: Shows progress and warnings. If None, nothing is shown.

    Returns:
        The record of the ladder, which is also written to ``ladder.json`` in its folder.

    Raises:
        ThawlineError: If a rung is invalid for each of the backbones, if the folder contains other
            files or runs with other settings, if another version wrote ``ladder.json``, if another
            process runs the ladder, if no run fits into the budget, or if all runs fail.
    """
    reporter = Reporter() if reporter is None else reporter
    read = cache(partial(load_draws, config.fit.data, config.draws))
    return _make(config, read, expand(folder), reporter)


def _make(
    config: LadderConfig, read: Callable[[], Sequence[Dataset]], folder: Path, reporter: Reporter
) -> LadderRecord:
    """Check a ladder, run it and return its record.

    Args:
        config: The settings.
        read: Reads the data set of each draw.
        folder: The folder of the ladder.
        reporter: Shows progress and warnings.
    """
    start = time.perf_counter()
    runs = plan_runs(config, folder)
    before = _read_ladder(folder, runs, reporter)
    fits, refused = _check(runs, read)
    runs = [run for run in runs if run.rung not in refused]
    left_out = [_describe_refused(rung, error) for rung, error in refused.items()]
    for one in left_out:
        reporter.message(f"{one.rung} is left out: {one.reason}")
    draws = read()
    numbered = [(dataset, Copies.of(dataset)) for dataset in draws]
    for _, copies in numbered:
        check_texts(copies)
    draws = [note_copies(*pair) for pair in numbered]
    for run in runs:
        check_same_rows(run.read(), draws[run.draw], run.folder)
    schedule = Schedule(runs, forecast_rungs(fits, draws[0]), config.budget, left_out)
    del fits  # frees the backbones
    if not schedule.next_runs() and not any(isinstance(run.read(), FitRecord) for run in runs):
        raise too_small(schedule)
    make_folder(folder)
    with locked(folder):
        remove_leftovers(folder, locked=True)
        for run in runs:
            remove_lost(run.folder, run.config, reporter)
        started = _start(config, before, draws[0], folder)
        return _run(config, schedule, started, draws, folder.absolute(), reporter, start)


def _start(
    config: LadderConfig,
    before: LadderRecord | StartedLadder | None,
    dataset: Dataset,
    folder: Path,
) -> StartedLadder:
    """Write that the ladder has started, and return its record."""
    starts = seconds_of_starts(before, folder)
    started = StartedLadder(
        **dict(job_start(config, None if before is None else before.started, starts)),
        status="running",
        predicted={} if before is None else before.predicted,
        first_margin=_first_margin(config, before),
        data=LadderData(
            name=dataset.name,
            sha256=dataset.digest,
            protocol=Protocol(**dataset.protocol),
            text_columns=list(dataset.text_columns),
            label_column=dataset.label_column,
            notes=list(dataset.warnings),
            labels=LabelNames(**dataset.labels.to_dict()),
        ),
    )
    write_record(folder / LADDER, started)
    return started


def _first_margin(
    config: LadderConfig, before: LadderRecord | StartedLadder | None
) -> float | None:
    """Return the margin of the first start, in points. None if it is that of this start."""
    if before is None:
        return None
    first = before.config.get("margin") if before.first_margin is None else before.first_margin
    return first if isinstance(first, float) and first != config.margin else None


def _run(
    config: LadderConfig,
    schedule: Schedule,
    started: StartedLadder,
    draws: Sequence[Dataset],
    folder: Path,
    reporter: Reporter,
    start: float,
) -> LadderRecord:
    """Make the runs, compare them and write the record of the finished ladder."""
    file = folder / LADDER

    def save(predicted: dict[str, float]) -> None:
        write_record(file, started.model_copy(update={"predicted": predicted}))

    with outcome_recorded(file, started, start):
        fitted = fit_runs(schedule, draws, started.predicted, reporter, save)
        made, comparison = _compare(config, fitted, draws, started.first_margin)
        check_still_exists(folder)
        plots = _draw(started, comparison, folder)
        curves: LearningCurves | None = None
        if config.sizes:
            left = config.budget and max(1e-9, config.budget - schedule.spent)
            curves = compare_sizes(
                replace(config, budget=left),
                draws,
                (made, comparison),
                folder,
                reporter,
                lambda part, rows, place: _make(part, lambda: rows, place, reporter),
            )
            if len(curves.sizes) > 1:
                title = _title(started, comparison)
                drawn = draw_learning(curves, folder, title=title)
                plots += [path.name for path in drawn]
        if config.refit:
            _refit(comparison.chosen, fitted, draws[0], folder, reporter)
        starts = [*started.starts, time.perf_counter() - start]
        record = finish(
            LadderRecord,
            started.model_copy(update={"starts": starts, "predicted": fitted.predicted}),
            comparison,
            LadderResults(
                plots=plots,
                seconds=TotalSeconds(total=sum(starts)),
                curves=curves,
                refit=refit_folder(comparison.chosen) if config.refit else None,
            ),
        )
        with failures.system_errors(folder):
            write_file(folder / MARKDOWN, ladder_markdown(record).encode())
            write_file(folder / CSV, ladder_csv(record).encode())
        write_record(file, record)
        _remove_old_plots(folder, record.plots)
    return record


def _remove_old_plots(folder: Path, drawn: Sequence[str]) -> None:
    """Remove the plots that only an earlier start drew, because they show other results."""
    for path in folder.iterdir():
        if path.stem in PLOTS and path.suffix in (".png", ".svg") and path.name not in drawn:
            remove(path)


def _compare(
    config: LadderConfig,
    fitted: FittedRuns,
    draws: Sequence[Dataset],
    first_margin: float | None,
) -> tuple[list[FinishedRun], Comparison]:
    """Compare the finished runs, and add what was left out and what failed.

    Returns:
        The runs that were compared, and the comparison.
    """
    dataset = draws[0]
    finished = [FinishedRun.read(run, record) for run, record in fitted.finished]
    made, drawn = select_draws(finished, draws)
    latency = measure_latencies(made, dataset.test.texts) if config.cost == "latency" else {}
    costs = MeasuredCosts(latency=latency, predicted=fitted.predicted)
    comparison = compare_runs(config, made, Copies.of(dataset), costs, drawn)
    verdict = with_first_margin(comparison.verdict, first_margin)
    more = {"verdict": verdict, "failed": fitted.failed, "left_out": fitted.left_out}
    return made, comparison.model_copy(update=more)


def _refit(
    chosen: Chosen, fitted: FittedRuns, dataset: Dataset, folder: Path, reporter: Reporter
) -> None:
    """Fit the strategy of the run to use on train and validation together."""
    (config, *_) = [run.config for run, _ in fitted.finished if run.name == chosen.run]
    reporter.message(f"-- {chosen.rung}, on train and validation together")
    refit(chosen, config, dataset, folder, reporter)


# -- before anything is fitted --------------------------------------------------------------------


def _read_ladder(
    folder: Path, runs: Sequence[LadderRun], reporter: Reporter
) -> LadderRecord | StartedLadder | None:
    """Return the record of a ladder that is run again.

    A record that is missing or cut is made again from the runs, which are complete by themselves.

    Returns:
        The record. None if the ladder is new or has no complete record.

    Raises:
        ThawlineError: If the record cannot be read, or if the folder cannot hold a new ladder.
    """
    file = folder / LADDER
    is_missing = not file.is_file()
    if is_missing and not any(is_run(run.folder) for run in runs):
        check_folder(folder)
        return None
    if is_missing or is_cut(file):
        state = "missing" if is_missing else "damaged"
        reporter.message(
            f"{LADDER} in '{folder}' is {state}; the comparison is made again from the runs there"
        )
        return None
    record = read_record(folder / LADDER)
    if not isinstance(record, LadderRecord | StartedLadder):
        found = f"the record of a run in '{folder / LADDER}'"
        raise ThawlineError(f"a ladder in '{folder}'", found, "choose another folder")
    return record


def _check(
    runs: Sequence[LadderRun], read: Callable[[], Sequence[Dataset]]
) -> tuple[dict[str, Prepared | PreparedWords], dict[str, ThawlineError]]:
    """Check the settings of every run.

    Args:
        runs: The runs.
        read: Reads the data set of each draw. It is only called if a backbone is built from the
            texts.

    Returns:
        The checked settings of each rung, and the errors of the rungs that cannot run on their
        backbone although they can on another one. The settings of finished rungs serve to correct
        the predictions for others. They are missing if all runs are finished.

    Raises:
        ThawlineError: If a rung can run on none of the backbones, if a backbone cannot be opened,
            or if the settings of a run that was started before differ.
    """
    for run in runs:
        if is_run(run.folder) and not is_lost(run.folder, run.config):
            check_same_config(run.folder, run.config)
    backbones: dict[Any, Backbone] = {}
    missing: list[ThawlineError] = []

    def opened(config: Config) -> Backbone:
        key = config.backbone, config.tokens, config.encoder
        if key not in backbones:
            try:
                backbones[key] = open_backbone(config, lambda: read()[0].train.texts, Reporter())
            except ThawlineError as error:
                missing.append(error)
                raise
        return backbones[key]

    fits: dict[str, Prepared | PreparedWords] = {}
    refused: dict[str, ThawlineError] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each run gives its own warnings
        missing_runs = [run for run in runs if not isinstance(run.read(), FitRecord)]
        for run in missing_runs:
            if run.rung in fits.keys() | refused:
                continue
            try:
                fits[run.rung] = prepare(run.config, partial(opened, run.config))
            except ThawlineError as error:
                if error in missing:
                    raise
                refused[run.rung] = error
        for run in runs if missing_runs else ():
            if run.rung not in fits.keys() | refused:
                with suppress(ThawlineError):  # a finished run needs none of this
                    fits[run.rung] = prepare(run.config, partial(opened, run.config))
    for rung, reason in refused.items():
        if same_on_other_backbones(rung, runs) <= refused.keys():
            raise reason
    return fits, refused


def _describe_refused(rung: str, error: ThawlineError) -> LeftOut:
    """Describe a rung that cannot run on its backbone."""
    reason = f"expected {error.expected}; found {error.found}"
    return LeftOut(rung=rung, predicted=None, reason=reason)


def _title(started: StartedLadder, comparison: Comparison) -> str:
    """Return the title of all plots: the data set and the backbones that were compared."""
    used = [rung.backbone for rung in comparison.rungs if rung.backbone is not None]
    names = join_words([Path(backbone).name for backbone in dict.fromkeys(used)])
    return f"{started.data.name}: strategies{f' on {names}' if names else ''}"


def _draw(started: StartedLadder, comparison: Comparison, folder: Path) -> list[str]:
    """Draw the rungs as bars, the verdict and, if a rung was trained by epochs, its curves.

    Returns:
        The names of the files.
    """
    title, rungs = _title(started, comparison), comparison.rungs
    bars = [
        RungBar(rung.rung, rung.test.accuracy, rung.cost.seconds, rung.parameters.trainable)
        for rung in rungs
    ]
    with failures.system_errors(folder):
        plots = draw_rungs(bars, folder, title=title, subtitle=interval_note(rungs[0].test))
        plots += draw_verdict(rungs, comparison.verdict, folder, title=title)
        if any(run.history for rung in rungs for run in rung.runs):
            plots += draw_curves(rungs, folder, title=title)
    return [path.name for path in plots]
