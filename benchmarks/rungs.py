"""Compare strategies on the same rows, each in a new process with its own empty store.

Run it from the root of the repository, in the environment of ``make install``. A rung is a
strategy, which may be followed by options of ``thawline fit``::

    python benchmarks/rungs.py head last:1 "last:2 --lr 2e-5 --set training.patience=2" full \
        --data thawline/reviews --small --json rungs.json --plot docs/images

It prints the test accuracy, the macro F1, the comparison with the best rung, the parameters, the
seconds, the peak memory and the command of each rung.

It needs the data set, as a local copy or from the hub. The set ``thawline/reviews`` comes with
Thawline.

The seconds are those of the complete run. They include the frozen pass, because no rung can use the
store of another one. The predictions of a rung are compared with those of the best rung by
McNemar's exact test, on the rows that only one of the two classifies correctly. The p-values in the
table are not corrected for the number of rungs. The JSON has both.
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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thawline.config import Config
from thawline.evaluation.paired_tests import paired_tests
from thawline.runtime import hardware

Result = dict[str, Any]

KEPT = (
    *("strategy", "line", "head", "pooling", "features", "max_length", "epochs", "lr"),
    *("parameters", "seconds", "density", "prefix", "history", "kept", "choice"),
    *("baseline", "validation", "test", "mistakes", "proof", "peak_memory_bytes"),
)
"""The fields of a run's record that the results include."""

COLUMNS = (
    *("rung", "accuracy", "macro F1", "against the best", "parameters trained"),
    *("seconds", "peak memory", "command"),
)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("rungs", nargs="+", metavar="RUNG", help="Strategy, followed by options of `thawline fit`")
    add("--data", required=True, help="A folder, a file, the name of a set or a hub id")
    add("--labels", help="Names of the labels, separated by commas")
    add("--backbone", default="minilm", help="A folder, a packaged name or a hub id")
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument("--limit", metavar="N,M", help="Number of train and test rows")
    rows.add_argument("--small", action="store_true", help="Use the rows of `thawline fit --small`")
    add("--seed", type=int, default=Config.seed, help="Random seed of every rung")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="Setting of every rung")
    add(
        "--json",
        type=Path,
        metavar="FILE",
        help="File for the results. Rungs that it already has are skipped",
    )
    add("--plot", type=Path, metavar="FOLDER", help="Folder for rungs.png and rungs.svg")
    return parser.parse_args(words)


def command(rung: str, options: argparse.Namespace) -> list[str]:
    """Return the arguments of the `thawline fit` of a rung."""
    strategy, *further = shlex.split(rung)
    words = ["fit", "--data", options.data]
    words += ["--labels", options.labels] if options.labels else []
    words += ["--limit", options.limit] if options.limit else []
    words += ["--small"] if options.small else []
    words += ["--backbone", options.backbone, "--seed", str(options.seed)]
    words += [word for setting in options.set for word in ("--set", setting)]
    return [*words, "--strategy", strategy, *further]


def run(rung: str, options: argparse.Namespace) -> Result:
    """Run a rung in a new process with an empty store, which is deleted afterwards."""
    print(f"{rung} …", file=sys.stderr, flush=True)
    words = command(rung, options)
    with tempfile.TemporaryDirectory(prefix="rungs_") as folder:
        scratch = Path(folder)
        start = time.perf_counter()
        finished = subprocess.run(
            [sys.executable, "-m", "thawline", *words, "--out", str(scratch / "run"), "--json"],
            env=os.environ | {"THAWLINE_HOME": str(scratch / "home")},
            stdout=subprocess.PIPE,
            check=False,
        )
        seconds = time.perf_counter() - start
    if finished.returncode:
        sys.exit(f"'{rung}' failed with exit code {finished.returncode}. See its error above.")
    record = json.loads(finished.stdout)
    return {
        "rung": rung,
        "command": shlex.join(["thawline", *words]),
        "process_seconds": seconds,
        "record": {name: record[name] for name in KEPT},
    }


def measured(file: Path | None) -> dict[str, Result]:
    """Return the results that the file already has, by command."""
    if file is None or not file.exists():
        return {}
    return {found["command"]: found for found in json.loads(file.read_text())["results"]}


def compare(results: list[Result]) -> None:
    """Compare the mistakes of each rung with those of the best rung and add the result.

    The best rung has the highest test accuracy, and is the first of equals. Each result gets the
    entry ``against_best``: the name of the best ``rung``, the numbers of rows that only one of the
    two classifies correctly, and the p-values of `paired_tests`. It is None for the best rung.
    """
    best = max(results, key=lambda result: float(result["record"]["test"]["accuracy"]["value"]))
    wrong = [[result["record"]["mistakes"]["rows"]] for result in results]
    others = [index for index, result in enumerate(results) if result is not best]
    found = paired_tests(wrong, [(index, results.index(best)) for index in others])
    best["against_best"] = None
    for index, test in zip(others, found, strict=True):
        results[index]["against_best"] = {
            "rung": best["rung"],
            "only_this_right": test.only_first_right,
            "only_best_right": test.only_second_right,
            "p": test.p,
            "p_corrected": test.p_corrected,
        }


def table(results: list[Result]) -> str:
    """Return the results as a Markdown table.

    The column ``against the best`` shows the number of rows that only this rung classifies
    correctly, the number that only the best rung does, and McNemar's p.
    """
    rows: list[tuple[str, ...]] = [COLUMNS, ("---",) * len(COLUMNS)]
    for result in results:
        record, against = result["record"], result["against_best"]
        comparison = "the best"
        if against is not None:
            right, wrong, p = (against[k] for k in ("only_this_right", "only_best_right", "p"))
            comparison = f"{right:g} : {wrong:g}, p = {p:.2g}"
        rows.append(
            (
                f"`{result['rung']}`",
                _with_interval(record["test"]["accuracy"]),
                _with_interval(record["test"]["f1_macro"]),
                comparison,
                f"{record['parameters']['trainable']:,}",
                f"{record['seconds']['total']:,.0f}",
                f"{record['peak_memory_bytes'] / 1e6:,.0f} MB",
                f"`{result['command']}`",
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _with_interval(score: dict[str, float]) -> str:
    value, low, high = (100 * score[end] for end in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def described(results: list[Result]) -> Result:
    """Return the results with the date, the hardware and the versions."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": hardware.describe_machine(),
        "versions": hardware.versions(),
        "results": results,
    }


def draw(results: list[Result], options: argparse.Namespace) -> None:
    """Draw the rungs as ``rungs.png``."""
    from thawline.report.figures import interval_note
    from thawline.report.rungs import RungBar, draw_rungs
    from thawline.runs.records import Scores

    records = [result["record"] for result in results]
    scores = [Scores(**record["test"]) for record in records]
    bars = [
        RungBar(
            result["rung"],
            found.accuracy,
            record["seconds"]["total"],
            record["parameters"]["trainable"],
        )
        for result, record, found in zip(results, records, scores, strict=True)
    ]
    draw_rungs(
        bars,
        options.plot,
        title=f"{Path(options.data).stem}: strategies on {Path(options.backbone).name}",
        subtitle=interval_note(scores[0]),
    )


def main(words: list[str] | None = None) -> None:
    """Run every rung, print the table, and write the results and the picture."""
    options = parse(words)
    known = measured(options.json)
    results: list[Result] = []
    for rung in options.rungs:
        found = known.get(shlex.join(["thawline", *command(rung, options)]))
        results.append(run(rung, options) if found is None else found)
        compare(results)
        if options.json is not None:  # write after each rung, so that a failure loses no results
            options.json.write_text(json.dumps(described(results), indent=1), encoding="utf-8")
    print(table(results))
    if options.plot is not None:
        draw(results, options)


if __name__ == "__main__":
    main()
