"""Simulate how often verdicts about strategies are right.

Run it from the root of the repository, in the environment of ``make install``. It has three parts::

    python -m benchmarks.verdicts coverage
    python -m benchmarks.verdicts fits --cache FOLDER --data imdb
    python -m benchmarks.verdicts resample --cache FOLDER
    python -m benchmarks.verdicts --table docs/verdicts.md

- ``coverage`` simulates two strategies with known accuracies, and counts how often the interval of
  their difference contains the true difference.
- ``fits`` fits four strategies on the training rows of ``thawline demo`` with many seeds, and keeps
  the logits of all test texts in a folder. It takes one to two minutes for each fit on two cores.
- ``resample`` takes these fits and texts for all seeds and texts there are. It draws small test
  sets and a few seeds from them, and counts how often verdicts are wrong or undecided.

Each part continues where it was stopped, and ``--json`` names the file of the results. The last
command writes them into a page of the documentation.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from benchmarks.pages import write_table
from benchmarks.verdicts_copies import CopiesCase, RunCase, simulate_copies, simulate_run
from benchmarks.verdicts_fits import (
    LABELS,
    RUNGS,
    file_of,
    fit_all,
    name_of,
    read_logits,
    test_texts,
)
from benchmarks.verdicts_report import tables
from benchmarks.verdicts_trials import (
    MARGIN,
    CoverageCase,
    Pool,
    RareCase,
    describe_pool,
    resample_choices,
    resample_itself,
    resample_verdicts,
    simulate_coverage,
    simulate_rare,
)
from thawline.runtime import hardware

RESULTS = Path(__file__).parent / "results" / "verdicts.json"

COVERAGE_CASES = [
    *(
        CoverageCase(seeds, texts, ratio, 2, difference)
        for seeds, texts, ratio, difference in product(
            (3, 5), (500, 2_000, 10_000, 25_000), (0.0, 0.25, 1.0, 4.0), (0.0, 0.02)
        )
    ),
    # One of the two does not depend on the seed, such as an exact fit.
    *(
        CoverageCase(seeds, texts, ratio, 1, 0.0)
        for seeds, texts, ratio in product((3, 5), (2_000, 25_000), (1.0, 4.0))
    ),
]

COPIES_CASES = [
    CopiesCase(*seeds, share, times)
    for seeds, (share, times) in product(
        ((1, 1_000, 0.0), (1, 4_000, 0.0), *product((3,), (1_000, 4_000), (0.0, 1.0))),
        ((0.0, 2), (0.1, 2), (0.1, 10), (0.4, 2), (0.4, 10)),
    )
]

RUN_CASES = [
    RunCase(rows, *copies, *accuracies)
    for copies, accuracies, rows in product(
        ((0.0, 2), (0.1, 2), (0.1, 10), (0.4, 2), (0.4, 10)),
        ((0.85, 0.85), (0.60, 0.95)),
        (200, 1_000, 4_000),
    )
    if copies[0] or accuracies[0] == accuracies[1]
]

RARE_CASES = [
    *(
        RareCase(texts, differing, one_way)
        for one_way, differing, texts in product(
            (False, True), (0.5, 1.0, 2.0, 5.0, 10.0), (500, 2_000, 10_000)
        )
    ),
    # The true difference is the margin.
    *(RareCase(texts, MARGIN * texts, True) for texts in (600, 1_000, 2_000, 5_000, 10_000)),
]

SIZES = (500, 2_000, 10_000)
"""The numbers of test texts."""

VALIDATION_SIZES = (300, 1_000, 5_000)
"""The numbers of validation texts."""

SEEDS = (1, 3, 5)
"""The numbers of seeds."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("part", nargs="?", choices=["coverage", "fits", "resample"], help="The part to run")
    add("--cache", type=Path, metavar="FOLDER", help="Folder of the logits of the fits")
    add("--data", default="imdb", help="Data set whose test split stands for all texts")
    add("--texts", type=int, metavar="N", help="Number of test texts. If omitted, all")
    add("--seeds", type=int, default=20, help="Number of seeds that stand for all seeds")
    add("--runs", type=int, default=1_000, help="Number of simulated comparisons in each case")
    add("--json", type=Path, default=RESULTS, metavar="FILE", help="File of the results")
    add("--table", type=Path, metavar="PAGE", help="Page whose tables are written")
    options = parser.parse_args(words)
    if options.part in ("fits", "resample") and options.cache is None:
        parser.error("--cache is needed")
    return options


class Results:
    """All results so far, which are written to the file after each addition."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.found: dict[str, Any] = {}
        if file.exists():
            self.found = json.loads(file.read_text(encoding="utf-8"))

    def rows(self, part: str) -> list[dict[str, Any]]:
        """Return the results of a part."""
        rows: list[dict[str, Any]] = self.found.setdefault(part, [])
        return rows

    def has(self, part: str, **identity: Any) -> bool:
        """Return whether a part has a result with these values."""
        return any(identity.items() <= row.items() for row in self.rows(part))

    def write(self, part: str, row: dict[str, Any] | None = None) -> None:
        """Add a result to a part, and write all of them to the file."""
        if row is not None:
            self.rows(part).append(row)
        self.found |= {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "hardware": hardware.describe_machine(),
            "versions": hardware.versions(),
        }
        temporary = self._file.with_name(f".{self._file.name}.tmp")
        temporary.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self._file)
        print(f"{part}: {row}", file=sys.stderr, flush=True)


def measure_coverage(results: Results, runs: int) -> None:
    """Simulate the cases of the coverage that are missing."""
    parts: list[tuple[str, Sequence[Any], Callable[[Any, int], dict[str, Any]]]] = [
        ("coverage", COVERAGE_CASES, simulate_coverage),
        ("rare", RARE_CASES, simulate_rare),
        ("copies", COPIES_CASES, simulate_copies),
        ("copies_of_a_run", RUN_CASES, simulate_run),
    ]
    for part, cases, simulate in parts:
        for case in cases:
            if not any(row["case"] == case._asdict() for row in results.rows(part)):
                results.write(part, simulate(case, runs))


def read_pool(folder: Path, seeds: int) -> Pool:
    """Read the fits of a folder. Seeds that any strategy lacks are left out."""
    labels = load_file(folder / LABELS)["test"]
    complete = [
        seed for seed in range(seeds) if all(file_of(folder, rung, seed).exists() for rung in RUNGS)
    ]
    pool: Pool = {}
    for rung in RUNGS:
        # An exact fit has one file for all seeds.
        files = dict.fromkeys(file_of(folder, rung, seed) for seed in complete)
        pool[name_of(rung)] = np.stack([read_logits(file).argmax(1) == labels for file in files])
    return pool


def resample(results: Results, pool: Pool, runs: int) -> None:
    """Simulate the verdicts that are missing."""
    described = describe_pool(pool)
    if results.rows("strategies") != described:  # more fits than before
        for part in ("verdicts", "itself", "choices"):
            results.found[part] = []
        results.found["strategies"] = described
        results.write("strategies")
    for texts, seeds in product(VALIDATION_SIZES, SEEDS):
        if not results.has("choices", texts=texts, seeds=seeds):
            results.write("choices", resample_choices(pool, texts, seeds, runs))
    for texts, seeds in product(SIZES, SEEDS):
        if not results.has("verdicts", texts=texts, seeds=seeds):
            results.write("verdicts", resample_verdicts(pool, texts, seeds, runs))
        for strategy, flags in pool.items():
            enough = len(flags) >= 2 * seeds
            if enough and not results.has("itself", strategy=strategy, texts=texts, seeds=seeds):
                row = resample_itself(pool, strategy, texts, seeds, runs)
                results.write("itself", row)


def main(words: list[str] | None = None) -> None:
    options = parse(words)
    results = Results(options.json)
    if options.part == "coverage":
        measure_coverage(results, options.runs)
    elif options.part == "fits":
        test = test_texts(options.data, options.texts)
        fit_all(options.cache, range(options.seeds), test)
    elif options.part == "resample":
        resample(results, read_pool(options.cache, options.seeds), options.runs)
    if options.table is not None:
        for name, text in tables(results.found).items():
            write_table(options.table, name, text)


if __name__ == "__main__":
    main()
