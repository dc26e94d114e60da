"""Several strategies on the same rows, each in a fresh process with an empty store of its own.

Run it from the repository's root, in the environment of ``make install``. A rung is a strategy,
with further words of ``thawline fit`` after it where it needs them; ``--set`` holds for all::

    python benchmarks/rungs.py head last:1 "last:2 --lr 2e-5 --set training.patience=2" full \
        --data thawline/reviews --small --json rungs.json --plot docs/images

The seconds are those of the whole run as if it were alone: whatever another rung stored is not
there. What a rung's classifier got wrong is compared row by row with the best rung's: the exact
test of McNemar on the rows that only one of the two got right. The table's p-values are not
corrected for the number of rungs; the JSON has both.
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
from thawline.evaluation.paired_tests import against_best
from thawline.runtime import hardware

Result = dict[str, Any]

KEPT = (
    *("strategy", "line", "head", "pooling", "features", "max_length", "epochs", "lr"),
    *("parameters", "seconds", "density", "prefix", "history", "kept", "choice"),
    *("baseline", "validation", "test", "mistakes", "proof", "peak_memory_bytes"),
)
"""What the results keep of a run's record."""

COLUMNS = (
    *("rung", "accuracy", "macro F1", "against the best", "parameters trained"),
    *("seconds", "peak memory", "command"),
)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments; ``words`` are those of the command line unless given."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("rungs", nargs="+", metavar="RUNG", help="a strategy, and words of `thawline fit`")
    add("--data", required=True, help="a folder, a file, a set's name or a hub id")
    add("--labels", help="names of the labels, separated by commas")
    add("--backbone", default="minilm", help="a folder, a packaged name or a hub id")
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument("--limit", metavar="N,M", help="draw N train and M test rows")
    rows.add_argument("--small", action="store_true", help="draw the rows of the small run")
    add("--seed", type=int, default=Config.seed, help="of every rung; rows never depend on it")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every rung")
    add("--json", type=Path, metavar="FILE", help="of all results; a rung in it is not run again")
    add("--plot", type=Path, metavar="FOLDER", help="draw rungs.png and rungs.svg there")
    return parser.parse_args(words)


def command(rung: str, options: argparse.Namespace) -> list[str]:
    """Return the `thawline fit` of a rung, as it can be repeated."""
    strategy, *further = shlex.split(rung)
    words = ["fit", "--data", options.data]
    words += ["--labels", options.labels] if options.labels else []
    words += ["--limit", options.limit] if options.limit else []
    words += ["--small"] if options.small else []
    words += ["--backbone", options.backbone, "--seed", str(options.seed)]
    words += [word for setting in options.set for word in ("--set", setting)]
    return [*words, "--strategy", strategy, *further]


def run(rung: str, options: argparse.Namespace) -> Result:
    """Fit in a fresh process with an empty store, which is gone afterwards."""
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
        sys.exit(f"'{rung}' failed with exit code {finished.returncode}; it says why above")
    record = json.loads(finished.stdout)
    return {
        "rung": rung,
        "command": shlex.join(["thawline", *words]),
        "process_seconds": seconds,
        "record": {name: record[name] for name in KEPT},
    }


def measured(file: Path | None) -> dict[str, Result]:
    """Return the results that a file holds already, by their command."""
    if file is None or not file.exists():
        return {}
    return {found["command"]: found for found in json.loads(file.read_text())["results"]}


def compare(results: list[Result]) -> None:
    """Add to each result how its mistakes differ from those of the best rung, None for that one.

    The best has the highest accuracy on test, the first of equals; what is added is what
    `against_best` says, with the name of the ``rung``.
    """
    best = max(results, key=lambda result: float(result["record"]["test"]["accuracy"]["value"]))
    wrong = [[result["record"]["mistakes"]["rows"]] for result in results]
    for result, found in zip(results, against_best(wrong, results.index(best)), strict=True):
        result["against_best"] = None if found is None else {"rung": best["rung"], **found}


def table(results: list[Result]) -> str:
    """Return the results as a table in Markdown.

    Against the best stand the rows that only this rung got right, those that only the best did,
    and McNemar's p.
    """
    rows: list[tuple[str, ...]] = [COLUMNS, ("---",) * len(COLUMNS)]
    for result in results:
        record, against = result["record"], result["against_best"]
        differs = "the best"
        if against is not None:
            right, wrong, p = (against[k] for k in ("only_this_right", "only_best_right", "p"))
            differs = f"{right:g} : {wrong:g}, p = {p:.2g}"
        rows.append(
            (
                f"`{result['rung']}`",
                _with_interval(record["test"]["accuracy"]),
                _with_interval(record["test"]["f1_macro"]),
                differs,
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
    """Return results with the machine and the versions that they were measured on."""
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
    """Run every rung, print the table, write results and picture."""
    options = parse(words)
    known = measured(options.json)
    results: list[Result] = []
    for rung in options.rungs:
        found = known.get(shlex.join(["thawline", *command(rung, options)]))
        results.append(run(rung, options) if found is None else found)
        compare(results)
        if options.json is not None:  # after each, so that hours are not lost with the last
            options.json.write_text(json.dumps(described(results), indent=1), encoding="utf-8")
    print(table(results))
    if options.plot is not None:
        draw(results, options)


if __name__ == "__main__":
    main()
