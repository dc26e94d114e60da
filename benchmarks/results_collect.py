"""Collect the results of a comparison of `benchmarks.results` in a small file.

This module has no command of its own.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from benchmarks.results import Planned
from benchmarks.results_archive import (
    AnyLadder,
    Run,
    archive_of,
    finished_runs,
    planned_config,
    read_ladder,
    unpacked,
    without_paths,
    write_archive,
)
from thawline.compare.copies import Copies
from thawline.compare.plan import plan_runs
from thawline.compare.results import FinishedRun, MeasuredCosts
from thawline.compare.verdict import compare_runs
from thawline.data import load
from thawline.report.differences import draw_differences
from thawline.runs.layout import LADDER
from thawline.runs.records import Comparison, RungRecord

Row = dict[str, Any]

DIGITS = 6
"""The number of significant digits of the collected numbers."""

MACHINE = ("cpu", "cores", "threads", "instructions", "gpu")
"""What is kept of the machine of a run."""

COLOURS = 64
"""The number of colours of a plot, which has few. The file is then a third as large."""


def collect(
    one: Planned,
    folder: Path,
    results: Path,
    images: Path,
    quiet: bool,
    data: Path | None = None,
) -> str:
    """Write the results file and the plot of a comparison, as far as it has finished.

    Runs that the folder lacks are taken from the archive beside the results file, and so are all
    runs if there is no such folder. The archive is written if runs are missing, and removed if none
    is.

    Args:
        one: The comparison.
        folder: Its folder, which may be missing.
        results: The folder of the results files.
        images: The folder of the plots.
        quiet: Whether nothing else used the cores while the comparison ran.
        data: The folder with the data sets. If None, they are read from where the comparison read
            them.

    Returns:
        What was collected, in words.
    """
    archive = archive_of(one, results)
    with unpacked(archive) as earlier:
        last = folder if (folder / LADDER).is_file() else earlier
        if last is None:
            return "not started"
        record = read_ladder(last)
        config = planned_config(one, record)
        planned = {(run.rung, run.seed): run.folder for run in plan_runs(config, last)}
        finished = finished_runs(config, last, earlier)
        if not finished:
            return "no run has finished"
        missing = [key for key in planned if key not in finished]
        predicted = dict(record.predicted)
        if earlier is not None:
            predicted = read_ladder(earlier).predicted | predicted
        made, texts = list(finished.values()), config.fit.data
        if data is not None:
            texts = replace(texts, data=str(data / shlex.split(one.data)[0]))
        copies = Copies.of(load(texts))
        # A finished comparison is compared again too, so that its words are those of this version.
        found = compare_runs(config, made, copies, MeasuredCosts(predicted=predicted))
        row = describe(one, record, made, found, missing)
        row |= {"quiet_cores": quiet, "settings": _plain(config.to_dict())}
        results.mkdir(parents=True, exist_ok=True)
        if missing:
            write_archive(archive, last, made)
    if not missing:
        archive.unlink(missing_ok=True)
    (results / f"{one.name}.json").write_text(as_json(row), encoding="utf-8")
    if len(found.rungs) > 1:
        _draw(one, found, images)
    # The seeds of an exact fit share one folder.
    number, lacking = len(set(planned.values())), len({planned[key] for key in missing})
    return "finished" if not missing else f"{number - lacking} of {number} runs have finished"


def describe(
    one: Planned,
    record: AnyLadder,
    made: Sequence[FinishedRun],
    found: Comparison,
    missing: Sequence[Run],
) -> Row:
    """Return the results of a comparison without paths of this machine.

    Args:
        one: The comparison.
        record: The record of its folder.
        made: The finished runs, which may come from several machines.
        found: What has been compared.
        missing: The runs that have not finished.
    """
    protocol = record.data.protocol
    machines = [one.record.hardware.to_dict() for one in made]
    machines = [{key: machine[key] for key in MACHINE} for machine in machines]
    row = {
        "name": one.name,
        "command": one.command(),
        "missing": [{"rung": rung, "seed": seed} for rung, seed in missing],
        "started": record.started,
        "versions": record.versions,
        "machines": [one for number, one in enumerate(machines) if one not in machines[:number]],
        "data": {
            "name": record.data.name,
            "sha256": record.data.sha256,
            "rows": {split: origin.rows for split, origin in protocol.splits.items()},
            "labels": record.data.labels.to_dict()["names"],
        },
        "not_adapted": list(dict.fromkeys(one.run.rung for one in made if _is_unchanged(one))),
        "verdict": found.verdict.to_dict(),
        "chosen": found.chosen.to_dict(),
        "rungs": [_describe_rung(rung) for rung in found.rungs],
        "pairs": [pair.to_dict() for pair in found.pairs],
    }
    plain: Row = _plain(row)
    return plain


def _is_unchanged(one: FinishedRun) -> bool:
    """Return whether ``tapt`` kept the pretrained weights, because no epoch was better."""
    adapted = one.record.tapt
    return adapted is not None and bool(adapted.history[0].kept)


def _describe_rung(rung: RungRecord) -> Row:
    """Return a rung with the scores of its seeds, without their histories."""
    kept = rung.to_dict()
    for name in ("runs", "parameters"):
        del kept[name]
    return kept | {
        "trained": rung.parameters.trainable,
        "runs": [
            {
                "seed": run.seed,
                "test_accuracy": run.test.accuracy.value,
                "validation_accuracy": run.validation.accuracy.value,
                "kept_epoch": next((one.epoch for one in run.history if one.kept), None),
                "features": run.features,
                "seconds": run.cost.seconds,
                "peak_memory_bytes": run.peak_memory_bytes,
            }
            for run in rung.runs
        ],
    }


def _plain(value: Any) -> Any:
    """Return a JSON value with rounded numbers, and with names instead of absolute paths."""
    return _rounded(without_paths(value))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def as_json(row: Row) -> str:
    """Return a results file, in which each rung and each pair has a line of its own."""
    lines = []
    for key, value in row.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            items = ",\n  ".join(json.dumps(one, ensure_ascii=False) for one in value)
            text = f"[\n  {items}\n ]"
        lines.append(f' "{key}": {text}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def plot_name(one: Planned) -> str:
    """Return the name of the plot of a comparison."""
    return f"results_{one.name.replace('-', '_')}.png"


def _draw(one: Planned, found: Comparison, images: Path) -> None:
    """Draw the differences between the rungs, with few colours, so that the file is small."""
    with TemporaryDirectory() as scratch:
        plot, _ = draw_differences(found.rungs, found.verdict, Path(scratch), title=one.title)
        images.mkdir(parents=True, exist_ok=True)
        with Image.open(plot) as picture:
            small = picture.convert("RGB").quantize(COLOURS)
            small.save(images / plot_name(one), optimize=True)
