"""Compare `thawline fit` with other libraries on the same rows, as whole processes.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.peers --data thawline/reviews --labels neg,pos --train 400 --test 200

It adds its measurements to ``--json`` and prints the table of that file. A row of the file that has
the same data, backbone, sizes, strategy, epochs and seed is replaced. ``--table`` only prints the
table. ``--table PAGE`` also writes it into a page, between the comments ``<!-- peers -->`` and
``<!-- /peers -->``.

The peers, whose scripts are in `benchmarks.peer_scripts`:

- ``trainer``: transformers' Trainer, with peft for adapters, as the usual scripts use them: random
  batches of 16, dynamic padding, fp32 and an evaluation after each epoch;
- ``trainer-best``: the same with Trainer's fastest options: bf16, batches of texts of similar
  length, and larger batches in evaluation. Larger training batches were slower on two cores: an
  epoch of 130 reviews of at most 256 tokens took 12.8 s in batches of 16, 15.2 s in batches of 32
  and 18.7 s in batches of 64;
- ``encode``: sentence-transformers' `encode` and scikit-learn's logistic regression;
- ``setfit``: SetFit's classifier on the frozen body, without contrastive training;
- ``model2vec``: static vectors distilled from the backbone, and model2vec's own classifier;
- ``autointent``: AutoIntent's quickest preset, ``classic-light``, with the backbone as embedder.

The last four do not train the backbone, so they are compared with the strategy ``head``. SetFit,
model2vec and AutoIntent are not in the project's environment, and they need different versions of
transformers. Install each in an environment of its own and name its interpreter::

    python -m venv other && other/bin/pip install torch "setfit==1.2.0"
    python -m benchmarks.peers … --python setfit=other/bin/python

The others are ``"model2vec[distill,train]==0.10.0"`` and
``"autointent[sentence-transformers,transformers]==0.4.0"``. A peer that does not run is part of the
results, with the first line of its error. No peer may use the hub.

Each run is a new process, and its seconds include the start of Python, imports and tokenisation.
In every round, all sides run one after the other. Ratios are taken within a round, and the table
shows their median. The second run of `thawline fit` in a round uses the store of the first.

Both sides train the native head for the same epochs, with the same batch size and learning rate,
and keep the last epoch. The rate is Thawline's default for the strategy. Under ``head``, Thawline
solves the head exactly, and Trainer gets the rate that was best for it (`HEAD_LR`). Scripts without
epochs choose nothing on validation, so they train on the rows of validation too.

The slow scripts need not run on all rows. With ``--script-rows TRAIN,TEST``, they run on that part
and on a quarter of it, and their time for the whole job is computed (`benchmarks.peers_report`).
`thawline fit` runs on that part and on all rows. With ``--also-epochs``, the seconds for other
numbers of epochs are computed. The table marks all computed seconds. Computed seconds need quiet
cores: what slows one part down is multiplied.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import peers_report
from benchmarks.pages import write_table
from benchmarks.peer_scripts import SCRIPTS, installed
from benchmarks.peers_report import FILLED, THAWLINE, Row
from benchmarks.peers_runs import (
    TRAINERS,
    Failure,
    Sources,
    batches,
    lengths_of,
    run_script,
    run_thawline,
    versions_of,
    work_of,
)
from thawline.config import DEFAULT_MAX_LENGTH, SMALL_RUN, Config, TrainingConfig

RESULTS = Path(__file__).parent / "results" / "peers.json"
WHOLE = ("model2vec",)
"""Peers that always run on all rows, because they are quick."""

SETTINGS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")
"""The environment variables that belong to the results."""

KEY = ("data", "backbone", "max_length", "train", "test", "script_rows", "strategy", "epochs",
       "seed")  # fmt: skip
"""The fields that identify a row of the results."""


def pair(text: str) -> tuple[int, int]:
    """Return the numbers of train and test rows of an argument ``TRAIN,TEST``."""
    train, test = text.split(",")
    return int(train), int(test)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", help="A folder, a file, the name of a set or a hub id")
    add("--labels", help="Names of the labels, separated by commas")
    add("--backbone", default="minilm", help="A folder, a packaged name or a hub id")
    add("--train", type=int, default=SMALL_RUN[0], help="Rows of train, including validation")
    add("--test", type=int, default=SMALL_RUN[1], help="Rows of test")
    add("--script-rows", type=pair, metavar="TRAIN,TEST", help="Rows of the slow scripts")
    add("--max-length", type=int, default=DEFAULT_MAX_LENGTH, help="Maximum tokens in a text")
    add("--strategies", nargs="+", default=[Config.strategy], help="Strategies of both sides")
    add("--peers", nargs="+", choices=list(SCRIPTS), help="Peers. If omitted, all that apply")
    add("--epochs", type=int, default=3, help="Epochs, except for an exact head")
    add("--also-epochs", nargs="+", type=int, default=[], help="Epochs to compute seconds for")
    add("--rounds", type=int, default=1, help="Number of rounds")
    add("--seed", type=int, default=Config.seed, help="Random seed of both sides")
    add("--batch-size", type=int, default=TrainingConfig.batch_size, help="Texts in a step")
    add(
        "--best-batch-size",
        type=int,
        default=TrainingConfig.batch_size,
        help="Texts in a step with Trainer's best options",
    )
    add("--python", action="append", default=[], metavar="PEER=PATH", help="Interpreter of a peer")
    add("--json", type=Path, metavar="FILE", default=RESULTS, help="File for the results")
    add("--table", nargs="?", const="", metavar="PAGE", help="Only print or write the table")
    options = parser.parse_args(words)
    if options.table is None and options.data is None:
        parser.error("--data is required, unless --table is given")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def peers_of(options: argparse.Namespace, strategy: str) -> list[str]:
    """Return the peers of a strategy. Only ``head`` has peers that leave the backbone frozen."""
    chosen = options.peers or list(SCRIPTS)
    return [peer for peer in chosen if peer in TRAINERS or strategy == "head"]


def units(options: argparse.Namespace, peers: list[str]) -> list[tuple[str, tuple[int, int]]]:
    """Return the sides and rows of one round, in their order.

    The filled store of `thawline fit` comes directly after the run that fills it. The smaller parts
    of the scripts come last, so that a script runs both before and after `thawline fit`.
    """
    full = options.train, options.test
    thawline = (THAWLINE, FILLED)
    if options.script_rows is None:
        return [(side, full) for side in (*peers, *thawline)]
    part = options.script_rows
    quarter = part[0] // 4, part[1] // 4
    slow = [peer for peer in peers if peer not in WHOLE]
    found = [(side, part) for side in (*peers, *thawline)]
    quick = [peer for peer in peers if peer in WHOLE]
    found += [(side, full) for side in (*quick, *thawline)]
    return found + [(peer, quarter) for peer in slow if batches(options, peer) is not None]


def new_row(options: argparse.Namespace, strategy: str, words: list[str]) -> Row:
    """Return a row of the results that has no measurements yet."""
    from thawline.runtime.hardware import describe_machine, versions

    shown = [re.sub(r"^(\w+=)?/.*/", r"\1", word) for word in words]
    return {
        "data": Path(options.data).stem,
        **{name: getattr(options, name) for name in ("backbone", "max_length", "train", "test")},
        "script_rows": list(options.script_rows) if options.script_rows else None,
        "strategy": strategy,
        "epochs": options.epochs,
        "all_epochs": sorted({options.epochs, *options.also_epochs}),
        "seed": options.seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "benchmarks.peers", *shown]),
        "environment": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "versions": versions() | installed(("accelerate", "datasets", "peft")),
        "hardware": describe_machine(),
        "work": {},
        "runs": [],
        "failed": [],
    }


def put(row: Row, path: Path) -> None:
    """Write a row to the results file, in place of the row with the same key."""
    rows = read(path)
    key = [row[name] for name in KEY]
    places = [place for place, other in enumerate(rows) if [other[name] for name in KEY] == key]
    if places:
        rows[places[0]] = row
    else:
        rows.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps({"results": rows}, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def read(path: Path) -> list[Row]:
    """Return the rows of a results file. A file that does not exist has none."""
    if not path.exists():
        return []
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return rows


def measure(options: argparse.Namespace, strategy: str, words: list[str]) -> Row:
    """Run all rounds of a strategy and write the results after each process.

    Raises:
        SystemExit: If `thawline fit` fails.
    """
    row, sources = new_row(options, strategy, words), Sources(options)
    peers = peers_of(options, strategy)
    for peer in peers:
        if batches(options, peer) is not None:
            sizes = {rows for _, rows in units(options, [peer])}
            row["work"][peer] = {
                f"{rows[0]},{rows[1]}": work_of(
                    options, peer, lengths_of(options, sources.of(rows))
                )
                for rows in sorted(sizes)
            }
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="peers_") as folder:
            for side, rows in units(options, peers):
                _run_unit(options, row, side, rows, sources, Path(folder), number)
                put(row, options.json)
    return row


def _run_unit(
    options: argparse.Namespace,
    row: Row,
    side: str,
    rows: tuple[int, int],
    sources: Sources,
    scratch: Path,
    number: int,
) -> None:
    """Run one side once and add its result to the row, unless there is nothing to run."""
    if side in {failed["side"] for failed in row["failed"]}:
        return
    strategy, home = row["strategy"], scratch / f"home-{rows[0]}-{rows[1]}"
    if side == FILLED and not stores_states(row, rows):
        return
    try:
        if side in (THAWLINE, FILLED):
            found = run_thawline(options, side, strategy, rows, home)
        else:
            found = run_script(options, side, strategy, sources.of(rows), scratch)
    except Failure as error:
        if side in (THAWLINE, FILLED):
            sys.exit(f"thawline fit failed: {error}")
        versions = versions_of(options, side)
        row["failed"].append({"side": side, "error": str(error), "versions": versions})
        print(f"{side}: {error}", file=sys.stderr, flush=True)
        return
    row["runs"].append({"side": side, "rows": list(rows), "round": number, **found})
    shown = f"{found['process_seconds']:.1f} s, {found['accuracy']['value']:.3f}"
    print(f"{strategy}, {side}, {rows[0]}/{rows[1]}: {shown}", file=sys.stderr, flush=True)


def stores_states(row: Row, rows: tuple[int, int]) -> bool:
    """Return whether the last `thawline fit` on some rows filled a store. No line below 2 does."""
    lines = [
        run["line"] for run in row["runs"] if run["side"] == THAWLINE and run["rows"] == list(rows)
    ]
    return bool(lines) and lines[-1] > 1


def main(words: list[str] | None = None) -> None:
    """Measure all strategies and print the table, or only print or write the table."""
    given = sys.argv[1:] if words is None else words
    options = parse(given)
    if options.table is None:
        for strategy in options.strategies:
            measure(options, strategy, given)
    text = peers_report.table(read(options.json))
    print(text)
    if options.table:
        write_table(Path(options.table), "peers", text)


if __name__ == "__main__":
    main()
