"""Run a ladder: several strategies, trained and compared on identical splits and seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from thawline.compare.checks import check_runs, describe_refused, read_ladder
from thawline.compare.copies import Copies, check_texts, note_copies
from thawline.compare.draws import select_draws
from thawline.compare.fitting import FittedRuns, fit_runs, too_small
from thawline.compare.forecast import forecast_rungs
from thawline.compare.latency import measure_latencies
from thawline.compare.plan import plan_runs
from thawline.compare.plots import draw_ladder, plot_title, remove_old_plots
from thawline.compare.refit import refit, refit_folder
from thawline.compare.results import FinishedRun, MeasuredCosts
from thawline.compare.schedule import Schedule
from thawline.compare.sizes import compare_sizes
from thawline.compare.verdict import compare_runs
from thawline.compare.words import with_first_margin
from thawline.config import LadderConfig
from thawline.data import Dataset, load_draws
from thawline.jobs.fit import check_same_rows
from thawline.report.exports import ladder_csv, ladder_markdown
from thawline.report.learning import draw_learning
from thawline.runs.folder import (
    check_still_exists,
    job_start,
    outcome_recorded,
    seconds_of_starts,
)
from thawline.runs.layout import LADDER
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
    Protocol,
    StartedLadder,
    TotalSeconds,
    finish,
    write_record,
)
from thawline.runs.resume import remove_lost
from thawline.runtime import failures
from thawline.runtime.files import make_folder, remove_leftovers, write_file
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter

MARKDOWN, CSV = "comparison.md", "comparison.csv"
"""The files with the table of the rungs, beside the record."""


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
    before = read_ladder(folder, runs, reporter)
    fits, refused = check_runs(runs, read)
    runs = [run for run in runs if run.rung not in refused]
    left_out = [describe_refused(rung, error) for rung, error in refused.items()]
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
    with outcome_recorded(file, started, start) as write:

        def save(predicted: dict[str, float]) -> None:
            write(started.model_copy(update={"predicted": dict(predicted)}))

        fitted = fit_runs(schedule, draws, started.predicted, reporter, save)
        made, comparison = _compare(config, fitted, draws, started.first_margin)
        check_still_exists(folder)
        plots = draw_ladder(started, comparison, folder)
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
                title = plot_title(started, comparison)
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
        remove_old_plots(folder, record.plots)
    return record


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
