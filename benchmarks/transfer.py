"""From scratch or from another task's classifier: accuracy by epoch and by labelled rows.

Run it from the repository's root, in the environment of ``make install`` with the vectors' extra;
the source, a run on news, is made where it is not there::

    python -m benchmarks.transfer runs/ag_news --data imdb --rows 100 1000 5000 all \
        --epochs 20 10 5 3 --seeds 0 1 2 --jobs 4 --json transfer.json --plot docs/images

Four systems, and the fourth in both its ways: a new encoder on random vectors (``random``) and on
GloVe's (``glove``), the source with all of its weights trained (``full``), and the source with the
final layer alone, by epochs (``head``) and to its optimum (``exact``). Whatever the number of train
rows, all are scored on the same test rows, but ``all`` on the whole test split. A seed draws the
first weights and the order of texts; the source is one run, whatever the seed, and the optimum
depends on none.

Each fit is a process of its own with an empty store, or with ``--home`` one that all share. Its
result is written as soon as it is there, and a result that the file holds is not computed again.
Where validation would be too few rows to choose an epoch by, the last one is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import NamedTuple

from benchmarks.transfer_report import ALL, Group, Result, accuracy_of, draw, number, table
from thawline.config import FEW_TO_CHOOSE, ComputeConfig, DataConfig, TrainingConfig
from thawline.runtime import hardware

SYSTEMS = {
    "random": "from scratch, random vectors",
    "glove": "from scratch, GloVe",
    "full": "transferred, whole model",
    "head": "transferred, final layer",
    "exact": "transferred, final layer, exact",
}
TRANSFERRED = ("full", "head", "exact")
"""The systems that start from the source."""

KEPT = (
    *("strategy", "line", "head", "pooling", "features", "max_length", "epochs", "lr"),
    *("parameters", "seconds", "history", "kept", "baseline", "validation", "test"),
    "peak_memory_bytes",
)
"""What the results keep of a run's record."""


class Cell(NamedTuple):
    """One fit."""

    rows: str
    epochs: int
    system: str
    seed: int


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments; ``words`` are those of the command line unless given."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="the run to start from; made if need be")
    add("--data", default="imdb", help="a folder, a file, a set's name or a hub id")
    add("--labels", help="names of the labels, separated by commas")
    add("--rows", nargs="+", default=["100", "1000", "5000", ALL], help="of train")
    add("--test-rows", type=int, default=25_000, help="the same for all")
    add("--epochs", type=int, nargs="+", default=[3], help="one number for each of --rows, or one")
    add("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--random", default="glove --vectors random", metavar="WORDS", help="after --backbone")
    add("--glove", default="glove", metavar="WORDS", help="after --backbone")
    add("--source-data", default="ag_news", help="what the source is trained on")
    add("--source-rows", default="60000,7600", metavar="N,M", help="of it; all: every row")
    add("--source-epochs", type=int, default=3)
    add("--batch-size", type=int, default=TrainingConfig.batch_size)
    add("--device", default=ComputeConfig.device)
    add("--dtype", default=ComputeConfig.dtype)
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every fit")
    add("--more", action="append", default=[], metavar="SYSTEM=WORDS", help="of one system's fits;"
        " the source's are those of glove")  # fmt: skip
    add("--jobs", type=int, default=1, help="fits at once, which share the cores")
    add("--home", type=Path, help="of one store for all; without it each fit has an empty one")
    add("--json", type=Path, metavar="FILE", help="of all results; those in it are not run again")
    add("--plot", type=Path, metavar="FOLDER", help="draw curves and rows there")
    options = parser.parse_args(words)
    if len(options.epochs) not in (1, len(options.rows)):
        parser.error("--epochs takes one number, or as many as --rows")
    return options


def cells(options: argparse.Namespace) -> list[Cell]:
    """Return every fit; those on the most rows first, so that the cores end together."""
    numbers = options.epochs * len(options.rows) if len(options.epochs) == 1 else options.epochs
    sizes = sorted(zip(options.rows, numbers, strict=True), key=lambda size: -number(size[0]))
    return [
        Cell(rows, epochs, system, seed)
        for (rows, epochs), seed, system in product(sizes, options.seeds, options.systems)
        if system != "exact" or seed == options.seeds[0]  # its optimum depends on no seed
    ]


def common(options: argparse.Namespace) -> list[str]:
    """Return what every `thawline fit` here has in common."""
    words = ["--device", options.device, "--dtype", options.dtype]
    words += ["--batch-size", str(options.batch_size)]
    return [*words, *(word for setting in options.set for word in ("--set", setting))]


def further(options: argparse.Namespace, system: str) -> list[str]:
    """Return the words of one system alone."""
    pairs = [more.partition("=") for more in options.more]
    return [word for name, _, words in pairs if name == system for word in shlex.split(words)]


def start(options: argparse.Namespace, system: str) -> list[str]:
    """Return what a system starts from and trains by."""
    if system in TRANSFERRED:
        return [
            "--backbone",
            str(options.source),
            "--strategy",
            "head" if system != "full" else system,
        ]
    return ["--backbone", *shlex.split(getattr(options, system)), "--strategy", "full"]


def command(cell: Cell, options: argparse.Namespace) -> list[str]:
    """Return the `thawline fit` of a cell, as it can be repeated."""
    words = ["fit", "--data", options.data]
    words += ["--labels", options.labels] if options.labels else []
    words += [] if cell.rows == ALL else ["--limit", f"{cell.rows},{options.test_rows}"]
    words += ["--seed", str(cell.seed), *start(options, cell.system)]
    words += [] if cell.system == "exact" else ["--epochs", str(cell.epochs)]
    if number(cell.rows) * DataConfig.validation_share < FEW_TO_CHOOSE:
        words += ["--set", "training.keep=last"]
    return [*words, *common(options), *further(options, cell.system)]


def source_command(options: argparse.Namespace) -> list[str]:
    """Return the `thawline fit` of the source, which goes on where it was stopped."""
    words = ["fit", "--data", options.source_data]
    words += [] if options.source_rows == ALL else ["--limit", options.source_rows]
    words += [*start(options, "glove"), "--epochs", str(options.source_epochs)]
    return [*words, *common(options), *further(options, "glove")]


def fit(words: list[str], out: Path | None, options: argparse.Namespace) -> Result:
    """Run `thawline` in a process of its own, in a folder that is gone afterwards unless given.

    Raises:
        RuntimeError: it failed, with the last line that it wrote.
    """
    shared = options.jobs if out is None else min(options.jobs, 2)  # others wait for the source
    cores = max(1, (os.cpu_count() or 1) // shared)
    with tempfile.TemporaryDirectory(prefix="transfer_") as folder:
        scratch = Path(folder)
        home = scratch / "home" if options.home is None else options.home.absolute()
        where = ["--out", str(scratch / "run")] if out is None else ["--resume", "--out", str(out)]
        begun = time.perf_counter()
        finished = subprocess.run(
            [sys.executable, "-m", "thawline", *words, *where, "--json"],
            env={"OMP_NUM_THREADS": str(cores)} | os.environ | {"THAWLINE_HOME": str(home)},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        seconds = time.perf_counter() - begun
    if finished.returncode:
        raise RuntimeError((finished.stderr.strip().splitlines() or ["no message"])[-1])
    record = json.loads(finished.stdout)
    counted = {name: len(rows) for name, rows in record["data"]["rows"].items()}
    return {
        "command": shlex.join(["thawline", *words]),
        "process_seconds": seconds,
        "jobs": options.jobs,
        "rows": counted,
        "record": {name: record.get(name) for name in KEPT},
    }


def run_cell(cell: Cell, options: argparse.Namespace) -> Result:
    """Fit one cell."""
    named = {"system": cell.system, "train_rows": cell.rows, "seed": cell.seed}
    return named | fit(command(cell, options), None, options)


def run_source(options: argparse.Namespace) -> Result:
    """Make the source, or go on with it; of one that is finished only the record is read."""
    return {"system": "source"} | fit(source_command(options), options.source, options)


class Results:
    """All results, in a file whenever one is added."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._file = options.json
        self.found: list[Result] = []
        if self._file is not None and self._file.exists():
            self.found = json.loads(self._file.read_text(encoding="utf-8"))["results"]
        self._made_on = {
            "config": {
                key: str(value) if isinstance(value, Path) else value
                for key, value in vars(options).items()
                if key not in ("json", "plot")
            },
            "hardware": hardware.describe_machine(),
            "versions": hardware.versions(),
        }

    def of(self, words: list[str]) -> Result | None:
        """Return the result of a command; None: there is none yet."""
        written = shlex.join(["thawline", *words])
        return next((one for one in self.found if one["command"] == written), None)

    def add(self, result: Result) -> None:
        """Add a result, and write all to the file."""
        self.found.append(result)
        if self._file is None:
            return
        whole = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **self._made_on,
            "results": self.found,
        }
        temporary = self._file.with_name(f".{self._file.name}.tmp")
        temporary.write_text(json.dumps(whole, indent=1), encoding="utf-8")
        temporary.replace(self._file)


def measure(options: argparse.Namespace, results: Results) -> list[str]:
    """Run what is missing, several fits at once; return what failed, a line each.

    What starts from scratch does not wait for the source.
    """
    missing = [cell for cell in cells(options) if results.of(command(cell, options)) is None]
    waiting = [cell for cell in missing if cell.system in TRANSFERRED]
    failed: list[str] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        pending: dict[Future[Result], Cell | None] = {}
        if waiting:
            pending[pool.submit(run_source, options)] = None
        for cell in missing:
            if cell not in waiting:
                pending[pool.submit(run_cell, cell, options)] = cell
        while pending:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                done = pending.pop(future)
                try:
                    result = future.result()
                except RuntimeError as error:
                    failed.append(f"{shown(done)}: {error}")
                    continue
                if results.of(shlex.split(result["command"])[1:]) is None:
                    results.add(result)
                value, seconds = accuracy_of(result), result["process_seconds"]
                print(f"{shown(done)}: {value:.4f} in {seconds:.0f} s", file=sys.stderr, flush=True)
                for cell in waiting if done is None else ():
                    pending[pool.submit(run_cell, cell, options)] = cell
    return failed


def shown(cell: Cell | None) -> str:
    """Return a cell in words; None: the source."""
    return (
        "the source"
        if cell is None
        else f"{SYSTEMS[cell.system]}, {cell.rows} rows, seed {cell.seed}"
    )


def grouped(options: argparse.Namespace, results: Results) -> list[Group]:
    """Return what there is of each number of rows and system, the fewest rows first."""
    every = cells(options)
    found: list[Group] = []
    for rows, system in dict.fromkeys((cell.rows, cell.system) for cell in every):
        own = [cell for cell in every if (cell.rows, cell.system) == (rows, system)]
        there = [results.of(command(cell, options)) for cell in own]
        seeds = [one for one in there if one is not None]
        if seeds:
            found.append(Group(rows, SYSTEMS[system], seeds))
    return sorted(found, key=lambda group: number(group.rows))


def main(words: list[str] | None = None) -> None:
    """Run every fit that is missing, print the table and draw the pictures."""
    options = parse(words)
    results = Results(options)
    failed = measure(options, results)
    groups = grouped(options, results)
    print(table(groups))
    if options.plot is not None and groups:
        draw(groups, options.plot, name=Path(options.data).stem)
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
