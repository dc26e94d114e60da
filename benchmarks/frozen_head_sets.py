"""Compare a head on a frozen backbone with TF-IDF, and with both side by side, on the same splits.

Run it from the root of the repository, in the environment of ``make install``::

    python benchmarks/frozen_head_sets.py thawline/reviews=neg,pos ag_news --json sets.json

It prints a row for each data set: the rows, and the test accuracy, the macro F1 and the seconds of
the strategies ``head``, ``tfidf`` and ``head+tfidf``.

It needs the data sets, as local copies or from the hub. Label names follow a ``=`` if the labels
are integers without names.

Each `thawline fit` runs in a new process. Every strategy chooses its settings on the validation
split and uses the test split once. ``head+tfidf`` reads the states that ``head`` has stored.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thawline.runtime import hardware

Result = dict[str, Any]

STRATEGIES = ("head", "tfidf", "head+tfidf")
"""The strategies, in the order in which they run."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "sets", nargs="+", metavar="SET[=NAMES]", help="Data sets: paths, names or hub ids"
    )
    parser.add_argument("--backbone", default="minilm", help="Backbone, as for `thawline fit`")
    parser.add_argument(
        "--limit", metavar="N,M", help="Number of train and test rows. If omitted, all rows"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="File for all results. If omitted, none is written"
    )
    return parser.parse_args(words)


def thawline_command(
    name: str, names: str, strategy: str, arguments: argparse.Namespace, out: Path
) -> list[str]:
    """Return the arguments of the `thawline fit` of one data set with one strategy."""
    command = ["fit", "--data", name, "--strategy", strategy]
    command += [] if strategy == "tfidf" else ["--backbone", arguments.backbone]
    command += ["--labels", names] if names else []
    command += ["--limit", arguments.limit] if arguments.limit else []
    return [*command, "--out", str(out), "--json"]


def fit(command: list[str]) -> Result:
    """Fit a strategy in a new process and return its results."""
    start = time.perf_counter()
    finished = subprocess.run(
        [sys.executable, "-m", "thawline", *command], stdout=subprocess.PIPE, check=True
    )
    record = json.loads(finished.stdout)
    return {
        "command": ["thawline", *command[:-3]],
        "set": record["data"]["name"],
        "rows": {part: len(rows) for part, rows in record["data"]["rows"].items()},
        "classes": record["labels"]["names"],
        "accuracy": record["test"]["accuracy"],
        "f1_macro": record["test"]["f1_macro"],
        "validation": record["validation"]["accuracy"],
        "process_seconds": time.perf_counter() - start,
        "seconds": record["seconds"],
        "texts_computed": record["prefix"]["texts"],
        "features": record["features"],
        "words": record.get("words"),
    }


def compare(arguments: argparse.Namespace, scratch: Path) -> list[Result]:
    """Run all strategies on every data set, one after the other, and print a row for each set."""
    results = []
    for number, written in enumerate(arguments.sets):
        name, _, names = written.partition("=")
        result = {
            strategy: fit(
                thawline_command(name, names, strategy, arguments, scratch / f"{number}-{strategy}")
            )
            for strategy in STRATEGIES
        }
        print_row(result)
        results.append(result)
    return results


def print_row(result: Result) -> None:
    """Print the results of one data set as a row of a Markdown table."""
    first = result[STRATEGIES[0]]
    rows = first["rows"]
    cells = [first["set"], f"{rows['train'] + rows['validation']:,} / {rows['test']:,}"]
    for strategy in STRATEGIES:
        accuracy = result[strategy]["accuracy"]
        value, low, high = (100 * accuracy[part] for part in ("value", "low", "high"))
        cells += [f"{value:.2f} % ({low:.1f} to {high:.1f})"]
        cells += [f"{100 * result[strategy]['f1_macro']['value']:.2f} %"]
        cells += [f"{result[strategy]['process_seconds']:,.0f}"]
    print(f"| {' | '.join(cells)} |", flush=True)


def main(words: list[str] | None = None) -> None:
    """Run the comparison, print its table and write the results."""
    arguments = parse(words)
    headings = [f"{strategy} | macro F1 | seconds" for strategy in STRATEGIES]
    print(f"| set | train / test | {' | '.join(headings)} |")
    print(f"|{'---|' * (2 + 3 * len(STRATEGIES))}")
    with tempfile.TemporaryDirectory(prefix="frozen_head_sets_") as scratch:
        results = compare(arguments, Path(scratch))
    if arguments.json is not None:
        described = {
            "date": datetime.now(UTC).date().isoformat(),
            "hardware": hardware.describe_machine(),
            "versions": hardware.versions(),
            "results": results,
        }
        Path(arguments.json).write_text(json.dumps(described, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
