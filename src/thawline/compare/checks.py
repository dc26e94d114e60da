"""Check a ladder before anything is fitted: its folder, and the settings of its runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from thawline.backbones.loading import Backbone
from thawline.backbones.opening import open_backbone
from thawline.compare.plan import LadderRun, same_on_other_backbones
from thawline.config import Config
from thawline.data import Dataset
from thawline.errors import ThawlineError
from thawline.runs.folder import check_folder, is_run
from thawline.runs.layout import LADDER, is_cut
from thawline.runs.records import FitRecord, LadderRecord, LeftOut, StartedLadder, read_record
from thawline.runs.resume import check_same_config, is_lost
from thawline.runtime.progress import Reporter
from thawline.training.preparation import Prepared, PreparedWords, prepare


def read_ladder(
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


def check_runs(
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


def describe_refused(rung: str, error: ThawlineError) -> LeftOut:
    """Describe a rung that cannot run on its backbone."""
    reason = f"expected {error.expected}; found {error.found}"
    return LeftOut(rung=rung, predicted=None, reason=reason)
