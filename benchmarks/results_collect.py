"""Collect the results of a comparison of `benchmarks.results` in a small file.

This module has no command of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from benchmarks.results import Planned
from thawline.compare.copies import Copies
from thawline.compare.plan import LadderRun, plan_runs
from thawline.compare.results import FinishedRun, MeasuredCosts
from thawline.compare.verdict import compare_runs
from thawline.config import LadderConfig
from thawline.config.resolve import build_config, change_config
from thawline.data import load
from thawline.errors import ThawlineError
from thawline.report.differences import draw_differences
from thawline.runs.layout import LADDER
from thawline.runs.records import (
    Comparison,
    FitRecord,
    LadderRecord,
    RungRecord,
    StartedLadder,
    read_record,
)

Row = dict[str, Any]

DIGITS = 6
"""The number of significant digits of the collected numbers."""

COLOURS = 64
"""The number of colours of a plot, which has few. The file is then a third as large."""


def collect(one: Planned, folder: Path, results: Path, images: Path, quiet: bool) -> str:
    """Write the results file and the plot of a comparison, as far as it has finished.

    Args:
        one: The comparison.
        folder: Its folder.
        results: The folder of the results files.
        images: The folder of the plots.
        quiet: Whether nothing else used the cores while the comparison ran.

    Returns:
        What was collected, in words.
    """
    if not (folder / LADDER).is_file():
        return "not started"
    record = read_record(folder / LADDER)
    if not isinstance(record, LadderRecord | StartedLadder):
        raise ThawlineError(f"a comparison in '{folder}'", "a run", "choose another --out")
    config = change_config(build_config(record.config, config_type=LadderConfig), ())
    # What is missing is counted from the plan, whatever the last start of the folder wanted.
    config = replace(config, rungs=one.rungs, seeds=tuple(range(one.seeds)))
    runs = plan_runs(config, folder)
    missing = [run for run in runs if not isinstance(run.read(), FitRecord)]
    if len(missing) == len(runs):
        return "no run has finished"
    found = _compare_finished(config, runs, record)
    row = describe(one, record, found, missing)
    row |= {"quiet_cores": quiet, "settings": _plain(config.to_dict())}
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{one.name}.json").write_text(as_json(row), encoding="utf-8")
    if len(found.rungs) > 1:
        _draw(one, found, images)
    # The seeds of an exact fit share one folder.
    planned, lacking = (len({run.folder for run in some}) for some in (runs, missing))
    return "finished" if not missing else f"{planned - lacking} of {planned} runs have finished"


def _compare_finished(
    config: LadderConfig, runs: Sequence[LadderRun], record: LadderRecord | StartedLadder
) -> Comparison:
    """Compare the finished runs, even if the comparison has not finished.

    A finished comparison is compared again too, so that its words are those of this version.
    """
    made = [
        FinishedRun.read(run, read) for run in runs if isinstance(read := run.read(), FitRecord)
    ]
    copies = Copies.of(load(config.fit.data))
    return compare_runs(config, made, copies, MeasuredCosts(predicted=record.predicted))


def describe(
    one: Planned,
    record: LadderRecord | StartedLadder,
    found: Comparison,
    missing: Sequence[LadderRun],
) -> Row:
    """Return the results of a comparison without paths of this machine.

    Args:
        one: The comparison.
        record: The record of its folder.
        found: What has been compared.
        missing: The runs that have not finished.
    """
    protocol = record.data.protocol
    hardware = record.hardware.to_dict()
    row = {
        "name": one.name,
        "command": one.command(),
        "missing": [{"rung": run.rung, "seed": run.seed} for run in missing],
        "started": record.started,
        "versions": record.versions,
        "hardware": {key: value for key, value in hardware.items() if key != "platform"},
        "data": {
            "name": record.data.name,
            "sha256": record.data.sha256,
            "rows": {split: origin.rows for split, origin in protocol.splits.items()},
            "labels": record.data.labels.to_dict()["names"],
        },
        "verdict": found.verdict.to_dict(),
        "chosen": found.chosen.to_dict(),
        "rungs": [_describe_rung(rung) for rung in found.rungs],
        "pairs": [pair.to_dict() for pair in found.pairs],
    }
    plain: Row = _plain(row)
    return plain


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
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value


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
