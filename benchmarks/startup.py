"""Measure how long the commands take to start, and which heavy packages they import.

Run it from the repository's root::

    python -m benchmarks.startup --repeats 5

Every command runs in a fresh process on a tiny run of the packaged model, so that nearly all of its
time is start-up. The processes of one repeat run one after the other, in the same order in every
repeat, so that a busy machine slows them alike. Two scripts that only import torch and transformers
run among them for comparison: without the code that every model of transformers needs, and with it.

CPU seconds are those of the whole process, from its first instruction to its end, including its
child processes. They need a POSIX system; on Windows they are 0.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

PACKAGES = {
    "sklearn": "scikit-learn",
    **{name: name for name in ("pandas", "scipy", "matplotlib", "datasketch")},
    **{name: name for name in ("peft", "datasets", "pyarrow")},
}
"""The heavy packages by the name of their module, besides torch and transformers."""

TEXT = "A warm, funny film with a wonderful cast."
FIT = ("--data", "thawline/reviews", "--limit", "60,20", "--max-length", "64")

SCRIPTS = {
    "import": "import torch, transformers",
    "import-model": "import torch, transformers.modeling_utils",
}
"""Scripts to compare with: without and with the code that every model of transformers needs."""

COMMANDS = {
    "help": ("--help",),
    "info": ("info",),
    "predict": ("predict", "run", TEXT),
    "evaluate": ("evaluate", "run"),
    "fit": ("fit", *FIT, "--out", "{new}"),
}
"""The commands to measure; ``{new}`` stands for a folder that does not exist yet."""

PROBE = """
import atexit, json, os, sys
def report():
    with open(os.environ["STARTUP_REPORT"], "w", encoding="utf-8") as file:
        json.dump(list(sys.modules), file)
atexit.register(report)
"""
"""Code that lets a process report the modules that it imported when it ends."""

RUN_COMMAND = "from thawline.cli import program; sys.argv[0] = 'thawline'; program()"


@dataclass
class Measurement:
    """What the processes of one command or script took.

    Attributes:
        shown: The command as a user writes it.
        seconds: Wall-clock seconds of each process.
        cpu_seconds: CPU seconds of each process, with those of its child processes.
        packages: The heavy packages that it imported.
    """

    shown: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the medians, for a JSON file."""
        return {
            "command": self.shown,
            "seconds": round(median(self.seconds), 3),
            "cpu_seconds": round(median(self.cpu_seconds), 3),
            "packages": self.packages,
        }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = (*SCRIPTS, *COMMANDS)
    parser.add_argument("--repeats", type=int, default=5, help="processes of each; default: 5")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="what to measure")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args(arguments)


@dataclass(frozen=True)
class Finished:
    """A process that has ended.

    Attributes:
        seconds: Its wall-clock seconds.
        cpu_seconds: Its CPU seconds, with those of its child processes.
        modules: The names of the modules that it imported.
    """

    seconds: float
    cpu_seconds: float
    modules: frozenset[str]


def run_process(code: str, arguments: Sequence[str], folder: Path) -> Finished:
    """Run code in a fresh process.

    Args:
        code: The Python code.
        arguments: The command-line arguments that it sees.
        folder: The working directory, which also holds the store.

    Raises:
        SystemExit: If the process fails.
    """
    report = folder / "report.json"
    environment = os.environ | {
        "STARTUP_REPORT": str(report),
        "THAWLINE_HOME": str(folder / "home"),
        "HF_HUB_OFFLINE": "1",
    }
    cpu_before, start = _cpu_of_children(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PROBE + code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join((code, *arguments))} failed:\n{done.stderr}")
    modules = json.loads(report.read_text(encoding="utf-8"))
    return Finished(seconds, _cpu_of_children() - cpu_before, frozenset(modules))


def _cpu_of_children() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def measure(names: Sequence[str], repeats: int, folder: Path) -> dict[str, Measurement]:
    """Measure scripts and commands in turn.

    Args:
        names: Keys of `SCRIPTS` and `COMMANDS`.
        repeats: The number of processes of each.
        folder: An empty working directory.
    """
    if {"predict", "evaluate", "fit"} & set(names):
        run_process(RUN_COMMAND, ("fit", *FIT, "--out", "run"), folder)  # this fills the store
    found = {name: Measurement(shown_as(name)) for name in names}
    for repeat in range(repeats):
        for name, measurement in found.items():
            code, arguments = SCRIPTS.get(name, RUN_COMMAND), COMMANDS.get(name, ())
            given = [argument.format(new=f"run-{repeat}") for argument in arguments]
            process = run_process(code, given, folder)
            measurement.seconds.append(process.seconds)
            measurement.cpu_seconds.append(process.cpu_seconds)
            modules = PACKAGES.keys() & process.modules
            measurement.packages = sorted(PACKAGES[module] for module in modules)
    return found


def shown_as(name: str) -> str:
    """Return a command or script as a user writes it."""
    if name in SCRIPTS:
        return SCRIPTS[name]
    shown = {"predict": "predict RUN TEXT", "evaluate": "evaluate RUN", "help": "--help"}
    return f"thawline {shown.get(name, name)}"


def print_table(found: dict[str, Measurement]) -> None:
    """Print the medians, and how much CPU time each command takes beyond the scripts."""
    scripts = {name: median(found[name].cpu_seconds) for name in SCRIPTS if name in found}
    beyond = [f"beyond {name}" for name in scripts]
    table = Table("command", "seconds", "CPU seconds", *beyond, "heavy packages")
    for measurement in found.values():
        cpu = median(measurement.cpu_seconds)
        differences = [f"{cpu - seconds:+.2f}" for seconds in scripts.values()]
        row = (f"{median(measurement.seconds):.2f}", f"{cpu:.2f}", *differences)
        table.add_row(measurement.shown, *row, ", ".join(measurement.packages))
    Console().print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.only, options.repeats, Path(folder))
    if options.json:
        print(json.dumps({name: one.to_dict() for name, one in found.items()}, indent=1))
    else:
        print_table(found)


if __name__ == "__main__":
    main()
