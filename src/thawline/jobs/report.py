"""The job of `thawline report`: write the report on a run or a comparison as one HTML file."""

from __future__ import annotations

import shlex
from pathlib import Path

from thawline.errors import ThawlineError
from thawline.report.html.blocks import Page
from thawline.report.html.comparison import ChosenRun, comparison_page
from thawline.report.html.page import render_page
from thawline.report.html.pretraining import pretraining_page
from thawline.report.html.run import fit_page
from thawline.runs.layout import BEST, LOGITS, RECORD
from thawline.runs.logits import RunLogits, read_logits
from thawline.runs.records import (
    AnyRecord,
    FitRecord,
    LadderRecord,
    PretrainRecord,
    StartedLadder,
    TuneRecord,
    read_record,
)
from thawline.runtime import failures
from thawline.runtime.files import check_place, make_folder, write_file
from thawline.runtime.paths import expand

REPORT = "report.html"
"""The name of the file in the folder of a run or of a comparison."""


def write_report(path: Path | str, out: Path | str | None = None) -> Path:
    """Write the report on a finished run or comparison.

    The file needs no network and no other file. It is replaced if it exists.

    Args:
        path: The folder of a run or of a comparison, or its record.
        out: The HTML file. If None, ``report.html`` in the folder.

    Returns:
        The path of the file.

    Raises:
        ThawlineError: If there is no record, if it is damaged or unfinished, or if the file cannot
            be written.
    """
    path = expand(path)
    record = read_record(path)
    folder = path if path.is_dir() else path.parent
    file = folder / REPORT if out is None else expand(out)
    _check_file(file)
    page = make_page(record, folder)
    with failures.system_errors(file):
        make_folder(file.parent)
        write_file(file, render_page(page).encode())
    return file


def make_page(record: AnyRecord, folder: Path) -> Page:
    """Return the parts of the report on a record.

    Args:
        record: The record.
        folder: The folder of the run or of the comparison, as the user wrote it.

    Raises:
        ThawlineError: If the job did not finish.
    """
    if isinstance(record, FitRecord):
        return fit_page(record, folder, _logits(record, folder))
    if isinstance(record, PretrainRecord):
        return pretraining_page(record, folder)
    if isinstance(record, LadderRecord):
        return comparison_page(record, folder, _chosen_run(record, folder))
    if isinstance(record, TuneRecord):
        raise ThawlineError(
            f"a run or a comparison in '{folder}'",
            "a search of thawline tune",
            f"fit its best settings with thawline fit --config {shlex.quote(str(folder / BEST))}",
        )
    job = "comparison" if isinstance(record, StartedLadder) else "run"
    resume = "the command that started it"
    if not isinstance(record, StartedLadder):
        resume = f"thawline {record.verb} --resume --out {shlex.quote(str(folder))}"
    raise ThawlineError(
        f"a finished {job} in '{folder}'",
        f"a {job} with the status '{record.status}'",
        f"resume it with {resume}",
    )


def _chosen_run(record: LadderRecord, folder: Path) -> ChosenRun | None:
    """Return the run to use. None if it is missing, because a user may delete it."""
    run = folder / record.chosen.run
    # The name may come from an untrusted source, and lead elsewhere.
    if run.name not in {path.name for path in folder.iterdir()} or run.parent != folder:
        return None
    if not (run / RECORD).is_file():
        return None
    chosen = read_record(run)
    return ChosenRun(chosen, _logits(chosen, run)) if isinstance(chosen, FitRecord) else None


def _logits(record: FitRecord, folder: Path) -> RunLogits | None:
    """Return the logits of a run. None if it has none, as runs of older versions."""
    return read_logits(folder, record) if (folder / LOGITS).is_file() else None


def _check_file(file: Path) -> None:
    """Raise ThawlineError if the file cannot be written."""
    if file.is_dir():
        fix = f"name a file, for example '{file / REPORT}'"
        raise ThawlineError("an HTML file", f"the folder '{file}'", fix)
    if file.suffix.lower() not in (".html", ".htm"):
        fix = "use a name that ends in .html"  # so that no other file is overwritten
        raise ThawlineError("an HTML file", f"'{file}'", fix)
    if not file.exists():
        check_place(file, "an HTML file")
