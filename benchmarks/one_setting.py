"""Compare several values of one setting by validation accuracy and seconds of training.

Run it from the root of the repository, in the environment of ``make install``. The value ``own``
stands for the default::

    python -m benchmarks.one_setting head.head native linear --sets sst2 imdb=neg,pos \
        --strategies last:1 lora --seeds 3 --json head.json

It prints the mean validation accuracy over the seeds for each strategy, data set and value, and how
much faster the training is than with the first value.

It needs the data sets, as local copies or from the hub. It never uses a test split.

All other settings have their default or the value given with ``--set``. All fits use the same rows.
The seed affects the initialisation of the head, the order of the texts and dropout. The values take
turns within each seed, so that load on the machine slows all of them, and only the ratio of their
seconds is meaningful. The figures in ``docs/results.md`` were measured with
``--set backbone=minilm``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import mean, stdev

from benchmarks.learning_rates import Row, best_of, fit, load_rows, machine, parse_set
from thawline.config import Config
from thawline.config.resolve import resolve_config

Cell = tuple[str, str, int, str]
"""A data set, a strategy, a seed and a value."""

OWN = "own"
"""The value that stands for the default."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("setting", metavar="KEY", help="Setting, such as training.attention_dropout")
    add("values", nargs="+", metavar="VALUE", help=f"Values, where {OWN} is the default")
    add(
        "--sets",
        nargs="+",
        required=True,
        metavar="SET[=NAMES]",
        help="Data sets to train and validate on",
    )
    add("--strategies", nargs="+", default=[Config.strategy], help="Strategies")
    add("--seeds", type=int, default=3, help="Number of random seeds")
    add("--rows", type=int, default=1_000, help="Rows of train and of validation")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="Setting of every fit")
    add("--json", type=Path, metavar="FILE", help="File for the results")
    return parser.parse_args(words)


def configured(arguments: argparse.Namespace, cell: Cell) -> Config:
    """Return the config of one fit."""
    written, strategy, seed, value = cell
    changed = [] if value == OWN else [f"{arguments.setting}={value}"]
    config = resolve_config(overrides=[*arguments.set, *changed])
    return replace(config, data=parse_set(written), strategy=strategy, seed=seed)


def measure(arguments: argparse.Namespace, cell: Cell) -> Row:
    """Run one fit and return its row: the settings and the scores of the best epoch."""
    config = configured(arguments, cell)
    dataset = load_rows(config.data, arguments.rows)
    plan, history = fit(config, dataset)
    return {
        **dict(zip(("set", "strategy", "seed", "value"), cell, strict=True)),
        "setting": arguments.setting,
        "lr": plan.lr,
        "head": str(plan.head),
        "rows": len(dataset.train),
        "max_length": plan.max_length,
        "validation_rows": len(dataset.validation),
        **best_of(history),
        "training_seconds": sum(row["seconds"] or 0.0 for row in history),
        **machine(),
    }


def table(rows: list[Row]) -> str:
    """Return a Markdown table of accuracies, with their standard deviations, and of speeds.

    Accuracies are means over the seeds. The speed is relative to the first value: 2.0 means twice
    as fast.
    """
    lines = ["| strategy | set | value | validation accuracy | faster |", "|---|---|---|---|---|"]
    groups: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        groups[row["strategy"], row["set"]][row["value"]].append(row)
    for (strategy, name), values in groups.items():
        first = mean(row["training_seconds"] for row in next(iter(values.values())))
        for value, fits in values.items():
            scores = [100 * row["validation_accuracy"] for row in fits]
            spread = f" ± {stdev(scores):.1f}" if len(scores) > 1 else ""
            ratio = first / mean(row["training_seconds"] for row in fits)
            shown = Path(name.partition("=")[0]).stem
            cells = (f"`{strategy}`", shown, value, f"{mean(scores):.1f} %{spread}", f"{ratio:.2f}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    """Run every fit and print the table."""
    arguments = parse(words)
    rows: list[Row] = []
    every = product(arguments.sets, arguments.strategies, range(arguments.seeds), arguments.values)
    for cell in every:
        rows.append(measure(arguments, cell))
        shown = ("training_seconds", "epoch", "validation_accuracy")
        print(*cell, *(rows[-1][key] for key in shown), flush=True)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
