"""Write the tables of docs/results.md and README.md from the results of `benchmarks.results`.

This module has no command of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.pages import write_table
from benchmarks.results import LADDER, Planned
from benchmarks.results_collect import plot_name
from thawline.report.ladder import short_count
from thawline.report.tables import MISSING

Row = dict[str, Any]

COLUMNS = (
    *("strategy", "seeds", "accuracy, %", "macro F1, %", "below the best", "decision"),
    *("trained", "seconds", "peak memory"),
)

WIDTH = 92
"""The largest number of characters of a line of a command."""

BUSY = (
    " Other programs used the cores at the same time, so the seconds are upper bounds and the "
    "order of the strategies by cost is uncertain."
)


OVERVIEW = (
    "Test accuracy in per cent and seconds, both as means over the seeds. The seconds are those of "
    "a run alone with an empty store. Bold: within 1 point of the best. A question mark: "
    "undecided. The others are worse."
)

ABSENT = "A dash: no run has finished."

ASTERISK = r" \*"
"""The mark of a set whose runs have not all finished."""

UNFINISHED = "An asterisk: not all seeds of the set have finished."


def write_pages(page: Path, readme: Path, planned: Sequence[Planned], results: Path) -> None:
    """Write the tables of all comparisons into two pages.

    Args:
        page: The page with all tables, between the comments ``<!-- comparisons -->`` and
            ``<!-- /comparisons -->``.
        readme: The page with the overview alone, between ``<!-- overview -->`` and
            ``<!-- /overview -->``.
        planned: The comparisons.
        results: The folder of the results files.
    """
    found = read_results(planned, results)
    write_table(page, "comparisons", sections(planned, found))
    write_table(readme, "overview", overview(found))


def read_results(planned: Sequence[Planned], results: Path) -> dict[Planned, Row]:
    """Return the results of the comparisons that have any."""
    files = {one: results / f"{one.name}.json" for one in planned}
    return {
        one: json.loads(file.read_text(encoding="utf-8"))
        for one, file in files.items()
        if file.exists()
    }


def sections(planned: Sequence[Planned], found: Mapping[Planned, Row]) -> str:
    """Return an overview, a section for each comparison with results, and those without."""
    parts = [f"## Overview\n\n{overview(found)}"] if found else []
    parts += [section(one, row) for one, row in found.items()]
    absent = [f"- {one.title}: `{one.name}`" for one in planned if one not in found]
    if absent:
        listed = "\n".join(absent)
        parts.append(
            "## Not measured yet\n\nThe command at the top of this page also makes these "
            f"comparisons. No run of theirs has finished:\n\n{listed}"
        )
    return "\n\n".join(parts)


def overview(found: Mapping[Planned, Row]) -> str:
    """Return a table with the accuracy of each strategy on each set, below its explanation."""
    sets = {
        f"{one.title}{ASTERISK * bool(row['missing'])}": {
            rung["rung"]: _decided_accuracy(rung) for rung in row["rungs"]
        }
        for one, row in found.items()
    }
    lines = [("strategy", *sets), ("---", *["--:"] * len(sets))]
    lines += [
        (f"`{rung}`", *(cells.get(rung, MISSING) for cells in sets.values())) for rung in LADDER
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    is_absent = any(MISSING in line for line in lines)
    is_unfinished = any(row["missing"] for row in found.values())
    notes = [OVERVIEW, *[ABSENT] * is_absent, *[UNFINISHED] * is_unfinished]
    return f"{' '.join(notes)}\n\n{table}"


def _decided_accuracy(rung: Row) -> str:
    """Return the accuracy and the seconds of a strategy, with marks for its decision."""
    value = f"{100 * rung['test']['accuracy']['value']:.1f}"
    decision = rung["standing"]["decision"]
    marked = {"within": f"**{value}**", "undecided": f"{value} ?"}.get(decision, value)
    return f"{marked} ({_seconds(rung)} s)"


def section(one: Planned, row: Row) -> str:
    """Return the section of a comparison: command, table, verdict, run to use and plot."""
    rows, versions = row["data"]["rows"], row["versions"]
    splits = f"{rows['train']:,} train, {rows['validation']:,} validation and {rows['test']:,} test"
    machines = " and ".join(map(_machine, row["machines"]))
    busy = "" if row["quiet_cores"] else BUSY
    parts = [
        f"## {one.title}",
        f"```\n{wrapped(row['command'])}\n```",
        f"{splits} texts. Started on {row['started'][:10]} with torch {versions['torch']} on "
        f"{machines}.{busy}",
    ]
    if row["missing"]:
        parts.append(f"Not finished: {missing_runs(row['missing'], one.seeds)}. {_valid_now(row)}")
    parts.append(table(row["rungs"]))
    parts += [
        f"`{rung}`: no epoch of `tapt` lowered the loss on the held-out texts, so the pretrained "
        "weights were kept."
        for rung in row["not_adapted"]
    ]
    parts.append(f"**Verdict:** {row['verdict']['words']}")
    chosen = row["chosen"]
    parts.append(
        f"**To use:** `{chosen['rung']}` with seed {chosen['seed']}, chosen on validation "
        f"({100 * chosen['score']:.1f} %): the cheapest within one standard error of the highest."
    )
    if len(row["rungs"]) > 1:
        parts.append(f"![Differences between the strategies: {one.title}](images/{plot_name(one)})")
    return "\n\n".join(parts)


def _machine(machine: Row) -> str:
    """Return the cores and the processor of a machine, as "2 cores (AMD EPYC with AVX2)"."""
    if machine["gpu"] is not None:
        return str(machine["gpu"])
    used = "" if machine["instructions"] is None else f" with {machine['instructions']}"
    return f"{machine['cores']} cores ({machine['cpu']}{used})"


def wrapped(command: str) -> str:
    """Return a command with line breaks between its options."""
    lines: list[str] = []
    # An option and its value stay together.
    for part in re.split(r" (?=-)", command):
        if lines and len(f"{lines[-1]} {part}") <= WIDTH:
            lines[-1] += f" {part}"
        else:
            lines.append(f"    {part}" if lines else part)
    return " \\\n".join(lines)


def _valid_now(row: Row) -> str:
    """Say what the verdict of an unfinished comparison holds for."""
    if row["verdict"]["about"] == "models":
        return "The verdict holds for these fitted models."
    return "The verdict holds for what has finished."


def missing_runs(missing: Sequence[Row], seeds: int) -> str:
    """Return the runs that have not finished, as "`full` (seeds 1, 2), `tapt+full`".

    Args:
        missing: The rung and the seed of each such run.
        seeds: The number of planned seeds. A rung without any finished run is named without them.
    """
    named = []
    for rung, runs in groupby(missing, key=lambda run: str(run["rung"])):
        lacking = [str(run["seed"]) for run in runs]
        which = f" (seed{'s' * (len(lacking) > 1)} {', '.join(lacking)})"
        named.append(f"`{rung}`{which if len(lacking) < seeds else ''}")
    return ", ".join(named)


def table(rungs: Sequence[Row]) -> str:
    """Return the table of the strategies of a comparison."""
    lines = [COLUMNS, ("---", *["--:"] * (len(COLUMNS) - 1))]
    for rung in rungs:
        standing = rung["standing"]
        lines.append(
            (
                f"`{rung['rung']}`",
                str(len(rung["runs"])),
                _accuracy(rung["test"]["accuracy"]),
                f"{100 * rung['test']['f1_macro']['value']:.1f}",
                _below(standing),
                standing["decision"],
                short_count(rung["trained"]),
                _seconds(rung),
                f"{rung['peak_memory_bytes'] / 1e9:.1f} GB",
            )
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seconds(rung: Row) -> str:
    """Return the seconds of a run that is alone and has an empty store."""
    seconds = rung["cost"]["seconds"]
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.1f}"


def _accuracy(score: Row) -> str:
    """Return an accuracy with its interval, and with its standard deviation if seeds differ."""
    value, low, high = (f"{100 * score[name]:.1f}" for name in ("value", "low", "high"))
    spread = f" ± {100 * score['deviation']:.1f}" if score["deviation"] else ""
    return f"{value}{spread} ({low} to {high})"


def _below(standing: Row) -> str:
    """Return how many points a strategy is below the best other one, with simultaneous bounds."""
    if standing["below_best"] is None:
        return MISSING
    ends = (standing["below_best"]["value"], -standing["upper_bound"], -standing["lower_bound"])
    value, low, high = (f"{100 * end:z.1f}" for end in ends)
    return f"{value} ({low} to {high})"
