"""One setting at several values: validation accuracy over seeds, and seconds of training.

Run it from the repository's root, in the environment of ``make install``; the value
``own`` leaves the setting as it is by default::

    python -m benchmarks.one_setting head.head native linear --sets sst2 imdb=neg,pos \
        --strategies last:1 lora --seeds 3 --json head.json

Every other setting has its default, or what ``--set`` says. The rows are the same for all; a seed
draws the head, the order of texts and dropout. What is in ``docs/results.md`` was measured with
``--set backbone=minilm``. The values take turns within each seed, so that a
busy machine slows all of them: only the ratio of their seconds says anything. Nothing here sees a
test split.
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
"""A set, a strategy, a seed and a value."""

OWN = "own"
"""The value that leaves the setting as it is by default."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments; ``words`` are those of the command line unless given."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("setting", metavar="KEY", help="of the config: training.attention_dropout")
    add("values", nargs="+", metavar="VALUE", help=f"in turn; {OWN}: the default")
    add("--sets", nargs="+", required=True, metavar="SET[=NAMES]", help="to train and validate on")
    add("--strategies", nargs="+", default=[Config.strategy])
    add("--seeds", type=int, default=3, help="how many, from 0 on")
    add("--rows", type=int, default=1_000, help="to train on, and to validate on")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every fit")
    add("--json", type=Path, metavar="FILE", help="write all rows there")
    return parser.parse_args(words)


def configured(arguments: argparse.Namespace, cell: Cell) -> Config:
    """Return the config of one fit."""
    written, strategy, seed, value = cell
    changed = [] if value == OWN else [f"{arguments.setting}={value}"]
    config = resolve_config(overrides=[*arguments.set, *changed])
    return replace(config, data=parse_set(written), strategy=strategy, seed=seed)


def measure(arguments: argparse.Namespace, cell: Cell) -> Row:
    """Fit one cell, and return its best epoch on validation."""
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
    """Return means over seeds as Markdown: accuracy, its deviation, and the ratio of seconds.

    The ratio is that of the first value's seconds to this one's: 2.0 is twice as fast.
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
    """Fit every cell and print the table."""
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
